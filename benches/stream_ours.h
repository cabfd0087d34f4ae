/* What the programs share that get a stream by this library. */
#ifndef STREAM_OURS_H
#define STREAM_OURS_H

#include "ours.h"

struct chat {
    mlflow_gateway *gateway;
    mlflow_gateway_request *request;
};

void chat_open(struct chat *chat, const char *url);
void chat_close(struct chat *chat);

/* Prints what was gathered, as peer_print() does. */
void response_print(const mlflow_gateway_response *response, long deltas);

#endif

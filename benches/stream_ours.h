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

/* Whether an event is a text; looks at it as a program does that prints it. */
int is_text(const mlflow_gateway_event *event);

/* Prints what was gathered, as peer_print() does. */
void response_print(const mlflow_gateway_response *response, long deltas);

#endif

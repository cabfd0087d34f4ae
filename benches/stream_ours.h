/* Shared by the programs that read a stream with this library. */
#ifndef STREAM_OURS_H
#define STREAM_OURS_H

#include "ours.h"

struct chat {
    mlflow_gateway *gateway;
    mlflow_gateway_request *request;
};

void chat_open(struct chat *chat, const char *url);
void chat_close(struct chat *chat);

/* Whether an event contains text. Reads the event as a program that prints the text would. */
int is_text_event(const mlflow_gateway_event *event);

/* Prints the summary of the gathered response, as peer_print_summary() does. */
void print_response_summary(const mlflow_gateway_response *response, long deltas);

#endif

/* Reads a stream with this library, which calls a function for each event. */
#include "large.h"
#include "process.h"
#include "stream_ours.h"

#include <stdlib.h>

struct peer {
    struct chat chat;
    mlflow_gateway_response *response;
    long deltas;
};

static int count_text_event(const mlflow_gateway_event *event, void *opened)
{
    struct peer *peer = opened;

    peer->deltas += is_text_event(event);
    return 0;
}

void *peer_open(const char *url)
{
    struct peer *peer = calloc(1, sizeof *peer);

    if (peer == NULL)
        fail("calloc", "no memory");
    chat_open(&peer->chat, url);
    return peer;
}

void peer_call(void *opened)
{
    struct peer *peer = opened;
    mlflow_gateway_error *error = NULL;

    mlflow_gateway_response_destroy(peer->response);
    peer->response = NULL;
    peer->deltas = 0;
    check(mlflow_gateway_stream_call(peer->chat.gateway, peer->chat.request, count_text_event, peer, &peer->response, &error),
          &error);
}

void peer_print_summary(void *opened)
{
    struct peer *peer = opened;

    print_response_summary(peer->response, peer->deltas);
}

void peer_close(void *opened)
{
    struct peer *peer = opened;

    mlflow_gateway_response_destroy(peer->response);
    chat_close(&peer->chat);
    free(peer);
}

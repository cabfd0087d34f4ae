/* Reads a stream with this library, which returns one event after the other. */
#include "large.h"
#include "process.h"
#include "stream_ours.h"

#include <stdlib.h>

struct peer {
    struct chat chat;
    mlflow_gateway_stream *stream;
    long deltas;
};

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
    mlflow_gateway_status status;
    mlflow_gateway_error *error = NULL;
    const mlflow_gateway_event *event;

    mlflow_gateway_stream_destroy(peer->stream);
    peer->stream = NULL;
    peer->deltas = 0;
    check(mlflow_gateway_stream_open(peer->chat.gateway, peer->chat.request, &peer->stream, &error), &error);
    while ((status = mlflow_gateway_stream_next(peer->stream, &event, &error)) == MLFLOW_GATEWAY_OK)
        peer->deltas += is_text_event(event);
    if (status != MLFLOW_GATEWAY_STREAM_END)
        check(status, &error);
}

void peer_print_summary(void *opened)
{
    struct peer *peer = opened;

    print_response_summary(mlflow_gateway_stream_response(peer->stream), peer->deltas);
}

void peer_close(void *opened)
{
    struct peer *peer = opened;

    mlflow_gateway_stream_destroy(peer->stream);
    chat_close(&peer->chat);
    free(peer);
}

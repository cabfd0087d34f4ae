/*
 * Measures the memory of a long stream: resident memory after some of its text events and after all.
 *
 * usage: bench_stream_memory URL GATHER EARLY
 * GATHER is the value of the option gather_stream, true or false. EARLY is the number of text events before the first
 * measurement.
 */
#include "process.h"
#include "stream_ours.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc != 4)
        fail("usage", "bench_stream_memory URL GATHER EARLY");
    long early = atol(argv[3]), deltas = 0, before = resident_kib(); /* loads what the measurement itself needs */
    struct chat chat;
    mlflow_gateway_stream *stream = NULL;
    mlflow_gateway_status status;
    mlflow_gateway_error *error = NULL;
    const mlflow_gateway_event *event;
    size_t length, whole = 0;

    chat_open(&chat, argv[1]);
    check(mlflow_gateway_request_set_option(chat.request, "gather_stream", argv[2], &error), &error);
    check(mlflow_gateway_stream_open(chat.gateway, chat.request, &stream, &error), &error);
    while ((status = mlflow_gateway_stream_next(stream, &event, &error)) == MLFLOW_GATEWAY_OK) {
        if (mlflow_gateway_event_kind(event) != MLFLOW_GATEWAY_EVENT_TEXT)
            continue;
        mlflow_gateway_event_text(event, &length);
        whole += length;
        if (++deltas == early)
            before = resident_kib();
    }
    if (status != MLFLOW_GATEWAY_STREAM_END)
        check(status, &error);
    printf("{\"resident_kib\": [%ld, %ld], \"deltas\": %ld, \"text_bytes\": %zu}\n",
           before, resident_kib(), deltas, whole);
    mlflow_gateway_stream_destroy(stream);
    chat_close(&chat);
    return 0;
}

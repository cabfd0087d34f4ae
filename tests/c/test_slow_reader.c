/*
 * Reads a stream slowly, with a pause before each event.
 *
 * usage: test_slow_reader URI PAUSE_MS [NAME=VALUE]...    NAME=VALUE are options of the handle
 *   out: STATUS MILLISECONDS EVENTS MESSAGE
 *        MILLISECONDS is the duration of the last call, EVENTS the number of events before it.
 */
#define _POSIX_C_SOURCE 200809L

#include <time.h>

#include "check.h"

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_stream *stream = NULL;
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_status status = MLFLOW_GATEWAY_OK;
    const mlflow_gateway_event *event = NULL;
    double began = 0;
    int events = 0;

    CHECK(argc >= 3);
    struct timespec pause = { atol(argv[2]) / 1000, atol(argv[2]) % 1000 * 1000000 };
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create("r", argv[1], &gateway, &error));
    for (int i = 3; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        CHECK(value != NULL);
        *value++ = '\0';
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, argv[i], value, &error));
    }
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_prompt(request, "hi", 2, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_stream_open(gateway, request, &stream, &error));
    while (status == MLFLOW_GATEWAY_OK) {
        nanosleep(&pause, NULL);
        began = now_ms();
        status = mlflow_gateway_stream_next(stream, &event, &error);
        events += status == MLFLOW_GATEWAY_OK;
    }
    printf("%s %.1f %d %s\n", mlflow_gateway_status_name(status) + strlen("MLFLOW_GATEWAY_"), now_ms() - began, events,
           mlflow_gateway_error_message(error));
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_stream_destroy(stream);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return 0;
}

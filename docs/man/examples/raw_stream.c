/* Stream a raw request, and print the server-sent events as they are. */
#include <mlflow_ai_gateway.h>
#include <stdio.h>
#include <stdlib.h>

static mlflow_gateway_error *error;

/* Ends the program if a call failed. */
static void check(mlflow_gateway_status status)
{
    if (status != MLFLOW_GATEWAY_OK) {
        fprintf(stderr, "%s\n", mlflow_gateway_error_message(error));
        exit(1);
    }
}

int main(void)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_stream *stream = NULL;
    const mlflow_gateway_event *event = NULL;
    mlflow_gateway_status status;
    const char *path = "/gateway/anthropic/v1/messages";
    const char *body =
        "{\"model\": \"chat\", \"max_tokens\": 64,"
        "\"stream\": true, \"messages\": [{\"role\": \"user\","
        "\"content\": \"Hello\"}]}";

    check(mlflow_gateway_create(NULL, NULL, &gateway, &error));
    check(mlflow_gateway_request_create(&request, &error));
    check(mlflow_gateway_request_set_path(request, NULL, path, &error));
    check(mlflow_gateway_request_set_body_json(
        request, body, MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    check(mlflow_gateway_stream_open(gateway, request, &stream, &error));
    while ((status = mlflow_gateway_stream_next(
                stream, &event, &error)) == MLFLOW_GATEWAY_OK) {
        const char *name = mlflow_gateway_event_raw_name(event);
        const char *data = mlflow_gateway_event_raw_data(event, NULL);
        printf("%s: %s\n", name != NULL ? name : "message", data);
    }
    if (status != MLFLOW_GATEWAY_STREAM_END)
        check(status);

    mlflow_gateway_stream_destroy(stream);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return 0;
}

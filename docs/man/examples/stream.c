/* Print the text of a response while it arrives. */
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

    check(mlflow_gateway_create("chat", NULL, &gateway, &error));
    check(mlflow_gateway_request_create(&request, &error));
    check(mlflow_gateway_request_add_message(request, "user",
        "Tell me a story.", MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    check(mlflow_gateway_stream_open(gateway, request, &stream, &error));
    while ((status = mlflow_gateway_stream_next(
                stream, &event, &error)) == MLFLOW_GATEWAY_OK) {
        if (mlflow_gateway_event_kind(event) ==
            MLFLOW_GATEWAY_EVENT_TEXT) {
            fputs(mlflow_gateway_event_text(event, NULL), stdout);
            fflush(stdout);
        }
    }
    if (status != MLFLOW_GATEWAY_STREAM_END)
        check(status);
    printf("\nfinish reason: %s\n",
        mlflow_gateway_response_finish_reason(
            mlflow_gateway_stream_response(stream), 0));

    mlflow_gateway_stream_destroy(stream);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return 0;
}

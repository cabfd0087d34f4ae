/* Pass each event of a stream to a callback. */
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

/* Stops the stream at a candidate that was not requested. */
static int on_event(const mlflow_gateway_event *event, void *user_data)
{
    const size_t *candidates = user_data;
    size_t candidate = mlflow_gateway_event_candidate(event);

    switch (mlflow_gateway_event_kind(event)) {
    case MLFLOW_GATEWAY_EVENT_TEXT:
        printf("candidate %zu: %s\n", candidate,
            mlflow_gateway_event_text(event, NULL));
        break;
    case MLFLOW_GATEWAY_EVENT_USAGE:
        printf(
            "%lld tokens\n", (long long)mlflow_gateway_event_tokens(
                                 event, MLFLOW_GATEWAY_TOKENS_OUTPUT));
        break;
    }
    return candidate >= *candidates;
}

int main(void)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_response *response = NULL;
    size_t candidates = 2;

    check(mlflow_gateway_create("chat", NULL, &gateway, &error));
    check(mlflow_gateway_request_create(&request, &error));
    check(mlflow_gateway_request_add_message(request, "user", "Hello",
        MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    check(mlflow_gateway_request_set_param_int(request, "n", 2, &error));
    check(mlflow_gateway_stream_call(
        gateway, request, on_event, &candidates, &response, &error));
    printf("the whole first candidate: %s\n",
        mlflow_gateway_response_text(response, 0, NULL));

    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return 0;
}

/*
 * A fork with an open stream and idle connections: the stream continues in the parent only, and what the child does
 * with its copies affects neither the parent nor the gateway.
 *
 * usage: test_fork_stream URI [CA_FILE]
 *   The gateway echoes the prompt.
 */
#define _POSIX_C_SOURCE 200809L

#include "call_helpers.h"
#include "child.h"

static const char PROMPT[] = "pieces of a stream";

/* Checks that a text event continues the prompt at this offset. Returns the length of its text. */
static size_t check_text_event(const mlflow_gateway_event *event, size_t at)
{
    size_t len = 0;
    const char *text = mlflow_gateway_event_text(event, &len);

    if (mlflow_gateway_event_kind(event) != MLFLOW_GATEWAY_EVENT_TEXT)
        return 0;
    CHECK(strncmp(text, PROMPT + at, len) == 0);
    return len;
}

static void run_child(mlflow_gateway *gateway, mlflow_gateway_stream *stream, mlflow_gateway_cancel_token *token,
                       bool destroys)
{
    mlflow_gateway_error *error = NULL;
    const mlflow_gateway_event *event = NULL;

    for (int i = 0; i < 2; i++) {
        CHECK(mlflow_gateway_stream_next(stream, &event, &error) == MLFLOW_GATEWAY_INVALID_ARGUMENT);
        CHECK(strstr(mlflow_gateway_error_message(error), "the process that opened it") != NULL);
        mlflow_gateway_error_destroy(error);
        error = NULL;
    }
    CHECK(event == NULL);
    CHECK(mlflow_gateway_stream_response(stream) != NULL);
    mlflow_gateway_cancel(token);
    mlflow_gateway_cancel_token_destroy(token);
    if (destroys) {
        mlflow_gateway_response *taken = mlflow_gateway_stream_take_response(stream);
        CHECK(mlflow_gateway_response_text(taken, 0, NULL) != NULL);
        mlflow_gateway_response_destroy(taken);
        mlflow_gateway_stream_destroy(stream);
        check_echo(gateway, "echo to a child");
        mlflow_gateway_destroy(gateway);
    }
    _exit(0);
}

int main(int argc, char **argv)
{
    mlflow_gateway_cancel_token *token = NULL;
    char prompt[64];

    CHECK(argc == 2 || argc == 3);
    mlflow_gateway *gateway = make_handle(argv[1], argv[2]);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_cancel_token_create(&token, &error));
    for (int i = 0; i < 4; i++) {
        mlflow_gateway_stream *stream = NULL;
        mlflow_gateway_status status;
        size_t at = 0;
        const mlflow_gateway_event *event;

        /* Leaves an idle connection in addition to that of the stream. */
        snprintf(prompt, sizeof prompt, "echo to the parent %d", i);
        mlflow_gateway_request *request = make_request(PROMPT, token);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_stream_open(gateway, request, &stream, &error));
        check_echo(gateway, prompt);
        while (at == 0) {
            CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_stream_next(stream, &event, &error));
            at += check_text_event(event, at);
        }
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0)
            run_child(gateway, stream, token, i % 2 == 0);
        wait_for(child);
        check_echo(gateway, prompt);
        while ((status = mlflow_gateway_stream_next(stream, &event, NULL)) == MLFLOW_GATEWAY_OK)
            at += check_text_event(event, at);
        CHECK(status == MLFLOW_GATEWAY_STREAM_END && at == strlen(PROMPT));
        mlflow_gateway_stream_destroy(stream);
        mlflow_gateway_request_destroy(request);
    }
    mlflow_gateway_cancel_token_destroy(token);
    mlflow_gateway_destroy(gateway);
    return 0;
}

/*
 * A connection that is reset while a long request is sent, or between two requests, becomes a status. It must not raise
 * SIGPIPE, which would end the process.
 *
 * usage: test_reset URI [CA_FILE]
 *   The gateway resets the connection after each response, and before the end of a long request.
 */
#define _POSIX_C_SOURCE 200809L

#include <signal.h>
#include <time.h>

#include "call_helpers.h"

#define LONG_LEN 10000000

static void send_long_prompt(mlflow_gateway *gateway, mlflow_gateway_cancel_token *token)
{
    static char prompt[LONG_LEN + 1];

    memset(prompt, 'x', LONG_LEN);
    CHECK(send_with_token(gateway, prompt, token) == MLFLOW_GATEWAY_CONNECTION_LOST);
}

/* The next request may be sent before or after the reset arrives. */
static void send_short_prompt(mlflow_gateway *gateway, mlflow_gateway_cancel_token *token, long pause_ms)
{
    mlflow_gateway_status status = send_with_token(gateway, "echo", token);

    CHECK(status == MLFLOW_GATEWAY_OK || status == MLFLOW_GATEWAY_CONNECTION_LOST);
    nanosleep(&(struct timespec){ 0, pause_ms * 1000000 }, NULL);
}

int main(int argc, char **argv)
{
    mlflow_gateway_cancel_token *tokens[2] = { NULL, NULL };
    struct sigaction action;

    CHECK(argc == 2 || argc == 3);
    CHECK(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    mlflow_gateway *gateway = make_handle(argv[1], argv[2]);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "dialect", "deployments", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_cancel_token_create(&tokens[1], &error));
    for (int i = 0; i < 2; i++) {
        for (long pause_ms = 0; pause_ms < 20; pause_ms++)
            send_short_prompt(gateway, tokens[i], pause_ms);
        for (int j = 0; j < 3; j++)
            send_long_prompt(gateway, tokens[i]);
    }
    CHECK(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    mlflow_gateway_cancel_token_destroy(tokens[1]);
    mlflow_gateway_destroy(gateway);
    return 0;
}

/* Let Ctrl-C cancel the running call, and use the handle again afterwards. This program presses Ctrl-C itself. */
#include <mlflow_ai_gateway.h>
#include <signal.h>
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

static mlflow_gateway_cancel_token *token;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    mlflow_gateway_cancel(token);
}

int main(void)
{
    mlflow_gateway *gateway = NULL;
    char *text = NULL;

    check(mlflow_gateway_cancel_token_create(&token, &error));
    check(mlflow_gateway_create("completions", NULL, &gateway, &error));
    check(mlflow_gateway_set_cancel_token(gateway, token, &error));
    signal(SIGINT, on_interrupt);

    raise(SIGINT);
    if (mlflow_gateway_call(gateway, "Hello", &text, NULL, &error) ==
            MLFLOW_GATEWAY_CANCELLED &&
        mlflow_gateway_cancel_token_is_cancelled(token))
        puts("cancelled");
    mlflow_gateway_error_destroy(error);
    error = NULL;

    mlflow_gateway_cancel_token_reset(token);
    check(mlflow_gateway_call(gateway, "Hello", &text, NULL, &error));
    puts(text);

    mlflow_gateway_string_free(text);
    mlflow_gateway_destroy(gateway);
    mlflow_gateway_cancel_token_destroy(token);
    return 0;
}

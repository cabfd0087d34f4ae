/* Set options and headers for all calls on a handle. */
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
    char *text = NULL;

    check(mlflow_gateway_create("completions", NULL, &gateway, &error));
    check(mlflow_gateway_set_option(
        gateway, "timeout_ms", "20000", &error));
    check(
        mlflow_gateway_set_option(gateway, "max_retries", "1", &error));
    check(mlflow_gateway_set_option(
        gateway, "user_agent", "demo/1.0", &error));
    check(
        mlflow_gateway_set_header(gateway, "X-Team", "search", &error));
    check(mlflow_gateway_call(gateway, "1, 2, 3,", &text, NULL, &error));
    puts(text);

    mlflow_gateway_string_free(text);
    mlflow_gateway_destroy(gateway);
    return 0;
}

/* Print a line for each HTTP attempt to standard output. */
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

static void on_log(
    int32_t level, const char *line, size_t len, void *file)
{
    fprintf(file, "%d: %.*s\n", (int)level, (int)len, line);
}

int main(void)
{
    mlflow_gateway *gateway = NULL;
    char *text = NULL;

    check(mlflow_gateway_create("completions", NULL, &gateway, &error));
    check(mlflow_gateway_set_log(gateway, MLFLOW_GATEWAY_LOG_DEBUG,
        on_log, stdout, NULL, &error));
    check(mlflow_gateway_call(gateway, "Hello", &text, NULL, &error));
    puts(text);

    mlflow_gateway_string_free(text);
    mlflow_gateway_destroy(gateway);
    return 0;
}

/* Give a handle a second set of settings. Both use the same connections. */
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

static void print_text(mlflow_gateway *gateway)
{
    char *text = NULL;

    check(mlflow_gateway_call(gateway, "Hello", &text, NULL, &error));
    puts(text);
    mlflow_gateway_string_free(text);
}

int main(void)
{
    mlflow_gateway *gateway = NULL, *exact = NULL;

    check(mlflow_gateway_create("completions", NULL, &gateway, &error));
    check(mlflow_gateway_clone(gateway, &exact, &error));
    check(mlflow_gateway_set_param_int(exact, "temperature", 0, &error));

    print_text(gateway);
    print_text(exact);

    mlflow_gateway_destroy(exact);
    mlflow_gateway_destroy(gateway);
    return 0;
}

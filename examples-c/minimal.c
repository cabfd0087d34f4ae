/* minimal - the program in README.md: send one prompt and print the completion. */
#include <mlflow_ai_gateway.h>
#include <stdio.h>

int main(void)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_error *error = NULL;
    char *text = NULL;

    /* NULL: use the gateway URI from the environment variable MLFLOW_GATEWAY_URI. */
    if (mlflow_gateway_create("completions", NULL, &gateway, &error) == MLFLOW_GATEWAY_OK &&
        mlflow_gateway_set_param_int(gateway, "max_tokens", 8, &error) == MLFLOW_GATEWAY_OK &&
        mlflow_gateway_call(gateway, "The capital of France is", &text, NULL, &error) == MLFLOW_GATEWAY_OK)
        puts(text);
    else
        fprintf(stderr, "%s\n", mlflow_gateway_error_message(error));

    int failed = text == NULL;
    mlflow_gateway_string_free(text);
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_destroy(gateway);
    return failed;
}

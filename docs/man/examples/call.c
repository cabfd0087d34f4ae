/* Send a prompt to the route "completions" of the gateway that the environment variable MLFLOW_GATEWAY_URI names. */
#include <mlflow_ai_gateway.h>
#include <stdio.h>

int main(void)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_error *error = NULL;
    char *text = NULL;

    if (mlflow_gateway_create("completions", NULL, &gateway, &error) ==
            MLFLOW_GATEWAY_OK &&
        mlflow_gateway_call(gateway, "The capital of France is", &text,
            NULL, &error) == MLFLOW_GATEWAY_OK)
        puts(text);
    else
        fprintf(stderr, "%s\n", mlflow_gateway_error_message(error));

    int failed = text == NULL;
    mlflow_gateway_string_free(text);
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_destroy(gateway);
    return failed;
}

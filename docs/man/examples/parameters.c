/* Set parameters of the model for all calls on a handle, and print those that are set. */
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
    char *json = NULL;

    check(mlflow_gateway_create("completions", NULL, &gateway, &error));
    check(mlflow_gateway_set_param_double(
        gateway, "temperature", 0.2, &error));
    check(
        mlflow_gateway_set_param_int(gateway, "max_tokens", 64, &error));
    check(mlflow_gateway_set_param_bool(gateway, "echo", 0, &error));
    check(mlflow_gateway_set_param_string(
        gateway, "user", "u-17", &error));
    check(mlflow_gateway_set_param_json(
        gateway, "logit_bias", "{\"50256\": -100}", &error));
    check(mlflow_gateway_add_stop(gateway, "\n", &error));
    check(mlflow_gateway_unset_param(gateway, "user", &error));

    check(
        mlflow_gateway_identifying_params(gateway, &json, NULL, &error));
    puts(json);
    check(mlflow_gateway_call(gateway, "1, 2, 3,", &text, NULL, &error));
    puts(text);

    mlflow_gateway_string_free(json);
    mlflow_gateway_string_free(text);
    mlflow_gateway_destroy(gateway);
    return 0;
}

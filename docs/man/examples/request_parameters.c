/* Set parameters for one request, in place of those of the handle. */
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
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_response *response = NULL;
    const size_t measure = MLFLOW_GATEWAY_NUL_TERMINATED;

    check(mlflow_gateway_create("completions", NULL, &gateway, &error));
    check(
        mlflow_gateway_set_param_int(gateway, "max_tokens", 64, &error));
    check(mlflow_gateway_set_param_double(
        gateway, "temperature", 1, &error));

    check(mlflow_gateway_request_create(&request, &error));
    check(mlflow_gateway_request_set_prompt(
        request, "1, 2,", measure, &error));
    check(mlflow_gateway_request_set_param_int(
        request, "max_tokens", 8, &error));
    check(mlflow_gateway_request_set_param_double(
        request, "top_p", 0.5, &error));
    check(mlflow_gateway_request_set_param_bool(
        request, "echo", 0, &error));
    check(mlflow_gateway_request_set_param_string(
        request, "user", "u-17", measure, &error));
    check(mlflow_gateway_request_set_param_json(
        request, "logit_bias", "{\"50256\": -100}", measure, &error));
    check(
        mlflow_gateway_request_add_stop(request, "\n", measure, &error));
    check(mlflow_gateway_request_unset_param(request, "user", &error));
    check(mlflow_gateway_request_omit_param(
        request, "temperature", &error));

    check(mlflow_gateway_send(gateway, request, &response, &error));
    puts(mlflow_gateway_response_text(response, 0, NULL));

    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return 0;
}

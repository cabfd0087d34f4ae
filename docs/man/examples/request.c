/* Send one request to two routes through one handle. The second request is a clone with its own settings. */
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
    mlflow_gateway_request *request = NULL, *clone = NULL;
    mlflow_gateway_response *response = NULL;
    mlflow_gateway_cancel_token *token = NULL;
    const char *prompt = "The capital of France is";

    check(mlflow_gateway_create(NULL, NULL, &gateway, &error));
    check(mlflow_gateway_request_create(&request, &error));
    check(mlflow_gateway_request_set_route(
        request, "completions", &error));
    check(mlflow_gateway_request_set_prompt(
        request, prompt, MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    check(mlflow_gateway_send(gateway, request, &response, &error));
    puts(mlflow_gateway_response_text(response, 0, NULL));
    mlflow_gateway_response_destroy(response);

    check(mlflow_gateway_cancel_token_create(&token, &error));
    check(mlflow_gateway_request_clone(request, &clone, &error));
    check(mlflow_gateway_request_set_route(clone, "chat", &error));
    check(mlflow_gateway_request_set_option(
        clone, "timeout_ms", "9000", &error));
    check(mlflow_gateway_request_set_header(
        clone, "X-Team", "search", &error));
    check(mlflow_gateway_request_set_cancel_token(clone, token, &error));
    check(mlflow_gateway_send(gateway, clone, &response, &error));
    puts(mlflow_gateway_response_text(response, 0, NULL));
    mlflow_gateway_response_destroy(response);

    mlflow_gateway_request_destroy(clone);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_cancel_token_destroy(token);
    mlflow_gateway_destroy(gateway);
    return 0;
}

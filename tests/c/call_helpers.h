/* One-line calls of a gateway that echoes the prompt. */
#ifndef CALL_HELPERS_H
#define CALL_HELPERS_H

#include "check.h"

/* Creates a handle for the route "r". `ca_file` is NULL for an http:// gateway. */
static inline mlflow_gateway *make_handle(const char *uri, const char *ca_file)
{
    mlflow_gateway *gateway = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create("r", uri, &gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "timeout_ms", "20000", &error));
    if (ca_file != NULL)
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "ca_file", ca_file, &error));
    return gateway;
}

/* Creates a request with this prompt. `token` may be NULL. */
static inline mlflow_gateway_request *make_request(const char *prompt, mlflow_gateway_cancel_token *token)
{
    mlflow_gateway_request *request = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_request_set_prompt(request, prompt, MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_cancel_token(request, token, &error));
    return request;
}

/* Makes a call and checks that the response is the prompt. */
static inline void check_echo(mlflow_gateway *gateway, const char *prompt)
{
    char *text = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_call(gateway, prompt, &text, NULL, &error));
    CHECK(strcmp(text, prompt) == 0);
    mlflow_gateway_string_free(text);
}

/* Sends a request with a cancel token. Returns the status, and if it is OK checks that the response is the prompt. */
static inline mlflow_gateway_status send_with_token(mlflow_gateway *gateway, const char *prompt,
                                             mlflow_gateway_cancel_token *token)
{
    mlflow_gateway_request *request = make_request(prompt, token);
    mlflow_gateway_response *response = NULL;

    mlflow_gateway_status status = mlflow_gateway_send(gateway, request, &response, NULL);
    CHECK(status != MLFLOW_GATEWAY_OK || strcmp(mlflow_gateway_response_text(response, 0, NULL), prompt) == 0);
    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(request);
    return status;
}

#endif

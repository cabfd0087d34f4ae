#include "completions_request.h"
#include "bench.h"
#include "ours.h"
#include "process.h"

#include <string.h>

void open_request(const char *url, mlflow_gateway **gateway, mlflow_gateway_request **request)
{
    mlflow_gateway_error *error = NULL;

    check(mlflow_gateway_create(ROUTE, url, gateway, &error), &error);
    check(mlflow_gateway_request_create(request, &error), &error);
    check(mlflow_gateway_request_set_prompt(*request, PROMPT, strlen(PROMPT), &error), &error);
    check(mlflow_gateway_request_set_param_int(*request, "max_tokens", MAX_TOKENS, &error), &error);
    check(mlflow_gateway_request_set_param_double(*request, "temperature", 0.0, &error), &error);
}

void check_text(const mlflow_gateway_response *response)
{
    const char *text = mlflow_gateway_response_text(response, 0, NULL);

    if (text == NULL || strcmp(text, TEXT) != 0)
        fail("wrong text", text == NULL ? "none" : text);
}

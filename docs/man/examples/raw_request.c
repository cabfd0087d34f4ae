/* Send a raw request to a path of MLflow's tracking server, and read a value of the response. */
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
    const char *path = "/gateway/openai/v1/responses";
    const char *body = "{\"model\": \"chat\", \"input\": \"Hello\"}";
    const char *pointer = "/output/0/content/0/text";
    char *text = NULL;
    size_t len = 0;

    check(mlflow_gateway_create(NULL, NULL, &gateway, &error));
    check(mlflow_gateway_request_create(&request, &error));
    check(
        mlflow_gateway_request_set_path(request, "POST", path, &error));
    check(mlflow_gateway_request_set_body_json(
        request, body, MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    check(mlflow_gateway_send(gateway, request, &response, &error));
    printf("HTTP status %d\n",
        (int)mlflow_gateway_response_http_status(response));
    const char *json = mlflow_gateway_response_body(response, &len);
    check(mlflow_gateway_json_get(
        json, len, pointer, NULL, &text, NULL, &error));
    puts(text);

    mlflow_gateway_string_free(text);
    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return 0;
}

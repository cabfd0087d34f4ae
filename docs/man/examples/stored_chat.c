/* Store the message of a response as JSON, and continue the conversation with it. */
#include <mlflow_ai_gateway.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    char stored[4096];
    size_t len = 0;

    check(mlflow_gateway_create("chat", NULL, &gateway, &error));
    check(mlflow_gateway_request_create(&request, &error));
    check(mlflow_gateway_request_add_message_json(request,
        "{\"role\": \"user\", \"content\": \"Hello\"}", measure,
        &error));
    check(mlflow_gateway_send(gateway, request, &response, &error));
    const char *json =
        mlflow_gateway_response_message_json(response, 0, &len);
    if (json != NULL && len < sizeof stored)
        memcpy(stored, json, len);
    else
        len = 0;
    mlflow_gateway_response_destroy(response);
    printf("stored %.*s\n", (int)len, stored);

    check(mlflow_gateway_request_add_message_json(
        request, stored, len, &error));
    check(mlflow_gateway_request_add_message(
        request, "user", "Go on.", measure, &error));
    check(mlflow_gateway_send(gateway, request, &response, &error));
    puts(mlflow_gateway_response_text(response, 0, NULL));

    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return 0;
}

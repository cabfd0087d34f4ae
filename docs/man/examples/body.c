/* Send a request whose body the program writes itself. */
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
    const char *body = "{\"messages\": [{\"role\": \"user\","
                       "\"content\": \"Hello\"}], \"seed\": 7}";

    check(mlflow_gateway_create("chat", NULL, &gateway, &error));
    check(mlflow_gateway_request_create(&request, &error));
    check(mlflow_gateway_request_set_body_json(
        request, body, MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    check(mlflow_gateway_send(gateway, request, &response, &error));
    puts(mlflow_gateway_response_text(response, 0, NULL));

    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return 0;
}

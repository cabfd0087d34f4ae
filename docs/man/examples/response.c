/* Print everything that a response contains. */
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

static void print(const char *what, const char *text)
{
    printf("%s: %s\n", what, text != NULL ? text : "(none)");
}

static void print_candidate(
    const mlflow_gateway_response *response, size_t i)
{
    print("role", mlflow_gateway_response_role(response, i));
    print("text", mlflow_gateway_response_text(response, i, NULL));
    print("reasoning",
        mlflow_gateway_response_reasoning(response, i, NULL));
    print("refusal", mlflow_gateway_response_refusal(response, i, NULL));
    print("finish reason",
        mlflow_gateway_response_finish_reason(response, i));
}

static void print_transport(const mlflow_gateway_response *response)
{
    print("id", mlflow_gateway_response_id(response));
    print("model", mlflow_gateway_response_model(response));
    print("content type",
        mlflow_gateway_response_header(response, "content-type"));
    printf("%lld tokens, sent %zu times, %lld microseconds\n",
        (long long)mlflow_gateway_response_tokens(
            response, MLFLOW_GATEWAY_TOKENS_TOTAL),
        mlflow_gateway_response_attempts(response),
        (long long)mlflow_gateway_response_time_us(
            response, MLFLOW_GATEWAY_TIME_TOTAL));
    for (size_t i = 0; i < mlflow_gateway_response_retry_count(response);
         i++)
        print("retried after",
            mlflow_gateway_response_retry_reason(response, i));
}

int main(void)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_response *response = NULL;

    check(mlflow_gateway_create("chat", NULL, &gateway, &error));
    check(mlflow_gateway_request_create(&request, &error));
    check(mlflow_gateway_request_add_message(request, "user", "Hello",
        MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    check(mlflow_gateway_request_set_param_int(request, "n", 2, &error));
    check(mlflow_gateway_send(gateway, request, &response, &error));

    print_transport(response);
    for (size_t i = 0;
         i < mlflow_gateway_response_candidate_count(response); i++)
        print_candidate(response, i);

    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return 0;
}

/* Send a prompt to a route that does not exist, and print everything that the error object contains. */
#include <mlflow_ai_gateway.h>
#include <stdio.h>

static const char *or_none(const char *text)
{
    return text != NULL ? text : "(none)";
}

static void print_error(const mlflow_gateway_error *error)
{
    size_t len = 0;

    printf("%s: %s\n",
        mlflow_gateway_status_name(mlflow_gateway_error_status(error)),
        mlflow_gateway_error_message(error));
    printf("HTTP status: %d\n",
        (int)mlflow_gateway_error_http_status(error));
    printf("error code: %s\n",
        or_none(mlflow_gateway_error_gateway_code(error)));
    printf("x-request-id: %s\n",
        or_none(mlflow_gateway_error_header(error, "x-request-id")));
    if (mlflow_gateway_error_is_retryable(error))
        printf("retry after %lld ms\n",
            (long long)mlflow_gateway_error_retry_after_ms(error));
    printf("sent %zu times\n", mlflow_gateway_error_attempts(error));
    for (size_t i = 0; i < mlflow_gateway_error_retry_count(error); i++)
        printf("retried after %s\n",
            mlflow_gateway_error_retry_reason(error, i));
    const char *body = mlflow_gateway_error_body(error, &len);
    printf("body of %zu bytes: %.*s\n", len, (int)len, or_none(body));
}

int main(void)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_error *error = NULL;
    char *text = NULL;

    if (mlflow_gateway_create("no-such-route", NULL, &gateway, &error) ==
        MLFLOW_GATEWAY_OK)
        mlflow_gateway_call(gateway, "Hello", &text, NULL, &error);
    mlflow_gateway_string_free(text);
    if (error != NULL)
        print_error(error);
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_destroy(gateway);
    return 0;
}

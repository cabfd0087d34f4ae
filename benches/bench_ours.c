/* This library: all threads share one handle. */
#include "bench.h"
#include "ours.h"
#include "process.h"

#include <string.h>

static mlflow_gateway *gateway;
static int thread_count;

void *peer_open(const char *url, const char *ca_file)
{
    mlflow_gateway_error *error = NULL;

    if (thread_count++ == 0) {
        check(mlflow_gateway_create(ROUTE, url, &gateway, &error), &error);
        check(mlflow_gateway_set_param_int(gateway, "max_tokens", MAX_TOKENS, &error), &error);
        check(mlflow_gateway_set_param_double(gateway, "temperature", 0.0, &error), &error);
        if (ca_file != NULL)
            check(mlflow_gateway_set_option(gateway, "ca_file", ca_file, &error), &error);
    }
    return gateway;
}

void peer_call(void *shared)
{
    mlflow_gateway_error *error = NULL;
    char *text = NULL;
    size_t length = 0;

    check(mlflow_gateway_call(shared, PROMPT, &text, &length, &error), &error);
    if (length != strlen(TEXT) || strcmp(text, TEXT) != 0)
        fail("wrong text", text);
    mlflow_gateway_string_free(text);
}

void peer_close(void *shared)
{
    if (--thread_count == 0)
        mlflow_gateway_destroy(shared);
}

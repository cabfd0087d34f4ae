/* This library's mlflow_gateway_send(): all threads share one handle and one request. */
#include "bench.h"
#include "completions_request.h"
#include "ours.h"
#include "process.h"

#include <string.h>

static mlflow_gateway *gateway;
static mlflow_gateway_request *request;
static int thread_count;

void *peer_open(const char *url, const char *ca_file)
{
    if (ca_file != NULL)
        fail("CA_FILE", "not supported");
    if (thread_count++ == 0)
        open_request(url, &gateway, &request);
    return gateway;
}

void peer_call(void *shared)
{
    mlflow_gateway_response *response = NULL;
    mlflow_gateway_error *error = NULL;

    check(mlflow_gateway_send(shared, request, &response, &error), &error);
    check_text(response);
    mlflow_gateway_response_destroy(response);
}

void peer_close(void *shared)
{
    if (--thread_count == 0) {
        mlflow_gateway_request_destroy(request);
        mlflow_gateway_destroy(shared);
    }
}

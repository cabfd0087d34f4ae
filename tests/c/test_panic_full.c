/*
 * The same as test_panic.c for the full API, including threads that the library starts.
 *
 * usage: test_panic_full CHAT_URI EMBEDDINGS_URI
 *   Two gateways with a route "r". Linked to a build of the library that panics at a certain string.
 */
#include "check.h"

#define PANIC "panic, please"

static void check_panic(mlflow_gateway_status status, mlflow_gateway_error *error)
{
    CHECK(status == MLFLOW_GATEWAY_PANIC && mlflow_gateway_error_status(error) == MLFLOW_GATEWAY_PANIC);
    puts(mlflow_gateway_error_message(error));
    mlflow_gateway_error_destroy(error);
}

static int on_event(const mlflow_gateway_event *event, void *user_data)
{
    (void)event, (void)user_data;
    return 0;
}

static void panics_become_statuses_of_send_and_stream(const char *uri)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_response *response = NULL;
    mlflow_gateway_stream *stream = NULL;
    mlflow_gateway_error *error = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create("r", uri, &gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_request_add_message(request, "user", PANIC, MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    mlflow_gateway_status status = mlflow_gateway_send(gateway, request, &response, &error);
    check_panic(status, error);
    status = mlflow_gateway_stream_open(gateway, request, &stream, &error);
    check_panic(status, error);
    status = mlflow_gateway_stream_call(gateway, request, on_event, NULL, &response, &error);
    check_panic(status, error);
    CHECK(response == NULL && stream == NULL);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
}

static void panics_become_statuses_of_embed(const char *uri, const char *concurrency)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_embeddings *embeddings = NULL;
    mlflow_gateway_error *error = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create("r", uri, &gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "embed_batch_size", "1", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "embed_concurrency", concurrency, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    for (int i = 0; i < 8; i++)
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_request_add_input(request, PANIC, MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    mlflow_gateway_status status = mlflow_gateway_embed(gateway, request, &embeddings, &error);
    check_panic(status, error);
    CHECK(embeddings == NULL);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    panics_become_statuses_of_send_and_stream(argv[1]);
    panics_become_statuses_of_embed(argv[2], "1");
    panics_become_statuses_of_embed(argv[2], "4");
    return 0;
}

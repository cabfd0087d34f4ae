/*
 * The same as test_panic.c for the full API, including threads that the library starts. A queue continues.
 *
 * usage: test_panic_full CHAT_URI EMBEDDINGS_URI
 *   Two gateways with a route "r"; the first one responds with "echo: " and the prompt. Linked to a build of the library
 *   that panics at a certain string.
 */
#include "queue_helpers.h"

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

static void panics_become_statuses_of_a_queue(const char *uri)
{
    static const char *const PROMPTS[] = { "hello", PANIC };
    mlflow_gateway *gateway = make_handle(uri, NULL);
    mlflow_gateway_queue *queue = make_queue(gateway, "2");
    mlflow_gateway_completion *completion;
    int done[2] = { 0, 0 };

    for (uint64_t tag = 0; tag < 8; tag++)
        CHECK(submit(queue, 1 + (int32_t)(tag / 2 % 2), PROMPTS[tag % 2], tag) == MLFLOW_GATEWAY_OK);
    mlflow_gateway_queue_close(queue);
    while ((completion = fetch(queue, -1)) != NULL) {
        uint64_t kind = mlflow_gateway_completion_tag(completion) % 2;
        done[kind] += is_done(completion);
        if (is_done(completion) && kind == 0)
            check_done(completion, "echo: hello");
        else if (is_done(completion) && done[1] == 1)
            check_panic(mlflow_gateway_completion_status(completion), mlflow_gateway_completion_take_error(completion));
        else if (is_done(completion))
            CHECK(mlflow_gateway_completion_status(completion) == MLFLOW_GATEWAY_PANIC);
        mlflow_gateway_completion_destroy(completion);
    }
    CHECK(done[0] == 4 && done[1] == 4);
    mlflow_gateway_queue_destroy(queue);
    mlflow_gateway_destroy(gateway);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    panics_become_statuses_of_send_and_stream(argv[1]);
    panics_become_statuses_of_embed(argv[2], "1");
    panics_become_statuses_of_embed(argv[2], "4");
    panics_become_statuses_of_a_queue(argv[1]);
    return 0;
}

/*
 * One token cancels the calls of many threads.
 *
 *   usage: test_cancel_threads URI ROUTE THREADS MILLISECONDS [behind-one]
 *
 * Each thread makes one of five kinds of calls, and the token is cancelled MILLISECONDS after their start. With
 * "behind-one" all send a request. The first starts MILLISECONDS before the others, with a token of its own, which is
 * cancelled after the others have returned. Prints for each call the status, the microseconds between the cancellation
 * and its return, and the error message.
 */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <pthread.h>

#include "check.h"
#include "clock.h"

#define MAX_THREADS 64

static mlflow_gateway *gateway;
static mlflow_gateway_cancel_token *token, *token_of_first;

static struct result {
    mlflow_gateway_status status;
    mlflow_gateway_error *error;
    int64_t cancelled_at, returned_at;
} results[MAX_THREADS];

static mlflow_gateway_request *make_request(void)
{
    mlflow_gateway_request *request = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_request_set_prompt(request, "hi", MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    return request;
}

static int ignore_event(const mlflow_gateway_event *event, void *user_data)
{
    (void)event, (void)user_data;
    return 0;
}

static mlflow_gateway_status make_call(size_t kind, mlflow_gateway_error **error)
{
    mlflow_gateway_request *request = make_request();
    mlflow_gateway_response *response = NULL;
    mlflow_gateway_stream *stream = NULL;
    mlflow_gateway_routes *routes = NULL;
    mlflow_gateway_status status = MLFLOW_GATEWAY_OK;
    char *text = NULL;

    switch (kind) {
    case 0:
        status = mlflow_gateway_call(gateway, "hi", &text, NULL, error);
        break;
    case 1:
        status = mlflow_gateway_send(gateway, request, &response, error);
        break;
    case 2:
        status = mlflow_gateway_stream_call(gateway, request, ignore_event, NULL, NULL, error);
        break;
    case 3:
        status = mlflow_gateway_stream_open(gateway, request, &stream, error);
        while (status == MLFLOW_GATEWAY_OK) {
            const mlflow_gateway_event *event;
            status = mlflow_gateway_stream_next(stream, &event, error);
        }
        break;
    default:
        status = mlflow_gateway_list_routes(gateway, &routes, error);
    }
    mlflow_gateway_string_free(text);
    mlflow_gateway_response_destroy(response);
    mlflow_gateway_stream_destroy(stream);
    mlflow_gateway_routes_destroy(routes);
    mlflow_gateway_request_destroy(request);
    return status;
}

static void *make_one_call(void *argument)
{
    struct result *result = argument;

    result->status = make_call((size_t)(result - results) % 5, &result->error);
    result->returned_at = now_us();
    return NULL;
}

static void *send_behind_first(void *argument)
{
    struct result *result = argument;
    mlflow_gateway_request *request = make_request();
    mlflow_gateway_response *response = NULL;

    if (result == results)
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_request_set_cancel_token(request, token_of_first, &error));
    result->status = mlflow_gateway_send(gateway, request, &response, &result->error);
    result->returned_at = now_us();
    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(request);
    return NULL;
}

static void pause_for(long ms)
{
    struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };

    nanosleep(&pause, NULL);
}

/* Cancels the calls from `first` to `end`, and waits for them. */
static void cancel_and_join(mlflow_gateway_cancel_token *canceller_token, pthread_t *threads, long first, long end)
{
    int64_t cancelled_at = now_us();

    mlflow_gateway_cancel(canceller_token);
    for (long i = first; i < end; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        results[i].cancelled_at = cancelled_at;
    }
}

int main(int argc, char **argv)
{
    pthread_t threads[MAX_THREADS];

    CHECK(argc == 5 || argc == 6);
    long count = atol(argv[3]), wait = atol(argv[4]);
    bool is_behind_first = argc == 6;
    CHECK(0 < count && count <= MAX_THREADS);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create(argv[2], argv[1], &gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_cancel_token_create(&token, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_cancel_token_create(&token_of_first, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_cancel_token(gateway, token, &error));
    for (long i = 0; i < count; i++) {
        CHECK(pthread_create(&threads[i], NULL, is_behind_first ? send_behind_first : make_one_call, &results[i]) == 0);
        if (is_behind_first && i == 0)
            pause_for(wait);
    }
    pause_for(wait);
    cancel_and_join(token, threads, is_behind_first ? 1 : 0, count);
    if (is_behind_first)
        cancel_and_join(token_of_first, threads, 0, 1);
    for (long i = 0; i < count; i++) {
        printf("%s\t%" PRId64 "\t%s\n", mlflow_gateway_status_name(results[i].status) + strlen("MLFLOW_GATEWAY_"),
               results[i].returned_at - results[i].cancelled_at, mlflow_gateway_error_message(results[i].error));
        mlflow_gateway_error_destroy(results[i].error);
    }
    mlflow_gateway_cancel_token_destroy(token);
    mlflow_gateway_cancel_token_destroy(token_of_first);
    mlflow_gateway_destroy(gateway);
    return 0;
}

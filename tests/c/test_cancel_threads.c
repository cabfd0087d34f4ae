/*
 * Many threads ask at the same time, and one token ends all their calls.
 *
 *   usage: test_cancel_threads URI ROUTE THREADS MILLISECONDS [behind-one]
 *
 * Each thread asks in one of five ways, and the token is cancelled so long after they began. With "behind-one" all ask
 * in the same way; the first begins as long before the others, and has a token of its own, which is cancelled when
 * those have returned. Prints for each the status, the microseconds from then until it returned, and the message.
 */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <pthread.h>

#include "check.h"
#include "clock.h"

#define MOST 64

static mlflow_gateway *gateway;
static mlflow_gateway_cancel_token *token, *token_of_first;

static struct came {
    mlflow_gateway_status status;
    mlflow_gateway_error *error;
    int64_t cancelled_at, at;
} came[MOST];

static mlflow_gateway_request *make_request(void)
{
    mlflow_gateway_request *request = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_request_set_prompt(request, "hi", MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    return request;
}

static int go_on(const mlflow_gateway_event *event, void *user_data)
{
    (void)event, (void)user_data;
    return 0;
}

static mlflow_gateway_status ask(size_t way, mlflow_gateway_error **error)
{
    mlflow_gateway_request *request = make_request();
    mlflow_gateway_response *response = NULL;
    mlflow_gateway_stream *stream = NULL;
    mlflow_gateway_routes *routes = NULL;
    mlflow_gateway_status status = MLFLOW_GATEWAY_OK;
    char *text = NULL;

    switch (way) {
    case 0:
        status = mlflow_gateway_call(gateway, "hi", &text, NULL, error);
        break;
    case 1:
        status = mlflow_gateway_send(gateway, request, &response, error);
        break;
    case 2:
        status = mlflow_gateway_stream_call(gateway, request, go_on, NULL, NULL, error);
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

static void *run(void *argument)
{
    struct came *mine = argument;

    mine->status = ask((size_t)(mine - came) % 5, &mine->error);
    mine->at = now_us();
    return NULL;
}

static void *run_behind_one(void *argument)
{
    struct came *mine = argument;
    mlflow_gateway_request *request = make_request();
    mlflow_gateway_response *response = NULL;

    if (mine == came)
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_request_set_cancel_token(request, token_of_first, &error));
    mine->status = mlflow_gateway_send(gateway, request, &response, &mine->error);
    mine->at = now_us();
    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(request);
    return NULL;
}

static void pause_for(long ms)
{
    struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };

    nanosleep(&pause, NULL);
}

/* Cancels those calls from `first` on, and waits for them. */
static void end(mlflow_gateway_cancel_token *by, pthread_t *threads, long first, long end)
{
    int64_t cancelled_at = now_us();

    mlflow_gateway_cancel(by);
    for (long i = first; i < end; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        came[i].cancelled_at = cancelled_at;
    }
}

int main(int argc, char **argv)
{
    pthread_t threads[MOST];

    CHECK(argc == 5 || argc == 6);
    long count = atol(argv[3]), wait = atol(argv[4]);
    bool is_behind_one = argc == 6;
    CHECK(0 < count && count <= MOST);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create(argv[2], argv[1], &gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_cancel_token_create(&token, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_cancel_token_create(&token_of_first, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_cancel_token(gateway, token, &error));
    for (long i = 0; i < count; i++) {
        CHECK(pthread_create(&threads[i], NULL, is_behind_one ? run_behind_one : run, &came[i]) == 0);
        if (is_behind_one && i == 0)
            pause_for(wait);
    }
    pause_for(wait);
    end(token, threads, is_behind_one ? 1 : 0, count);
    if (is_behind_one)
        end(token_of_first, threads, 0, 1);
    for (long i = 0; i < count; i++) {
        printf("%s\t%" PRId64 "\t%s\n", mlflow_gateway_status_name(came[i].status) + strlen("MLFLOW_GATEWAY_"),
               came[i].at - came[i].cancelled_at, mlflow_gateway_error_message(came[i].error));
        mlflow_gateway_error_destroy(came[i].error);
    }
    mlflow_gateway_cancel_token_destroy(token);
    mlflow_gateway_cancel_token_destroy(token_of_first);
    mlflow_gateway_destroy(gateway);
    return 0;
}

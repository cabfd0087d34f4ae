/*
 * The pthread_atfork() handlers call the library before the fork and after it in both processes, while threads make
 * calls. In the child they destroy all objects and create new ones.
 *
 * usage: test_atfork URI FORKS
 *   The gateway echoes the prompt.
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>

#include "call_helpers.h"
#include "child.h"

#define THREADS 4

static const char *uri;
static mlflow_gateway *gateway;
static mlflow_gateway_request *request;
static mlflow_gateway_cancel_token *token;
static mlflow_gateway_stream *stream;
static bool is_running = true;

static void create_all(void)
{
    gateway = make_handle(uri, NULL);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_cancel_token_create(&token, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_cancel_token(gateway, token, &error));
    request = make_request("pieces of a stream", token);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_stream_open(gateway, request, &stream, &error));
}

static void destroy_all(void)
{
    mlflow_gateway_cancel(token);
    mlflow_gateway_cancel_token_destroy(token);
    mlflow_gateway_destroy(gateway);
    mlflow_gateway_stream_destroy(stream);
    mlflow_gateway_request_destroy(request);
}

static void before_fork(void)
{
    check_echo(gateway, "echo before the fork");
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_param_int(gateway, "max_tokens", 1, &error));
}

static void in_parent(void)
{
    check_echo(gateway, "echo after the fork");
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_unset_param(gateway, "max_tokens", &error));
}

static void in_child(void)
{
    destroy_all();
    create_all();
    check_echo(gateway, "echo in the child");
}

static void *call_until_stopped(void *unused)
{
    while (__atomic_load_n(&is_running, __ATOMIC_RELAXED)) {
        char *json = NULL;
        check_echo(gateway, "echo a thread");
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_header(gateway, "X-A", "b", &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_identifying_params(gateway, &json, NULL, &error));
        mlflow_gateway_string_free(json);
    }
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];

    CHECK(argc == 3);
    uri = argv[1];
    CHECK(pthread_atfork(before_fork, in_parent, in_child) == 0);
    create_all();
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, call_until_stopped, NULL) == 0);
    for (int i = atoi(argv[2]); i > 0; i--) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            check_echo(gateway, "echo in the child, later");
            destroy_all();
            _exit(0);
        }
        wait_for(child);
    }
    __atomic_store_n(&is_running, false, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    destroy_all();
    return 0;
}

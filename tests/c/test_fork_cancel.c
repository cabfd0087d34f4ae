/*
 * After a fork, cancelling a token cancels the calls of that process only. Calls wait in both processes, so that one
 * process could consume the wake-up of the other.
 *
 * usage: test_fork_cancel URI ROUNDS
 *   The gateway echoes the prompt, and never responds to "stall".
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>

#include "call_helpers.h"
#include "child.h"

#define THREADS 4
/* Time for the calls to start waiting before they are cancelled. */
#define PAUSE_MS 20
/* Timeout of the calls that are not cancelled. The others have a much longer one. */
#define SHORT_MS "100"

static mlflow_gateway *gateway;
static mlflow_gateway_cancel_token *token;

static void sleep_ms(long milliseconds)
{
    nanosleep(&(struct timespec){ 0, milliseconds * 1000000 }, NULL);
}

static void *wait_until_cancelled(void *unused)
{
    CHECK(send_with_token(gateway, "stall", token) == MLFLOW_GATEWAY_CANCELLED);
    return unused;
}

static void *time_out(void *unused)
{
    mlflow_gateway_request *request = make_request("stall", token);
    mlflow_gateway_response *response = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_option(request, "timeout_ms", SHORT_MS, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_TIMEOUT, mlflow_gateway_send(gateway, request, &response, &error));
    mlflow_gateway_request_destroy(request);
    return unused;
}

static void start_threads(pthread_t threads[THREADS], void *(*function)(void *))
{
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, function, NULL) == 0);
}

static void join_threads(pthread_t threads[THREADS])
{
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static pid_t fork_with(void (*function)(void))
{
    pid_t child = fork();

    CHECK(child >= 0);
    if (child == 0) {
        function();
        _exit(0);
    }
    return child;
}

static void cancel_affects_only_the_child(void)
{
    pthread_t threads[THREADS];

    start_threads(threads, wait_until_cancelled);
    sleep_ms(PAUSE_MS);
    mlflow_gateway_cancel(token);
    join_threads(threads);
    CHECK(send_with_token(gateway, "echo", token) == MLFLOW_GATEWAY_CANCELLED);
    mlflow_gateway_cancel_token_reset(token);
    CHECK(send_with_token(gateway, "echo", token) == MLFLOW_GATEWAY_OK);
    mlflow_gateway_cancel(token);
}

static void cancel_of_the_parent_does_not_affect_the_child(void)
{
    pthread_t threads[THREADS];

    start_threads(threads, time_out);
    join_threads(threads);
    CHECK(!mlflow_gateway_cancel_token_is_cancelled(token));
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];

    CHECK(argc == 3);
    gateway = make_handle(argv[1], NULL);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_cancel_token_create(&token, &error));
    for (int i = atoi(argv[2]); i > 0; i--) {
        /* The child cancels. */
        start_threads(threads, wait_until_cancelled);
        wait_for(fork_with(cancel_affects_only_the_child));
        CHECK(!mlflow_gateway_cancel_token_is_cancelled(token));
        CHECK(send_with_token(gateway, "echo", token) == MLFLOW_GATEWAY_OK);
        /* The parent cancels. */
        pid_t child = fork_with(cancel_of_the_parent_does_not_affect_the_child);
        sleep_ms(PAUSE_MS);
        mlflow_gateway_cancel(token);
        join_threads(threads);
        wait_for(child);
        mlflow_gateway_cancel_token_reset(token);
    }
    mlflow_gateway_cancel_token_destroy(token);
    mlflow_gateway_destroy(gateway);
    return 0;
}

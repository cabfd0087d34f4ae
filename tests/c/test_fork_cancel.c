/*
 * One token in two processes: whoever cancels stops all of their own calls, and none of the other's. Both have calls
 * that wait, lest one process takes away what was to wake the other.
 *
 * usage: test_fork_cancel URI ROUNDS, of a gateway that answers a question with the question, but "stall" never
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>

#include "ask.h"
#include "child.h"

#define THREADS 4
/* Long enough for those calls to wait that are to be cancelled. */
#define A_WHILE_MS 20
/* Of the calls that wait in vain. Those that are cancelled would wait for much longer. */
#define SHORT_MS "100"

static mlflow_gateway *gateway;
static mlflow_gateway_cancel_token *token;

static void rest(long milliseconds)
{
    nanosleep(&(struct timespec){ 0, milliseconds * 1000000 }, NULL);
}

static void *wait_until_cancelled(void *unused)
{
    CHECK(send_with_token(gateway, "stall", token) == MLFLOW_GATEWAY_CANCELLED);
    return unused;
}

static void *wait_in_vain(void *unused)
{
    mlflow_gateway_request *request = make_request("stall", token);
    mlflow_gateway_response *response = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_option(request, "timeout_ms", SHORT_MS, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_TIMEOUT, mlflow_gateway_send(gateway, request, &response, &error));
    mlflow_gateway_request_destroy(request);
    return unused;
}

static void start(pthread_t threads[THREADS], void *(*work)(void *))
{
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, NULL) == 0);
}

static void join(pthread_t threads[THREADS])
{
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static pid_t fork_with(void (*work)(void))
{
    pid_t child = fork();

    CHECK(child >= 0);
    if (child == 0) {
        work();
        _exit(0);
    }
    return child;
}

static void be_cancelled_alone(void)
{
    pthread_t threads[THREADS];

    start(threads, wait_until_cancelled);
    rest(A_WHILE_MS);
    mlflow_gateway_cancel(token);
    join(threads);
    CHECK(send_with_token(gateway, "echo", token) == MLFLOW_GATEWAY_CANCELLED);
    mlflow_gateway_cancel_token_reset(token);
    CHECK(send_with_token(gateway, "echo", token) == MLFLOW_GATEWAY_OK);
    mlflow_gateway_cancel(token);
}

static void notice_nothing(void)
{
    pthread_t threads[THREADS];

    start(threads, wait_in_vain);
    join(threads);
    CHECK(!mlflow_gateway_cancel_token_is_cancelled(token));
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];

    CHECK(argc == 3);
    gateway = make_handle(argv[1], NULL);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_cancel_token_create(&token, &error));
    for (int i = atoi(argv[2]); i > 0; i--) {
        /* Here the child cancels ... */
        start(threads, wait_until_cancelled);
        wait_for(fork_with(be_cancelled_alone));
        CHECK(!mlflow_gateway_cancel_token_is_cancelled(token));
        CHECK(send_with_token(gateway, "echo", token) == MLFLOW_GATEWAY_OK);
        /* ... and here the parent does. */
        pid_t child = fork_with(notice_nothing);
        rest(A_WHILE_MS);
        mlflow_gateway_cancel(token);
        join(threads);
        wait_for(child);
        mlflow_gateway_cancel_token_reset(token);
    }
    mlflow_gateway_cancel_token_destroy(token);
    mlflow_gateway_destroy(gateway);
    return 0;
}

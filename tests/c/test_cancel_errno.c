/*
 * mlflow_gateway_cancel() preserves errno: without calls, with waiting calls, and with a token that is already
 * cancelled.
 *
 * usage: test_cancel_errno URI
 *   The gateway never responds to the prompt "stall".
 */
#define _GNU_SOURCE

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "call_helpers.h"

#define THREADS 8

static mlflow_gateway *gateway;
static mlflow_gateway_cancel_token *token;

/* Replaces the function of the C library. A system call may change errno even if it succeeds. */
ssize_t write(int fd, const void *bytes, size_t count)
{
    long written = syscall(SYS_write, fd, bytes, count);

    if (written >= 0)
        errno = EIO;
    return written;
}

static void *wait_until_cancelled(void *unused)
{
    CHECK(send_with_token(gateway, "stall", token) == MLFLOW_GATEWAY_CANCELLED);
    return unused;
}

static void cancel_and_check_errno(void)
{
    errno = 4242; /* not an error of any system call */
    mlflow_gateway_cancel(token);
    CHECK(errno == 4242);
    CHECK(mlflow_gateway_cancel_token_is_cancelled(token));
    mlflow_gateway_cancel(NULL);
    CHECK(errno == 4242);
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];

    CHECK(argc == 2);
    gateway = make_handle(argv[1], NULL);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_cancel_token_create(&token, &error));
    cancel_and_check_errno();
    cancel_and_check_errno();
    mlflow_gateway_cancel_token_reset(token);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, wait_until_cancelled, NULL) == 0);
    nanosleep(&(struct timespec){ 0, 200 * 1000000 }, NULL);
    cancel_and_check_errno();
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    mlflow_gateway_cancel_token_destroy(token);
    mlflow_gateway_destroy(gateway);
    return 0;
}

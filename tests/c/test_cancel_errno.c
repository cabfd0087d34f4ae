/*
 * Cancelling keeps errno, whatever it finds: no call, calls that wait in every kind, and a token that is over.
 *
 * usage: test_cancel_errno URI, of a gateway that answers the question "stall" with nothing
 */
#define _GNU_SOURCE

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"

#define THREADS 8

static mlflow_gateway *gateway;
static mlflow_gateway_cancel_token *token;

/* In place of the C library's, for the library, too. Any system call may change errno, even where it succeeds. */
ssize_t write(int fd, const void *bytes, size_t count)
{
    long written = syscall(SYS_write, fd, bytes, count);

    if (written >= 0)
        errno = EIO;
    return written;
}

static void *wait_in_vain(void *unused)
{
    CHECK(send_with_token(gateway, "stall", token) == MLFLOW_GATEWAY_CANCELLED);
    return unused;
}

static void cancel(void)
{
    errno = 4242; /* what no system call gives */
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
    cancel();
    cancel();
    mlflow_gateway_cancel_token_reset(token);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, wait_in_vain, NULL) == 0);
    nanosleep(&(struct timespec){ 0, 200 * 1000000 }, NULL);
    cancel();
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    mlflow_gateway_cancel_token_destroy(token);
    mlflow_gateway_destroy(gateway);
    return 0;
}

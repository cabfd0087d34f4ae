/*
 * The system starts no more threads, or opens no more descriptors: requests fail with a clear status, or those threads
 * that there are send them all.
 *
 * usage: test_queue_limits URI
 *   tests/c/fast_gateway.c
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "queue_helpers.h"

#define REQUESTS 60

static const char *uri;
/* How many threads may be started from now on. */
static int threads_left = 1000;

/* Replaces the function of the C library. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    static __typeof__(pthread_create) *original;

    if (original == NULL) {
        void *symbol = dlsym(RTLD_NEXT, "pthread_create");
        memcpy(&original, &symbol, sizeof symbol);
    }
    if (__atomic_fetch_sub(&threads_left, 1, __ATOMIC_SEQ_CST) <= 0)
        return EAGAIN;
    return original(thread, attributes, run, argument);
}

static void submit_all(mlflow_gateway_queue *queue)
{
    for (uint64_t tag = 0; tag < REQUESTS; tag++)
        CHECK(submit(queue, 1 + (int32_t)(tag % 2), tag % 4 < 2 ? "echo" : "pieces", tag) == MLFLOW_GATEWAY_OK);
    mlflow_gateway_queue_close(queue);
}

/* Returns how many requests succeeded. The message of the others contains `why`. */
static int fetch_all(mlflow_gateway_queue *queue, const char *why)
{
    mlflow_gateway_completion *completion;
    int done = 0, succeeded = 0;

    while ((completion = fetch(queue, -1)) != NULL) {
        if (is_done(completion)) {
            const mlflow_gateway_error *error = mlflow_gateway_completion_error(completion);
            done++;
            succeeded += error == NULL;
            if (error != NULL && strstr(mlflow_gateway_error_message(error), why) == NULL) {
                fprintf(stderr, "%s\n", mlflow_gateway_error_message(error));
                CHECK(!"the message has the reason");
            }
        }
        mlflow_gateway_completion_destroy(completion);
    }
    CHECK(done == REQUESTS);
    return succeeded;
}

static void few_threads_send_all_requests(mlflow_gateway *gateway, int threads)
{
    mlflow_gateway_queue *queue = make_queue(gateway, "16");

    threads_left = threads;
    submit_all(queue);
    CHECK(fetch_all(queue, "") == REQUESTS);
    CHECK(threads_left < 0);
    mlflow_gateway_queue_destroy(queue);
    threads_left = 1000;
}

/* When there are threads again, the queue uses them. */
static void requests_fail_without_a_thread(mlflow_gateway *gateway)
{
    mlflow_gateway_queue *queue = make_queue(gateway, "16");
    mlflow_gateway_completion *completion;

    threads_left = 0;
    for (uint64_t tag = 0; tag < 40; tag++)
        CHECK(submit(queue, MLFLOW_GATEWAY_SUBMIT_SEND, "echo", tag) == MLFLOW_GATEWAY_OK);
    for (int i = 0; i < 20; i++) {
        completion = fetch(queue, -1);
        CHECK(completion != NULL && mlflow_gateway_completion_status(completion) == MLFLOW_GATEWAY_OUT_OF_MEMORY);
        CHECK(strstr(mlflow_gateway_error_message(mlflow_gateway_completion_error(completion)),
                     "cannot start a thread for the request: Resource temporarily unavailable") != NULL);
        mlflow_gateway_completion_destroy(completion);
    }
    threads_left = 1000;
    for (uint64_t tag = 40; tag < REQUESTS; tag++)
        CHECK(submit(queue, MLFLOW_GATEWAY_SUBMIT_SEND, "echo", tag) == MLFLOW_GATEWAY_OK);
    mlflow_gateway_queue_close(queue);
    int succeeded = 0, failed = 20;
    while ((completion = fetch(queue, -1)) != NULL) {
        *(mlflow_gateway_completion_status(completion) == MLFLOW_GATEWAY_OK ? &succeeded : &failed) += 1;
        mlflow_gateway_completion_destroy(completion);
    }
    CHECK(succeeded >= 20 && succeeded + failed == REQUESTS);
    mlflow_gateway_queue_destroy(queue);
}

/* A thread of the queue starts requests that wait for the rates. Without one they fail, and later ones are sent. */
static void requests_that_wait_for_the_rates_fail_without_a_thread(mlflow_gateway *gateway)
{
    mlflow_gateway_queue *queue = make_queue(gateway, "16");
    mlflow_gateway_completion *completion;

    CHECK(mlflow_gateway_queue_set_option(queue, "requests_per_second", "2", NULL) == MLFLOW_GATEWAY_OK);
    CHECK(mlflow_gateway_queue_set_option(queue, "max_queued", "3", NULL) == MLFLOW_GATEWAY_OK);
    threads_left = 0;
    for (uint64_t tag = 0; tag < 4; tag++)
        CHECK(submit(queue, MLFLOW_GATEWAY_SUBMIT_SEND, "echo", tag) == MLFLOW_GATEWAY_OK);
    for (uint64_t tag = 0; tag < 4; tag++) {
        completion = fetch(queue, 5000);
        CHECK(completion != NULL && mlflow_gateway_completion_status(completion) == MLFLOW_GATEWAY_OUT_OF_MEMORY);
        mlflow_gateway_completion_destroy(completion);
    }
    threads_left = 1000;
    CHECK(submit(queue, MLFLOW_GATEWAY_SUBMIT_SEND, "echo", 4) == MLFLOW_GATEWAY_OK);
    completion = fetch(queue, -1);
    CHECK(completion != NULL && mlflow_gateway_completion_status(completion) == MLFLOW_GATEWAY_OK);
    mlflow_gateway_completion_destroy(completion);
    mlflow_gateway_queue_destroy(queue);
}

static void limit_descriptors(rlim_t limit)
{
    struct rlimit limits;

    CHECK(getrlimit(RLIMIT_NOFILE, &limits) == 0);
    limits.rlim_cur = limit;
    CHECK(setrlimit(RLIMIT_NOFILE, &limits) == 0);
}

/* Each thread has a descriptor, and each request a connection. */
static void requests_fail_without_descriptors(mlflow_gateway *gateway)
{
    for (rlim_t spare = 0; spare < 12; spare++) {
        mlflow_gateway_queue *queue = make_queue(gateway, "16");
        int next = dup(0);

        close(next);
        limit_descriptors((rlim_t)next + spare);
        submit_all(queue);
        int succeeded = fetch_all(queue, "Too many open files");
        CHECK(spare > 0 || succeeded == 0);
        limit_descriptors(1000);
        mlflow_gateway_queue_destroy(queue);
    }
}

static void descriptor_may_be_missing(mlflow_gateway *gateway)
{
    mlflow_gateway_queue *queue = make_queue(gateway, "2");
    int fd = -1, next = dup(0);

    close(next);
    limit_descriptors((rlim_t)next);
    CHECK_STATUS(MLFLOW_GATEWAY_OUT_OF_MEMORY, mlflow_gateway_queue_fd(queue, &fd, &error));
    limit_descriptors(1000);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_queue_fd(queue, &fd, &error));
    mlflow_gateway_queue_destroy(queue);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    uri = argv[1];
    mlflow_gateway *gateway = make_handle(uri, NULL);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "max_connections", "0", &error));
    few_threads_send_all_requests(gateway, 1);
    few_threads_send_all_requests(gateway, 3);
    requests_fail_without_a_thread(gateway);
    requests_that_wait_for_the_rates_fail_without_a_thread(gateway);
    requests_fail_without_descriptors(gateway);
    descriptor_may_be_missing(gateway);
    mlflow_gateway_destroy(gateway);
    return 0;
}

/*
 * Forks while threads use a queue and hold any of its locks: each child can destroy the queue and use another one, and
 * the threads are not affected.
 *
 * usage: test_queue_fork_threads URI THREADS FORKS
 *   The gateway echoes the prompt.
 */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <pthread.h>

#include "child.h"
#include "queue_helpers.h"

#define MAX_THREADS 64

static mlflow_gateway *gateway;
static mlflow_gateway_queue *queue;
static bool is_running = true;
static uint64_t submitted, done;

static void check_and_destroy(mlflow_gateway_completion *completion)
{
    char prompt[64];

    if (completion == NULL)
        return;
    if (is_done(completion)) {
        snprintf(prompt, sizeof prompt, "echo %" PRIu64, mlflow_gateway_completion_tag(completion));
        check_done(completion, prompt);
        __atomic_fetch_add(&done, 1, __ATOMIC_RELAXED);
    }
    mlflow_gateway_completion_destroy(completion);
}

static void *use_until_stopped(void *number)
{
    uint64_t tag = (uint64_t) * (int *)number << 32;
    char prompt[64];
    int fd;

    while (__atomic_load_n(&is_running, __ATOMIC_RELAXED)) {
        snprintf(prompt, sizeof prompt, "echo %" PRIu64, ++tag);
        if (submit(queue, 1 + (int32_t)(tag % 2), prompt, tag) == MLFLOW_GATEWAY_OK)
            __atomic_fetch_add(&submitted, 1, __ATOMIC_RELAXED);
        check_and_destroy(fetch(queue, (int64_t)(tag % 3)));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_queue_fd(queue, &fd, &error));
        mlflow_gateway_queue_cancel(queue, 1);
    }
    return NULL;
}

static void run_child(int number)
{
    mlflow_gateway_completion *completion = NULL;
    const uint64_t tag = 7;

    CHECK_STATUS(MLFLOW_GATEWAY_INVALID_ARGUMENT, mlflow_gateway_queue_next(queue, -1, &completion, &error));
    CHECK(mlflow_gateway_queue_count(queue, MLFLOW_GATEWAY_QUEUE_COUNT_LIMIT) == 0);
    if (number % 2 == 0)
        mlflow_gateway_queue_destroy(queue);
    mlflow_gateway_queue *own = make_queue(gateway, "2");
    CHECK(submit(own, 1 + number % 2, "echo 7", tag) == MLFLOW_GATEWAY_OK);
    mlflow_gateway_queue_close(own);
    while ((completion = fetch(own, -1)) != NULL)
        check_and_destroy(completion);
    mlflow_gateway_queue_destroy(own);
    if (number % 2 == 1)
        mlflow_gateway_queue_destroy(queue);
    if (number % 3 == 0)
        mlflow_gateway_destroy(gateway);
    /* Skips the exit handlers of the parent. */
    _exit(0);
}

int main(int argc, char **argv)
{
    pthread_t threads[MAX_THREADS];
    int numbers[MAX_THREADS];
    mlflow_gateway_completion *completion;

    CHECK(argc == 4);
    int count = atoi(argv[2]), forks = atoi(argv[3]);
    CHECK(count > 0 && count <= MAX_THREADS);
    gateway = make_handle(argv[1], NULL);
    queue = make_queue(gateway, "16");
    for (int i = 0; i < count; i++) {
        numbers[i] = i + 1;
        CHECK(pthread_create(&threads[i], NULL, use_until_stopped, &numbers[i]) == 0);
    }
    for (int i = 0; i < forks; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0)
            run_child(i);
        wait_for(child);
    }
    __atomic_store_n(&is_running, false, __ATOMIC_RELAXED);
    for (int i = 0; i < count; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    mlflow_gateway_queue_close(queue);
    while ((completion = fetch(queue, -1)) != NULL)
        check_and_destroy(completion);
    CHECK(submitted == done && done > (uint64_t)forks);
    mlflow_gateway_queue_destroy(queue);
    mlflow_gateway_destroy(gateway);
    return 0;
}

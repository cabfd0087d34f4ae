/*
 * A process ends, in one of several ways, while requests of its queue run.
 *
 * usage: test_queue_exit URI TIMES
 *   tests/c/fast_gateway.c
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>

#include "child.h"
#include "queue_helpers.h"

enum way { RETURN, EXIT, EXIT_IN_THREAD, DESTROY_AT_EXIT, EXIT_WHILE_OTHERS_FETCH, WAYS };

static const char *uri;
static mlflow_gateway_queue *queue;

static void *exit_in_thread(void *unused)
{
    (void)unused;
    exit(0);
}

static void *fetch_until_the_end(void *unused)
{
    mlflow_gateway_completion *completion;

    while ((completion = fetch(queue, -1)) != NULL)
        mlflow_gateway_completion_destroy(completion);
    return unused;
}

static void destroy_queue(void)
{
    mlflow_gateway_queue_destroy(queue);
}

static void fill_queue(int number)
{
    static const char *const PROMPTS[] = { "echo", "later", "pieces", "stall", "close" };
    mlflow_gateway *gateway = make_handle(uri, NULL);

    queue = make_queue(gateway, "8");
    mlflow_gateway_destroy(gateway);
    for (uint64_t tag = 0; tag < 20; tag++)
        CHECK(submit(queue, 1 + (int32_t)(tag % 2), PROMPTS[(tag + (uint64_t)number) % 5], tag) == MLFLOW_GATEWAY_OK);
    nanosleep(&(struct timespec){ 0, number % 10 * 500000 }, NULL);
}

static int end_process(enum way way)
{
    pthread_t thread;

    switch (way) {
    case EXIT:
        exit(0);
    case EXIT_IN_THREAD:
        CHECK(pthread_create(&thread, NULL, exit_in_thread, NULL) == 0);
        fetch_until_the_end(NULL);
        pthread_join(thread, NULL);
        break;
    case DESTROY_AT_EXIT:
        CHECK(atexit(destroy_queue) == 0);
        break;
    case EXIT_WHILE_OTHERS_FETCH:
        for (int i = 0; i < 3; i++)
            CHECK(pthread_create(&thread, NULL, fetch_until_the_end, NULL) == 0);
        break;
    default:
        break;
    }
    return 0;
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    uri = argv[1];
    for (int i = 0; i < atoi(argv[2]); i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            fill_queue(i);
            return end_process((enum way)(i % WAYS));
        }
        wait_for(child);
    }
    return 0;
}

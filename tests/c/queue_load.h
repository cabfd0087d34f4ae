/* What the programs that load a queue share. They run against tests/c/load_gateway. */
#ifndef QUEUE_LOAD_H
#define QUEUE_LOAD_H

#include <stdint.h>
#include <sys/resource.h>
#include <time.h>

#include "check.h"

/* The connection, and the wake-up of the thread of each request; and what the program itself has open. */
#define DESCRIPTORS_FOR(requests) (2 * (requests) + 64)

static inline uint64_t now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static inline void raise_descriptor_limit(rlim_t needed)
{
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur >= needed)
        return;
    limit.rlim_cur = needed;
    if (limit.rlim_max < needed)
        limit.rlim_max = needed; /* only root may */
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        fprintf(stderr, "this needs %lu file descriptors: raise the limit (ulimit -n)\n", (unsigned long)needed);
        exit(1);
    }
}

/* Sets each "NAME=VALUE" of a list that ends with NULL: an option of the handle if the name begins with "handle.", else
 * one of the queue. */
static inline void set_queue_options(mlflow_gateway *gateway, mlflow_gateway_queue *queue, char **settings)
{
    static const char OF_HANDLE[] = "handle.";
    char name[64];

    for (; *settings != NULL; settings++) {
        const char *value = strchr(*settings, '=');
        CHECK(value != NULL && (size_t)(value - *settings) < sizeof name);
        snprintf(name, sizeof name, "%.*s", (int)(value - *settings), *settings);
        if (strncmp(name, OF_HANDLE, strlen(OF_HANDLE)) == 0)
            CHECK_STATUS(MLFLOW_GATEWAY_OK,
                         mlflow_gateway_set_option(gateway, name + strlen(OF_HANDLE), value + 1, &error));
        else
            CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_queue_set_option(queue, name, value + 1, &error));
    }
}

static inline mlflow_gateway *open_queue(const char *uri, char **settings, mlflow_gateway_queue **queue)
{
    mlflow_gateway *gateway = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create("r", uri, &gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_queue_create(gateway, queue, &error));
    set_queue_options(gateway, *queue, settings);
    return gateway;
}

/* Submits a request whose prompt is its tag. Returns false if the queue is full. */
static inline bool submit_tag(mlflow_gateway_queue *queue, int32_t how, uint64_t tag)
{
    mlflow_gateway_request *request = NULL;
    char prompt[32];

    snprintf(prompt, sizeof prompt, "%llu", (unsigned long long)tag);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_prompt(request, prompt, strlen(prompt), &error));
    mlflow_gateway_status status = mlflow_gateway_queue_submit(queue, request, how, tag, NULL);
    CHECK(status == MLFLOW_GATEWAY_OK || status == MLFLOW_GATEWAY_QUEUE_FULL);
    mlflow_gateway_request_destroy(request);
    return status == MLFLOW_GATEWAY_OK;
}

/* Waits for the next completion; NULL at the end of the queue. */
static inline mlflow_gateway_completion *next_completion(mlflow_gateway_queue *queue)
{
    mlflow_gateway_completion *completion = NULL;
    mlflow_gateway_status status = mlflow_gateway_queue_next(queue, -1, &completion, NULL);

    CHECK(status == MLFLOW_GATEWAY_OK || status == MLFLOW_GATEWAY_QUEUE_END);
    return completion;
}

/* Ends the program with the error of a request, if it failed. */
static inline void check_completion(const mlflow_gateway_completion *completion)
{
    if (mlflow_gateway_completion_status(completion) == MLFLOW_GATEWAY_OK)
        return;
    fprintf(stderr, "request %llu: %s\n", (unsigned long long)mlflow_gateway_completion_tag(completion),
            mlflow_gateway_error_message(mlflow_gateway_completion_error(completion)));
    exit(1);
}

#endif

/*
 * Programs that load the library at run time and unload it: once a queue has sent a request, the library stays loaded,
 * because programs unload it while threads of a queue run.
 *
 * usage: test_queue_unload LIBRARY URI TIMES
 *   tests/c/fast_gateway.c
 */
#define _GNU_SOURCE

#include <dlfcn.h>

#include "child.h"
#include "process_state.h"

#define ROUNDS 10

static void *library;

/* ISO C has no conversion from an object pointer to a function pointer. */
static void find(const char *name, void *function)
{
    void *found = dlsym(library, name);
    CHECK(found != NULL);
    memcpy(function, &found, sizeof found);
}

/* Declares a function pointer with this name, and loads it from the library. */
#define FUNCTION(name)                                   \
    __extension__ __typeof__(mlflow_gateway_##name) *name; \
    find("mlflow_gateway_" #name, &name)

static void load(const char *path)
{
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
}

static bool is_loaded(const char *path)
{
    void *still = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (still != NULL)
        dlclose(still);
    return still != NULL;
}

static mlflow_gateway_queue *start_requests(const char *uri, const char *prompt)
{
    FUNCTION(create);
    FUNCTION(destroy);
    FUNCTION(queue_create);
    FUNCTION(queue_submit);
    FUNCTION(request_create);
    FUNCTION(request_set_prompt);
    FUNCTION(request_destroy);
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_queue *queue = NULL;

    CHECK(create("r", uri, &gateway, NULL) == MLFLOW_GATEWAY_OK);
    CHECK(queue_create(gateway, &queue, NULL) == MLFLOW_GATEWAY_OK);
    CHECK(request_create(&request, NULL) == MLFLOW_GATEWAY_OK);
    CHECK(request_set_prompt(request, prompt, MLFLOW_GATEWAY_NUL_TERMINATED, NULL) == MLFLOW_GATEWAY_OK);
    for (uint64_t tag = 0; tag < 12; tag++)
        CHECK(queue_submit(queue, request, MLFLOW_GATEWAY_SUBMIT_SEND, tag, NULL) == MLFLOW_GATEWAY_OK);
    request_destroy(request);
    destroy(gateway);
    return queue;
}

static void fetch_all(mlflow_gateway_queue *queue)
{
    FUNCTION(queue_close);
    FUNCTION(queue_next);
    FUNCTION(completion_status);
    FUNCTION(completion_destroy);
    mlflow_gateway_completion *completion = NULL;
    int done = 0;

    queue_close(queue);
    while (queue_next(queue, -1, &completion, NULL) == MLFLOW_GATEWAY_OK) {
        done += completion_status(completion) == MLFLOW_GATEWAY_OK;
        completion_destroy(completion);
    }
    CHECK(done == 12);
}

/* The library is unloaded while requests run, which Ruby does when it exits. */
static int unload_and_end(const char *path, const char *uri, int number)
{
    load(path);
    start_requests(uri, number % 2 == 0 ? "later" : "pieces");
    nanosleep(&(struct timespec){ 0, number % 10 * 300000 }, NULL);
    CHECK(dlclose(library) == 0);
    nanosleep(&(struct timespec){ 0, number % 3 * 1000000 }, NULL);
    return 0;
}

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    const char *path = argv[1], *uri = argv[2];

    for (int i = 0; i < atoi(argv[3]); i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0)
            return unload_and_end(path, uri, i);
        wait_for(child);
    }
    long descriptors = count_open_descriptors();
    long threads = count_threads(); /* an emulator has one of its own */
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(is_loaded(path) == (i > 0));
        load(path);
        FUNCTION(queue_destroy);
        mlflow_gateway_queue *queue = start_requests(uri, i % 2 == 0 ? "later" : "stall");
        if (i % 2 == 0)
            fetch_all(queue);
        queue_destroy(queue);
        CHECK(dlclose(library) == 0);
        CHECK(is_loaded(path));
        CHECK(wait_for_thread_count(threads));
        CHECK(count_open_descriptors() == descriptors);
    }
    return 0;
}

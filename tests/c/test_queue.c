/*
 * The objects of a queue: who owns them, how long they live, and on which thread callbacks run.
 *
 * usage: test_queue URI
 *   A gateway of tests/support/commanded_gateway.py, with the routes "r" (completions) and "embeddings".
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>

#include "queue_helpers.h"

#define FETCHERS 8
#define REQUESTS 400

static const char *uri;

static mlflow_gateway_completion *fetch_done(mlflow_gateway_queue *queue)
{
    mlflow_gateway_completion *completion = fetch(queue, -1);

    CHECK(completion != NULL && is_done(completion));
    return completion;
}

static void parts_of_a_completion_can_be_taken(void)
{
    mlflow_gateway *gateway = make_handle(uri, NULL);
    mlflow_gateway_queue *queue = make_queue(gateway, "2");

    CHECK(submit(queue, MLFLOW_GATEWAY_SUBMIT_SEND, "echo", 1) == MLFLOW_GATEWAY_OK);
    mlflow_gateway_completion *completion = fetch_done(queue);
    const mlflow_gateway_response *borrowed = mlflow_gateway_completion_response(completion);
    CHECK(mlflow_gateway_completion_take_embeddings(completion) == NULL);
    CHECK(mlflow_gateway_completion_take_error(completion) == NULL);
    mlflow_gateway_response *response = mlflow_gateway_completion_take_response(completion);
    CHECK(response != NULL && response == borrowed);
    CHECK(mlflow_gateway_completion_response(completion) == NULL);
    CHECK(mlflow_gateway_completion_take_response(completion) == NULL);
    CHECK(mlflow_gateway_completion_status(completion) == MLFLOW_GATEWAY_OK);
    mlflow_gateway_completion_destroy(completion);
    CHECK(strcmp(mlflow_gateway_response_text(response, 0, NULL), "echo") == 0);
    mlflow_gateway_response_destroy(response);

    CHECK(submit(queue, MLFLOW_GATEWAY_SUBMIT_SEND, "503", 1) == MLFLOW_GATEWAY_OK);
    completion = fetch_done(queue);
    CHECK(mlflow_gateway_completion_response(completion) == NULL);
    CHECK(mlflow_gateway_completion_status(completion) == MLFLOW_GATEWAY_SERVER_ERROR);
    mlflow_gateway_error *error = mlflow_gateway_completion_take_error(completion);
    CHECK(mlflow_gateway_error_status(error) == MLFLOW_GATEWAY_SERVER_ERROR);
    CHECK(mlflow_gateway_completion_error(completion) == NULL);
    CHECK(mlflow_gateway_completion_status(completion) == MLFLOW_GATEWAY_SERVER_ERROR);
    mlflow_gateway_completion_destroy(completion);
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_queue_destroy(queue);
    mlflow_gateway_destroy(gateway);
}

static void embeddings_can_be_taken(void)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create("embeddings", uri, &gateway, &error));
    mlflow_gateway_queue *queue = make_queue(gateway, "2");
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_input(request, "one", 3, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_queue_submit(queue, request, MLFLOW_GATEWAY_SUBMIT_EMBED, 1, &error));
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_completion *completion = fetch_done(queue);
    CHECK(mlflow_gateway_completion_response(completion) == NULL);
    CHECK(mlflow_gateway_embeddings_count(mlflow_gateway_completion_embeddings(completion)) == 1);
    mlflow_gateway_embeddings *embeddings = mlflow_gateway_completion_take_embeddings(completion);
    CHECK(mlflow_gateway_completion_take_embeddings(completion) == NULL);
    mlflow_gateway_completion_destroy(completion);
    CHECK(mlflow_gateway_embeddings_dimension(embeddings) == 2);
    mlflow_gateway_embeddings_destroy(embeddings);
    mlflow_gateway_queue_destroy(queue);
    mlflow_gateway_destroy(gateway);
}

/* The queue keeps its handle, and completions need neither. */
static void completions_outlive_their_queue_and_handle(void)
{
    enum { COUNT = 8 };
    mlflow_gateway_completion *completions[COUNT];
    mlflow_gateway *gateway = make_handle(uri, NULL);
    mlflow_gateway_queue *queue = make_queue(gateway, "2");
    char text[16] = "";
    int events = 0;

    mlflow_gateway_destroy(gateway);
    for (uint64_t tag = 0; tag < 2; tag++)
        CHECK(submit(queue, MLFLOW_GATEWAY_SUBMIT_STREAM, "pieces", tag) == MLFLOW_GATEWAY_OK);
    for (int i = 0; i < COUNT; i++)
        CHECK((completions[i] = fetch(queue, -1)) != NULL);
    mlflow_gateway_queue_destroy(queue);
    for (int i = 0; i < COUNT; i++) {
        const mlflow_gateway_event *event = mlflow_gateway_completion_event(completions[i]);
        if (is_done(completions[i])) {
            check_done(completions[i], "pieces");
        } else if (mlflow_gateway_completion_tag(completions[i]) == 1) {
            events++;
            CHECK(mlflow_gateway_event_raw_data(event, NULL) != NULL);
            if (mlflow_gateway_event_kind(event) == MLFLOW_GATEWAY_EVENT_TEXT)
                strcat(text, mlflow_gateway_event_text(event, NULL));
        }
        mlflow_gateway_completion_destroy(completions[i]);
    }
    CHECK(events == 3 && strcmp(text, "pieces") == 0);
}

/* Set on the thread that is in a call of the library that may run callbacks. */
static __thread bool may_run_callbacks;
static int line_count, destroyed;

static void on_line(int32_t level, const char *line, size_t len, void *user_data)
{
    CHECK(may_run_callbacks && user_data == &line_count && level > 0 && strlen(line) == len);
    __atomic_fetch_add(&line_count, 1, __ATOMIC_RELAXED);
}

static void on_destroy(void *user_data)
{
    CHECK(may_run_callbacks && user_data == &line_count);
    __atomic_fetch_add(&destroyed, 1, __ATOMIC_RELAXED);
}

/* Each call of set_log is one more on_destroy. The requests in the queue are the last to use their callback. */
static void callbacks_run_on_threads_that_are_in_a_call(void)
{
    mlflow_gateway *gateway = make_handle(uri, NULL);
    mlflow_gateway_queue *queue = make_queue(gateway, "3");
    int installed = 0;

    for (uint64_t tag = 0; tag < 60; tag++) {
        may_run_callbacks = tag % 2 == 0; /* else, the queue still has requests with the callback before */
        if (tag % 2 == 0) {
            CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_log(gateway, MLFLOW_GATEWAY_LOG_DEBUG, on_line,
                                                                   &line_count, on_destroy, &error));
            installed++;
        }
        may_run_callbacks = false;
        CHECK(submit(queue, MLFLOW_GATEWAY_SUBMIT_SEND, tag % 3 == 0 ? "later" : "503", tag) == MLFLOW_GATEWAY_OK);
        if (tag % 4 == 3) {
            may_run_callbacks = true;
            mlflow_gateway_completion *completion = fetch(queue, -1);
            may_run_callbacks = false;
            mlflow_gateway_completion_destroy(completion);
        }
    }
    CHECK(mlflow_gateway_queue_cancel(queue, 59) == 1);
    mlflow_gateway_error *error = NULL;
    CHECK(mlflow_gateway_set_log(gateway, 99, on_line, &line_count, on_destroy, &error) ==
          MLFLOW_GATEWAY_INVALID_ARGUMENT);
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_destroy(gateway);
    CHECK(destroyed < installed);
    may_run_callbacks = true;
    mlflow_gateway_queue_destroy(queue);
    may_run_callbacks = false;
    CHECK(destroyed == installed && line_count > 0);
}

static struct {
    mlflow_gateway_queue *queue;
    int done[REQUESTS];
} shared;

static void *fetch_all(void *unused)
{
    mlflow_gateway_completion *completion;
    char text[32];

    while ((completion = fetch(shared.queue, -1)) != NULL) {
        uint64_t tag = mlflow_gateway_completion_tag(completion);
        CHECK(tag < REQUESTS);
        snprintf(text, sizeof text, "echo %d", (int)tag);
        if (is_done(completion)) {
            check_done(completion, text);
            __atomic_fetch_add(&shared.done[tag], 1, __ATOMIC_RELAXED);
        }
        mlflow_gateway_completion_destroy(completion);
    }
    return unused;
}

/* All wait when the queue ends, and all return. */
static void several_threads_fetch(void)
{
    mlflow_gateway *gateway = make_handle(uri, NULL);
    pthread_t threads[FETCHERS];
    char text[32];

    shared.queue = make_queue(gateway, "4");
    for (int i = 0; i < FETCHERS; i++)
        CHECK(pthread_create(&threads[i], NULL, fetch_all, NULL) == 0);
    for (int tag = 0; tag < REQUESTS; tag++) {
        snprintf(text, sizeof text, "echo %d", tag);
        CHECK(submit(shared.queue, 1 + tag % 2, text, (uint64_t)tag) == MLFLOW_GATEWAY_OK);
    }
    mlflow_gateway_queue_close(shared.queue);
    for (int i = 0; i < FETCHERS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (int tag = 0; tag < REQUESTS; tag++)
        CHECK(shared.done[tag] == 1);
    mlflow_gateway_queue_destroy(shared.queue);
    mlflow_gateway_destroy(gateway);
}

/* A log callback may use the queue that calls it. */
static mlflow_gateway_queue *used_by_callback;

static void use_queue(int32_t level, const char *line, size_t len, void *user_data)
{
    (void)level, (void)line, (void)len, (void)user_data;
    mlflow_gateway_completion_destroy(fetch(used_by_callback, 0));
    mlflow_gateway_queue_cancel(used_by_callback, 12345);
    mlflow_gateway_queue_count(used_by_callback, MLFLOW_GATEWAY_QUEUE_COUNT_WAITING);
}

static void log_callback_may_use_the_queue(void)
{
    mlflow_gateway *gateway = make_handle(uri, NULL);
    mlflow_gateway_completion *completion;

    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_set_log(gateway, MLFLOW_GATEWAY_LOG_DEBUG, use_queue, NULL, NULL, &error));
    used_by_callback = make_queue(gateway, "2");
    for (uint64_t tag = 0; tag < 20; tag++)
        CHECK(submit(used_by_callback, MLFLOW_GATEWAY_SUBMIT_SEND, "echo", tag) == MLFLOW_GATEWAY_OK);
    mlflow_gateway_queue_close(used_by_callback);
    while ((completion = fetch(used_by_callback, -1)) != NULL)
        mlflow_gateway_completion_destroy(completion);
    mlflow_gateway_queue_destroy(used_by_callback);
    mlflow_gateway_destroy(gateway);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    uri = argv[1];
    parts_of_a_completion_can_be_taken();
    embeddings_can_be_taken();
    completions_outlive_their_queue_and_handle();
    callbacks_run_on_threads_that_are_in_a_call();
    several_threads_fetch();
    log_callback_may_use_the_queue();
    mlflow_gateway_completion_destroy(NULL);
    mlflow_gateway_queue_destroy(NULL);
    return 0;
}

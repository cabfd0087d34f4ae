/*
 * A thread is cancelled with pthread_cancel() during a call: the call continues with the same result, and only then the
 * thread ends.
 *
 * usage: test_thread_cancel URI TYPE CALL STATUS MS [OPTION=VALUE]...
 *   TYPE is "deferred" or "asynchronous" (see pthread_setcanceltype()). CALL is one of CALLS. The call must return
 *   STATUS after at least MS milliseconds. The thread is cancelled one to two CANCEL_AFTER_MS after the start of the
 *   call, or of reading the stream. OPTION=VALUE are options of the handle.
 */
#define _XOPEN_SOURCE 700

#include <pthread.h>
#include <sched.h>

#include "check.h"
#include "clock.h"

#define CANCEL_AFTER_MS 50

typedef mlflow_gateway_status call_function(void);

static mlflow_gateway *gateway;
static mlflow_gateway_request *request;
static mlflow_gateway_cancel_token *token;
static int type;
static call_function *make_call;

/* The objects of the cancelled thread, destroyed by its cleanup handler. */
static struct {
    mlflow_gateway_error *error;
    mlflow_gateway_stream *stream;
    mlflow_gateway_response *response;
    mlflow_gateway_embeddings *embeddings;
    mlflow_gateway_routes *routes;
    mlflow_gateway_queue *queue;
    mlflow_gateway_completion *completion;
    char *text;
} owned;
static volatile int64_t started_us, ended_us;
static volatile int is_inside, is_cancelled, cleaned_up, events;
/* Stays -1 with asynchronous cancellation, where the thread ends before the call returns. */
static volatile mlflow_gateway_status status = -1;

static mlflow_gateway_status call_simple(void)
{
    return mlflow_gateway_call(gateway, "hi", &owned.text, NULL, &owned.error);
}

static mlflow_gateway_status send(void)
{
    return mlflow_gateway_send(gateway, request, &owned.response, &owned.error);
}

static mlflow_gateway_status read_stream(void)
{
    const mlflow_gateway_event *event = NULL;
    mlflow_gateway_status next = mlflow_gateway_stream_open(gateway, request, &owned.stream, &owned.error);

    is_inside = 1;
    while (next == MLFLOW_GATEWAY_OK)
        next = mlflow_gateway_stream_next(owned.stream, &event, &owned.error);
    return next;
}

/* A cancellation point in the callback must not end the thread either. */
static int on_event(const mlflow_gateway_event *event, void *user_data)
{
    struct timespec moment = { .tv_nsec = 4 * CANCEL_AFTER_MS * 1000000 };

    (void)event, (void)user_data;
    nanosleep(&moment, NULL);
    pthread_testcancel();
    events++;
    return 0;
}

static mlflow_gateway_status call_stream(void)
{
    return mlflow_gateway_stream_call(gateway, request, on_event, NULL, &owned.response, &owned.error);
}

static mlflow_gateway_status embed(void)
{
    return mlflow_gateway_embed(gateway, request, &owned.embeddings, &owned.error);
}

static mlflow_gateway_status list(void)
{
    return mlflow_gateway_list_routes(gateway, &owned.routes, &owned.error);
}

static mlflow_gateway_status check_health(void)
{
    return mlflow_gateway_health(gateway, &owned.error);
}

/* The thread is cancelled while it waits for the end of a request, which it then returns. */
static mlflow_gateway_status fetch(void)
{
    mlflow_gateway_status next = mlflow_gateway_queue_create(gateway, &owned.queue, &owned.error);

    if (next == MLFLOW_GATEWAY_OK)
        next = mlflow_gateway_queue_submit(owned.queue, request, MLFLOW_GATEWAY_SUBMIT_SEND, 1, &owned.error);
    return next == MLFLOW_GATEWAY_OK ? mlflow_gateway_queue_next(owned.queue, -1, &owned.completion, &owned.error) : next;
}

static mlflow_gateway_status wait_in_vain(void)
{
    mlflow_gateway_status next = mlflow_gateway_queue_create(gateway, &owned.queue, &owned.error);

    return next == MLFLOW_GATEWAY_OK ? mlflow_gateway_queue_next(owned.queue, 700, &owned.completion, &owned.error) : next;
}

/* mlflow_gateway_cancel() while a cancellation of the thread is pending. */
static mlflow_gateway_status cancel_token(void)
{
    while (!is_cancelled)
        sched_yield();
    mlflow_gateway_cancel(token);
    return mlflow_gateway_cancel_token_is_cancelled(token) ? MLFLOW_GATEWAY_CANCELLED : MLFLOW_GATEWAY_OK;
}

static const struct {
    const char *name;
    call_function *make;
} CALLS[] = {
    { "call", call_simple }, { "send", send }, { "stream", read_stream }, { "callback", call_stream },
    { "embed", embed },      { "list", list }, { "health", check_health }, { "cancel", cancel_token },
    { "fetch", fetch },      { "wait", wait_in_vain },
};

static void clean_up(void *unused)
{
    (void)unused;
    ended_us = now_us();
    cleaned_up++;
    mlflow_gateway_string_free(owned.text);
    mlflow_gateway_response_destroy(owned.response);
    mlflow_gateway_stream_destroy(owned.stream);
    mlflow_gateway_embeddings_destroy(owned.embeddings);
    mlflow_gateway_routes_destroy(owned.routes);
    CHECK(make_call != fetch || status == -1 || owned.completion != NULL);
    mlflow_gateway_completion_destroy(owned.completion);
    mlflow_gateway_queue_destroy(owned.queue);
}

static void *run_call(void *unused)
{
    int before;

    CHECK(pthread_setcanceltype(type, &before) == 0 && before == PTHREAD_CANCEL_DEFERRED);
    pthread_cleanup_push(clean_up, NULL);
    started_us = now_us();
    is_inside = make_call != read_stream;
    status = make_call();
    /* The call has restored the type and the state. */
    CHECK(pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &before) == 0 && before == type);
    CHECK(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before) == 0 && before == PTHREAD_CANCEL_ENABLE);
    pthread_testcancel();
    pthread_cleanup_pop(1);
    return unused;
}

int main(int argc, char **argv)
{
    struct timespec moment = { .tv_nsec = CANCEL_AFTER_MS * 1000000 };
    bool is_asynchronous;
    pthread_t thread;
    void *result = NULL;

    CHECK(argc >= 6);
    is_asynchronous = strcmp(argv[2], "asynchronous") == 0;
    type = is_asynchronous ? PTHREAD_CANCEL_ASYNCHRONOUS : PTHREAD_CANCEL_DEFERRED;
    for (size_t i = 0; i < sizeof CALLS / sizeof *CALLS; i++)
        if (strcmp(argv[3], CALLS[i].name) == 0)
            make_call = CALLS[i].make;
    CHECK(make_call != NULL);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create("r", argv[1], &gateway, &error));
    for (int i = 6; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        CHECK(value != NULL);
        *value = '\0';
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, argv[i], value + 1, &error));
    }
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_cancel_token_create(&token, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    if (make_call == embed) {
        for (int i = 0; i < 4; i++)
            CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_input(request, "x", 1, &error));
    } else {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_message(request, "user", "hi", 2, &error));
    }

    CHECK(pthread_create(&thread, NULL, run_call, NULL) == 0);
    do
        nanosleep(&moment, NULL);
    while (!is_inside);
    nanosleep(&moment, NULL);
    CHECK(pthread_cancel(thread) == 0);
    is_cancelled = 1;
    CHECK(pthread_join(thread, &result) == 0);

    /* In glibc 2.36 the result is lost if pthread_setcancelstate() itself ends the thread. */
    CHECK(result == PTHREAD_CANCELED || (is_asynchronous && result == NULL));
    CHECK(cleaned_up == 1);
    CHECK(ended_us - started_us >= 1000 * atol(argv[5]));
    CHECK((make_call == call_stream) == (events > 0));
    /* With asynchronous cancellation the thread ends before a call returns, and a stream takes several calls. */
    if (!is_asynchronous)
        CHECK(strcmp(mlflow_gateway_status_name(status), argv[4]) == 0);
    else
        CHECK(status == -1);
    if (!is_asynchronous || make_call != read_stream)
        CHECK((owned.error != NULL) == (strcmp(argv[4], "MLFLOW_GATEWAY_TIMEOUT") == 0));
    mlflow_gateway_error_destroy(owned.error);

    /* The handle is still usable. */
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "timeout_ms", "60000", &error));
    mlflow_gateway_cancel_token_destroy(token);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return 0;
}

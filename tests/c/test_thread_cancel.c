/*
 * A thread is cancelled (pthread_cancel) while it is inside a call: the call goes on, comes to what it comes to without
 * that, and only then the thread ends.
 *
 * usage: test_thread_cancel URI TYPE CALL STATUS MS [OPTION=VALUE]...
 *   TYPE is "deferred" or "asynchronous", as pthread_setcanceltype() has them; CALL is one of those below; STATUS is what
 *   it comes to, MS after how many milliseconds at the earliest. The thread is cancelled once or twice CANCEL_AFTER_MS
 *   after it began the call, or began to read the stream. The options are the handle's.
 */
#define _XOPEN_SOURCE 700

#include <pthread.h>
#include <sched.h>

#include "check.h"
#include "clock.h"

#define CANCEL_AFTER_MS 50

typedef mlflow_gateway_status call(void);

static mlflow_gateway *gateway;
static mlflow_gateway_request *request;
static mlflow_gateway_cancel_token *token;
static int type;
static call *make_call;

/* What the thread that is cancelled has, and those who clean up after it. */
static struct {
    mlflow_gateway_error *error;
    mlflow_gateway_stream *stream;
    mlflow_gateway_response *response;
    mlflow_gateway_embeddings *embeddings;
    mlflow_gateway_routes *routes;
    char *text;
} had;
static volatile int64_t began_us, ended_us;
static volatile int is_inside, is_cancelled, cleaned_up, events;
/* Of a thread that is cancelled at once when it may be again, the call does not return. */
static volatile mlflow_gateway_status status = -1;

static mlflow_gateway_status call_simply(void)
{
    return mlflow_gateway_call(gateway, "hi", &had.text, NULL, &had.error);
}

static mlflow_gateway_status send(void)
{
    return mlflow_gateway_send(gateway, request, &had.response, &had.error);
}

static mlflow_gateway_status read_stream(void)
{
    const mlflow_gateway_event *event = NULL;
    mlflow_gateway_status next = mlflow_gateway_stream_open(gateway, request, &had.stream, &had.error);

    is_inside = 1;
    while (next == MLFLOW_GATEWAY_OK)
        next = mlflow_gateway_stream_next(had.stream, &event, &had.error);
    return next;
}

/* It is inside a call, too, so that nothing in it can end the thread. */
static int on_event(const mlflow_gateway_event *event, void *user_data)
{
    struct timespec moment = { .tv_nsec = 4 * CANCEL_AFTER_MS * 1000000 };

    (void)event, (void)user_data;
    nanosleep(&moment, NULL);
    pthread_testcancel();
    events++;
    return 0;
}

static mlflow_gateway_status hand_over_stream(void)
{
    return mlflow_gateway_stream_call(gateway, request, on_event, NULL, &had.response, &had.error);
}

static mlflow_gateway_status embed(void)
{
    return mlflow_gateway_embed(gateway, request, &had.embeddings, &had.error);
}

static mlflow_gateway_status list(void)
{
    return mlflow_gateway_list_routes(gateway, &had.routes, &had.error);
}

static mlflow_gateway_status check_health(void)
{
    return mlflow_gateway_health(gateway, &had.error);
}

/* The other way to cancel, when the thread is to end already. */
static mlflow_gateway_status cancel_calls(void)
{
    while (!is_cancelled)
        sched_yield();
    mlflow_gateway_cancel(token);
    return mlflow_gateway_cancel_token_is_cancelled(token) ? MLFLOW_GATEWAY_CANCELLED : MLFLOW_GATEWAY_OK;
}

static const struct {
    const char *name;
    call *make;
} CALLS[] = {
    { "call", call_simply }, { "send", send }, { "stream", read_stream }, { "callback", hand_over_stream },
    { "embed", embed },      { "list", list }, { "health", check_health }, { "cancel", cancel_calls },
};

static void clean_up(void *unused)
{
    (void)unused;
    ended_us = now_us();
    cleaned_up++;
    mlflow_gateway_string_free(had.text);
    mlflow_gateway_response_destroy(had.response);
    mlflow_gateway_stream_destroy(had.stream);
    mlflow_gateway_embeddings_destroy(had.embeddings);
    mlflow_gateway_routes_destroy(had.routes);
}

static void *run(void *unused)
{
    int before;

    CHECK(pthread_setcanceltype(type, &before) == 0 && before == PTHREAD_CANCEL_DEFERRED);
    pthread_cleanup_push(clean_up, NULL);
    began_us = now_us();
    is_inside = make_call != read_stream;
    status = make_call();
    /* As it was before the call. */
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

    CHECK(pthread_create(&thread, NULL, run, NULL) == 0);
    do
        nanosleep(&moment, NULL);
    while (!is_inside);
    nanosleep(&moment, NULL);
    CHECK(pthread_cancel(thread) == 0);
    is_cancelled = 1;
    CHECK(pthread_join(thread, &result) == 0);

    /* glibc 2.36 forgets the result of a thread that pthread_setcancelstate() itself ends. */
    CHECK(result == PTHREAD_CANCELED || (is_asynchronous && result == NULL));
    CHECK(cleaned_up == 1);
    CHECK(ended_us - began_us >= 1000 * atol(argv[5]));
    CHECK((make_call == hand_over_stream) == (events > 0));
    /* A stream is read by several calls. */
    if (!is_asynchronous)
        CHECK(strcmp(mlflow_gateway_status_name(status), argv[4]) == 0);
    else
        CHECK(status == -1);
    if (!is_asynchronous || make_call != read_stream)
        CHECK((had.error != NULL) == (strcmp(argv[4], "MLFLOW_GATEWAY_TIMEOUT") == 0));
    mlflow_gateway_error_destroy(had.error);

    /* The handle goes on. */
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "timeout_ms", "60000", &error));
    mlflow_gateway_cancel_token_destroy(token);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return 0;
}

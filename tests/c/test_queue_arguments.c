/*
 * The functions of queues and completions: invalid arguments, and what each returns.
 *
 * usage: test_queue_arguments CHAT_URI EMBEDDINGS_URI
 *   Two gateways of tests/test_bad_arguments.py, each with a route "r".
 */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>

#include "bad_arguments.h"

#define NUL MLFLOW_GATEWAY_NUL_TERMINATED
#define PENDING MLFLOW_GATEWAY_PENDING
#define END MLFLOW_GATEWAY_QUEUE_END
#define FULL MLFLOW_GATEWAY_QUEUE_FULL
#define SEND MLFLOW_GATEWAY_SUBMIT_SEND
#define STREAM MLFLOW_GATEWAY_SUBMIT_STREAM
#define EMBED MLFLOW_GATEWAY_SUBMIT_EMBED
#define VALUE MLFLOW_GATEWAY_INVALID_OPTION_VALUE
#define WAITING MLFLOW_GATEWAY_QUEUE_COUNT_WAITING
#define IN_FLIGHT MLFLOW_GATEWAY_QUEUE_COUNT_IN_FLIGHT
#define UNFETCHED MLFLOW_GATEWAY_QUEUE_COUNT_UNFETCHED
#define LIMIT MLFLOW_GATEWAY_QUEUE_COUNT_LIMIT

static const char *chat_uri, *embeddings_uri;

static mlflow_gateway_queue *create_queue(const char *uri)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_queue *queue = NULL;

    CHECK_STATUS(OK, mlflow_gateway_create("r", uri, &gateway, &error));
    CHECK_STATUS(OK, mlflow_gateway_queue_create(gateway, &queue, &error));
    /* The queue outlives the gateway. */
    mlflow_gateway_destroy(gateway);
    return queue;
}

static mlflow_gateway_request *create_request(const char *prompt)
{
    mlflow_gateway_request *request = NULL;
    CHECK_STATUS(OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_prompt(request, prompt, NUL, &error));
    return request;
}

static void submit(mlflow_gateway_queue *queue, const char *prompt, int32_t how, uint64_t tag)
{
    mlflow_gateway_request *request = create_request(prompt);
    CHECK_STATUS(OK, mlflow_gateway_queue_submit(queue, request, how, tag, &error));
    /* What was submitted outlives the request. */
    mlflow_gateway_request_destroy(request);
}

static mlflow_gateway_completion *next(mlflow_gateway_queue *queue)
{
    mlflow_gateway_completion *completion = NULL;
    CHECK_STATUS(OK, mlflow_gateway_queue_next(queue, -1, &completion, &error));
    CHECK(completion != NULL);
    return completion;
}

static size_t count(const mlflow_gateway_queue *queue, int32_t kind)
{
    return mlflow_gateway_queue_count(queue, kind);
}

static void check_end(mlflow_gateway_queue *queue)
{
    static const int64_t TIMEOUTS[] = { 0, 1, -1, INT64_MIN, INT64_MAX };
    mlflow_gateway_completion *completion = BAD_PTR;

    for (size_t i = 0; i < COUNT(TIMEOUTS); i++)
        CHECK_STATUS(END, mlflow_gateway_queue_next(queue, TIMEOUTS[i], &completion, &error));
    CHECK(mlflow_gateway_queue_next(queue, 0, &completion, NULL) == END);
    CHECK(completion == BAD_PTR);
}

static void null_queue_is_rejected(void)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_queue *queue = BAD_PTR;
    mlflow_gateway_request *request = create_request("full");
    mlflow_gateway_completion *completion = BAD_PTR;
    int fd = 42;

    CHECK_STATUS(OK, mlflow_gateway_create("r", chat_uri, &gateway, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_create(NULL, &queue, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_create(gateway, NULL, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_create(NULL, NULL, &error));
    CHECK(mlflow_gateway_queue_create(NULL, &queue, NULL) == ARGUMENT);
    CHECK(queue == BAD_PTR);
    mlflow_gateway_destroy(gateway);

    CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_set_option(NULL, "max_queued", "1", &error));
    CHECK(mlflow_gateway_queue_set_option(NULL, NULL, NULL, NULL) == ARGUMENT);
    CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_submit(NULL, request, SEND, 1, &error));
    CHECK(mlflow_gateway_queue_submit(NULL, NULL, 0, 0, NULL) == ARGUMENT);
    CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_next(NULL, -1, &completion, &error));
    CHECK(mlflow_gateway_queue_next(NULL, -1, NULL, NULL) == ARGUMENT);
    CHECK(completion == BAD_PTR);
    CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_fd(NULL, &fd, &error));
    CHECK(mlflow_gateway_queue_fd(NULL, NULL, NULL) == ARGUMENT);
    CHECK(fd == 42);
    for (int32_t kind = 0; kind <= 5; kind++)
        CHECK(count(NULL, kind) == 0);
    CHECK(mlflow_gateway_queue_cancel(NULL, 1) == 0);
    mlflow_gateway_queue_close(NULL);
    mlflow_gateway_queue_destroy(NULL);
    mlflow_gateway_request_destroy(request);
}

static void null_completion_has_no_content(void)
{
    CHECK(mlflow_gateway_completion_kind(NULL) == 0);
    CHECK(mlflow_gateway_completion_tag(NULL) == 0);
    CHECK(mlflow_gateway_completion_status(NULL) == OK);
    CHECK(mlflow_gateway_completion_event(NULL) == NULL);
    CHECK(mlflow_gateway_completion_response(NULL) == NULL);
    CHECK(mlflow_gateway_completion_embeddings(NULL) == NULL);
    CHECK(mlflow_gateway_completion_error(NULL) == NULL);
    CHECK(mlflow_gateway_completion_take_response(NULL) == NULL);
    CHECK(mlflow_gateway_completion_take_embeddings(NULL) == NULL);
    CHECK(mlflow_gateway_completion_take_error(NULL) == NULL);
    mlflow_gateway_completion_destroy(NULL);
}

static void options_have_ranges(void)
{
    static const struct {
        const char *name, *allowed[4], *rejected[6];
    } OPTIONS[] = {
        { "max_in_flight", { "1", "4096" }, { "0", "4097", "-1", "+1", "1.5", "" } },
        { "max_queued", { "1", "1000000" }, { "0", "1000001", "x" } },
        { "max_events", { "1", "65536" }, { "0", "65537", " 1" } },
        { "requests_per_second", { "0", "0.00001", "0.5", "1000000" }, { "-1", "1000001", "1e3", "inf", "nan", "1,5" } },
        { "tokens_per_minute", { "0", "1000000000000" }, { "-1", "1000000000001", "1.5" } },
        { "adaptive", { "true", "false" }, { "True", "1", "" } },
    };
    mlflow_gateway_queue *queue = create_queue(chat_uri);
    char *text = make_long_string(1024 * 1024);

    CHECK(count(queue, LIMIT) == 8);
    for (size_t i = 0; i < COUNT(OPTIONS); i++) {
        const char *name = OPTIONS[i].name;
        for (size_t j = 0; j < 4 && OPTIONS[i].allowed[j] != NULL; j++)
            CHECK_STATUS(OK, mlflow_gateway_queue_set_option(queue, name, OPTIONS[i].allowed[j], &error));
        for (size_t j = 0; j < 6 && OPTIONS[i].rejected[j] != NULL; j++)
            CHECK_STATUS(VALUE, mlflow_gateway_queue_set_option(queue, name, OPTIONS[i].rejected[j], &error));
        CHECK_STATUS(VALUE, mlflow_gateway_queue_set_option(queue, name, text, &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_set_option(queue, name, NULL, &error));
        for (size_t j = 0; j < NOT_UTF8_COUNT; j++)
            CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_set_option(queue, name, NOT_UTF8[j], &error));
    }
    CHECK(count(queue, LIMIT) == 4096);
    CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_set_option(queue, NULL, "1", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_UNKNOWN_OPTION, mlflow_gateway_queue_set_option(queue, text, "1", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_UNKNOWN_OPTION, mlflow_gateway_queue_set_option(queue, "", "1", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_UNKNOWN_OPTION, mlflow_gateway_queue_set_option(queue, "timeout_ms", "1", &error));
    CHECK(mlflow_gateway_queue_set_option(queue, "max_queued", "0", NULL) == VALUE);
    for (size_t i = 0; i < NOT_UTF8_COUNT; i++)
        CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_set_option(queue, NOT_UTF8[i], "1", &error));
    free(text);
    mlflow_gateway_queue_destroy(queue);
}

static void submit_rejects_invalid_requests(void)
{
    static const int32_t HOWS[] = { 0, 4, -1, INT32_MIN, INT32_MAX };
    mlflow_gateway_queue *queue = create_queue(chat_uri);
    mlflow_gateway_request *request = create_request("full");
    mlflow_gateway_request *empty = NULL, *inputs = NULL, *raw = NULL;

    CHECK_STATUS(OK, mlflow_gateway_request_create(&empty, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_create(&inputs, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_input(inputs, "x", 1, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_create(&raw, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_path(raw, NULL, "/x", &error));

    CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_submit(queue, NULL, SEND, 1, &error));
    for (size_t i = 0; i < COUNT(HOWS); i++)
        CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_submit(queue, request, HOWS[i], 1, &error));
    for (int32_t how = SEND; how <= EMBED; how++)
        CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_submit(queue, empty, how, 1, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_submit(queue, inputs, SEND, 1, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_submit(queue, inputs, STREAM, 1, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_submit(queue, request, EMBED, 1, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_submit(queue, raw, EMBED, 1, &error));
    CHECK(mlflow_gateway_queue_submit(queue, empty, SEND, 1, NULL) == ARGUMENT);
    CHECK(count(queue, WAITING) + count(queue, IN_FLIGHT) + count(queue, UNFETCHED) == 0);

    mlflow_gateway_queue_close(queue);
    mlflow_gateway_queue_close(queue);
    CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_submit(queue, request, SEND, 1, &error));
    check_end(queue);
    mlflow_gateway_queue_destroy(queue);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_request_destroy(empty);
    mlflow_gateway_request_destroy(inputs);
    mlflow_gateway_request_destroy(raw);
}

static bool is_readable(int fd)
{
    struct pollfd polled = { fd, POLLIN, 0 };
    return poll(&polled, 1, 0) == 1;
}

static void pending_full_and_end_have_no_error_object(void)
{
    static const int64_t TIMEOUTS[] = { 0, 1 };
    mlflow_gateway_queue *queue = create_queue(chat_uri);
    mlflow_gateway_request *request = create_request("full");
    mlflow_gateway_completion *completion = BAD_PTR;
    int fd = -1, same = -1;

    CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_next(queue, 0, NULL, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_next(queue, -1, NULL, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_queue_fd(queue, NULL, &error));
    CHECK_STATUS(OK, mlflow_gateway_queue_fd(queue, &fd, &error));
    CHECK_STATUS(OK, mlflow_gateway_queue_fd(queue, &same, &error));
    CHECK(fd >= 0 && fd == same);
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);

    for (size_t i = 0; i < COUNT(TIMEOUTS); i++) {
        CHECK_STATUS(PENDING, mlflow_gateway_queue_next(queue, TIMEOUTS[i], &completion, &error));
        CHECK(mlflow_gateway_queue_next(queue, TIMEOUTS[i], &completion, NULL) == PENDING);
    }
    CHECK(completion == BAD_PTR && !is_readable(fd));
    for (int32_t kind = -1; kind <= 5; kind++)
        CHECK(count(queue, kind) == (kind == LIMIT ? 8 : 0));
    CHECK(count(queue, INT32_MIN) == 0 && count(queue, INT32_MAX) == 0);
    CHECK(mlflow_gateway_queue_cancel(queue, 0) == 0);

    /* One request is in flight or has ended, and one waits until the first one is fetched. */
    CHECK_STATUS(OK, mlflow_gateway_queue_set_option(queue, "max_in_flight", "1", &error));
    CHECK_STATUS(OK, mlflow_gateway_queue_set_option(queue, "max_queued", "1", &error));
    CHECK_STATUS(OK, mlflow_gateway_queue_submit(queue, request, SEND, UINT64_MAX, &error));
    CHECK_STATUS(OK, mlflow_gateway_queue_submit(queue, request, SEND, 7, &error));
    CHECK_STATUS(FULL, mlflow_gateway_queue_submit(queue, request, SEND, 8, &error));
    CHECK(mlflow_gateway_queue_submit(queue, request, SEND, 8, NULL) == FULL);
    CHECK(count(queue, WAITING) == 1 && count(queue, IN_FLIGHT) <= 1 && count(queue, LIMIT) == 1);
    CHECK(mlflow_gateway_queue_cancel(queue, 8) == 0);
    CHECK(mlflow_gateway_queue_cancel(queue, 7) == 1);
    CHECK(mlflow_gateway_queue_cancel(queue, 7) == 0);
    mlflow_gateway_queue_close(queue);

    for (int i = 0; i < 2; i++) {
        completion = next(queue);
        bool is_cancelled = mlflow_gateway_completion_tag(completion) == 7;
        CHECK(is_cancelled || mlflow_gateway_completion_tag(completion) == UINT64_MAX);
        CHECK(mlflow_gateway_completion_kind(completion) == MLFLOW_GATEWAY_COMPLETION_DONE);
        CHECK(mlflow_gateway_completion_status(completion) == (is_cancelled ? MLFLOW_GATEWAY_CANCELLED : OK));
        mlflow_gateway_completion_destroy(completion);
    }
    CHECK(is_readable(fd));
    check_end(queue);
    CHECK(count(queue, WAITING) == 0 && count(queue, IN_FLIGHT) == 0 && count(queue, UNFETCHED) == 0);
    mlflow_gateway_queue_destroy(queue);
    CHECK(fcntl(fd, F_GETFD) == -1);
    mlflow_gateway_request_destroy(request);
}

/* Checks that a completion has at most these objects, and returns none of another kind. */
static void check_parts(mlflow_gateway_completion *done, bool has_response, bool has_embeddings, bool has_error)
{
    CHECK(mlflow_gateway_completion_kind(done) == MLFLOW_GATEWAY_COMPLETION_DONE);
    CHECK(mlflow_gateway_completion_event(done) == NULL);
    CHECK((mlflow_gateway_completion_response(done) != NULL) == has_response);
    CHECK((mlflow_gateway_completion_embeddings(done) != NULL) == has_embeddings);
    CHECK((mlflow_gateway_completion_error(done) != NULL) == has_error);
    CHECK((mlflow_gateway_completion_status(done) == OK) == !has_error);
}

static void sent_request_has_a_response(void)
{
    mlflow_gateway_queue *queue = create_queue(chat_uri);

    submit(queue, "full", SEND, 1);
    mlflow_gateway_completion *done = next(queue);
    /* A completion outlives its queue, and what is taken outlives the completion. */
    mlflow_gateway_queue_destroy(queue);
    check_parts(done, true, false, false);
    CHECK(mlflow_gateway_completion_tag(done) == 1);
    const mlflow_gateway_response *response = mlflow_gateway_completion_response(done);
    CHECK(strcmp(mlflow_gateway_response_text(response, 0, NULL), "one") == 0);
    CHECK(mlflow_gateway_response_time_us(response, MLFLOW_GATEWAY_TIME_QUEUED) >= 0);
    mlflow_gateway_response *taken = mlflow_gateway_completion_take_response(done);
    CHECK(taken == response);
    check_parts(done, false, false, false);
    CHECK(mlflow_gateway_completion_take_response(done) == NULL);
    CHECK(mlflow_gateway_completion_take_embeddings(done) == NULL);
    CHECK(mlflow_gateway_completion_take_error(done) == NULL);
    mlflow_gateway_completion_destroy(done);
    CHECK(strcmp(mlflow_gateway_response_text(taken, 0, NULL), "one") == 0);
    mlflow_gateway_response_destroy(taken);
}

static void call_without_a_queue_was_not_queued(void)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = create_request("full");
    mlflow_gateway_response *response = NULL;

    CHECK_STATUS(OK, mlflow_gateway_create("r", chat_uri, &gateway, &error));
    CHECK_STATUS(OK, mlflow_gateway_send(gateway, request, &response, &error));
    CHECK(mlflow_gateway_response_time_us(response, MLFLOW_GATEWAY_TIME_QUEUED) == -1);
    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
}

/* Fetches the events of a stream, and returns its end. */
static mlflow_gateway_completion *read_stream(mlflow_gateway_queue *queue, size_t *events)
{
    for (*events = 0;; ++*events) {
        mlflow_gateway_completion *completion = next(queue);
        if (mlflow_gateway_completion_kind(completion) == MLFLOW_GATEWAY_COMPLETION_DONE)
            return completion;
        const mlflow_gateway_event *event = mlflow_gateway_completion_event(completion);
        CHECK(event != NULL && mlflow_gateway_event_kind(event) > 0);
        if (*events == 0)
            CHECK(strcmp(mlflow_gateway_event_text(event, NULL), "He") == 0);
        CHECK(mlflow_gateway_completion_status(completion) == OK);
        CHECK(mlflow_gateway_completion_tag(completion) == 2);
        CHECK(mlflow_gateway_completion_response(completion) == NULL);
        CHECK(mlflow_gateway_completion_embeddings(completion) == NULL);
        CHECK(mlflow_gateway_completion_error(completion) == NULL);
        CHECK(mlflow_gateway_completion_take_response(completion) == NULL);
        CHECK(mlflow_gateway_completion_take_embeddings(completion) == NULL);
        CHECK(mlflow_gateway_completion_take_error(completion) == NULL);
        mlflow_gateway_completion_destroy(completion);
    }
}

static void stream_has_events_and_what_was_gathered(void)
{
    mlflow_gateway_queue *queue = create_queue(chat_uri);
    size_t events = 0;

    submit(queue, "full", STREAM, 2);
    mlflow_gateway_completion *done = read_stream(queue, &events);
    CHECK(events == 7);
    check_parts(done, true, false, false);
    const mlflow_gateway_response *response = mlflow_gateway_completion_response(done);
    CHECK(strcmp(mlflow_gateway_response_text(response, 0, NULL), "Hello") == 0);
    CHECK(mlflow_gateway_response_time_us(response, MLFLOW_GATEWAY_TIME_QUEUED) >= 0);
    mlflow_gateway_completion_destroy(done);

    submit(queue, "broken", STREAM, 2);
    done = read_stream(queue, &events);
    CHECK(events == 1);
    check_parts(done, true, false, true);
    CHECK(mlflow_gateway_completion_status(done) == MLFLOW_GATEWAY_STREAM_TRUNCATED);
    CHECK(strcmp(mlflow_gateway_response_text(mlflow_gateway_completion_response(done), 0, NULL), "He") == 0);
    const mlflow_gateway_error *why = mlflow_gateway_completion_error(done);
    CHECK(mlflow_gateway_error_status(why) == MLFLOW_GATEWAY_STREAM_TRUNCATED);
    mlflow_gateway_error *taken = mlflow_gateway_completion_take_error(done);
    CHECK(taken == why && mlflow_gateway_completion_take_error(done) == NULL);
    CHECK(mlflow_gateway_completion_error(done) == NULL);
    /* The status stays. */
    CHECK(mlflow_gateway_completion_status(done) == MLFLOW_GATEWAY_STREAM_TRUNCATED);
    mlflow_gateway_completion_destroy(done);
    CHECK(mlflow_gateway_error_message(taken)[0] != '\0');
    mlflow_gateway_error_destroy(taken);
    mlflow_gateway_queue_destroy(queue);
}

static void request_that_fails_has_an_error(void)
{
    mlflow_gateway_queue *queue = create_queue(embeddings_uri);

    submit(queue, "full", STREAM, 3);
    mlflow_gateway_completion *done = next(queue);
    check_parts(done, false, false, true);
    CHECK(mlflow_gateway_completion_status(done) == MLFLOW_GATEWAY_UNSUPPORTED);
    mlflow_gateway_completion_destroy(done);

    /* Destroyed with what was not fetched. */
    submit(queue, "full", STREAM, 3);
    submit(queue, "full", SEND, 3);
    mlflow_gateway_queue_destroy(queue);
}

static void embeddings_are_completed(void)
{
    mlflow_gateway_queue *queue = create_queue(embeddings_uri);
    mlflow_gateway_request *request = NULL;

    CHECK_STATUS(OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_input(request, "full", NUL, &error));
    CHECK_STATUS(OK, mlflow_gateway_queue_submit(queue, request, EMBED, 0, &error));
    CHECK_STATUS(OK, mlflow_gateway_queue_submit(queue, request, EMBED, 0, &error));
    mlflow_gateway_request_destroy(request);

    mlflow_gateway_completion *done = next(queue);
    check_parts(done, false, true, false);
    const mlflow_gateway_embeddings *embeddings = mlflow_gateway_completion_embeddings(done);
    CHECK(mlflow_gateway_embeddings_count(embeddings) == 1);
    mlflow_gateway_completion_destroy(done);

    done = next(queue);
    mlflow_gateway_embeddings *taken = mlflow_gateway_completion_take_embeddings(done);
    CHECK(taken != NULL && mlflow_gateway_completion_take_embeddings(done) == NULL);
    check_parts(done, false, false, false);
    mlflow_gateway_completion_destroy(done);
    mlflow_gateway_queue_destroy(queue);
    CHECK(mlflow_gateway_embeddings_dimension(taken) == 3);
    mlflow_gateway_embeddings_destroy(taken);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    chat_uri = argv[1];
    embeddings_uri = argv[2];

    null_queue_is_rejected();
    null_completion_has_no_content();
    options_have_ranges();
    submit_rejects_invalid_requests();
    pending_full_and_end_have_no_error_object();
    sent_request_has_a_response();
    call_without_a_queue_was_not_queued();
    stream_has_events_and_what_was_gathered();
    request_that_fails_has_an_error();
    embeddings_are_completed();
    return 0;
}

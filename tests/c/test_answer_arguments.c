/*
 * Every function that reads an answer, with NULL and with what is behind the end: of responses, streams and embeddings.
 *
 * usage: test_answer_arguments URI URI, of two gateways as tests/test_arguments.py has them: the first one's route "r"
 *        answers chats, the second one's gives vectors
 */
#include "bad_arguments.h"

#define END MLFLOW_GATEWAY_STREAM_END
#define TRUNCATED MLFLOW_GATEWAY_STREAM_TRUNCATED

/* As the script writes it. */
#define FIRST_MESSAGE "{\"role\": \"assistant\", \"content\": \"one\"}"

static const char *chat_uri, *vectors_uri;

static mlflow_gateway *create(const char *uri)
{
    mlflow_gateway *gateway = NULL;
    CHECK_STATUS(OK, mlflow_gateway_create("r", uri, &gateway, &error));
    return gateway;
}

static mlflow_gateway_request *with_prompt(const char *prompt)
{
    mlflow_gateway_request *request = NULL;
    CHECK_STATUS(OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_prompt(request, prompt, MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    return request;
}

static bool is(const char *text, const char *expected)
{
    return text != NULL && strcmp(text, expected) == 0;
}

/* What a function gives that also tells a length: nothing, and the length of that; with and without a place for it. */
#define CHECK_NO_TEXT(function, ...)                             \
    do {                                                         \
        size_t len = 42;                                         \
        CHECK(function(__VA_ARGS__, &len) == NULL && len == 0);  \
        CHECK(function(__VA_ARGS__, NULL) == NULL);              \
    } while (0)

/* The same for a text that is there. */
#define CHECK_TEXT(expected, function, ...)                                                      \
    do {                                                                                         \
        size_t len = 42;                                                                         \
        CHECK(is(function(__VA_ARGS__, &len), expected) && len == strlen(expected));             \
        CHECK(is(function(__VA_ARGS__, NULL), expected));                                        \
    } while (0)

static void check_no_tool_call(const mlflow_gateway_response *response, size_t candidate, size_t call)
{
    CHECK(mlflow_gateway_response_tool_call_id(response, candidate, call) == NULL);
    CHECK(mlflow_gateway_response_tool_call_name(response, candidate, call) == NULL);
    CHECK_NO_TEXT(mlflow_gateway_response_tool_call_arguments, response, candidate, call);
}

static void check_no_candidate(const mlflow_gateway_response *response, size_t candidate)
{
    CHECK_NO_TEXT(mlflow_gateway_response_text, response, candidate);
    CHECK_NO_TEXT(mlflow_gateway_response_reasoning, response, candidate);
    CHECK_NO_TEXT(mlflow_gateway_response_refusal, response, candidate);
    CHECK(mlflow_gateway_response_role(response, candidate) == NULL);
    CHECK(mlflow_gateway_response_finish_reason(response, candidate) == NULL);
    CHECK(mlflow_gateway_response_tool_call_count(response, candidate) == 0);
    CHECK_NO_TEXT(mlflow_gateway_response_message_json, response, candidate);
    check_no_tool_call(response, candidate, 0);
    check_no_tool_call(response, candidate, SIZE_MAX);
}

/* The kinds of tokens and of times, and such as there are none. */
static const int32_t KINDS[] = { 0, 1, 2, 3, 4, 5, 6, 7, -1, INT32_MIN, INT32_MAX };

static void check_no_kinds(const mlflow_gateway_response *response)
{
    for (size_t i = 0; i < COUNT(KINDS); i++)
        if (KINDS[i] < 1 || KINDS[i] > 6) {
            CHECK(mlflow_gateway_response_tokens(response, KINDS[i]) == -1);
            CHECK(mlflow_gateway_response_time_us(response, KINDS[i]) == -1);
        }
}

static void check_no_event(void)
{
    CHECK(mlflow_gateway_event_kind(NULL) == 0);
    CHECK(mlflow_gateway_event_candidate(NULL) == 0);
    CHECK(mlflow_gateway_event_tool_call_index(NULL) == 0);
    CHECK(mlflow_gateway_event_tool_call_id(NULL) == NULL);
    CHECK(mlflow_gateway_event_tool_call_name(NULL) == NULL);
    for (size_t i = 0; i < COUNT(KINDS); i++)
        CHECK(mlflow_gateway_event_tokens(NULL, KINDS[i]) == -1);
    CHECK(mlflow_gateway_event_raw_name(NULL) == NULL);
    size_t len = 42;
    CHECK(mlflow_gateway_event_text(NULL, &len) == NULL && len == 0);
    CHECK(mlflow_gateway_event_text(NULL, NULL) == NULL);
    len = 42;
    CHECK(mlflow_gateway_event_raw_data(NULL, &len) == NULL && len == 0);
    CHECK(mlflow_gateway_event_raw_data(NULL, NULL) == NULL);
}

static void check_no_response(void)
{
    CHECK(mlflow_gateway_response_candidate_count(NULL) == 0);
    check_no_candidate(NULL, 0);
    check_no_candidate(NULL, SIZE_MAX);
    CHECK(mlflow_gateway_response_model(NULL) == NULL);
    CHECK(mlflow_gateway_response_id(NULL) == NULL);
    for (size_t i = 0; i < COUNT(KINDS); i++) {
        CHECK(mlflow_gateway_response_tokens(NULL, KINDS[i]) == -1);
        CHECK(mlflow_gateway_response_time_us(NULL, KINDS[i]) == -1);
    }
    CHECK(mlflow_gateway_response_http_status(NULL) == 0);
    CHECK(mlflow_gateway_response_header(NULL, "Content-Type") == NULL);
    CHECK(mlflow_gateway_response_header(NULL, NULL) == NULL);
    CHECK(mlflow_gateway_response_attempts(NULL) == 0);
    CHECK(mlflow_gateway_response_retry_count(NULL) == 0);
    CHECK(mlflow_gateway_response_retry_reason(NULL, 0) == NULL);
    CHECK(mlflow_gateway_response_retry_reason(NULL, SIZE_MAX) == NULL);
    size_t len = 42;
    CHECK(mlflow_gateway_response_body(NULL, &len) == NULL && len == 0);
    CHECK(mlflow_gateway_response_body(NULL, NULL) == NULL);
    mlflow_gateway_response_destroy(NULL);
}

static void check_no_retries(const mlflow_gateway_response *response)
{
    CHECK(mlflow_gateway_response_retry_count(response) == 0);
    CHECK(mlflow_gateway_response_retry_reason(response, 0) == NULL);
    CHECK(mlflow_gateway_response_retry_reason(response, SIZE_MAX) == NULL);
}

static void check_headers(const mlflow_gateway_response *response, const char *content_type)
{
    char *text = make_long_string(1024 * 1024);

    CHECK(is(mlflow_gateway_response_header(response, "content-TYPE"), content_type));
    CHECK(mlflow_gateway_response_header(response, NULL) == NULL);
    CHECK(mlflow_gateway_response_header(response, "") == NULL);
    CHECK(mlflow_gateway_response_header(response, "Content-Type:") == NULL);
    CHECK(mlflow_gateway_response_header(response, text) == NULL);
    for (size_t i = 0; i < NOT_UTF8_COUNT; i++)
        CHECK(mlflow_gateway_response_header(response, NOT_UTF8[i]) == NULL);
    free(text);
}

/* A response as full as can be: the first candidate is a text, the second one asks for two tools. */
static void check_response(void)
{
    mlflow_gateway *gateway = create(chat_uri);
    mlflow_gateway_request *request = with_prompt("full");
    mlflow_gateway_response *response = NULL;
    size_t len = 42;

    CHECK_STATUS(OK, mlflow_gateway_send(gateway, request, &response, &error));
    /* It outlives what it came of. */
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);

    CHECK(mlflow_gateway_response_candidate_count(response) == 2);
    CHECK_TEXT("one", mlflow_gateway_response_text, response, 0);
    CHECK(is(mlflow_gateway_response_role(response, 0), "assistant"));
    CHECK(is(mlflow_gateway_response_finish_reason(response, 0), "stop"));
    CHECK(mlflow_gateway_response_tool_call_count(response, 0) == 0);
    CHECK_TEXT(FIRST_MESSAGE, mlflow_gateway_response_message_json, response, 0);
    check_no_tool_call(response, 0, 0);

    CHECK_NO_TEXT(mlflow_gateway_response_text, response, 1);
    CHECK(mlflow_gateway_response_tool_call_count(response, 1) == 2);
    CHECK(is(mlflow_gateway_response_tool_call_id(response, 1, 0), "c"));
    CHECK(is(mlflow_gateway_response_tool_call_name(response, 1, 0), "f"));
    CHECK_TEXT("{\"a\":1}", mlflow_gateway_response_tool_call_arguments, response, 1, 0);
    CHECK(mlflow_gateway_response_tool_call_id(response, 1, 1) == NULL);
    CHECK(mlflow_gateway_response_tool_call_name(response, 1, 1) == NULL);
    CHECK_TEXT("{}", mlflow_gateway_response_tool_call_arguments, response, 1, 1);
    const char *message = mlflow_gateway_response_message_json(response, 1, &len);
    CHECK(message[0] == '{' && message[len - 1] == '}' && len == strlen(message));
    CHECK(mlflow_gateway_response_message_json(response, 1, NULL) == message);
    check_no_tool_call(response, 1, 2);
    check_no_tool_call(response, 1, SIZE_MAX);
    check_no_candidate(response, 2);
    check_no_candidate(response, SIZE_MAX);

    CHECK(is(mlflow_gateway_response_model(response), "m"));
    CHECK(is(mlflow_gateway_response_id(response), "i"));
    CHECK(mlflow_gateway_response_tokens(response, MLFLOW_GATEWAY_TOKENS_INPUT) == 1);
    CHECK(mlflow_gateway_response_tokens(response, MLFLOW_GATEWAY_TOKENS_OUTPUT) == 2);
    CHECK(mlflow_gateway_response_tokens(response, MLFLOW_GATEWAY_TOKENS_TOTAL) == 3);
    CHECK(mlflow_gateway_response_tokens(response, MLFLOW_GATEWAY_TOKENS_CACHED_INPUT) == -1);
    check_no_kinds(response);
    CHECK_TEXT("hm", mlflow_gateway_response_reasoning, response, 1);
    CHECK_TEXT("no", mlflow_gateway_response_refusal, response, 1);
    CHECK(mlflow_gateway_response_http_status(response) == 200);
    CHECK(mlflow_gateway_response_attempts(response) == 1);
    check_no_retries(response);
    CHECK(mlflow_gateway_response_time_us(response, MLFLOW_GATEWAY_TIME_CONNECTED) > 0);
    CHECK(mlflow_gateway_response_time_us(response, MLFLOW_GATEWAY_TIME_TOTAL) > 0);
    CHECK(mlflow_gateway_response_time_us(response, MLFLOW_GATEWAY_TIME_QUEUED) == -1);
    check_headers(response, "application/json");
    const char *body = mlflow_gateway_response_body(response, &len);
    CHECK(body[0] == '{' && body[len - 1] == '}' && body[len] == '\0');
    CHECK(mlflow_gateway_response_body(response, NULL) == body);
    mlflow_gateway_response_destroy(response);
}

/* A response with nothing but an empty text, which is another thing than none. */
static void check_bare_response(void)
{
    mlflow_gateway *gateway = create(chat_uri);
    mlflow_gateway_request *request = with_prompt("bare");
    mlflow_gateway_response *response = NULL;

    CHECK_STATUS(OK, mlflow_gateway_send(gateway, request, &response, &error));
    CHECK(mlflow_gateway_response_candidate_count(response) == 1);
    CHECK_TEXT("", mlflow_gateway_response_text, response, 0);
    CHECK(mlflow_gateway_response_role(response, 0) == NULL);
    CHECK(mlflow_gateway_response_finish_reason(response, 0) == NULL);
    CHECK(mlflow_gateway_response_model(response) == NULL);
    CHECK(mlflow_gateway_response_id(response) == NULL);
    CHECK_NO_TEXT(mlflow_gateway_response_reasoning, response, 0);
    CHECK_NO_TEXT(mlflow_gateway_response_refusal, response, 0);
    for (size_t i = 0; i < COUNT(KINDS); i++)
        CHECK(mlflow_gateway_response_tokens(response, KINDS[i]) == -1);
    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
}

static void check_two_retries(const mlflow_gateway_response *response)
{
    CHECK(mlflow_gateway_response_attempts(response) == 3);
    CHECK(mlflow_gateway_response_retry_count(response) == 2);
    CHECK(is(mlflow_gateway_response_retry_reason(response, 0), "HTTP status 503"));
    CHECK(is(mlflow_gateway_response_retry_reason(response, 1), "HTTP status 429"));
    CHECK(mlflow_gateway_response_retry_reason(response, 2) == NULL);
    CHECK(mlflow_gateway_response_retry_reason(response, SIZE_MAX) == NULL);
}

/* Answers that came of the third attempt, whole and as a stream, and an error that did. */
static void check_retries(void)
{
    mlflow_gateway *gateway = create(chat_uri);
    mlflow_gateway_request *request = with_prompt("busy");
    mlflow_gateway_response *response = NULL;
    mlflow_gateway_stream *stream = NULL;
    mlflow_gateway_error *error = NULL;

    CHECK_STATUS(OK, mlflow_gateway_request_set_option(request, "max_retries", "2", &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_option(request, "retry_backoff_ms", "1", &error));
    CHECK_STATUS(OK, mlflow_gateway_send(gateway, request, &response, &error));
    check_two_retries(response);
    mlflow_gateway_response_destroy(response);
    CHECK_STATUS(OK, mlflow_gateway_stream_open(gateway, request, &stream, &error));
    check_two_retries(mlflow_gateway_stream_response(stream));
    mlflow_gateway_stream_destroy(stream);

    CHECK_STATUS(OK, mlflow_gateway_request_set_option(request, "max_retries", "1", &error));
    CHECK(mlflow_gateway_send(gateway, request, &response, &error) == MLFLOW_GATEWAY_RATE_LIMITED);
    CHECK(mlflow_gateway_error_attempts(error) == 2 && mlflow_gateway_error_retry_count(error) == 1);
    CHECK(is(mlflow_gateway_error_retry_reason(error, 0), "HTTP status 503"));
    CHECK(mlflow_gateway_error_retry_reason(error, 1) == NULL);
    CHECK(mlflow_gateway_error_is_retryable(error) == 1);
    CHECK(mlflow_gateway_error_header(error, "CONTENT-length") != NULL);
    CHECK(mlflow_gateway_error_header(error, NULL) == NULL);
    CHECK(mlflow_gateway_error_header(error, "") == NULL);
    for (size_t i = 0; i < NOT_UTF8_COUNT; i++)
        CHECK(mlflow_gateway_error_header(error, NOT_UTF8[i]) == NULL);
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
}

static void check_no_stream(void)
{
    const mlflow_gateway_event *event = BAD_PTR;

    CHECK_STATUS(ARGUMENT, mlflow_gateway_stream_next(NULL, &event, &error));
    CHECK(mlflow_gateway_stream_next(NULL, NULL, NULL) == ARGUMENT);
    CHECK(event == BAD_PTR);
    CHECK(mlflow_gateway_stream_response(NULL) == NULL);
    CHECK(mlflow_gateway_stream_take_response(NULL) == NULL);
    mlflow_gateway_stream_destroy(NULL);
}

static mlflow_gateway_stream *open_stream(const char *prompt)
{
    mlflow_gateway *gateway = create(chat_uri);
    mlflow_gateway_request *request = with_prompt(prompt);
    mlflow_gateway_stream *stream = NULL;

    CHECK_STATUS(OK, mlflow_gateway_stream_open(gateway, request, &stream, &error));
    /* It outlives what it came of. */
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return stream;
}

/* Checks what an event says. `text` is NULL for none. */
static void check_event(const mlflow_gateway_event *event, int32_t kind, size_t candidate, const char *text)
{
    CHECK(mlflow_gateway_event_kind(event) == kind && mlflow_gateway_event_candidate(event) == candidate);
    if (text == NULL)
        CHECK_NO_TEXT(mlflow_gateway_event_text, event);
    else
        CHECK_TEXT(text, mlflow_gateway_event_text, event);
    size_t len = 42;
    const char *data = mlflow_gateway_event_raw_data(event, &len);
    CHECK(data[0] == '{' && data[len - 1] == '}' && strlen(data) == len);
    CHECK(mlflow_gateway_event_raw_data(event, NULL) == data);
    CHECK(mlflow_gateway_event_raw_name(event) == NULL);
    if (kind != MLFLOW_GATEWAY_EVENT_TOOL_CALL) {
        CHECK(mlflow_gateway_event_tool_call_index(event) == 0);
        CHECK(mlflow_gateway_event_tool_call_id(event) == NULL);
        CHECK(mlflow_gateway_event_tool_call_name(event) == NULL);
    }
    for (size_t i = 0; i < COUNT(KINDS); i++) {
        bool is_known = kind == MLFLOW_GATEWAY_EVENT_USAGE && KINDS[i] >= 1 && KINDS[i] <= 3;
        CHECK(mlflow_gateway_event_tokens(event, KINDS[i]) == (is_known ? KINDS[i] : -1));
    }
}

static const mlflow_gateway_event *next(mlflow_gateway_stream *stream)
{
    const mlflow_gateway_event *event = BAD_PTR;

    CHECK_STATUS(OK, mlflow_gateway_stream_next(stream, &event, &error));
    CHECK(event != BAD_PTR);
    return event;
}

/* Nothing is lost to a call without a place for it. */
static void check_stream(void)
{
    mlflow_gateway_stream *stream = open_stream("full");
    const mlflow_gateway_event *event = BAD_PTR;

    const mlflow_gateway_response *response = mlflow_gateway_stream_response(stream);
    CHECK(mlflow_gateway_response_candidate_count(response) == 0);
    check_no_candidate(response, 0);
    check_headers(response, "text/event-stream");
    CHECK(mlflow_gateway_response_http_status(response) == 200);
    CHECK(mlflow_gateway_response_time_us(response, MLFLOW_GATEWAY_TIME_FIRST_BYTE) > 0);
    CHECK(mlflow_gateway_response_time_us(response, MLFLOW_GATEWAY_TIME_FIRST_TOKEN) == -1);
    CHECK(mlflow_gateway_response_time_us(response, MLFLOW_GATEWAY_TIME_TOTAL) == -1);
    check_no_retries(response);

    CHECK_STATUS(ARGUMENT, mlflow_gateway_stream_next(stream, NULL, &error));
    CHECK(mlflow_gateway_stream_next(stream, NULL, NULL) == ARGUMENT);
    check_event(next(stream), MLFLOW_GATEWAY_EVENT_TEXT, 0, "He");
    check_event(next(stream), MLFLOW_GATEWAY_EVENT_TEXT, 0, "llo");
    check_event(next(stream), MLFLOW_GATEWAY_EVENT_FINISH, 0, "stop");
    check_event(next(stream), MLFLOW_GATEWAY_EVENT_TEXT, 1, "two");
    event = next(stream);
    check_event(event, MLFLOW_GATEWAY_EVENT_TOOL_CALL, 1, "{}");
    CHECK(mlflow_gateway_event_tool_call_index(event) == 0);
    CHECK(is(mlflow_gateway_event_tool_call_id(event), "c") && is(mlflow_gateway_event_tool_call_name(event), "f"));
    CHECK(mlflow_gateway_stream_response(stream) == response);
    CHECK_TEXT("Hello", mlflow_gateway_response_text, response, 0);
    check_event(next(stream), MLFLOW_GATEWAY_EVENT_FINISH, 1, "tool_calls");
    check_event(next(stream), MLFLOW_GATEWAY_EVENT_USAGE, 0, NULL);

    event = BAD_PTR;
    for (int i = 0; i < 2; i++) {
        mlflow_gateway_error *error = BAD_PTR;
        CHECK(mlflow_gateway_stream_next(stream, &event, &error) == END && error == BAD_PTR);
        CHECK(mlflow_gateway_stream_next(stream, &event, NULL) == END);
        CHECK_STATUS(ARGUMENT, mlflow_gateway_stream_next(stream, NULL, &error));
    }
    CHECK(event == BAD_PTR);

    CHECK(mlflow_gateway_response_candidate_count(response) == 2);
    CHECK_TEXT("two", mlflow_gateway_response_text, response, 1);
    check_no_candidate(response, 2);
    CHECK(mlflow_gateway_response_tool_call_count(response, 1) == 1);
    CHECK_TEXT("{}", mlflow_gateway_response_tool_call_arguments, response, 1, 0);
    check_no_tool_call(response, 1, 1);
    CHECK(mlflow_gateway_response_tokens(response, MLFLOW_GATEWAY_TOKENS_TOTAL) == 3);
    check_no_kinds(response);
    CHECK_NO_TEXT(mlflow_gateway_response_body, response);

    /* It is given away once, and outlives the stream. */
    mlflow_gateway_response *taken = mlflow_gateway_stream_take_response(stream);
    CHECK(taken != NULL && mlflow_gateway_stream_take_response(stream) == NULL);
    CHECK(mlflow_gateway_stream_response(stream) == response);
    CHECK(mlflow_gateway_response_candidate_count(response) == 0 && mlflow_gateway_response_http_status(response) == 0);
    CHECK(mlflow_gateway_stream_next(stream, &event, NULL) == END);
    mlflow_gateway_stream_destroy(stream);
    CHECK_TEXT("Hello", mlflow_gateway_response_text, taken, 0);
    CHECK(mlflow_gateway_response_http_status(taken) == 200);
    mlflow_gateway_response_destroy(taken);
}

/* A stream that breaks stays broken, and what came before stays readable. */
static void check_broken_stream(void)
{
    mlflow_gateway_stream *stream = open_stream("broken");
    const mlflow_gateway_event *event = BAD_PTR;

    check_event(next(stream), MLFLOW_GATEWAY_EVENT_TEXT, 0, "He");
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(TRUNCATED, mlflow_gateway_stream_next(stream, &event, &error));
        CHECK(mlflow_gateway_stream_next(stream, &event, NULL) == TRUNCATED);
    }
    CHECK(event == BAD_PTR);
    CHECK_TEXT("He", mlflow_gateway_response_text, mlflow_gateway_stream_response(stream), 0);
    mlflow_gateway_stream_destroy(stream);
}

/* One that is given up has what came by then, and fails from then on. */
static void check_stream_that_is_left(void)
{
    const mlflow_gateway_event *event = BAD_PTR;

    mlflow_gateway_stream_destroy(open_stream("full"));
    mlflow_gateway_stream *stream = open_stream("full");
    next(stream);
    mlflow_gateway_stream_destroy(stream);

    stream = open_stream("full");
    next(stream);
    mlflow_gateway_response *taken = mlflow_gateway_stream_take_response(stream);
    CHECK_TEXT("He", mlflow_gateway_response_text, taken, 0);
    CHECK(mlflow_gateway_response_time_us(taken, MLFLOW_GATEWAY_TIME_TOTAL) > 0);
    CHECK_STATUS(MLFLOW_GATEWAY_CANCELLED, mlflow_gateway_stream_next(stream, &event, &error));
    CHECK(event == BAD_PTR);
    mlflow_gateway_stream_destroy(stream);
    mlflow_gateway_response_destroy(taken);
}

/* Counts the events, if there is a counter; and returns what was asked for, if the second number is set. */
static int on_event(const mlflow_gateway_event *event, void *user_data)
{
    int *numbers = user_data;

    CHECK(mlflow_gateway_event_kind(event) > 0 && mlflow_gateway_event_candidate(event) < 2);
    if (numbers == NULL)
        return 0;
    numbers[0]++;
    return numbers[1];
}

static void check_stream_call(void)
{
    static const int STOPS[] = { 1, -1, 256, INT32_MIN };
    mlflow_gateway *gateway = create(chat_uri);
    mlflow_gateway_request *request = with_prompt("full");
    mlflow_gateway_response *response = BAD_PTR;
    int numbers[2] = { 0, 0 };

    CHECK_STATUS(ARGUMENT, mlflow_gateway_stream_call(gateway, request, NULL, numbers, &response, &error));
    CHECK(response == BAD_PTR);
    CHECK_STATUS(OK, mlflow_gateway_stream_call(gateway, request, on_event, NULL, NULL, &error));
    CHECK(mlflow_gateway_stream_call(gateway, request, on_event, NULL, NULL, NULL) == OK);
    CHECK_STATUS(OK, mlflow_gateway_stream_call(gateway, request, on_event, numbers, &response, &error));
    CHECK(numbers[0] == 7 && response != BAD_PTR);
    CHECK_TEXT("Hello", mlflow_gateway_response_text, response, 0);
    mlflow_gateway_response_destroy(response);

    for (size_t i = 0; i < COUNT(STOPS); i++) {
        numbers[0] = 0;
        numbers[1] = STOPS[i];
        CHECK_STATUS(MLFLOW_GATEWAY_CANCELLED,
                     mlflow_gateway_stream_call(gateway, request, on_event, numbers, NULL, &error));
        CHECK_STATUS(MLFLOW_GATEWAY_CANCELLED,
                     mlflow_gateway_stream_call(gateway, request, on_event, numbers, &response, &error));
        CHECK(numbers[0] == 2);
        CHECK_TEXT("He", mlflow_gateway_response_text, response, 0);
        mlflow_gateway_response_destroy(response);
    }
    mlflow_gateway_request_destroy(request);

    /* After its beginning a failure has a response as well, before it has none. */
    request = with_prompt("broken");
    response = BAD_PTR;
    CHECK_STATUS(TRUNCATED, mlflow_gateway_stream_call(gateway, request, on_event, NULL, &response, &error));
    CHECK_TEXT("He", mlflow_gateway_response_text, response, 0);
    mlflow_gateway_response_destroy(response);
    CHECK_STATUS(TRUNCATED, mlflow_gateway_stream_call(gateway, request, on_event, NULL, NULL, &error));
    mlflow_gateway_destroy(gateway);
    gateway = create(vectors_uri);
    response = BAD_PTR;
    CHECK_STATUS(MLFLOW_GATEWAY_UNSUPPORTED,
                 mlflow_gateway_stream_call(gateway, request, on_event, NULL, &response, &error));
    CHECK(response == BAD_PTR);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
}

static void check_no_embeddings(void)
{
    float to[1] = { 42 };

    CHECK(mlflow_gateway_embeddings_count(NULL) == 0);
    CHECK(mlflow_gateway_embeddings_dimension(NULL) == 0);
    CHECK(mlflow_gateway_embeddings_data(NULL) == NULL);
    CHECK_STATUS(ARGUMENT, mlflow_gateway_embeddings_copy_to(NULL, to, 1, &error));
    CHECK(mlflow_gateway_embeddings_copy_to(NULL, NULL, 0, NULL) == ARGUMENT);
    CHECK(to[0] == 42);
    for (size_t i = 0; i < COUNT(KINDS); i++)
        CHECK(mlflow_gateway_embeddings_tokens(NULL, KINDS[i]) == -1);
    CHECK(mlflow_gateway_embeddings_model(NULL) == NULL);
    mlflow_gateway_embeddings_destroy(NULL);
}

static mlflow_gateway_embeddings *embed(const char *first, const char *second)
{
    mlflow_gateway *gateway = create(vectors_uri);
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_embeddings *embeddings = NULL;

    CHECK_STATUS(OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_input(request, first, strlen(first), &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_input(request, second, strlen(second), &error));
    CHECK_STATUS(OK, mlflow_gateway_embed(gateway, request, &embeddings, &error));
    /* They outlive what they came of. */
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return embeddings;
}

static void check_embeddings(void)
{
    static const float EXPECTED[] = { 1, 2, 3, 1, 2, 3 };
    mlflow_gateway_embeddings *embeddings = embed("full", "full");
    float to[COUNT(EXPECTED) + 1];

    CHECK(mlflow_gateway_embeddings_count(embeddings) == 2);
    CHECK(mlflow_gateway_embeddings_dimension(embeddings) == 3);
    CHECK(memcmp(mlflow_gateway_embeddings_data(embeddings), EXPECTED, sizeof EXPECTED) == 0);
    for (size_t i = 0; i < COUNT(KINDS); i++)
        CHECK(mlflow_gateway_embeddings_tokens(embeddings, KINDS[i]) == (KINDS[i] == MLFLOW_GATEWAY_TOKENS_INPUT ? 5 : -1));
    CHECK(is(mlflow_gateway_embeddings_model(embeddings), "v"));

    for (size_t i = 0; i < COUNT(to); i++)
        to[i] = 42;
    CHECK_STATUS(ARGUMENT, mlflow_gateway_embeddings_copy_to(embeddings, NULL, COUNT(to), &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_embeddings_copy_to(embeddings, NULL, 0, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_embeddings_copy_to(embeddings, BAD_PTR, 0, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_embeddings_copy_to(embeddings, BAD_PTR, COUNT(EXPECTED) - 1, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_embeddings_copy_to(embeddings, to, COUNT(EXPECTED) - 1, &error));
    CHECK(mlflow_gateway_embeddings_copy_to(embeddings, to, 0, NULL) == ARGUMENT);
    for (size_t i = 0; i < COUNT(to); i++)
        CHECK(to[i] == 42);
    CHECK_STATUS(OK, mlflow_gateway_embeddings_copy_to(embeddings, to, SIZE_MAX, &error));
    CHECK(memcmp(to, EXPECTED, sizeof EXPECTED) == 0 && to[COUNT(EXPECTED)] == 42);
    to[0] = 42;
    CHECK(mlflow_gateway_embeddings_copy_to(embeddings, to, COUNT(EXPECTED), NULL) == OK && to[0] == 1);
    mlflow_gateway_embeddings_destroy(embeddings);

    embeddings = embed("bare", "bare");
    CHECK(mlflow_gateway_embeddings_count(embeddings) == 2);
    CHECK(mlflow_gateway_embeddings_tokens(embeddings, MLFLOW_GATEWAY_TOKENS_INPUT) == -1);
    CHECK(mlflow_gateway_embeddings_model(embeddings) == NULL);
    mlflow_gateway_embeddings_destroy(embeddings);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    chat_uri = argv[1];
    vectors_uri = argv[2];

    check_no_response();
    check_no_event();
    check_response();
    check_bare_response();
    check_retries();
    check_no_stream();
    check_stream();
    check_broken_stream();
    check_stream_that_is_left();
    check_stream_call();
    check_no_embeddings();
    check_embeddings();
    return 0;
}

/*
 * The accessors of responses, streams and embeddings, with NULL and with indices out of range.
 *
 * usage: test_response_arguments CHAT_URI EMBEDDINGS_URI
 *   Two gateways of tests/test_arguments.py, each with a route "r".
 */
#include "bad_arguments.h"

#define END MLFLOW_GATEWAY_STREAM_END
#define TRUNCATED MLFLOW_GATEWAY_STREAM_TRUNCATED

/* As tests/test_arguments.py writes it. */
#define FIRST_MESSAGE "{\"role\": \"assistant\", \"content\": \"one\"}"

static const char *chat_uri, *embeddings_uri;

static mlflow_gateway *create(const char *uri)
{
    mlflow_gateway *gateway = NULL;
    CHECK_STATUS(OK, mlflow_gateway_create("r", uri, &gateway, &error));
    return gateway;
}

static mlflow_gateway_request *create_request(const char *prompt)
{
    mlflow_gateway_request *request = NULL;
    CHECK_STATUS(OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_prompt(request, prompt, MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    return request;
}

static bool equals(const char *text, const char *expected)
{
    return text != NULL && strcmp(text, expected) == 0;
}

/* Checks that a function returns NULL and a length of 0, with and without a length argument. */
#define CHECK_NO_TEXT(function, ...)                             \
    do {                                                         \
        size_t len = 42;                                         \
        CHECK(function(__VA_ARGS__, &len) == NULL && len == 0);  \
        CHECK(function(__VA_ARGS__, NULL) == NULL);              \
    } while (0)

/* Checks that a function returns this string and its length, with and without a length argument. */
#define CHECK_TEXT(expected, function, ...)                                                      \
    do {                                                                                         \
        size_t len = 42;                                                                         \
        CHECK(equals(function(__VA_ARGS__, &len), expected) && len == strlen(expected));             \
        CHECK(equals(function(__VA_ARGS__, NULL), expected));                                        \
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

/* The kinds of tokens and times, and invalid kinds. */
static const int32_t KINDS[] = { 0, 1, 2, 3, 4, 5, 6, 7, -1, INT32_MIN, INT32_MAX };

static void check_invalid_kinds(const mlflow_gateway_response *response)
{
    for (size_t i = 0; i < COUNT(KINDS); i++)
        if (KINDS[i] < 1 || KINDS[i] > 6) {
            CHECK(mlflow_gateway_response_tokens(response, KINDS[i]) == -1);
            CHECK(mlflow_gateway_response_time_us(response, KINDS[i]) == -1);
        }
}

static void null_event_has_no_content(void)
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

static void null_response_has_no_content(void)
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

    CHECK(equals(mlflow_gateway_response_header(response, "content-TYPE"), content_type));
    CHECK(mlflow_gateway_response_header(response, NULL) == NULL);
    CHECK(mlflow_gateway_response_header(response, "") == NULL);
    CHECK(mlflow_gateway_response_header(response, "Content-Type:") == NULL);
    CHECK(mlflow_gateway_response_header(response, text) == NULL);
    for (size_t i = 0; i < NOT_UTF8_COUNT; i++)
        CHECK(mlflow_gateway_response_header(response, NOT_UTF8[i]) == NULL);
    free(text);
}

/* A response with all fields: the first candidate is a text, the second one has two tool calls. */
static void response_accessors_return_all_content(void)
{
    mlflow_gateway *gateway = create(chat_uri);
    mlflow_gateway_request *request = create_request("full");
    mlflow_gateway_response *response = NULL;
    size_t len = 42;

    CHECK_STATUS(OK, mlflow_gateway_send(gateway, request, &response, &error));
    /* It outlives the gateway and the request. */
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);

    CHECK(mlflow_gateway_response_candidate_count(response) == 2);
    CHECK_TEXT("one", mlflow_gateway_response_text, response, 0);
    CHECK(equals(mlflow_gateway_response_role(response, 0), "assistant"));
    CHECK(equals(mlflow_gateway_response_finish_reason(response, 0), "stop"));
    CHECK(mlflow_gateway_response_tool_call_count(response, 0) == 0);
    CHECK_TEXT(FIRST_MESSAGE, mlflow_gateway_response_message_json, response, 0);
    check_no_tool_call(response, 0, 0);

    CHECK_NO_TEXT(mlflow_gateway_response_text, response, 1);
    CHECK(mlflow_gateway_response_tool_call_count(response, 1) == 2);
    CHECK(equals(mlflow_gateway_response_tool_call_id(response, 1, 0), "c"));
    CHECK(equals(mlflow_gateway_response_tool_call_name(response, 1, 0), "f"));
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

    CHECK(equals(mlflow_gateway_response_model(response), "m"));
    CHECK(equals(mlflow_gateway_response_id(response), "i"));
    CHECK(mlflow_gateway_response_tokens(response, MLFLOW_GATEWAY_TOKENS_INPUT) == 1);
    CHECK(mlflow_gateway_response_tokens(response, MLFLOW_GATEWAY_TOKENS_OUTPUT) == 2);
    CHECK(mlflow_gateway_response_tokens(response, MLFLOW_GATEWAY_TOKENS_TOTAL) == 3);
    CHECK(mlflow_gateway_response_tokens(response, MLFLOW_GATEWAY_TOKENS_CACHED_INPUT) == -1);
    check_invalid_kinds(response);
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

/* A response with only an empty text, which is not the same as no text. */
static void response_without_optional_fields_has_defaults(void)
{
    mlflow_gateway *gateway = create(chat_uri);
    mlflow_gateway_request *request = create_request("bare");
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
    CHECK(equals(mlflow_gateway_response_retry_reason(response, 0), "HTTP status 503"));
    CHECK(equals(mlflow_gateway_response_retry_reason(response, 1), "HTTP status 429"));
    CHECK(mlflow_gateway_response_retry_reason(response, 2) == NULL);
    CHECK(mlflow_gateway_response_retry_reason(response, SIZE_MAX) == NULL);
}

/* A response, a stream and an error, each after three attempts. */
static void retries_are_reported_by_responses_streams_and_errors(void)
{
    mlflow_gateway *gateway = create(chat_uri);
    mlflow_gateway_request *request = create_request("busy");
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
    CHECK(equals(mlflow_gateway_error_retry_reason(error, 0), "HTTP status 503"));
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

static void stream_functions_reject_null(void)
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
    mlflow_gateway_request *request = create_request(prompt);
    mlflow_gateway_stream *stream = NULL;

    CHECK_STATUS(OK, mlflow_gateway_stream_open(gateway, request, &stream, &error));
    /* It outlives the gateway and the request. */
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return stream;
}

/* Checks an event. `text` is NULL if it has none. */
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

static const mlflow_gateway_event *next_event(mlflow_gateway_stream *stream)
{
    const mlflow_gateway_event *event = BAD_PTR;

    CHECK_STATUS(OK, mlflow_gateway_stream_next(stream, &event, &error));
    CHECK(event != BAD_PTR);
    return event;
}

/* A call with a NULL event pointer consumes no event. */
static void stream_returns_events_and_gathers_the_response(void)
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
    check_event(next_event(stream), MLFLOW_GATEWAY_EVENT_TEXT, 0, "He");
    check_event(next_event(stream), MLFLOW_GATEWAY_EVENT_TEXT, 0, "llo");
    check_event(next_event(stream), MLFLOW_GATEWAY_EVENT_FINISH, 0, "stop");
    check_event(next_event(stream), MLFLOW_GATEWAY_EVENT_TEXT, 1, "two");
    event = next_event(stream);
    check_event(event, MLFLOW_GATEWAY_EVENT_TOOL_CALL, 1, "{}");
    CHECK(mlflow_gateway_event_tool_call_index(event) == 0);
    CHECK(equals(mlflow_gateway_event_tool_call_id(event), "c"));
    CHECK(equals(mlflow_gateway_event_tool_call_name(event), "f"));
    CHECK(mlflow_gateway_stream_response(stream) == response);
    CHECK_TEXT("Hello", mlflow_gateway_response_text, response, 0);
    check_event(next_event(stream), MLFLOW_GATEWAY_EVENT_FINISH, 1, "tool_calls");
    check_event(next_event(stream), MLFLOW_GATEWAY_EVENT_USAGE, 0, NULL);

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
    check_invalid_kinds(response);
    CHECK_NO_TEXT(mlflow_gateway_response_body, response);

    /* It can be taken once, and outlives the stream. */
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

static void truncated_stream_keeps_its_status_and_content(void)
{
    mlflow_gateway_stream *stream = open_stream("broken");
    const mlflow_gateway_event *event = BAD_PTR;

    check_event(next_event(stream), MLFLOW_GATEWAY_EVENT_TEXT, 0, "He");
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(TRUNCATED, mlflow_gateway_stream_next(stream, &event, &error));
        CHECK(mlflow_gateway_stream_next(stream, &event, NULL) == TRUNCATED);
    }
    CHECK(event == BAD_PTR);
    CHECK_TEXT("He", mlflow_gateway_response_text, mlflow_gateway_stream_response(stream), 0);
    mlflow_gateway_stream_destroy(stream);
}

static void taking_the_response_early_ends_the_stream(void)
{
    const mlflow_gateway_event *event = BAD_PTR;

    mlflow_gateway_stream_destroy(open_stream("full"));
    mlflow_gateway_stream *stream = open_stream("full");
    next_event(stream);
    mlflow_gateway_stream_destroy(stream);

    stream = open_stream("full");
    next_event(stream);
    mlflow_gateway_response *taken = mlflow_gateway_stream_take_response(stream);
    CHECK_TEXT("He", mlflow_gateway_response_text, taken, 0);
    CHECK(mlflow_gateway_response_time_us(taken, MLFLOW_GATEWAY_TIME_TOTAL) > 0);
    CHECK_STATUS(MLFLOW_GATEWAY_CANCELLED, mlflow_gateway_stream_next(stream, &event, &error));
    CHECK(event == BAD_PTR);
    mlflow_gateway_stream_destroy(stream);
    mlflow_gateway_response_destroy(taken);
}

/* user_data is NULL or two ints: the number of events, and the return value of the callback. */
static int on_event(const mlflow_gateway_event *event, void *user_data)
{
    int *numbers = user_data;

    CHECK(mlflow_gateway_event_kind(event) > 0 && mlflow_gateway_event_candidate(event) < 2);
    if (numbers == NULL)
        return 0;
    numbers[0]++;
    return numbers[1];
}

static void stream_callback_can_stop_the_stream(void)
{
    static const int STOPS[] = { 1, -1, 256, INT32_MIN };
    mlflow_gateway *gateway = create(chat_uri);
    mlflow_gateway_request *request = create_request("full");
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

    /* A failure after the stream has begun has a response as well. */
    request = create_request("broken");
    response = BAD_PTR;
    CHECK_STATUS(TRUNCATED, mlflow_gateway_stream_call(gateway, request, on_event, NULL, &response, &error));
    CHECK_TEXT("He", mlflow_gateway_response_text, response, 0);
    mlflow_gateway_response_destroy(response);
    CHECK_STATUS(TRUNCATED, mlflow_gateway_stream_call(gateway, request, on_event, NULL, NULL, &error));
    mlflow_gateway_destroy(gateway);
    gateway = create(embeddings_uri);
    response = BAD_PTR;
    CHECK_STATUS(MLFLOW_GATEWAY_UNSUPPORTED,
                 mlflow_gateway_stream_call(gateway, request, on_event, NULL, &response, &error));
    CHECK(response == BAD_PTR);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
}

static void null_embeddings_have_no_content(void)
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
    mlflow_gateway *gateway = create(embeddings_uri);
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_embeddings *embeddings = NULL;

    CHECK_STATUS(OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_input(request, first, strlen(first), &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_input(request, second, strlen(second), &error));
    CHECK_STATUS(OK, mlflow_gateway_embed(gateway, request, &embeddings, &error));
    /* They outlive the gateway and the request. */
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return embeddings;
}

static void embeddings_are_contiguous_in_input_order(void)
{
    static const float EXPECTED[] = { 1, 2, 3, 1, 2, 3 };
    mlflow_gateway_embeddings *embeddings = embed("full", "full");
    float to[COUNT(EXPECTED) + 1];

    CHECK(mlflow_gateway_embeddings_count(embeddings) == 2);
    CHECK(mlflow_gateway_embeddings_dimension(embeddings) == 3);
    CHECK(memcmp(mlflow_gateway_embeddings_data(embeddings), EXPECTED, sizeof EXPECTED) == 0);
    for (size_t i = 0; i < COUNT(KINDS); i++)
        CHECK(mlflow_gateway_embeddings_tokens(embeddings, KINDS[i]) ==
              (KINDS[i] == MLFLOW_GATEWAY_TOKENS_INPUT ? 5 : -1));
    CHECK(equals(mlflow_gateway_embeddings_model(embeddings), "v"));

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
    embeddings_uri = argv[2];

    null_response_has_no_content();
    null_event_has_no_content();
    response_accessors_return_all_content();
    response_without_optional_fields_has_defaults();
    retries_are_reported_by_responses_streams_and_errors();
    stream_functions_reject_null();
    stream_returns_events_and_gathers_the_response();
    truncated_stream_keeps_its_status_and_content();
    taking_the_response_early_ends_the_stream();
    stream_callback_can_stop_the_stream();
    null_embeddings_have_no_content();
    embeddings_are_contiguous_in_input_order();
    return 0;
}

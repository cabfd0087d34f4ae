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
    CHECK(mlflow_gateway_response_role(response, candidate) == NULL);
    CHECK(mlflow_gateway_response_finish_reason(response, candidate) == NULL);
    CHECK(mlflow_gateway_response_tool_call_count(response, candidate) == 0);
    CHECK_NO_TEXT(mlflow_gateway_response_message_json, response, candidate);
    check_no_tool_call(response, candidate, 0);
    check_no_tool_call(response, candidate, SIZE_MAX);
}

static void check_no_response(void)
{
    CHECK(mlflow_gateway_response_candidate_count(NULL) == 0);
    check_no_candidate(NULL, 0);
    check_no_candidate(NULL, SIZE_MAX);
    CHECK(mlflow_gateway_response_model(NULL) == NULL);
    CHECK(mlflow_gateway_response_input_tokens(NULL) == -1);
    CHECK(mlflow_gateway_response_output_tokens(NULL) == -1);
    CHECK(mlflow_gateway_response_total_tokens(NULL) == -1);
    CHECK(mlflow_gateway_response_http_status(NULL) == 0);
    CHECK(mlflow_gateway_response_header(NULL, "Content-Type") == NULL);
    CHECK(mlflow_gateway_response_header(NULL, NULL) == NULL);
    CHECK(mlflow_gateway_response_attempts(NULL) == 0);
    CHECK(mlflow_gateway_response_retry_count(NULL) == 0);
    CHECK(mlflow_gateway_response_retry_reason(NULL, 0) == NULL);
    CHECK(mlflow_gateway_response_retry_reason(NULL, SIZE_MAX) == NULL);
    CHECK(mlflow_gateway_response_elapsed_us(NULL) == 0);
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
    char *text = long_text(1024 * 1024);

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
    CHECK(mlflow_gateway_response_input_tokens(response) == 1);
    CHECK(mlflow_gateway_response_output_tokens(response) == 2);
    CHECK(mlflow_gateway_response_total_tokens(response) == 3);
    CHECK(mlflow_gateway_response_http_status(response) == 200);
    CHECK(mlflow_gateway_response_attempts(response) == 1);
    check_no_retries(response);
    CHECK(mlflow_gateway_response_elapsed_us(response) > 0);
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
    CHECK(mlflow_gateway_response_input_tokens(response) == -1);
    CHECK(mlflow_gateway_response_output_tokens(response) == -1);
    CHECK(mlflow_gateway_response_total_tokens(response) == -1);
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
    const char *text = NOWHERE;
    size_t len = 42, candidate = 42;

    CHECK_STATUS(ARGUMENT, mlflow_gateway_stream_next(NULL, &text, &len, &candidate, &error));
    CHECK(mlflow_gateway_stream_next(NULL, NULL, NULL, NULL, NULL) == ARGUMENT);
    CHECK(text == NOWHERE && len == 42 && candidate == 42);
    CHECK(mlflow_gateway_stream_response(NULL) == NULL);
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

/* No delta is lost to a call without a place for it, and the other places may be left out in any combination. */
static void check_stream(void)
{
    mlflow_gateway_stream *stream = open_stream("full");
    const char *text = NOWHERE;
    size_t len = 42, candidate = 42;

    const mlflow_gateway_response *response = mlflow_gateway_stream_response(stream);
    CHECK(mlflow_gateway_response_candidate_count(response) == 0);
    check_no_candidate(response, 0);
    check_headers(response, "text/event-stream");
    CHECK(mlflow_gateway_response_http_status(response) == 200);
    check_no_retries(response);

    CHECK_STATUS(ARGUMENT, mlflow_gateway_stream_next(stream, NULL, &len, &candidate, &error));
    CHECK(mlflow_gateway_stream_next(stream, NULL, NULL, NULL, NULL) == ARGUMENT);
    CHECK(len == 42 && candidate == 42);
    CHECK_STATUS(OK, mlflow_gateway_stream_next(stream, &text, NULL, NULL, &error));
    CHECK(is(text, "He"));
    CHECK_STATUS(OK, mlflow_gateway_stream_next(stream, &text, &len, NULL, &error));
    CHECK(is(text, "llo") && len == 3 && candidate == 42);
    CHECK_STATUS(OK, mlflow_gateway_stream_next(stream, &text, NULL, &candidate, &error));
    CHECK(is(text, "two") && len == 3 && candidate == 1);
    CHECK(mlflow_gateway_stream_response(stream) == response);
    CHECK_TEXT("Hello", mlflow_gateway_response_text, response, 0);

    text = NOWHERE;
    for (int i = 0; i < 2; i++) {
        mlflow_gateway_error *error = NOWHERE;
        CHECK(mlflow_gateway_stream_next(stream, &text, &len, &candidate, &error) == END && error == NOWHERE);
        CHECK(mlflow_gateway_stream_next(stream, &text, NULL, NULL, NULL) == END);
        CHECK_STATUS(ARGUMENT, mlflow_gateway_stream_next(stream, NULL, NULL, NULL, &error));
    }
    CHECK(text == NOWHERE && len == 3 && candidate == 1);

    CHECK(mlflow_gateway_response_candidate_count(response) == 2);
    CHECK_TEXT("two", mlflow_gateway_response_text, response, 1);
    check_no_candidate(response, 2);
    CHECK(mlflow_gateway_response_tool_call_count(response, 1) == 1);
    CHECK_TEXT("{}", mlflow_gateway_response_tool_call_arguments, response, 1, 0);
    check_no_tool_call(response, 1, 1);
    CHECK(mlflow_gateway_response_total_tokens(response) == 3);
    CHECK_NO_TEXT(mlflow_gateway_response_body, response);
    mlflow_gateway_stream_destroy(stream);
}

/* A stream that breaks stays broken, and what came before stays readable. */
static void check_broken_stream(void)
{
    mlflow_gateway_stream *stream = open_stream("broken");
    const char *text = NOWHERE;
    size_t len = 42, candidate = 42;

    CHECK_STATUS(OK, mlflow_gateway_stream_next(stream, &text, NULL, NULL, &error));
    CHECK(is(text, "He"));
    text = NOWHERE;
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(TRUNCATED, mlflow_gateway_stream_next(stream, &text, &len, &candidate, &error));
        CHECK(mlflow_gateway_stream_next(stream, &text, &len, &candidate, NULL) == TRUNCATED);
    }
    CHECK(text == NOWHERE && len == 42 && candidate == 42);
    CHECK_TEXT("He", mlflow_gateway_response_text, mlflow_gateway_stream_response(stream), 0);
    mlflow_gateway_stream_destroy(stream);
}

static void check_stream_that_is_left(void)
{
    const char *text = NULL;

    mlflow_gateway_stream_destroy(open_stream("full"));
    mlflow_gateway_stream *stream = open_stream("full");
    CHECK_STATUS(OK, mlflow_gateway_stream_next(stream, &text, NULL, NULL, &error));
    mlflow_gateway_stream_destroy(stream);
}

/* Counts the deltas, if there is a counter; and returns what was asked for, if the second number is set. */
static int on_delta(const char *text, size_t len, size_t candidate, void *user_data)
{
    int *numbers = user_data;

    CHECK(strlen(text) == len && len > 0 && candidate < 2);
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
    mlflow_gateway_response *response = NOWHERE;
    int numbers[2] = { 0, 0 };

    CHECK_STATUS(ARGUMENT, mlflow_gateway_stream_call(gateway, request, NULL, numbers, &response, &error));
    CHECK(response == NOWHERE);
    CHECK_STATUS(OK, mlflow_gateway_stream_call(gateway, request, on_delta, NULL, NULL, &error));
    CHECK(mlflow_gateway_stream_call(gateway, request, on_delta, NULL, NULL, NULL) == OK);
    CHECK_STATUS(OK, mlflow_gateway_stream_call(gateway, request, on_delta, numbers, &response, &error));
    CHECK(numbers[0] == 3 && response != NOWHERE);
    CHECK_TEXT("Hello", mlflow_gateway_response_text, response, 0);
    mlflow_gateway_response_destroy(response);

    for (size_t i = 0; i < COUNT(STOPS); i++) {
        numbers[0] = 0;
        numbers[1] = STOPS[i];
        CHECK_STATUS(MLFLOW_GATEWAY_CANCELLED,
                     mlflow_gateway_stream_call(gateway, request, on_delta, numbers, NULL, &error));
        CHECK_STATUS(MLFLOW_GATEWAY_CANCELLED,
                     mlflow_gateway_stream_call(gateway, request, on_delta, numbers, &response, &error));
        CHECK(numbers[0] == 2);
        CHECK_TEXT("He", mlflow_gateway_response_text, response, 0);
        mlflow_gateway_response_destroy(response);
    }
    mlflow_gateway_request_destroy(request);

    /* After its beginning a failure has a response as well, before it has none. */
    request = with_prompt("broken");
    response = NOWHERE;
    CHECK_STATUS(TRUNCATED, mlflow_gateway_stream_call(gateway, request, on_delta, NULL, &response, &error));
    CHECK_TEXT("He", mlflow_gateway_response_text, response, 0);
    mlflow_gateway_response_destroy(response);
    CHECK_STATUS(TRUNCATED, mlflow_gateway_stream_call(gateway, request, on_delta, NULL, NULL, &error));
    mlflow_gateway_destroy(gateway);
    gateway = create(vectors_uri);
    response = NOWHERE;
    CHECK_STATUS(MLFLOW_GATEWAY_UNSUPPORTED,
                 mlflow_gateway_stream_call(gateway, request, on_delta, NULL, &response, &error));
    CHECK(response == NOWHERE);
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
    CHECK(mlflow_gateway_embeddings_input_tokens(NULL) == -1);
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
    CHECK(mlflow_gateway_embeddings_input_tokens(embeddings) == 5);
    CHECK(is(mlflow_gateway_embeddings_model(embeddings), "v"));

    for (size_t i = 0; i < COUNT(to); i++)
        to[i] = 42;
    CHECK_STATUS(ARGUMENT, mlflow_gateway_embeddings_copy_to(embeddings, NULL, COUNT(to), &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_embeddings_copy_to(embeddings, NULL, 0, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_embeddings_copy_to(embeddings, NOWHERE, 0, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_embeddings_copy_to(embeddings, NOWHERE, COUNT(EXPECTED) - 1, &error));
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
    CHECK(mlflow_gateway_embeddings_input_tokens(embeddings) == -1);
    CHECK(mlflow_gateway_embeddings_model(embeddings) == NULL);
    mlflow_gateway_embeddings_destroy(embeddings);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    chat_uri = argv[1];
    vectors_uri = argv[2];

    check_no_response();
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

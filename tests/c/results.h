/* Prints the results of operations as JSON, in the form that operations.c describes. */
#ifndef RESULTS_H
#define RESULTS_H

#include <inttypes.h>
#include <pthread.h>

#include "cancelling.h"
#include "check.h"
#include "clock.h"
#include "json_text.h"

/* What to print. */
static bool shows_raw, shows_body;
static char header_names[8][64];
static size_t shown_headers;

/* The start of the operation. */
static int64_t started_at;

static void print_tokens(int64_t (*tokens)(const void *, int32_t), const void *object)
{
    for (int32_t kind = MLFLOW_GATEWAY_TOKENS_INPUT; kind <= MLFLOW_GATEWAY_TOKENS_CACHE_WRITE; kind++)
        printf("%s%" PRId64, kind == MLFLOW_GATEWAY_TOKENS_INPUT ? "[" : ", ", tokens(object, kind));
    printf("]");
    CHECK(tokens(object, 0) == -1 && tokens(object, MLFLOW_GATEWAY_TOKENS_CACHE_WRITE + 1) == -1);
}

static int64_t response_tokens(const void *response, int32_t kind)
{
    return mlflow_gateway_response_tokens(response, kind);
}

static int64_t embeddings_tokens(const void *embeddings, int32_t kind)
{
    return mlflow_gateway_embeddings_tokens(embeddings, kind);
}

static void print_sized(const char *(*get)(const mlflow_gateway_response *, size_t, size_t *),
                        const mlflow_gateway_response *response, size_t candidate)
{
    size_t len = 42;
    const char *text = get(response, candidate, &len);

    CHECK(text == NULL ? len == 0 : text[len] == '\0');
    CHECK(text == get(response, candidate, NULL));
    print_string_len(text, len);
}

static void print_candidate(const mlflow_gateway_response *response, size_t candidate)
{
    size_t len = 42;
    const char *text;

    printf("{\"text\": ");
    print_sized(mlflow_gateway_response_text, response, candidate);
    printf(", \"reasoning\": ");
    print_sized(mlflow_gateway_response_reasoning, response, candidate);
    printf(", \"refusal\": ");
    print_sized(mlflow_gateway_response_refusal, response, candidate);
    printf(", \"role\": ");
    print_string(mlflow_gateway_response_role(response, candidate));
    printf(", \"finish_reason\": ");
    print_string(mlflow_gateway_response_finish_reason(response, candidate));
    printf(", \"tool_calls\": [");
    size_t count = mlflow_gateway_response_tool_call_count(response, candidate);
    for (size_t call = 0; call < count; call++) {
        printf("%s[", call == 0 ? "" : ", ");
        print_string(mlflow_gateway_response_tool_call_id(response, candidate, call));
        printf(", ");
        print_string(mlflow_gateway_response_tool_call_name(response, candidate, call));
        printf(", ");
        text = mlflow_gateway_response_tool_call_arguments(response, candidate, call, &len);
        CHECK(text != NULL && text[len] == '\0');
        print_string_len(text, len);
        printf("]");
    }
    CHECK(mlflow_gateway_response_tool_call_id(response, candidate, count) == NULL);
    CHECK(mlflow_gateway_response_tool_call_arguments(response, candidate, count, &len) == NULL && len == 0);
    text = mlflow_gateway_response_message_json(response, candidate, &len);
    CHECK(text == NULL ? len == 0 && count == 0 : text[len] == '\0' && len == strlen(text));
    printf("], \"message_json\": ");
    print_string_len(text, len);
    printf("}");
}

/* The body of a raw response may not be UTF-8, which JSON cannot represent. */
static void print_body(const char *body, size_t len)
{
    char *json = NULL;

    if (body == NULL)
        printf("null");
    else if (mlflow_gateway_json_quote(body, len, &json, NULL, NULL) == MLFLOW_GATEWAY_OK)
        printf("%s", json);
    else
        printf("\"not UTF-8, %zu bytes\"", len);
    mlflow_gateway_string_free(json);
}

static void print_response(const mlflow_gateway_response *response)
{
    size_t len = 42, count = mlflow_gateway_response_candidate_count(response);

    printf(", \"response\": {\"candidates\": [");
    for (size_t candidate = 0; candidate < count; candidate++) {
        printf("%s", candidate == 0 ? "" : ", ");
        print_candidate(response, candidate);
    }
    CHECK(mlflow_gateway_response_text(response, count, &len) == NULL && len == 0);
    CHECK(mlflow_gateway_response_role(response, SIZE_MAX) == NULL);
    printf("], \"id\": ");
    print_string(mlflow_gateway_response_id(response));
    printf(", \"model\": ");
    print_string(mlflow_gateway_response_model(response));
    printf(", \"tokens\": ");
    print_tokens(response_tokens, response);
    printf(", \"http_status\": %d, \"attempts\": %u", (int)mlflow_gateway_response_http_status(response),
           (unsigned)mlflow_gateway_response_attempts(response));
    for (int32_t kind = MLFLOW_GATEWAY_TIME_QUEUED; kind <= MLFLOW_GATEWAY_TIME_TOTAL; kind++)
        printf("%s%" PRId64, kind == MLFLOW_GATEWAY_TIME_QUEUED ? ", \"times_us\": [" : ", ",
               mlflow_gateway_response_time_us(response, kind));
    CHECK(mlflow_gateway_response_time_us(response, 0) == -1);
    CHECK(mlflow_gateway_response_time_us(response, MLFLOW_GATEWAY_TIME_TOTAL + 1) == -1);
    printf("], \"retries\": [");
    count = mlflow_gateway_response_retry_count(response);
    for (size_t retry = 0; retry < count; retry++) {
        printf("%s", retry == 0 ? "" : ", ");
        print_string(mlflow_gateway_response_retry_reason(response, retry));
    }
    CHECK(mlflow_gateway_response_retry_reason(response, count) == NULL);
    printf("], \"content_type\": ");
    print_string(mlflow_gateway_response_header(response, "CONTENT-type"));
    CHECK(mlflow_gateway_response_header(response, "X-None") == NULL);
    printf(", \"headers\": [");
    for (size_t i = 0; i < shown_headers; i++) {
        printf("%s", i == 0 ? "" : ", ");
        print_string(mlflow_gateway_response_header(response, header_names[i]));
    }
    const char *body = mlflow_gateway_response_body(response, &len);
    CHECK(body == NULL ? len == 0 : body[len] == '\0');
    printf("], \"body\": ");
    print_body(body, len);
    printf("}");
}

static void print_embeddings(const mlflow_gateway_embeddings *embeddings)
{
    size_t count = mlflow_gateway_embeddings_count(embeddings);
    size_t dimension = mlflow_gateway_embeddings_dimension(embeddings);
    const float *data = mlflow_gateway_embeddings_data(embeddings);
    float *copy = calloc(count * dimension + 1, sizeof *copy);

    CHECK_STATUS(MLFLOW_GATEWAY_INVALID_ARGUMENT,
                 mlflow_gateway_embeddings_copy_to(embeddings, copy, count * dimension - 1, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_embeddings_copy_to(embeddings, copy, count * dimension, &error));
    printf(", \"embeddings\": {\"count\": %zu, \"dimension\": %zu, \"tokens\": ", count, dimension);
    print_tokens(embeddings_tokens, embeddings);
    printf(", \"model\": ");
    print_string(mlflow_gateway_embeddings_model(embeddings));
    printf(", \"values\": [");
    for (size_t i = 0; i < count * dimension; i++) {
        CHECK(memcmp(&data[i], &copy[i], sizeof *copy) == 0);
        printf("%s%.9g", i % dimension != 0 ? ", " : i == 0 ? "[" : "], [", (double)data[i]);
    }
    printf("]]}");
    free(copy);
}

/* The log lines since the last call, as JSON. The lock is for lines logged on other threads. */
static struct {
    char *json;
    size_t len, count;
    bool is_busy;
    pthread_t thread;
    pthread_mutex_t lock;
} lines = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void keep_line(int32_t level, const char *line, size_t len, void *user_data)
{
    pthread_mutex_lock(&lines.lock);
    CHECK(user_data == &lines && len > 0 && line[len] == '\0' && strlen(line) == len);
    CHECK((lines.json = realloc(lines.json, lines.len + 6 * len + 100)) != NULL);
    char *end = lines.json + lines.len;
    end += sprintf(end, "%s[%d, \"", lines.count++ == 0 ? "" : ", ", (int)level);
    end = write_string(end, line, len);
    end += sprintf(end, "\", %s]", pthread_equal(pthread_self(), lines.thread) ? "true" : "false");
    lines.len = (size_t)(end - lines.json);
    pthread_mutex_unlock(&lines.lock);
}

static void print_log(void)
{
    printf(", \"log\": [%.*s]", (int)lines.len, lines.len == 0 ? "" : lines.json);
    lines.len = lines.count = 0;
}

/* Prints hexadecimal digits, because the body is arbitrary bytes. */
static void print_error_body(const mlflow_gateway_error *error)
{
    size_t len = 0;
    const char *body = mlflow_gateway_error_body(error, &len);

    printf(", \"error_body\": \"");
    for (size_t i = 0; i < len; i++)
        printf("%02x", (unsigned)(unsigned char)body[i]);
    putchar('"');
}

static void print_status(mlflow_gateway_status status, mlflow_gateway_error *error)
{
    int64_t ended = now_us(), cancelled = end_cancelling(ended);
    const char *code = mlflow_gateway_error_gateway_code(error);
    size_t retries = mlflow_gateway_error_retry_count(error);

    CHECK((error == NULL) == (status == MLFLOW_GATEWAY_OK || status == MLFLOW_GATEWAY_STREAM_END));
    printf("{\"status\": ");
    print_string(mlflow_gateway_status_name(status) + strlen("MLFLOW_GATEWAY_"));
    printf(", \"message\": ");
    print_string(mlflow_gateway_error_message(error));
    printf(", \"code\": ");
    print_string(code);
    printf(", \"error_http_status\": %d, \"error_attempts\": %u, \"started_at_us\": %" PRId64 ", \"took_us\": %" PRId64,
           (int)mlflow_gateway_error_http_status(error), (unsigned)mlflow_gateway_error_attempts(error), started_at,
           ended - started_at);
    printf(", \"cancelled_us\": %" PRId64, cancelled);
    printf(", \"error_retries\": [");
    for (size_t retry = 0; retry < retries; retry++) {
        printf("%s", retry == 0 ? "" : ", ");
        print_string(mlflow_gateway_error_retry_reason(error, retry));
    }
    CHECK(mlflow_gateway_error_retry_reason(error, retries) == NULL);
    printf("], \"error_headers\": [");
    for (size_t i = 0; i < shown_headers; i++) {
        printf("%s", i == 0 ? "" : ", ");
        print_string(mlflow_gateway_error_header(error, header_names[i]));
    }
    printf("], \"error_is_retryable\": %s", mlflow_gateway_error_is_retryable(error) ? "true" : "false");
    if (shows_body)
        print_error_body(error);
    print_log();
    mlflow_gateway_error_destroy(error);
}

/* The events of one response as JSON, kept until they are printed. */
static struct {
    char *json;
    size_t len, room, count, text_count;
} events;

static void begin_events(void)
{
    free(events.json);
    events.room = 1000;
    CHECK((events.json = calloc(1, events.room)) != NULL);
    events.len = events.count = events.text_count = 0;
}

/* Makes room for JSON strings of `len` bytes and some numbers. Returns the end of the events. */
static char *reserve_events(size_t len)
{
    if (events.room < events.len + 6 * len + 300) {
        events.room = 2 * (events.len + 6 * len + 300);
        CHECK((events.json = realloc(events.json, events.room)) != NULL);
    }
    return events.json + events.len;
}

static void add_string_len(const char *text, size_t len)
{
    char *end = reserve_events(len);

    if (text == NULL)
        end += sprintf(end, ", null");
    else {
        end += sprintf(end, ", \"");
        end = write_string(end, text, len);
        end += sprintf(end, "\"");
    }
    events.len = (size_t)(end - events.json);
}

static void add_string(const char *text)
{
    add_string_len(text, text == NULL ? 0 : strlen(text));
}

static void add_number(int64_t number)
{
    events.len += (size_t)sprintf(reserve_events(0), ", %" PRId64, number);
}

static void add_event(const mlflow_gateway_event *event)
{
    size_t len = 42, raw_len = 42;
    int32_t kind = mlflow_gateway_event_kind(event);
    const char *text = mlflow_gateway_event_text(event, &len);
    const char *raw = mlflow_gateway_event_raw_data(event, &raw_len);
    bool has_text = kind != MLFLOW_GATEWAY_EVENT_USAGE && kind != MLFLOW_GATEWAY_EVENT_OTHER;

    CHECK(text == mlflow_gateway_event_text(event, NULL) && raw == mlflow_gateway_event_raw_data(event, NULL));
    CHECK((text != NULL) == has_text && (text == NULL ? len == 0 : text[len] == '\0'));
    CHECK(!has_text || kind == MLFLOW_GATEWAY_EVENT_TOOL_CALL || len > 0);
    CHECK(raw == NULL ? raw_len == 0 : raw[raw_len] == '\0');
    events.len += (size_t)sprintf(reserve_events(0), "%s[%d", events.count++ == 0 ? "" : ", ", (int)kind);
    add_number((int64_t)mlflow_gateway_event_candidate(event));
    add_string_len(text, len);
    add_number(now_us() - started_at);
    add_number((int64_t)mlflow_gateway_event_tool_call_index(event));
    add_string(mlflow_gateway_event_tool_call_id(event));
    add_string(mlflow_gateway_event_tool_call_name(event));
    for (int32_t tokens = MLFLOW_GATEWAY_TOKENS_INPUT; tokens <= MLFLOW_GATEWAY_TOKENS_CACHE_WRITE; tokens++)
        add_number(mlflow_gateway_event_tokens(event, tokens));
    CHECK(mlflow_gateway_event_tokens(event, 0) == -1);
    add_string(mlflow_gateway_event_raw_name(event));
    add_string_len(shows_raw ? raw : NULL, shows_raw ? raw_len : 0);
    events.len += (size_t)sprintf(reserve_events(0), "]");
    events.text_count += kind == MLFLOW_GATEWAY_EVENT_TEXT;
}

#endif

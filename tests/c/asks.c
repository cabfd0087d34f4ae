/*
 * Asks by the full path as standard input says, and prints what came of it: the bridge by which a script checks
 * requests, responses, streams and embeddings through C. calls.c is the one for the simple path.
 *
 *   in:  one command a line, "NAME VALUE", where \n, \r, \t, \0 and \\ in the value stand for those bytes
 *          route, uri                       of the gateway (no route, no uri: NULL); then its settings:
 *          handle-option NAME=VALUE, handle-param NAME=JSON, handle-header NAME=VALUE, handle-stop TEXT
 *          log LEVEL                        lines come with the next ask; log-off LEVEL: no callback for them;
 *                                           log-busy LEVEL: the callback itself uses the handle
 *          prompt, message ROLE=TEXT, message-json, input, body, option NAME=VALUE, param NAME=JSON,
 *          string NAME=VALUE, header NAME=VALUE, stop TEXT       of the request
 *          request-route NAME               of the request (none: NULL)
 *          stop-after N                     the callback stops the answer at the N-th text
 *          stop-at KIND [N]                 the callback stops the answer at the first (N-th) event of this kind
 *          take                             takes the response of all streams that are fetched from now on
 *          show-raw                         the raw data of all events that follow
 *          show-header NAME                 of all responses and errors that follow
 *          show-body                        of all errors that follow
 *          and what request_commands.h describes
 *          setenv NAME=VALUE                in this process
 *          again                            forgets the request, and begins another one on the same handle
 *          sleep MS
 *          inputs N                         adds N numbered inputs
 *          token, no-token                  makes a token that cancels, or takes it from the handle
 *          request-token, no-request-token  the same of the request. The token that was made last is the one for:
 *          cancel, reset-token, destroy-token          now
 *          cancel-after MS, destroy-token-after MS     by another thread, so long after the next ask has begun
 *          cancel-by-signal MS              by a signal's handler on the asking thread
 *          close                            destroys the handle, the request and all tokens, and prints
 *                                           {"descriptors": [how many files were open before it was made, and how
 *                                           many are now]}
 *        and one of these asks, and prints a line of JSON: call PROMPT (the simple one), send, stream (fetched),
 *        callback, embed, list, get-route NAME (none: NULL), health, get-limits NAME, set-limits NAME=JSON,
 *        create-route JSON, delete-route NAME, identify
 *   out: {"status": ..., "message": ..., "http_status": ..., "code": ..., "attempts": ..., "retries": [why,
 *        ...], "error_headers": [...], "error_is_retryable": ..., "asked_at_us": by CLOCK_MONOTONIC, "took_us": microseconds, "cancelled_us": how many of them after it was cancelled, or -1, "log": [[level,
 *        line, whether it came on the calling thread], ...], "events": [[kind, candidate, text, microseconds since the
 *        question, the tool call's index, id and name, [its tokens], raw name, raw data], ...], "response": {...}} or {"embeddings": {...}} or {"routes": [...]} or {"result": a text, or
 *        JSON as one}
 */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <pthread.h>

#include "cancelling.h"
#include "check.h"
#include "clock.h"
#include "descriptors.h"
#include "json_text.h"
#include "request_commands.h"

static mlflow_gateway *gateway;
static mlflow_gateway_request *request;
static long stop_after = -1;
static int32_t stop_at = -1, stop_at_left;
static bool takes_response, shows_raw;
static char header_names[8][64];
static size_t shown_headers;
static bool shows_body;
static int descriptors_before;
static int64_t asked_at;

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
    print_text(text, len);
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
        print_text(text, len);
        printf("]");
    }
    CHECK(mlflow_gateway_response_tool_call_id(response, candidate, count) == NULL);
    CHECK(mlflow_gateway_response_tool_call_arguments(response, candidate, count, &len) == NULL && len == 0);
    text = mlflow_gateway_response_message_json(response, candidate, &len);
    CHECK(text == NULL ? len == 0 && count == 0 : text[len] == '\0' && len == strlen(text));
    printf("], \"message_json\": ");
    print_text(text, len);
    printf("}");
}

/* That of a raw request may be no UTF-8, of which there is no JSON. */
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

/* The lines of the log since the last ask, as JSON. Should they come on other threads, they wait for each other. */
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
    end = write_text(end, line, len);
    end += sprintf(end, "\", %s]", pthread_equal(pthread_self(), lines.thread) ? "true" : "false");
    lines.len = (size_t)(end - lines.json);
    pthread_mutex_unlock(&lines.lock);
}

/* Asks on the handle whose question is just told of, and changes its settings. */
static void keep_line_and_ask(int32_t level, const char *line, size_t len, void *user_data)
{
    static bool is_inside;

    keep_line(level, line, len, user_data);
    if (is_inside)
        return;
    is_inside = true;
    mlflow_gateway_routes *routes = NULL;
    char *json = NULL;
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_param_int(gateway, "max_tokens", 7, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "timeout_ms", "20000", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_identifying_params(gateway, &json, NULL, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_list_routes(gateway, &routes, &error));
    mlflow_gateway_string_free(json);
    mlflow_gateway_routes_destroy(routes);
    is_inside = false;
}

static void print_log(void)
{
    printf(", \"log\": [%.*s]", (int)lines.len, lines.len == 0 ? "" : lines.json);
    lines.len = lines.count = 0;
}

/* In hexadecimal digits, for it is bytes of any kind. */
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
    printf(", \"error_http_status\": %d, \"error_attempts\": %u, \"asked_at_us\": %" PRId64 ", \"took_us\": %" PRId64,
           (int)mlflow_gateway_error_http_status(error), (unsigned)mlflow_gateway_error_attempts(error), asked_at,
           ended - asked_at);
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
    size_t len, room, count, texts;
} events;

static void begin_events(void)
{
    free(events.json);
    events.room = 1000;
    CHECK((events.json = calloc(1, events.room)) != NULL);
    events.len = events.count = events.texts = 0;
}

/* Room for so many bytes more of JSON strings, and some numbers. */
static char *end_of_events(size_t len)
{
    if (events.room < events.len + 6 * len + 300) {
        events.room = 2 * (events.len + 6 * len + 300);
        CHECK((events.json = realloc(events.json, events.room)) != NULL);
    }
    return events.json + events.len;
}

static void keep_text(const char *text, size_t len)
{
    char *end = end_of_events(len);

    if (text == NULL)
        end += sprintf(end, ", null");
    else {
        end += sprintf(end, ", \"");
        end = write_text(end, text, len);
        end += sprintf(end, "\"");
    }
    events.len = (size_t)(end - events.json);
}

static void keep_string(const char *text)
{
    keep_text(text, text == NULL ? 0 : strlen(text));
}

static void keep_number(int64_t number)
{
    events.len += (size_t)sprintf(end_of_events(0), ", %" PRId64, number);
}

static int keep_event(const mlflow_gateway_event *event, void *user_data)
{
    size_t len = 42, raw_len = 42;
    int32_t kind = mlflow_gateway_event_kind(event);
    const char *text = mlflow_gateway_event_text(event, &len);
    const char *raw = mlflow_gateway_event_raw_data(event, &raw_len);
    bool has_text = kind != MLFLOW_GATEWAY_EVENT_USAGE && kind != MLFLOW_GATEWAY_EVENT_OTHER;

    CHECK(user_data == &events);
    CHECK(text == mlflow_gateway_event_text(event, NULL) && raw == mlflow_gateway_event_raw_data(event, NULL));
    CHECK((text != NULL) == has_text && (text == NULL ? len == 0 : text[len] == '\0'));
    CHECK(!has_text || kind == MLFLOW_GATEWAY_EVENT_TOOL_CALL || len > 0);
    CHECK(raw == NULL ? raw_len == 0 : raw[raw_len] == '\0');
    events.len += (size_t)sprintf(end_of_events(0), "%s[%d", events.count++ == 0 ? "" : ", ", (int)kind);
    keep_number((int64_t)mlflow_gateway_event_candidate(event));
    keep_text(text, len);
    keep_number(now_us() - asked_at);
    keep_number((int64_t)mlflow_gateway_event_tool_call_index(event));
    keep_string(mlflow_gateway_event_tool_call_id(event));
    keep_string(mlflow_gateway_event_tool_call_name(event));
    for (int32_t tokens = MLFLOW_GATEWAY_TOKENS_INPUT; tokens <= MLFLOW_GATEWAY_TOKENS_CACHE_WRITE; tokens++)
        keep_number(mlflow_gateway_event_tokens(event, tokens));
    CHECK(mlflow_gateway_event_tokens(event, 0) == -1);
    keep_string(mlflow_gateway_event_raw_name(event));
    keep_text(shows_raw ? raw : NULL, shows_raw ? raw_len : 0);
    events.len += (size_t)sprintf(end_of_events(0), "]");
    events.texts += kind == MLFLOW_GATEWAY_EVENT_TEXT;
    return (kind == stop_at && --stop_at_left == 0) || (kind == MLFLOW_GATEWAY_EVENT_TEXT && (long)events.texts == stop_after);
}

static void send_request(void)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_response *response = NULL;

    mlflow_gateway_status status = mlflow_gateway_send(gateway, request, &response, &error);
    print_status(status, error);
    if (response != NULL)
        print_response(response);
    puts("}");
    keep_response(response);
}

static void fetch_stream(void)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_stream *stream = NULL;
    const mlflow_gateway_event *event = NULL;

    begin_events();
    mlflow_gateway_status status = mlflow_gateway_stream_open(gateway, request, &stream, &error);
    if (status == MLFLOW_GATEWAY_OK)
        while ((status = mlflow_gateway_stream_next(stream, &event, &error)) == MLFLOW_GATEWAY_OK)
            if (keep_event(event, &events))
                break;
    print_status(status, error);
    printf(", \"events\": [%s]", events.json);
    if (stream != NULL && takes_response) {
        mlflow_gateway_response *response = mlflow_gateway_stream_take_response(stream);
        CHECK(response != NULL && mlflow_gateway_stream_take_response(stream) == NULL);
        CHECK(mlflow_gateway_response_candidate_count(mlflow_gateway_stream_response(stream)) == 0);
        mlflow_gateway_error *ended = NULL;
        CHECK(mlflow_gateway_stream_next(stream, &event, &ended) ==
              (status == MLFLOW_GATEWAY_OK ? MLFLOW_GATEWAY_CANCELLED : status));
        if (status == MLFLOW_GATEWAY_OK)
            CHECK(strstr(mlflow_gateway_error_message(ended), "the response was taken before it was complete") != NULL);
        mlflow_gateway_error_destroy(ended);
        mlflow_gateway_stream_destroy(stream);
        stream = NULL;
        print_response(response);
        mlflow_gateway_response_destroy(response);
    } else if (stream != NULL) {
        print_response(mlflow_gateway_stream_response(stream));
        /* What it came to does not change. */
        if (status != MLFLOW_GATEWAY_OK)
            CHECK(mlflow_gateway_stream_next(stream, &event, NULL) == status);
    }
    puts("}");
    mlflow_gateway_stream_destroy(stream);
}

static void call_back(void)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_response *response = NULL;

    begin_events();
    mlflow_gateway_status status =
        mlflow_gateway_stream_call(gateway, request, keep_event, &events, &response, &error);
    print_status(status, error);
    printf(", \"events\": [%s]", events.json);
    if (response != NULL)
        print_response(response);
    puts("}");
    keep_response(response);
}

static void embed(void)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_embeddings *embeddings = NULL;

    mlflow_gateway_status status = mlflow_gateway_embed(gateway, request, &embeddings, &error);
    print_status(status, error);
    if (embeddings != NULL) {
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
        printf(", \"vectors\": [");
        for (size_t i = 0; i < count * dimension; i++) {
            CHECK(memcmp(&data[i], &copy[i], sizeof *copy) == 0);
            printf("%s%.9g", i % dimension != 0 ? ", " : i == 0 ? "[" : "], [", (double)data[i]);
        }
        printf("]]}");
        free(copy);
    }
    puts("}");
    mlflow_gateway_embeddings_destroy(embeddings);
}

static void print_route(const mlflow_gateway_routes *routes, size_t route)
{
    size_t len = 42;
    const char *json = mlflow_gateway_routes_json(routes, route, &len);

    CHECK(json != NULL && json[len] == '\0');
    CHECK(json == mlflow_gateway_routes_json(routes, route, NULL));
    printf("{\"name\": ");
    print_string(mlflow_gateway_routes_name(routes, route));
    printf(", \"type\": ");
    print_string(mlflow_gateway_routes_type(routes, route));
    printf(", \"provider\": ");
    print_string(mlflow_gateway_routes_provider(routes, route));
    printf(", \"model\": ");
    print_string(mlflow_gateway_routes_model(routes, route));
    printf(", \"url\": ");
    print_string(mlflow_gateway_routes_url(routes, route));
    printf(", \"json\": ");
    print_text(json, len);
    printf("}");
}

static void print_routes(mlflow_gateway_status status, mlflow_gateway_error *error, mlflow_gateway_routes *routes)
{
    size_t len = 42, count = mlflow_gateway_routes_count(routes);

    print_status(status, error);
    CHECK((routes != NULL) == (status == MLFLOW_GATEWAY_OK));
    if (routes != NULL) {
        printf(", \"routes\": [");
        for (size_t route = 0; route < count; route++) {
            printf("%s", route == 0 ? "" : ", ");
            print_route(routes, route);
        }
        printf("]");
        CHECK(mlflow_gateway_routes_name(routes, count) == NULL);
        CHECK(mlflow_gateway_routes_json(routes, count, &len) == NULL && len == 0);
    }
    puts("}");
    mlflow_gateway_routes_destroy(routes);
}

/* What a function gave as a text, if it did. */
static void print_result(mlflow_gateway_status status, mlflow_gateway_error *error, char *json, size_t len)
{
    print_status(status, error);
    if (json != NULL) {
        CHECK(status == MLFLOW_GATEWAY_OK && json[len] == '\0');
        printf(", \"result\": ");
        print_text(json, len);
    }
    puts("}");
    mlflow_gateway_string_free(json);
}

static void call(const char *prompt)
{
    mlflow_gateway_error *error = NULL;
    char *text = NULL;
    size_t len = 0;

    mlflow_gateway_status status = mlflow_gateway_call(gateway, prompt, &text, &len, &error);
    print_result(status, error, text, len);
}

static char *cut(char *value);

/* The asks that are about routes; false if it is none of them. An empty name is NULL. */
static bool ask_about_routes(const char *ask, char *value)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_routes *routes = NULL;
    mlflow_gateway_status status;
    char *json = NULL;
    size_t len = 0;

    if (strcmp(ask, "list") == 0) {
        status = mlflow_gateway_list_routes(gateway, &routes, &error);
        print_routes(status, error, routes);
    } else if (strcmp(ask, "get-route") == 0) {
        status = mlflow_gateway_get_route(gateway, *value == '\0' ? NULL : value, &routes, &error);
        print_routes(status, error, routes);
    } else if (strcmp(ask, "health") == 0) {
        status = mlflow_gateway_health(gateway, &error);
        print_result(status, error, NULL, 0);
    } else if (strcmp(ask, "get-limits") == 0) {
        status = mlflow_gateway_get_limits(gateway, *value == '\0' ? NULL : value, &json, &len, &error);
        print_result(status, error, json, len);
    } else if (strcmp(ask, "set-limits") == 0) {
        char *limits = cut(value);
        status = mlflow_gateway_set_limits(gateway, *value == '\0' ? NULL : value, limits, &json, &len, &error);
        print_result(status, error, json, len);
    } else if (strcmp(ask, "create-route") == 0) {
        status = mlflow_gateway_create_route(gateway, value, &json, &len, &error);
        print_result(status, error, json, len);
    } else if (strcmp(ask, "delete-route") == 0) {
        status = mlflow_gateway_delete_route(gateway, value, &error);
        print_result(status, error, NULL, 0);
    } else if (strcmp(ask, "identify") == 0) {
        status = mlflow_gateway_identifying_params(gateway, &json, &len, &error);
        print_result(status, error, json, len);
    } else {
        return false;
    }
    return true;
}

static void add_inputs(long count)
{
    char text[64];

    for (long i = 0; i < count; i++) {
        sprintf(text, "input number %ld", i);
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_request_add_input(request, text, MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    }
}

/* Undoes the escapes in place, and returns the length. */
static size_t unescape(char *text)
{
    char *to = text;

    for (char *from = text; *from != '\0'; from++) {
        if (*from != '\\') {
            *to++ = *from;
            continue;
        }
        switch (*++from) {
        case 'n': *to++ = '\n'; break;
        case 'r': *to++ = '\r'; break;
        case 't': *to++ = '\t'; break;
        case '0': *to++ = '\0'; break;
        default: *to++ = *from;
        }
    }
    *to = '\0';
    return (size_t)(to - text);
}

/* What is behind the first "=", which is cut off. */
static char *cut(char *value)
{
    char *end = strchr(value, '=');

    CHECK(end != NULL);
    *end = '\0';
    return end + 1;
}

static void set_up(const char *name, char *value, const char *route)
{
    if (strcmp(name, "uri") == 0) {
        mlflow_gateway_destroy(gateway);
        descriptors_before = open_descriptors();
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_create(*route == '\0' ? NULL : route, *value == '\0' ? NULL : value, &gateway,
                                           &error));
    } else if (strcmp(name, "handle-option") == 0) {
        char *second = cut(value);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, value, second, &error));
    } else if (strcmp(name, "handle-param") == 0) {
        char *second = cut(value);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_param_json(gateway, value, second, &error));
    } else if (strcmp(name, "handle-header") == 0) {
        char *second = cut(value);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_header(gateway, value, second, &error));
    } else if (strcmp(name, "handle-stop") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_add_stop(gateway, value, &error));
    } else if (strcmp(name, "log") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_log(gateway, atoi(value), keep_line, &lines, NULL, &error));
    } else if (strcmp(name, "log-off") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_log(gateway, atoi(value), NULL, &lines, NULL, &error));
    } else if (strcmp(name, "log-busy") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_set_log(gateway, atoi(value), keep_line_and_ask, &lines, NULL, &error));
    } else if (strcmp(name, "close") == 0) {
        mlflow_gateway_request_destroy(request);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
        mlflow_gateway_destroy(gateway);
        gateway = NULL;
        destroy_tokens();
        printf("{\"descriptors\": [%d, %d]}\n", descriptors_before, open_descriptors());
    } else {
        CHECK(!"a known command");
    }
}

/* The commands about tokens; false if it is none of them. */
static bool cancel(const char *name, const char *value)
{
    if (strcmp(name, "token") == 0)
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_cancel_token(gateway, new_token(), &error));
    else if (strcmp(name, "no-token") == 0)
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_cancel_token(gateway, NULL, &error));
    else if (strcmp(name, "request-token") == 0)
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_cancel_token(request, new_token(), &error));
    else if (strcmp(name, "no-request-token") == 0)
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_cancel_token(request, NULL, &error));
    else if (strcmp(name, "cancel") == 0)
        mlflow_gateway_cancel(*current_token());
    else if (strcmp(name, "reset-token") == 0)
        mlflow_gateway_cancel_token_reset(*current_token());
    else if (strcmp(name, "destroy-token") == 0)
        destroy_token();
    else if (strcmp(name, "cancel-after") == 0)
        cancelling.cancel_after = atol(value);
    else if (strcmp(name, "cancel-by-signal") == 0)
        cancelling.signal_after = atol(value);
    else if (strcmp(name, "destroy-token-after") == 0)
        cancelling.destroy_after = atol(value);
    else
        return false;
    return true;
}

static bool is_ask(const char *name)
{
    static const char *asks[] = { "call", "send", "stream", "callback", "embed", "list", "get-route", "health",
                                  "get-limits", "set-limits", "create-route", "delete-route", "identify" };

    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++)
        if (strcmp(name, asks[i]) == 0)
            return true;
    return false;
}

static void command(char *name, char *value, size_t len)
{
    static char route[300];
    char *second;

    if (is_ask(name)) {
        asked_at = now_us();
        begin_cancelling(&asked_at);
    }
    if (strcmp(name, "route") == 0) {
        snprintf(route, sizeof route, "%s", value);
    } else if (strcmp(name, "request-route") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_request_set_route(request, *value == '\0' ? NULL : value, &error));
    } else if (strcmp(name, "prompt") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_prompt(request, value, len, &error));
    } else if (strcmp(name, "message") == 0) {
        second = cut(value);
        len -= (size_t)(second - value);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_message(request, value, second, len, &error));
    } else if (strcmp(name, "message-json") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_message_json(request, value, len, &error));
    } else if (strcmp(name, "input") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_input(request, value, len, &error));
    } else if (strcmp(name, "inputs") == 0) {
        add_inputs(atol(value));
    } else if (strcmp(name, "body") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_body_json(request, value, len, &error));
    } else if (strcmp(name, "option") == 0) {
        second = cut(value);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_option(request, value, second, &error));
    } else if (strcmp(name, "param") == 0) {
        second = cut(value);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_param_json(request, value, second,
                                                                             MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    } else if (strcmp(name, "string") == 0) {
        second = cut(value);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_param_string(request, value, second,
                                                                               MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    } else if (strcmp(name, "header") == 0) {
        second = cut(value);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_header(request, value, second, &error));
    } else if (strcmp(name, "stop") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_stop(request, value, len, &error));
    } else if (strcmp(name, "stop-after") == 0) {
        stop_after = atol(value);
    } else if (strcmp(name, "stop-at") == 0) {
        stop_at = (int32_t)strtol(value, &value, 10);
        stop_at_left = *value == '\0' ? 1 : (int32_t)atol(value);
    } else if (strcmp(name, "take") == 0) {
        takes_response = true;
    } else if (strcmp(name, "show-raw") == 0) {
        shows_raw = true;
    } else if (strcmp(name, "show-header") == 0) {
        CHECK(shown_headers < sizeof header_names / sizeof *header_names);
        snprintf(header_names[shown_headers++], sizeof *header_names, "%s", value);
    } else if (strcmp(name, "show-body") == 0) {
        shows_body = true;
    } else if (strcmp(name, "setenv") == 0) {
        second = cut(value);
        CHECK(setenv(value, second, 1) == 0);
    } else if (strcmp(name, "sleep") == 0) {
        struct timespec pause = { atol(value) / 1000, atol(value) % 1000 * 1000000 };
        nanosleep(&pause, NULL);
    } else if (strcmp(name, "again") == 0) {
        mlflow_gateway_request_destroy(request);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    } else if (strcmp(name, "call") == 0) {
        call(value);
    } else if (strcmp(name, "send") == 0) {
        send_request();
    } else if (strcmp(name, "stream") == 0) {
        fetch_stream();
    } else if (strcmp(name, "callback") == 0) {
        call_back();
    } else if (strcmp(name, "embed") == 0) {
        embed();
    } else if (!ask_about_routes(name, value) && !cancel(name, value) &&
               !shape_request(&request, name, value, len)) {
        set_up(name, value, route);
    }
}

int main(void)
{
    static char line[1 << 24];

    lines.thread = pthread_self();
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *value = strchr(line, ' ');
        if (value == NULL)
            value = line + strlen(line);
        else
            *value++ = '\0';
        command(line, value, unescape(value));
        fflush(stdout);
    }
    free(events.json);
    free(lines.json);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_request_destroy(original);
    keep_response(NULL);
    mlflow_gateway_destroy(gateway);
    destroy_tokens();
    return 0;
}

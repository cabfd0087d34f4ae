/*
 * Runs the commands on standard input with the full API and prints the results as JSON. The Python tests use it to
 * check requests, responses, streams and embeddings through the C API. calls.c is the same for the simple API.
 *
 *   in:  one command per line, "NAME VALUE". In the value, \n, \r, \t, \0 and \\ are escapes.
 *        Gateway:
 *          route NAME                       route of the next handle (default: NULL)
 *          uri URI                          create the handle (no URI: NULL)
 *          handle-option NAME=VALUE, handle-param NAME=JSON, handle-header NAME=VALUE, handle-stop STRING
 *          log LEVEL                        log; the lines are printed with the next result
 *          log-off LEVEL                    set a NULL log callback
 *          log-busy LEVEL                   log with a callback that uses the handle itself
 *          close                            destroy the handle, the request and all tokens, and print
 *                                           {"descriptors": [open files before the handle was created, open files now]}
 *        Request:
 *          prompt, message ROLE=TEXT, message-json, input, body, option NAME=VALUE, param NAME=JSON,
 *          string NAME=VALUE, header NAME=VALUE, stop STRING
 *          inputs N                         add N numbered inputs
 *          request-route NAME               set the route of the request (no NAME: NULL)
 *          again                            replace the request by a new one
 *          and the commands of request_commands.h
 *        Queues: the commands of queue_commands.h
 *        Streams:
 *          stop-after N                     the callback stops the stream at the Nth text event
 *          stop-at KIND [N]                 the callback stops the stream at the Nth (or first) event of this kind
 *          take                             take the response from all following streams of "stream"
 *        Output, of all following calls:
 *          show-raw                         print the raw data of events
 *          show-header NAME                 print this header of responses and errors
 *          show-body                        print the body of errors
 *        Cancel tokens. The commands after the first two apply to the token created last:
 *          token, no-token                  create and set, or unset, the token of the handle
 *          request-token, no-request-token  the same for the request
 *          cancel, reset-token, destroy-token
 *          cancel-after MS, destroy-token-after MS    on another thread, MS after the start of the next call
 *          cancel-by-signal MS              in a signal handler on the calling thread
 *        Process: setenv NAME=VALUE, sleep MS
 *        Calls. Each prints a line of JSON:
 *          call PROMPT (simple API), send, stream (read event by event), callback (stream with a callback), embed,
 *          list, get-route NAME (no NAME: NULL), health, get-limits NAME, set-limits NAME=JSON, create-route JSON,
 *          delete-route NAME, identify
 *   out: {"status": ..., "message": ..., "code": ..., "error_http_status": ..., "error_attempts": ...,
 *        "started_at_us": CLOCK_MONOTONIC, "took_us": ..., "cancelled_us": time from the cancellation to the return, or
 *        -1, "error_retries": [REASON, ...], "error_headers": [...], "error_is_retryable": ...,
 *        "log": [[LEVEL, LINE, on the calling thread?], ...]} and one of
 *        "events": [[KIND, CANDIDATE, TEXT, microseconds since the start, TOOL_CALL_INDEX, TOOL_CALL_ID,
 *        TOOL_CALL_NAME, TOKENS..., RAW_NAME, RAW_DATA], ...], "response": {...}, "embeddings": {...}, "routes": [...],
 *        "result": string
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>

#include "cancelling.h"
#include "check.h"
#include "clock.h"
#include "descriptors.h"
#include "queue_commands.h"
#include "request_commands.h"
#include "results.h"

static mlflow_gateway *gateway;
static mlflow_gateway_request *request;
static long stop_after = -1;
static int32_t stop_at = -1, stop_at_left;
static bool takes_response;
static int descriptors_before;

/* Makes a call on the handle that is logging, and changes its settings. */
static void keep_line_and_use_handle(int32_t level, const char *line, size_t len, void *user_data)
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

/* Adds the event. Returns whether the stream is to be stopped. */
static int on_event(const mlflow_gateway_event *event, void *user_data)
{
    int32_t kind = mlflow_gateway_event_kind(event);

    CHECK(user_data == &events);
    add_event(event);
    return (kind == stop_at && --stop_at_left == 0) ||
           (kind == MLFLOW_GATEWAY_EVENT_TEXT && (long)events.text_count == stop_after);
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

static void read_stream(void)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_stream *stream = NULL;
    const mlflow_gateway_event *event = NULL;

    begin_events();
    mlflow_gateway_status status = mlflow_gateway_stream_open(gateway, request, &stream, &error);
    if (status == MLFLOW_GATEWAY_OK)
        while ((status = mlflow_gateway_stream_next(stream, &event, &error)) == MLFLOW_GATEWAY_OK)
            if (on_event(event, &events))
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
        /* The final status does not change. */
        if (status != MLFLOW_GATEWAY_OK)
            CHECK(mlflow_gateway_stream_next(stream, &event, NULL) == status);
    }
    puts("}");
    mlflow_gateway_stream_destroy(stream);
}

static void stream_with_callback(void)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_response *response = NULL;

    begin_events();
    mlflow_gateway_status status =
        mlflow_gateway_stream_call(gateway, request, on_event, &events, &response, &error);
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
    if (embeddings != NULL)
        print_embeddings(embeddings);
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
    print_string_len(json, len);
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

/* Prints the string that a function returned, if any. */
static void print_result(mlflow_gateway_status status, mlflow_gateway_error *error, char *json, size_t len)
{
    print_status(status, error);
    if (json != NULL) {
        CHECK(status == MLFLOW_GATEWAY_OK && json[len] == '\0');
        printf(", \"result\": ");
        print_string_len(json, len);
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

static char *split(char *value);

/* Runs the calls about routes. Returns false if the command is not one of them. An empty name is NULL. */
static bool run_route_call(const char *name, char *value)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_routes *routes = NULL;
    mlflow_gateway_status status;
    char *json = NULL;
    size_t len = 0;

    if (strcmp(name, "list") == 0) {
        status = mlflow_gateway_list_routes(gateway, &routes, &error);
        print_routes(status, error, routes);
    } else if (strcmp(name, "get-route") == 0) {
        status = mlflow_gateway_get_route(gateway, *value == '\0' ? NULL : value, &routes, &error);
        print_routes(status, error, routes);
    } else if (strcmp(name, "health") == 0) {
        status = mlflow_gateway_health(gateway, &error);
        print_result(status, error, NULL, 0);
    } else if (strcmp(name, "get-limits") == 0) {
        status = mlflow_gateway_get_limits(gateway, *value == '\0' ? NULL : value, &json, &len, &error);
        print_result(status, error, json, len);
    } else if (strcmp(name, "set-limits") == 0) {
        char *limits = split(value);
        status = mlflow_gateway_set_limits(gateway, *value == '\0' ? NULL : value, limits, &json, &len, &error);
        print_result(status, error, json, len);
    } else if (strcmp(name, "create-route") == 0) {
        status = mlflow_gateway_create_route(gateway, value, &json, &len, &error);
        print_result(status, error, json, len);
    } else if (strcmp(name, "delete-route") == 0) {
        status = mlflow_gateway_delete_route(gateway, value, &error);
        print_result(status, error, NULL, 0);
    } else if (strcmp(name, "identify") == 0) {
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

/* Decodes escapes in place, and returns the length. */
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

/* Ends the value at the first "=", and returns the rest. */
static char *split(char *value)
{
    char *end = strchr(value, '=');

    CHECK(end != NULL);
    *end = '\0';
    return end + 1;
}

static void run_handle_command(const char *name, char *value, const char *route)
{
    if (strcmp(name, "uri") == 0) {
        mlflow_gateway_destroy(gateway);
        descriptors_before = count_open_descriptors();
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_create(*route == '\0' ? NULL : route, *value == '\0' ? NULL : value, &gateway,
                                           &error));
    } else if (strcmp(name, "handle-option") == 0) {
        char *rest = split(value);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, value, rest, &error));
    } else if (strcmp(name, "handle-param") == 0) {
        char *rest = split(value);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_param_json(gateway, value, rest, &error));
    } else if (strcmp(name, "handle-header") == 0) {
        char *rest = split(value);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_header(gateway, value, rest, &error));
    } else if (strcmp(name, "handle-stop") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_add_stop(gateway, value, &error));
    } else if (strcmp(name, "log") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_log(gateway, atoi(value), keep_line, &lines, NULL, &error));
    } else if (strcmp(name, "log-off") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_log(gateway, atoi(value), NULL, &lines, NULL, &error));
    } else if (strcmp(name, "log-busy") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_set_log(gateway, atoi(value), keep_line_and_use_handle, &lines, NULL, &error));
    } else if (strcmp(name, "close") == 0) {
        mlflow_gateway_request_destroy(request);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
        mlflow_gateway_destroy(gateway);
        gateway = NULL;
        destroy_tokens();
        printf("{\"descriptors\": [%d, %d]}\n", descriptors_before, count_open_descriptors());
    } else {
        CHECK(!"the command exists");
    }
}

/* Runs the commands about cancel tokens. Returns false if the command is not one of them. */
static bool run_token_command(const char *name, const char *value)
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

static bool is_call(const char *name)
{
    static const char *calls[] = { "call", "send", "stream", "callback", "embed", "list", "get-route", "health",
                                  "get-limits", "set-limits", "create-route", "delete-route", "identify",
                                  "queue-send", "queue-stream", "queue-embed" };

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (strcmp(name, calls[i]) == 0)
            return true;
    return false;
}

static void run_command(char *name, char *value, size_t len)
{
    static char route[300];
    char *rest;

    if (is_call(name)) {
        started_at = now_us();
        start_cancelling(&started_at);
    }
    if (strcmp(name, "route") == 0) {
        snprintf(route, sizeof route, "%s", value);
    } else if (strcmp(name, "request-route") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_request_set_route(request, *value == '\0' ? NULL : value, &error));
    } else if (strcmp(name, "prompt") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_prompt(request, value, len, &error));
    } else if (strcmp(name, "message") == 0) {
        rest = split(value);
        len -= (size_t)(rest - value);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_message(request, value, rest, len, &error));
    } else if (strcmp(name, "message-json") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_message_json(request, value, len, &error));
    } else if (strcmp(name, "input") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_input(request, value, len, &error));
    } else if (strcmp(name, "inputs") == 0) {
        add_inputs(atol(value));
    } else if (strcmp(name, "body") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_body_json(request, value, len, &error));
    } else if (strcmp(name, "option") == 0) {
        rest = split(value);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_option(request, value, rest, &error));
    } else if (strcmp(name, "param") == 0) {
        rest = split(value);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_param_json(request, value, rest,
                                                                             MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    } else if (strcmp(name, "string") == 0) {
        rest = split(value);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_param_string(request, value, rest,
                                                                               MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    } else if (strcmp(name, "header") == 0) {
        rest = split(value);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_header(request, value, rest, &error));
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
        rest = split(value);
        CHECK(setenv(value, rest, 1) == 0);
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
        read_stream();
    } else if (strcmp(name, "callback") == 0) {
        stream_with_callback();
    } else if (strcmp(name, "embed") == 0) {
        embed();
    } else if (!run_route_call(name, value) && !run_token_command(name, value) &&
               !run_request_command(&request, name, value, len) &&
               !run_queue_command(gateway, request, name, value)) {
        run_handle_command(name, value, route);
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
        run_command(line, value, unescape(value));
        fflush(stdout);
    }
    end_queue();
    free(events.json);
    free(lines.json);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_request_destroy(original);
    keep_response(NULL);
    mlflow_gateway_destroy(gateway);
    destroy_tokens();
    return 0;
}

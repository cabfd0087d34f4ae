/*
 * Makes all kinds of calls on a thread with a small stack.
 *
 * usage: test_small_stacks URI STACK_BYTES [CA_FILE]
 *   A gateway of tests/obeying_gateway.py, with the routes "r" (completions), "chat" and "embeddings".
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>

#include "call_helpers.h"

static const char *uri, *ca_file;

static mlflow_gateway *open_route(const char *route)
{
    mlflow_gateway *gateway = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create(route, uri, &gateway, &error));
    if (ca_file != NULL)
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "ca_file", ca_file, &error));
    return gateway;
}

static void count_line(int32_t level, const char *line, size_t len, void *lines)
{
    CHECK(level > MLFLOW_GATEWAY_LOG_OFF && strlen(line) == len);
    ++*(int *)lines;
}

static int count_event(const mlflow_gateway_event *event, void *events)
{
    CHECK(mlflow_gateway_event_candidate(event) == 0 && mlflow_gateway_event_raw_data(event, NULL) != NULL);
    ++*(int *)events;
    return 0;
}

static void stream(void)
{
    mlflow_gateway *gateway = open_route("chat");
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_response *response = NULL;
    mlflow_gateway_stream *stream = NULL;
    const mlflow_gateway_event *event;
    int events = 0;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_message(request, "user", "pieces", 6, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_request_set_param_json(request, "tools", "[{\"a\": [1, 2]}]", 15, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_stream_call(gateway, request, count_event, &events, &response, &error));
    CHECK(events > 1 && strcmp(mlflow_gateway_response_text(response, 0, NULL), "pieces") == 0);
    mlflow_gateway_response_destroy(response);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_stream_open(gateway, request, &stream, &error));
    while (mlflow_gateway_stream_next(stream, &event, NULL) == MLFLOW_GATEWAY_OK)
        events--;
    CHECK(events == 0);
    mlflow_gateway_stream_destroy(stream);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
}

/* A tool call, an image, and a raw request with a deeply nested response. */
static void use_tools_and_raw_requests(void)
{
    static unsigned char picture[100000];
    mlflow_gateway *gateway = open_route("chat");
    mlflow_gateway_request *request = NULL, *clone = NULL;
    mlflow_gateway_response *response = NULL;
    int events = 0;
    const char *deep = "{\"messages\": [{\"role\": \"user\", \"content\": \"deep\"}]}";

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_message(request, "user", "pieces", 6, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_stream_call(gateway, request, count_event, &events, &response, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_clone(request, &clone, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_response(clone, response, 0, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_tool_result(clone, "call", "1", 1, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_message(clone, "user", "echo", 4, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_request_add_media(clone, "image/png", picture, sizeof picture, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_text(clone, "more", 4, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_omit_param(clone, "n", &error));
    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(clone);
    mlflow_gateway_request_destroy(request);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_request_set_path(request, NULL, "/endpoints/chat/invocations", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_request_set_body_json(request, deep, MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_send(gateway, request, &response, &error));
    CHECK(mlflow_gateway_response_body(response, NULL) != NULL);
    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
}

static void embed(void)
{
    mlflow_gateway *gateway = open_route("embeddings");
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_embeddings *embeddings = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    for (int i = 0; i < 100; i++)
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_input(request, "input", 5, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_option(request, "embed_concurrency", "4", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_embed(gateway, request, &embeddings, &error));
    CHECK(mlflow_gateway_embeddings_count(embeddings) == 100);
    mlflow_gateway_embeddings_destroy(embeddings);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
}

/* Routes, limits and settings. */
static void use_routes_and_settings(mlflow_gateway *gateway)
{
    mlflow_gateway_routes *routes = NULL;
    char *json = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_health(gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_list_routes(gateway, &routes, &error));
    CHECK(mlflow_gateway_routes_count(routes) == 3);
    mlflow_gateway_routes_destroy(routes);
    routes = NULL;
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_get_route(gateway, "chat", &routes, &error));
    mlflow_gateway_routes_destroy(routes);
    routes = NULL;
    CHECK_STATUS(MLFLOW_GATEWAY_NOT_FOUND, mlflow_gateway_get_route(gateway, "rr", &routes, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_get_limits(gateway, NULL, &json, NULL, &error));
    mlflow_gateway_string_free(json);
    CHECK_STATUS(MLFLOW_GATEWAY_UNSUPPORTED, mlflow_gateway_delete_route(gateway, "chat", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_param_json(gateway, "a", "[[[[[[{\"b\": 1e9}]]]]]]", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_add_stop(gateway, "stop", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_header(gateway, "X-A", "b", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_UNKNOWN_OPTION, mlflow_gateway_set_option(gateway, "timeout", "1", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_identifying_params(gateway, &json, NULL, &error));
    mlflow_gateway_string_free(json);
}

/* 10,000 nested objects. */
static void read_deep_json(void)
{
    enum { DEPTH = 10000 };
    static char json[DEPTH * 6 + 2];
    char *text = NULL, *end = json;
    size_t len = 0, count = 0;

    for (int i = 0; i < DEPTH; i++)
        end = stpcpy(end, "{\"a\":");
    *end++ = '1';
    memset(end, '}', DEPTH);
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_json_get(json, sizeof json - 1, "/a/a", NULL, &text, &len, &error));
    CHECK(len == (DEPTH - 2) * 6 + 1);
    mlflow_gateway_string_free(text);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_json_count(json, sizeof json - 1, "/a", &count, &error));
    CHECK(count == 1);
}

static void *make_all_calls(void *unused)
{
    mlflow_gateway *gateway = open_route("r");
    char *text = NULL;
    size_t len = 0;
    int lines = 0;

    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_set_log(gateway, MLFLOW_GATEWAY_LOG_DEBUG, count_line, &lines, NULL, &error));
    check_echo(gateway, "echo");
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "max_retries", "2", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "retry_backoff_ms", "1", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_call(gateway, "long", &text, &len, &error));
    CHECK(len == 5000000);
    mlflow_gateway_string_free(text);
    CHECK_STATUS(MLFLOW_GATEWAY_BAD_RESPONSE, mlflow_gateway_call(gateway, "deep", &text, &len, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_BAD_REQUEST, mlflow_gateway_call(gateway, "deep 400", &text, &len, &error));
    check_echo(gateway, "deep beside the text");
    CHECK_STATUS(MLFLOW_GATEWAY_SERVER_ERROR, mlflow_gateway_call(gateway, "503", &text, &len, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_CONNECTION_LOST, mlflow_gateway_call(gateway, "cut", &text, &len, &error));
    CHECK(lines > 5);
    use_routes_and_settings(gateway);
    mlflow_gateway_destroy(gateway);
    stream();
    embed();
    use_tools_and_raw_requests();
    read_deep_json();
    return unused;
}

int main(int argc, char **argv)
{
    pthread_attr_t attributes;
    pthread_t thread;

    CHECK(argc == 3 || argc == 4);
    uri = argv[1];
    ca_file = argv[3];
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, (size_t)atol(argv[2])) == 0);
    CHECK(pthread_create(&thread, &attributes, make_all_calls, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    pthread_attr_destroy(&attributes);
    return 0;
}

/*
 * Runs the same operation on every kind of gateway and prints the result as a line of JSON.
 *
 * usage: compat URI OPERATION [OPTION=VALUE...]
 *   The gateway has the routes "completions", "chat" and "embeddings", and if it supports them "split", which splits
 *   its traffic over other routes, "anthropic" and "gemini". main() lists the operations.
 *
 *   out: {"operation": ..., "status": ..., "http_status": of an error, "message": of an error, "output": [STRING...]}
 *        The output is the text of each candidate, the text of each stream event, "NAME ARGUMENTS" of each tool call,
 *        "NAME TYPE PROVIDER MODEL" of each route, or the numbers of each embedding.
 */
#include "check.h"

static const char PROMPT[] = "one two three";

static char **options;
static mlflow_gateway *gateway;
static mlflow_gateway_request *request;

static size_t output_count;

static void print_string(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte < 0x20 || byte == '"' || byte == '\\')
            printf("\\u%04x", byte);
        else
            putchar(byte);
    }
    putchar('"');
}

static void begin(const char *operation, const char *route, const char *uri)
{
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create(route, uri, &gateway, &error));
    for (char **option = options; *option != NULL; option++) {
        char name[100], *value = strchr(*option, '=');
        CHECK(value != NULL && value - *option < (long)sizeof name);
        snprintf(name, sizeof name, "%.*s", (int)(value - *option), *option);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, name, value + 1, &error));
    }
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    printf("{\"operation\": \"%s\", \"output\": [", operation);
    output_count = 0;
}

static void print_output(const char *text)
{
    CHECK(text != NULL);
    if (output_count++ > 0)
        printf(", ");
    print_string(text);
}

static void end(mlflow_gateway_status status, mlflow_gateway_error *error)
{
    printf("], \"status\": ");
    print_string(mlflow_gateway_status_name(status));
    printf(", \"http_status\": %d, \"message\": ", (int)mlflow_gateway_error_http_status(error));
    print_string(mlflow_gateway_error_message(error));
    printf("}\n");
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
}

/* Limits the length: a small real model may repeat itself for a minute. */
static void limit_tokens(void)
{
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_param_int(gateway, "max_tokens", 64, &error));
}

/* The simple API. */
static void prompt(const char *operation, const char *route, const char *uri)
{
    mlflow_gateway_error *error = NULL;
    char *text = NULL;

    begin(operation, route, uri);
    limit_tokens();
    mlflow_gateway_status status = mlflow_gateway_call(gateway, PROMPT, &text, NULL, &error);
    if (status == MLFLOW_GATEWAY_OK)
        print_output(text);
    mlflow_gateway_string_free(text);
    end(status, error);
}

static void add_message(const char *role, const char *content)
{
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_message(request, role, content,
                                                                       MLFLOW_GATEWAY_NUL_TERMINATED, &error));
}

/* A conversation with two candidates. */
static void messages(const char *operation, const char *route, const char *uri)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_response *response = NULL;

    begin(operation, route, uri);
    add_message("system", "You count.");
    add_message("user", "What comes first?");
    add_message("assistant", "zero");
    add_message("user", PROMPT);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_param_int(request, "n", 2, &error));
    limit_tokens();
    mlflow_gateway_status status = mlflow_gateway_send(gateway, request, &response, &error);
    for (size_t i = 0; i < mlflow_gateway_response_candidate_count(response); i++)
        print_output(mlflow_gateway_response_text(response, i, NULL));
    mlflow_gateway_response_destroy(response);
    end(status, error);
}

static void print_event(const mlflow_gateway_event *event)
{
    char line[1000];

    if (mlflow_gateway_event_kind(event) == MLFLOW_GATEWAY_EVENT_TEXT) {
        print_output(mlflow_gateway_event_text(event, NULL));
    } else if (mlflow_gateway_event_kind(event) == MLFLOW_GATEWAY_EVENT_REASONING) {
        snprintf(line, sizeof line, "reasoning: %s", mlflow_gateway_event_text(event, NULL));
        print_output(line);
    }
}

/* Streams the request, and prints the events and the tool calls of the gathered response. */
static void print_stream(void)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_stream *stream = NULL;
    const mlflow_gateway_event *event;
    char line[1000];

    limit_tokens();
    mlflow_gateway_status status = mlflow_gateway_stream_open(gateway, request, &stream, &error);
    while (status == MLFLOW_GATEWAY_OK &&
           (status = mlflow_gateway_stream_next(stream, &event, &error)) == MLFLOW_GATEWAY_OK)
        print_event(event);
    const mlflow_gateway_response *response = mlflow_gateway_stream_response(stream);
    for (size_t i = 0; i < mlflow_gateway_response_tool_call_count(response, 0); i++) {
        snprintf(line, sizeof line, "%s %s", mlflow_gateway_response_tool_call_name(response, 0, i),
                 mlflow_gateway_response_tool_call_arguments(response, 0, i, NULL));
        print_output(line);
    }
    mlflow_gateway_stream_destroy(stream);
    end(status, error);
}

static void stream(const char *operation, const char *route, const char *uri)
{
    begin(operation, route, uri);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_prompt(request, PROMPT, MLFLOW_GATEWAY_NUL_TERMINATED,
                                                                      &error));
    print_stream();
}

/* In 30 ms the scripted model sends one reasoning event. */
static void reasoning(const char *operation, const char *route, const char *uri)
{
    begin(operation, route, uri);
    add_message("user", "!reason 30");
    print_stream();
}

static void tool_calls(const char *operation, const char *route, const char *uri)
{
    static const char TOOLS[] =
        "[{\"type\": \"function\", \"function\": {\"name\": \"get_temperature\", \"parameters\": {\"type\": \"object\", "
        "\"properties\": {\"city\": {\"type\": \"string\"}}}}}]";

    begin(operation, route, uri);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_param_json(request, "tools", TOOLS,
                                                                          MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    add_message("user", "!tools");
    print_stream();
}

/* Posts a body to a path below the gateway URI, and prints the text that the pointer finds in the response. */
static void print_raw(const char *path, const char *body, const char *pointer)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_response *response = NULL;
    char *text = NULL;
    size_t len;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_path(request, NULL, path, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_body_json(request, body, MLFLOW_GATEWAY_NUL_TERMINATED,
                                                                         &error));
    mlflow_gateway_status status = mlflow_gateway_send(gateway, request, &response, &error);
    if (status == MLFLOW_GATEWAY_OK) {
        const char *json = mlflow_gateway_response_body(response, &len);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_json_get(json, len, pointer, NULL, &text, NULL, &error));
        print_output(text);
        mlflow_gateway_string_free(text);
    }
    mlflow_gateway_response_destroy(response);
    end(status, error);
}

/* Whether the URI is an OpenAI base URL. */
static bool is_openai_base(const char *uri)
{
    size_t len = strlen(uri);
    return len >= 3 && strcmp(uri + len - 3, "/v1") == 0;
}

static void responses(const char *operation, const char *route, const char *uri)
{
    begin(operation, route, uri);
    print_raw(is_openai_base(uri) ? "/responses" : "/gateway/openai/v1/responses",
              "{\"model\": \"chat\", \"max_output_tokens\": 64, \"input\": \"one two three\"}",
              "/output/0/content/0/text");
}

static void anthropic(const char *operation, const char *route, const char *uri)
{
    begin(operation, route, uri);
    print_raw(is_openai_base(uri) ? "/messages" : "/gateway/anthropic/v1/messages",
              "{\"model\": \"anthropic\", \"max_tokens\": 8, "
              "\"messages\": [{\"role\": \"user\", \"content\": \"one two three\"}]}",
              "/content/0/text");
}

static void gemini(const char *operation, const char *route, const char *uri)
{
    begin(operation, route, uri);
    print_raw("/gateway/gemini/v1beta/models/gemini:generateContent",
              "{\"contents\": [{\"role\": \"user\", \"parts\": [{\"text\": \"one two three\"}]}]}",
              "/candidates/0/content/parts/0/text");
}

/* A prompt with the route set in the request instead of the handle. */
static void prompt_by_request(const char *operation, const char *route, const char *uri)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_response *response = NULL;

    begin(operation, NULL, uri);
    limit_tokens();
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_route(request, route, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_prompt(request, PROMPT, MLFLOW_GATEWAY_NUL_TERMINATED,
                                                                      &error));
    mlflow_gateway_status status = mlflow_gateway_send(gateway, request, &response, &error);
    if (status == MLFLOW_GATEWAY_OK)
        print_output(mlflow_gateway_response_text(response, 0, NULL));
    mlflow_gateway_response_destroy(response);
    end(status, error);
}

static void embeddings(const char *operation, const char *route, const char *uri)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_embeddings *embeddings = NULL;
    char embedding[1000];

    begin(operation, route, uri);
    for (const char *const *input = (const char *const[]){ "a", "b", NULL }; *input != NULL; input++)
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_request_add_input(request, *input, MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    mlflow_gateway_status status = mlflow_gateway_embed(gateway, request, &embeddings, &error);
    const float *number = mlflow_gateway_embeddings_data(embeddings);
    for (size_t i = 0; i < mlflow_gateway_embeddings_count(embeddings); i++) {
        char *at = embedding;
        for (size_t column = 0; column < mlflow_gateway_embeddings_dimension(embeddings); column++) {
            CHECK(at < embedding + sizeof embedding - 20);
            at += sprintf(at, "%s%.9g", column == 0 ? "" : " ", *number++);
        }
        print_output(embedding);
    }
    mlflow_gateway_embeddings_destroy(embeddings);
    end(status, error);
}

static const char *or_dash(const char *text)
{
    return text == NULL ? "-" : text;
}

static void list(const char *operation, const char *route, const char *uri)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_routes *routes = NULL;
    char line[1000];

    begin(operation, route, uri);
    mlflow_gateway_status status = mlflow_gateway_list_routes(gateway, &routes, &error);
    for (size_t i = 0; i < mlflow_gateway_routes_count(routes); i++) {
        snprintf(line, sizeof line, "%s %s %s %s", or_dash(mlflow_gateway_routes_name(routes, i)),
                 or_dash(mlflow_gateway_routes_type(routes, i)), or_dash(mlflow_gateway_routes_provider(routes, i)),
                 or_dash(mlflow_gateway_routes_model(routes, i)));
        print_output(line);
    }
    mlflow_gateway_routes_destroy(routes);
    end(status, error);
}

static void health(const char *operation, const char *route, const char *uri)
{
    mlflow_gateway_error *error = NULL;

    begin(operation, route, uri);
    mlflow_gateway_status status = mlflow_gateway_health(gateway, &error);
    end(status, error);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *operation, *route;
        void (*run)(const char *operation, const char *route, const char *uri);
    } OPERATIONS[] = {
        { "prompt", "completions", prompt },
        { "prompt to chat", "chat", prompt },
        { "messages", "chat", messages },
        { "stream", "chat", stream },
        { "stream of completions", "completions", stream },
        { "embeddings", "embeddings", embeddings },
        { "split", "split", prompt_by_request },
        { "list", "chat", list },
        { "health", "chat", health },
        { "reasoning", "chat", reasoning },
        { "tool calls", "chat", tool_calls },
        { "responses", NULL, responses },
        { "anthropic", NULL, anthropic },
        { "gemini", NULL, gemini },
    };

    CHECK(argc >= 3);
    options = argv + 3;
    for (size_t i = 0; i < sizeof OPERATIONS / sizeof *OPERATIONS; i++)
        if (strcmp(OPERATIONS[i].operation, argv[2]) == 0) {
            OPERATIONS[i].run(argv[2], OPERATIONS[i].route, argv[1]);
            return 0;
        }
    CHECK(!"the operation exists");
}

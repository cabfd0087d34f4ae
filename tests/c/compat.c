/*
 * One program for every gateway: it asks the same of each and tells what came of it, one line of JSON an operation.
 *
 * usage: compat URI, of a gateway with the routes "completions", "chat" and "embeddings"
 *
 *   out: {"operation": ..., "status": ..., "http_status": of an error, "message": of an error, "answer": [TEXT...]}
 *        The answer is the texts of the candidates, those of the events of a stream, "NAME TYPE PROVIDER MODEL" of each route, or the numbers
 *        of a vector as text.
 */
#include "check.h"

static const char PROMPT[] = "one two three";

static mlflow_gateway *gateway;
static mlflow_gateway_request *request;

/* The answer that is being printed, a text at a time. */
static size_t texts;

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
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    printf("{\"operation\": \"%s\", \"answer\": [", operation);
    texts = 0;
}

static void print_text(const char *text)
{
    CHECK(text != NULL);
    if (texts++ > 0)
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

/* The simple path. */
static void prompt(const char *operation, const char *route, const char *uri)
{
    mlflow_gateway_error *error = NULL;
    char *text = NULL;

    begin(operation, route, uri);
    mlflow_gateway_status status = mlflow_gateway_call(gateway, PROMPT, &text, NULL, &error);
    if (status == MLFLOW_GATEWAY_OK)
        print_text(text);
    mlflow_gateway_string_free(text);
    end(status, error);
}

static void add_message(const char *role, const char *content)
{
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_message(request, role, content,
                                                                       MLFLOW_GATEWAY_NUL_TERMINATED, &error));
}

/* A conversation, and two candidates for what comes next. */
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
    mlflow_gateway_status status = mlflow_gateway_send(gateway, request, &response, &error);
    for (size_t i = 0; i < mlflow_gateway_response_candidate_count(response); i++)
        print_text(mlflow_gateway_response_text(response, i, NULL));
    mlflow_gateway_response_destroy(response);
    end(status, error);
}

static void stream(const char *operation, const char *route, const char *uri)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_stream *stream = NULL;
    const mlflow_gateway_event *event;

    begin(operation, route, uri);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_prompt(request, PROMPT, MLFLOW_GATEWAY_NUL_TERMINATED,
                                                                      &error));
    mlflow_gateway_status status = mlflow_gateway_stream_open(gateway, request, &stream, &error);
    while (status == MLFLOW_GATEWAY_OK &&
           (status = mlflow_gateway_stream_next(stream, &event, &error)) == MLFLOW_GATEWAY_OK)
        if (mlflow_gateway_event_kind(event) == MLFLOW_GATEWAY_EVENT_TEXT)
            print_text(mlflow_gateway_event_text(event, NULL));
    mlflow_gateway_stream_destroy(stream);
    end(status, error);
}

static void embeddings(const char *operation, const char *route, const char *uri)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_embeddings *embeddings = NULL;
    char vector[1000];

    begin(operation, route, uri);
    for (const char *const *input = (const char *const[]){ "a", "b", NULL }; *input != NULL; input++)
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_request_add_input(request, *input, MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    mlflow_gateway_status status = mlflow_gateway_embed(gateway, request, &embeddings, &error);
    const float *number = mlflow_gateway_embeddings_data(embeddings);
    for (size_t i = 0; i < mlflow_gateway_embeddings_count(embeddings); i++) {
        char *at = vector;
        for (size_t column = 0; column < mlflow_gateway_embeddings_dimension(embeddings); column++) {
            CHECK(at < vector + sizeof vector - 20);
            at += sprintf(at, "%s%.9g", column == 0 ? "" : " ", *number++);
        }
        print_text(vector);
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
        print_text(line);
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
    CHECK(argc == 2);
    const char *uri = argv[1];
    prompt("prompt", "completions", uri);
    prompt("prompt to chat", "chat", uri);
    messages("messages", "chat", uri);
    stream("stream", "chat", uri);
    stream("stream of completions", "completions", uri);
    embeddings("embeddings", "embeddings", uri);
    list("list", "chat", uri);
    health("health", "chat", uri);
    return 0;
}

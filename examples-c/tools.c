/*
 * tools - lets a model use a function of this program: one question, one round of calls, one answer.
 *
 * The answer goes to standard output and nothing else does; what went wrong goes to standard error.
 */
#define _POSIX_C_SOURCE 200809L

#include <mlflow_ai_gateway.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum exit_code {
    EXIT_ANSWERED = 0,
    EXIT_CANNOT_PRINT = 1,
    EXIT_USAGE = 2,
    EXIT_NO_CONNECTION = 3,
    EXIT_REFUSED = 4,
    EXIT_WRONG_ANSWER = 5,
    EXIT_FAULT = 6
};

static const char USAGE[] =
    "usage: tools [-u URI] [-r ROUTE] [-v] QUESTION\n"
    "\n"
    "  -u URI    the gateway's URI; without it, the environment variable\n"
    "            MLFLOW_GATEWAY_URI or MLFLOW_DEPLOYMENTS_TARGET says it\n"
    "  -r ROUTE  the route (endpoint) to ask, for a model that can call tools;\n"
    "            default: chat\n"
    "  -v        say what the model calls, and what it is told\n"
    "  QUESTION  for example: Is it warmer in Paris or in Oslo?\n"
    "\n"
    "exit status: 0 answered, 1 the answer could not be printed, 2 wrong use,\n"
    "3 no connection or no answer in time, 4 the gateway refused,\n"
    "5 the gateway's answer was wrong, 6 a fault in this program\n";

/* What the model is told that it can call. */
static const char TOOLS[] =
    "[{\"type\": \"function\", \"function\": {"
    "\"name\": \"get_temperature\", \"description\": \"Tells the temperature in a city now.\", "
    "\"parameters\": {\"type\": \"object\", \"properties\": {\"city\": {\"type\": \"string\"}}, "
    "\"required\": [\"city\"]}}}]";

static enum exit_code exit_code_of(mlflow_gateway_status status)
{
    if (status == MLFLOW_GATEWAY_OK)
        return EXIT_ANSWERED;
    if (status < 20)
        return EXIT_USAGE;
    if (status < 40)
        return EXIT_NO_CONNECTION;
    if (status < 60)
        return EXIT_REFUSED;
    if (status < 80)
        return EXIT_WRONG_ANSWER;
    return EXIT_FAULT;
}

static enum exit_code wrong_use(const char *problem)
{
    fprintf(stderr, "tools: %s\n\n%s", problem, USAGE);
    return EXIT_USAGE;
}

enum { NAME_ROOM = 64, RESULT_ROOM = 160 };

static const char *skip_space(const char *text)
{
    return text + strspn(text, " \t\r\n");
}

/* A string of JSON without escapes, copied to `to`; returns what follows it, or NULL if there is no such string. */
static const char *read_string(const char *text, char to[NAME_ROOM])
{
    size_t len = *text == '"' ? strcspn(text + 1, "\"\\") : 0;

    if (len == 0 || len >= NAME_ROOM || text[1 + len] != '"')
        return NULL;
    memcpy(to, text + 1, len);
    to[len] = '\0';
    return text + 1 + len + 1;
}

/*
 * Understands {"city": "NAME"} and nothing else: what a model writes is not to be trusted. A program with more than
 * one tool reads the arguments with a JSON library.
 */
static int read_city(const char *arguments, char city[NAME_ROOM])
{
    char name[NAME_ROOM];
    const char *rest = skip_space(arguments);

    if (*rest != '{' || (rest = read_string(skip_space(rest + 1), name)) == NULL || strcmp(name, "city") != 0)
        return 0;
    rest = skip_space(rest);
    if (*rest != ':' || (rest = read_string(skip_space(rest + 1), city)) == NULL)
        return 0;
    rest = skip_space(rest);
    return *rest == '}' && *skip_space(rest + 1) == '\0';
}

static void get_temperature(const char *city, char result[RESULT_ROOM])
{
    static const struct {
        const char *city;
        double degrees;
    } temperatures[] = { { "Paris", 18.5 }, { "Oslo", 9 }, { "Cairo", 31 } };

    for (size_t i = 0; i < sizeof temperatures / sizeof *temperatures; i++) {
        if (strcmp(city, temperatures[i].city) == 0) {
            snprintf(result, RESULT_ROOM, "In %s it is %.1f degrees Celsius.", city, temperatures[i].degrees);
            return;
        }
    }
    snprintf(result, RESULT_ROOM, "The temperature in %s is not known.", city);
}

/* Runs what the model calls. A call that makes no sense is answered as well: the model can make something of that. */
static void run_call(const char *name, const char *arguments, char result[RESULT_ROOM])
{
    char city[NAME_ROOM];

    if (name == NULL || strcmp(name, "get_temperature") != 0)
        snprintf(result, RESULT_ROOM, "There is no such tool.");
    else if (arguments == NULL || !read_city(arguments, city))
        snprintf(result, RESULT_ROOM, "The arguments must be one city, without escaped characters.");
    else
        get_temperature(city, result);
}

/* A text that grows. Once there is no memory for it, `chars` is NULL and stays so. */
struct text {
    char *chars;
    size_t len, room;
};

static struct text make_text(void)
{
    struct text text = { malloc(256), 0, 256 };
    return text;
}

static void append(struct text *text, const char *chars, size_t len)
{
    if (text->chars == NULL || len == 0)
        return;
    if (len > text->room - text->len) {
        size_t room = 2 * text->room + len;
        char *larger = realloc(text->chars, room);
        if (larger == NULL)
            free(text->chars);
        text->chars = larger;
        text->room = room;
    }
    if (text->chars != NULL) {
        memcpy(text->chars + text->len, chars, len);
        text->len += len;
    }
}

static void append_json(struct text *text, const char *json)
{
    append(text, json, strlen(json));
}

/* Appends any UTF-8 as a string of JSON. */
static void append_string(struct text *text, const char *chars, size_t len)
{
    append_json(text, "\"");
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)chars[i];
        char escaped[8];

        if (c == '"' || c == '\\')
            snprintf(escaped, sizeof escaped, "\\%c", c);
        else if (c < 0x20)
            snprintf(escaped, sizeof escaped, "\\u%04x", c);
        else
            snprintf(escaped, sizeof escaped, "%c", c);
        append_json(text, escaped);
    }
    append_json(text, "\"");
}

/* Adds the message, if there was memory for it, and frees it. */
static mlflow_gateway_status add_message(mlflow_gateway_request *request, struct text *message,
                                         mlflow_gateway_error **error)
{
    mlflow_gateway_status status = MLFLOW_GATEWAY_OUT_OF_MEMORY;

    if (message->chars != NULL)
        status = mlflow_gateway_request_add_message_json(request, message->chars, message->len, error);
    free(message->chars);
    return status;
}

/* Adds what the model said: its tool calls, and all that it wrote beside them. */
static mlflow_gateway_status add_calls(mlflow_gateway_request *request, const mlflow_gateway_response *response,
                                       mlflow_gateway_error **error)
{
    size_t len = 0;
    const char *message = mlflow_gateway_response_message_json(response, 0, &len);

    return mlflow_gateway_request_add_message_json(request, message, len, error);
}

static mlflow_gateway_status add_result(mlflow_gateway_request *request, const char *id, const char *result,
                                        mlflow_gateway_error **error)
{
    struct text message = make_text();

    append_json(&message, "{\"role\": \"tool\", \"tool_call_id\": ");
    append_string(&message, id, strlen(id));
    append_json(&message, ", \"content\": ");
    append_string(&message, result, strlen(result));
    append_json(&message, "}");
    return add_message(request, &message, error);
}

/* Runs all calls of an answer, and adds them and their results to the request. */
static mlflow_gateway_status run_calls(mlflow_gateway_request *request, const mlflow_gateway_response *response,
                                       int verbose, mlflow_gateway_error **error)
{
    mlflow_gateway_status status = add_calls(request, response, error);
    size_t count = mlflow_gateway_response_tool_call_count(response, 0);

    for (size_t call = 0; status == MLFLOW_GATEWAY_OK && call < count; call++) {
        const char *id = mlflow_gateway_response_tool_call_id(response, 0, call);
        const char *name = mlflow_gateway_response_tool_call_name(response, 0, call);
        const char *arguments = mlflow_gateway_response_tool_call_arguments(response, 0, call, NULL);
        char result[RESULT_ROOM];

        run_call(name, arguments, result);
        if (verbose)
            fprintf(stderr, "%s(%s): %s\n", name ? name : "?", arguments ? arguments : "", result);
        status = add_result(request, id ? id : "", result, error);
    }
    return status;
}

/* The command line, understood. */
struct question {
    const char *uri, *route, *text;
    int verbose;
};

/* Asks, and where the answer is calls of tools, runs them and asks again. */
static mlflow_gateway_status ask(const struct question *question, mlflow_gateway_response **answer,
                                 mlflow_gateway_error **error)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_response *response = NULL;
    mlflow_gateway_status status = mlflow_gateway_create(question->route, question->uri, &gateway, error);

    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_request_create(&request, error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_request_add_message(request, "user", question->text, MLFLOW_GATEWAY_NUL_TERMINATED,
                                                    error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_request_set_param_json(request, "tools", TOOLS, MLFLOW_GATEWAY_NUL_TERMINATED, error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_send(gateway, request, &response, error);
    if (status == MLFLOW_GATEWAY_OK && mlflow_gateway_response_tool_call_count(response, 0) > 0) {
        status = run_calls(request, response, question->verbose, error);
        mlflow_gateway_response_destroy(response);
        response = NULL;
        if (status == MLFLOW_GATEWAY_OK)
            status = mlflow_gateway_send(gateway, request, &response, error);
    }
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    *answer = response;
    return status;
}

static enum exit_code answer(const struct question *question)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_response *response = NULL;
    enum exit_code code = exit_code_of(ask(question, &response, &error));
    size_t len = 0;
    const char *text = mlflow_gateway_response_text(response, 0, &len);

    if (code != EXIT_ANSWERED)
        fprintf(stderr, "tools: %s\n", error ? mlflow_gateway_error_message(error) : "there is no memory");
    else if (text == NULL) {
        fputs("tools: the model wrote no answer; it may want to call more tools\n", stderr);
        code = EXIT_WRONG_ANSWER;
    } else if (fwrite(text, 1, len, stdout) != len || putchar('\n') == EOF || fflush(stdout) != 0) {
        perror("tools: the answer could not be printed");
        code = EXIT_CANNOT_PRINT;
    }
    mlflow_gateway_response_destroy(response);
    mlflow_gateway_error_destroy(error);
    return code;
}

int main(int argc, char **argv)
{
    struct question question = { .route = "chat" };
    int option;

    while ((option = getopt(argc, argv, "u:r:vh")) != -1) {
        switch (option) {
        case 'u': question.uri = optarg; break;
        case 'r': question.route = optarg; break;
        case 'v': question.verbose = 1; break;
        case 'h': return fputs(USAGE, stdout) == EOF ? EXIT_CANNOT_PRINT : EXIT_ANSWERED;
        default: return wrong_use("see the usage below");
        }
    }
    if (optind + 1 != argc)
        return wrong_use(optind == argc ? "there is no question" : "there is more than one question; put it in quotes");
    question.text = argv[optind];
    return answer(&question);
}

/*
 * tools - lets a model use a function of this program, in as many rounds as it needs to answer a question.
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

/* Returns what the model is told of a call. One that makes no sense is answered as well: the model may try again. */
static const char *run_call(const char *name, const char *arguments)
{
    static const char *const TEMPERATURES[][2] = {
        { "Paris", "In Paris it is 18.5 degrees Celsius." },
        { "Oslo", "In Oslo it is 9.0 degrees Celsius." },
        { "Cairo", "In Cairo it is 31.0 degrees Celsius." },
    };
    const char *result = "The temperature in this city is not known.";
    char *city = NULL;
    int32_t kind = 0;

    if (name == NULL || strcmp(name, "get_temperature") != 0)
        return "There is no such tool.";
    /* What a model writes is not to be trusted: it may be no JSON at all. */
    if (mlflow_gateway_json_get(arguments, MLFLOW_GATEWAY_NUL_TERMINATED, "/city", &kind, &city, NULL, NULL) !=
            MLFLOW_GATEWAY_OK || kind != MLFLOW_GATEWAY_JSON_STRING)
        result = "The arguments must be JSON with a string \"city\".";
    else
        for (size_t i = 0; i < sizeof TEMPERATURES / sizeof *TEMPERATURES; i++)
            if (strcmp(city, TEMPERATURES[i][0]) == 0)
                result = TEMPERATURES[i][1];
    mlflow_gateway_string_free(city);
    return result;
}

/* Runs all tool calls of a response, and adds the response and their results to the request. */
static mlflow_gateway_status run_calls(mlflow_gateway_request *request, const mlflow_gateway_response *response,
                                       int verbose, mlflow_gateway_error **error)
{
    mlflow_gateway_status status = mlflow_gateway_request_add_response(request, response, 0, error);
    size_t count = mlflow_gateway_response_tool_call_count(response, 0);

    for (size_t call = 0; status == MLFLOW_GATEWAY_OK && call < count; call++) {
        const char *id = mlflow_gateway_response_tool_call_id(response, 0, call);
        const char *name = mlflow_gateway_response_tool_call_name(response, 0, call);
        const char *arguments = mlflow_gateway_response_tool_call_arguments(response, 0, call, NULL);
        const char *result = run_call(name, arguments);

        if (verbose)
            fprintf(stderr, "%s(%s): %s\n", name ? name : "?", arguments, result);
        status = mlflow_gateway_request_add_tool_result(request, id, result, MLFLOW_GATEWAY_NUL_TERMINATED, error);
    }
    return status;
}

/* The command line, understood. */
struct question {
    const char *uri, *route, *text;
    int verbose;
};

/* A model that calls tools for ever must not cost for ever. */
enum { MAX_ROUNDS = 8 };

/* Asks, and as long as the model calls tools, runs them and asks again. */
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
    for (int round = 0; round < MAX_ROUNDS; round++) {
        if (status != MLFLOW_GATEWAY_OK || mlflow_gateway_response_tool_call_count(response, 0) == 0)
            break;
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
        fputs("tools: the model wrote no answer, or still calls tools\n", stderr);
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

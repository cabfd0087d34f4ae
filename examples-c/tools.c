/*
 * tools - let a model call a function of this program, in one or more rounds.
 *
 * Only the final response is written to standard output; errors are written to standard error.
 */
#define _POSIX_C_SOURCE 200809L

#include <getopt.h>
#include <mlflow_ai_gateway.h>
#include <stdio.h>
#include <string.h>

enum exit_code {
    EXIT_OK = 0,
    EXIT_OUTPUT = 1,
    EXIT_USAGE = 2,
    EXIT_TRANSPORT = 3,
    EXIT_REFUSED = 4,
    EXIT_BAD_RESPONSE = 5,
    EXIT_INTERNAL = 6
};

#define SYNOPSIS "usage: tools [-u URI] [-r ROUTE] [-v] PROMPT\n"

static const char HELP[] =
    SYNOPSIS
    "\n"
    "Send a prompt to a model that may call the tool get_temperature, which is a\n"
    "function of this program, and print the final response.\n"
    "\n"
    "  -u URI      gateway URI; default: $MLFLOW_GATEWAY_URI,\n"
    "              $MLFLOW_DEPLOYMENTS_TARGET or $MLFLOW_TRACKING_URI\n"
    "  -r ROUTE    route (endpoint) of a model that supports tools; default: chat\n"
    "  -v          print each tool call and its result to standard error\n"
    "  -h, --help  show this help\n"
    "  PROMPT      for example: Is it warmer in Paris or in Oslo?\n"
    "\n"
    "exit status: 0 success, 1 output error, 2 usage error, 3 connection failed or\n"
    "timed out, 4 refused by the gateway or the model provider, 5 invalid response,\n"
    "6 internal error\n";

static const struct option LONG_OPTIONS[] = { { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };

/* The request parameter "tools": the functions that the model may call. */
static const char TOOLS[] =
    "[{\"type\": \"function\", \"function\": {"
    "\"name\": \"get_temperature\", \"description\": \"Get the current temperature in a city.\", "
    "\"parameters\": {\"type\": \"object\", \"properties\": {\"city\": {\"type\": \"string\"}}, "
    "\"required\": [\"city\"]}}}]";

/* Limits the cost of a model that never stops calling tools. */
enum { MAX_ROUNDS = 8 };

static enum exit_code exit_code_of(mlflow_gateway_status status)
{
    if (status == MLFLOW_GATEWAY_OK)
        return EXIT_OK;
    if (status < 20)
        return EXIT_USAGE;
    if (status < 40)
        return EXIT_TRANSPORT;
    if (status < 60)
        return EXIT_REFUSED;
    if (status < 80)
        return EXIT_BAD_RESPONSE;
    return EXIT_INTERNAL;
}

/* Prints a usage error. `message` is NULL if getopt_long() has printed one. */
static enum exit_code usage_error(const char *message)
{
    if (message != NULL)
        fprintf(stderr, "tools: %s\n", message);
    fputs(SYNOPSIS "Try 'tools --help' for more information.\n", stderr);
    return EXIT_USAGE;
}

/* Returns the result of a tool call. An invalid call also gets a result: the model can then correct it. */
static const char *run_tool(const char *name, const char *arguments)
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
    /* Models may write arguments that are not valid JSON. */
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

/* Runs all tool calls of a response. Adds the response and the results to the request. */
static mlflow_gateway_status run_tool_calls(mlflow_gateway_request *request, const mlflow_gateway_response *response,
                                            int verbose, mlflow_gateway_error **error)
{
    mlflow_gateway_status status = mlflow_gateway_request_add_response(request, response, 0, error);
    size_t count = mlflow_gateway_response_tool_call_count(response, 0);

    for (size_t call = 0; status == MLFLOW_GATEWAY_OK && call < count; call++) {
        const char *id = mlflow_gateway_response_tool_call_id(response, 0, call);
        const char *name = mlflow_gateway_response_tool_call_name(response, 0, call);
        const char *arguments = mlflow_gateway_response_tool_call_arguments(response, 0, call, NULL);
        const char *result = run_tool(name, arguments);

        if (verbose)
            fprintf(stderr, "%s(%s): %s\n", name ? name : "?", arguments, result);
        status = mlflow_gateway_request_add_tool_result(request, id, result, MLFLOW_GATEWAY_NUL_TERMINATED, error);
    }
    return status;
}

struct arguments {
    const char *uri, *route, *prompt;
    int verbose;
};

/* Sends the prompt. Runs tool calls and sends their results until a response has no tool calls. */
static mlflow_gateway_status complete(const struct arguments *arguments, mlflow_gateway_response **final,
                                      mlflow_gateway_error **error)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_response *response = NULL;
    mlflow_gateway_status status = mlflow_gateway_create(arguments->route, arguments->uri, &gateway, error);

    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_request_create(&request, error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_request_add_message(request, "user", arguments->prompt, MLFLOW_GATEWAY_NUL_TERMINATED,
                                                    error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_request_set_param_json(request, "tools", TOOLS, MLFLOW_GATEWAY_NUL_TERMINATED, error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_send(gateway, request, &response, error);
    for (int round = 0; round < MAX_ROUNDS; round++) {
        if (status != MLFLOW_GATEWAY_OK || mlflow_gateway_response_tool_call_count(response, 0) == 0)
            break;
        status = run_tool_calls(request, response, arguments->verbose, error);
        mlflow_gateway_response_destroy(response);
        response = NULL;
        if (status == MLFLOW_GATEWAY_OK)
            status = mlflow_gateway_send(gateway, request, &response, error);
    }
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    *final = response;
    return status;
}

/* Sends the prompt and prints the final response, or why it failed. */
static enum exit_code print_response(const struct arguments *arguments)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_response *response = NULL;
    enum exit_code code = exit_code_of(complete(arguments, &response, &error));
    size_t len = 0;
    const char *text = mlflow_gateway_response_text(response, 0, &len);

    if (code != EXIT_OK)
        fprintf(stderr, "tools: %s\n", mlflow_gateway_error_message(error));
    else if (text == NULL) {
        if (mlflow_gateway_response_tool_call_count(response, 0) != 0)
            fprintf(stderr, "tools: the model still calls tools after %d rounds\n", MAX_ROUNDS);
        else
            fputs("tools: the response has no text\n", stderr);
        code = EXIT_BAD_RESPONSE;
    } else if (fwrite(text, 1, len, stdout) != len || putchar('\n') == EOF || fflush(stdout) != 0) {
        perror("tools: cannot write to standard output");
        code = EXIT_OUTPUT;
    }
    mlflow_gateway_response_destroy(response);
    mlflow_gateway_error_destroy(error);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments arguments = { .route = "chat" };
    int option;

    while ((option = getopt_long(argc, argv, "+u:r:vh", LONG_OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'u': arguments.uri = optarg; break;
        case 'r': arguments.route = optarg; break;
        case 'v': arguments.verbose = 1; break;
        case 'h': return fputs(HELP, stdout) == EOF ? EXIT_OUTPUT : EXIT_OK;
        default: return usage_error(NULL);
        }
    }
    if (optind + 1 != argc)
        return usage_error(optind == argc ? "no prompt given" : "more than one prompt given; put it in quotes");
    arguments.prompt = argv[optind];
    return print_response(&arguments);
}

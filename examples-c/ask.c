/*
 * ask - send one prompt to an MLflow AI gateway and print the completion.
 *
 * Only the completion is written to standard output; errors are written to standard error. The exit status
 * shows why a request failed.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <getopt.h>
#include <mlflow_ai_gateway.h>
#include <stdio.h>
#include <stdlib.h>
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

#define SYNOPSIS "usage: ask [-u URI] [-r ROUTE] [-t TEMPERATURE] [-m MAX_TOKENS] [-s STOP]... PROMPT\n"

static const char HELP[] =
    SYNOPSIS
    "\n"
    "Send a prompt to an MLflow AI gateway and print the completion.\n"
    "\n"
    "  -u URI          gateway URI; default: $MLFLOW_GATEWAY_URI,\n"
    "                  $MLFLOW_DEPLOYMENTS_TARGET or $MLFLOW_TRACKING_URI\n"
    "  -r ROUTE        route (endpoint); default: completions\n"
    "  -t TEMPERATURE  sampling temperature, for example 0.7\n"
    "  -m MAX_TOKENS   maximum length of the completion, in tokens\n"
    "  -s STOP         stop sequence; may be repeated\n"
    "  -h, --help      show this help\n"
    "  PROMPT          the prompt, or - to read it from standard input\n"
    "\n"
    "exit status: 0 success, 1 output error, 2 usage error, 3 connection failed or\n"
    "timed out, 4 refused by the gateway or the model provider, 5 invalid response,\n"
    "6 internal error\n";

static const struct option LONG_OPTIONS[] = { { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };

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
        fprintf(stderr, "ask: %s\n", message);
    fputs(SYNOPSIS "Try 'ask --help' for more information.\n", stderr);
    return EXIT_USAGE;
}

/* Returns all of standard input, or NULL and an error message. */
static char *read_standard_input(const char **message)
{
    size_t size = 0, capacity = 4096;
    char *text = malloc(capacity);

    while (text != NULL) {
        size += fread(text + size, 1, capacity - size - 1, stdin);
        if (size < capacity - 1)
            break;
        char *larger = realloc(text, capacity *= 2);
        if (larger == NULL)
            free(text);
        text = larger;
    }
    if (text == NULL)
        *message = "out of memory while reading the prompt";
    else if (ferror(stdin))
        *message = "cannot read standard input";
    else if (memchr(text, '\0', size) != NULL)
        *message = "the prompt contains a NUL byte";
    else {
        text[size] = '\0';
        return text;
    }
    free(text);
    return NULL;
}

struct arguments {
    const char *uri, *route, *prompt;
    const char *temperature, *max_tokens;
    const char **stops;
    int stop_count;
};

/* Sends the prompt. The caller frees `text`. */
static mlflow_gateway_status complete(const struct arguments *arguments, char **text, size_t *len,
                                      mlflow_gateway_error **error)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_status status = mlflow_gateway_create(arguments->route, arguments->uri, &gateway, error);

    if (status == MLFLOW_GATEWAY_OK && arguments->temperature != NULL)
        status = mlflow_gateway_set_param_double(gateway, "temperature", strtod(arguments->temperature, NULL), error);
    if (status == MLFLOW_GATEWAY_OK && arguments->max_tokens != NULL)
        status = mlflow_gateway_set_param_int(gateway, "max_tokens", strtoll(arguments->max_tokens, NULL, 10), error);
    for (int i = 0; status == MLFLOW_GATEWAY_OK && i < arguments->stop_count; i++)
        status = mlflow_gateway_add_stop(gateway, arguments->stops[i], error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_call(gateway, arguments->prompt, text, len, error);
    mlflow_gateway_destroy(gateway);
    return status;
}

static int is_number(const char *text)
{
    char *end;
    strtod(text, &end);
    return *text != '\0' && *end == '\0';
}

static int is_integer(const char *text)
{
    char *end;
    errno = 0;
    strtoll(text, &end, 10);
    return *text != '\0' && *end == '\0' && errno == 0;
}

/* Sends the prompt and prints the completion, or why it failed. */
static enum exit_code print_completion(const struct arguments *arguments)
{
    mlflow_gateway_error *error = NULL;
    char *text = NULL;
    size_t len = 0;
    enum exit_code code = exit_code_of(complete(arguments, &text, &len, &error));

    if (code != EXIT_OK)
        fprintf(stderr, "ask: %s\n", mlflow_gateway_error_message(error));
    else if (fwrite(text, 1, len, stdout) != len || putchar('\n') == EOF || fflush(stdout) != 0) {
        perror("ask: cannot write to standard output");
        code = EXIT_OUTPUT;
    }
    mlflow_gateway_string_free(text);
    mlflow_gateway_error_destroy(error);
    return code;
}

static enum exit_code run(int argc, char **argv, struct arguments *arguments)
{
    int option;

    while ((option = getopt_long(argc, argv, "+u:r:t:m:s:h", LONG_OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'u': arguments->uri = optarg; break;
        case 'r': arguments->route = optarg; break;
        case 't': arguments->temperature = optarg; break;
        case 'm': arguments->max_tokens = optarg; break;
        case 's': arguments->stops[arguments->stop_count++] = optarg; break;
        case 'h': return fputs(HELP, stdout) == EOF ? EXIT_OUTPUT : EXIT_OK;
        default: return usage_error(NULL);
        }
    }
    if (optind + 1 != argc)
        return usage_error(optind == argc ? "no prompt given" : "more than one prompt given; put it in quotes");
    if (arguments->temperature != NULL && !is_number(arguments->temperature))
        return usage_error("TEMPERATURE is not a number");
    if (arguments->max_tokens != NULL && !is_integer(arguments->max_tokens))
        return usage_error("MAX_TOKENS is not an integer");

    if (strcmp(argv[optind], "-") != 0) {
        arguments->prompt = argv[optind];
        return print_completion(arguments);
    }
    const char *message = NULL;
    char *prompt = read_standard_input(&message);
    if (prompt == NULL)
        return usage_error(message);
    arguments->prompt = prompt;
    enum exit_code code = print_completion(arguments);
    free(prompt);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments arguments = { .route = "completions" };

    /* There are fewer stop sequences than command-line arguments. */
    arguments.stops = calloc((size_t)argc + 1, sizeof *arguments.stops);
    if (arguments.stops == NULL) {
        fputs("ask: out of memory\n", stderr);
        return EXIT_INTERNAL;
    }
    enum exit_code code = run(argc, argv, &arguments);
    free(arguments.stops);
    return code;
}

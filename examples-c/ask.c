/*
 * ask - one question to an MLflow AI Gateway, for people and scripts.
 *
 * The answer goes to standard output and nothing else does; what went wrong goes to standard error.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
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
    "usage: ask [-u URI] [-r ROUTE] [-t TEMPERATURE] [-m MAX_TOKENS] [-s STOP]... PROMPT\n"
    "\n"
    "  -u URI          the gateway's URI; without it, the environment variable\n"
    "                  MLFLOW_GATEWAY_URI or MLFLOW_DEPLOYMENTS_TARGET says it\n"
    "  -r ROUTE        the route (endpoint) to ask; default: completions\n"
    "  -t TEMPERATURE  how freely the model chooses its words, for example 0.7\n"
    "  -m MAX_TOKENS   the longest answer, in tokens\n"
    "  -s STOP         a text before which the answer ends; may be given again\n"
    "  PROMPT          the question; - reads it from standard input\n"
    "\n"
    "exit status: 0 answered, 1 the answer could not be printed, 2 wrong use,\n"
    "3 no connection or no answer in time, 4 the gateway refused,\n"
    "5 the gateway's answer was wrong, 6 a fault in this program\n";

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
    fprintf(stderr, "ask: %s\n\n%s", problem, USAGE);
    return EXIT_USAGE;
}

/* All of standard input as a string, or NULL with `problem` set. */
static char *read_standard_input(const char **problem)
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
        *problem = "there is no memory for the prompt";
    else if (ferror(stdin))
        *problem = "standard input cannot be read";
    else if (memchr(text, '\0', size) != NULL)
        *problem = "the prompt holds a NUL byte";
    else {
        text[size] = '\0';
        return text;
    }
    free(text);
    return NULL;
}

/* The command line, understood. */
struct question {
    const char *uri, *route, *prompt;
    const char *temperature, *max_tokens;
    const char **stops;
    int stop_count;
};

static mlflow_gateway_status ask(const struct question *question, char **text, size_t *len, mlflow_gateway_error **error)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_status status = mlflow_gateway_create(question->route, question->uri, &gateway, error);

    if (status == MLFLOW_GATEWAY_OK && question->temperature != NULL)
        status = mlflow_gateway_set_param_double(gateway, "temperature", strtod(question->temperature, NULL), error);
    if (status == MLFLOW_GATEWAY_OK && question->max_tokens != NULL)
        status = mlflow_gateway_set_param_int(gateway, "max_tokens", strtoll(question->max_tokens, NULL, 10), error);
    for (int i = 0; status == MLFLOW_GATEWAY_OK && i < question->stop_count; i++)
        status = mlflow_gateway_add_stop(gateway, question->stops[i], error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_call(gateway, question->prompt, text, len, error);
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

static enum exit_code answer(const struct question *question)
{
    mlflow_gateway_error *error = NULL;
    char *text = NULL;
    size_t len = 0;
    enum exit_code code = exit_code_of(ask(question, &text, &len, &error));

    if (code != EXIT_ANSWERED)
        fprintf(stderr, "ask: %s\n", mlflow_gateway_error_message(error));
    else if (fwrite(text, 1, len, stdout) != len || putchar('\n') == EOF || fflush(stdout) != 0) {
        perror("ask: the answer could not be printed");
        code = EXIT_CANNOT_PRINT;
    }
    mlflow_gateway_string_free(text);
    mlflow_gateway_error_destroy(error);
    return code;
}

static enum exit_code run(int argc, char **argv, struct question *question)
{
    int option;

    while ((option = getopt(argc, argv, "u:r:t:m:s:h")) != -1) {
        switch (option) {
        case 'u': question->uri = optarg; break;
        case 'r': question->route = optarg; break;
        case 't': question->temperature = optarg; break;
        case 'm': question->max_tokens = optarg; break;
        case 's': question->stops[question->stop_count++] = optarg; break;
        case 'h': return fputs(USAGE, stdout) == EOF ? EXIT_CANNOT_PRINT : EXIT_ANSWERED;
        default: return wrong_use("see the usage below");
        }
    }
    if (optind + 1 != argc)
        return wrong_use(optind == argc ? "there is no prompt" : "there is more than one prompt; put it in quotes");
    if (question->temperature != NULL && !is_number(question->temperature))
        return wrong_use("TEMPERATURE is not a number");
    if (question->max_tokens != NULL && !is_integer(question->max_tokens))
        return wrong_use("MAX_TOKENS is not an integer");

    if (strcmp(argv[optind], "-") != 0) {
        question->prompt = argv[optind];
        return answer(question);
    }
    const char *problem = NULL;
    char *prompt = read_standard_input(&problem);
    if (prompt == NULL)
        return wrong_use(problem);
    question->prompt = prompt;
    enum exit_code code = answer(question);
    free(prompt);
    return code;
}

int main(int argc, char **argv)
{
    struct question question = { .route = "completions" };

    /* There cannot be more stops than arguments. */
    question.stops = calloc((size_t)argc + 1, sizeof *question.stops);
    if (question.stops == NULL) {
        fputs("ask: there is no memory\n", stderr);
        return EXIT_FAULT;
    }
    enum exit_code code = run(argc, argv, &question);
    free(question.stops);
    return code;
}

/*
 * embed - compare sentences by the cosine similarity of their embeddings.
 *
 * Only the table is written to standard output; errors are written to standard error.
 */
#define _POSIX_C_SOURCE 200809L

#include <getopt.h>
#include <math.h>
#include <mlflow_ai_gateway.h>
#include <stdio.h>

enum exit_code {
    EXIT_OK = 0,
    EXIT_OUTPUT = 1,
    EXIT_USAGE = 2,
    EXIT_TRANSPORT = 3,
    EXIT_REFUSED = 4,
    EXIT_BAD_RESPONSE = 5,
    EXIT_INTERNAL = 6
};

#define SYNOPSIS "usage: embed [-u URI] [-r ROUTE] SENTENCE SENTENCE...\n"

static const char HELP[] =
    SYNOPSIS
    "\n"
    "Create embeddings of two or more sentences and print a table of their cosine\n"
    "similarities: 1 for the same meaning, 0 for unrelated sentences.\n"
    "\n"
    "  -u URI      gateway URI; default: $MLFLOW_GATEWAY_URI,\n"
    "              $MLFLOW_DEPLOYMENTS_TARGET or $MLFLOW_TRACKING_URI\n"
    "  -r ROUTE    route (endpoint); default: embeddings\n"
    "  -h, --help  show this help\n"
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
        fprintf(stderr, "embed: %s\n", message);
    fputs(SYNOPSIS "Try 'embed --help' for more information.\n", stderr);
    return EXIT_USAGE;
}

struct arguments {
    const char *uri, *route;
    char **sentences;
    int sentence_count;
};

/* Creates the embeddings of all sentences. The library splits them into batches that the gateway accepts. */
static mlflow_gateway_status embed(const struct arguments *arguments, mlflow_gateway_embeddings **embeddings,
                                   mlflow_gateway_error **error)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_status status = mlflow_gateway_create(arguments->route, arguments->uri, &gateway, error);

    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_request_create(&request, error);
    for (int i = 0; status == MLFLOW_GATEWAY_OK && i < arguments->sentence_count; i++)
        status = mlflow_gateway_request_add_input(request, arguments->sentences[i], MLFLOW_GATEWAY_NUL_TERMINATED,
                                                  error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_embed(gateway, request, embeddings, error);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return status;
}

/* Returns the cosine of the angle between two embeddings, or 0 if one of them has length 0. */
static double cosine(const float *a, const float *b, size_t dimension)
{
    double product = 0, square_a = 0, square_b = 0;

    for (size_t i = 0; i < dimension; i++) {
        product += (double)a[i] * b[i];
        square_a += (double)a[i] * a[i];
        square_b += (double)b[i] * b[i];
    }
    return square_a > 0 && square_b > 0 ? product / sqrt(square_a * square_b) : 0;
}

static void print_table(const mlflow_gateway_embeddings *embeddings, char **sentences)
{
    size_t count = mlflow_gateway_embeddings_count(embeddings);
    size_t dimension = mlflow_gateway_embeddings_dimension(embeddings);
    const float *floats = mlflow_gateway_embeddings_data(embeddings);

    fputs("    ", stdout);
    for (size_t column = 0; column < count; column++)
        printf("%7zu", column + 1);
    putchar('\n');
    for (size_t row = 0; row < count; row++) {
        printf("%4zu", row + 1);
        for (size_t column = 0; column < count; column++)
            printf("%7.3f", cosine(floats + row * dimension, floats + column * dimension, dimension));
        printf("  %s\n", sentences[row]);
    }
}

/* Compares the sentences and prints the table, or why it failed. */
static enum exit_code compare(const struct arguments *arguments)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_embeddings *embeddings = NULL;
    enum exit_code code = exit_code_of(embed(arguments, &embeddings, &error));

    if (code != EXIT_OK)
        fprintf(stderr, "embed: %s\n", mlflow_gateway_error_message(error));
    else {
        print_table(embeddings, arguments->sentences);
        if (fflush(stdout) != 0 || ferror(stdout)) {
            perror("embed: cannot write to standard output");
            code = EXIT_OUTPUT;
        }
    }
    mlflow_gateway_embeddings_destroy(embeddings);
    mlflow_gateway_error_destroy(error);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments arguments = { .route = "embeddings" };
    int option;

    while ((option = getopt_long(argc, argv, "+u:r:h", LONG_OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'u': arguments.uri = optarg; break;
        case 'r': arguments.route = optarg; break;
        case 'h': return fputs(HELP, stdout) == EOF ? EXIT_OUTPUT : EXIT_OK;
        default: return usage_error(NULL);
        }
    }
    arguments.sentences = argv + optind;
    arguments.sentence_count = argc - optind;
    if (arguments.sentence_count < 2)
        return usage_error("at least two sentences are required");
    return compare(&arguments);
}

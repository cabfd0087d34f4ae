/*
 * embed - how alike sentences are in meaning: the cosine similarity of their embeddings.
 *
 * The table goes to standard output and nothing else does; what went wrong goes to standard error.
 */
#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <mlflow_ai_gateway.h>
#include <stdio.h>
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
    "usage: embed [-u URI] [-r ROUTE] SENTENCE SENTENCE...\n"
    "\n"
    "  -u URI    the gateway's URI; without it, the environment variable\n"
    "            MLFLOW_GATEWAY_URI or MLFLOW_DEPLOYMENTS_TARGET says it\n"
    "  -r ROUTE  the route (endpoint) to ask; default: embeddings\n"
    "  SENTENCE  what to compare: each with each other\n"
    "\n"
    "It prints a table of their cosine similarities: 1 is the same meaning, 0 none\n"
    "in common.\n"
    "\n"
    "exit status: 0 answered, 1 the table could not be printed, 2 wrong use,\n"
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
    fprintf(stderr, "embed: %s\n\n%s", problem, USAGE);
    return EXIT_USAGE;
}

/* The command line, understood. */
struct question {
    const char *uri, *route;
    char **sentences;
    int sentence_count;
};

/* The vectors of all sentences, in their order. The library splits them into requests that the gateway can take. */
static mlflow_gateway_status embed(const struct question *question, mlflow_gateway_embeddings **embeddings,
                                   mlflow_gateway_error **error)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_status status = mlflow_gateway_create(question->route, question->uri, &gateway, error);

    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_request_create(&request, error);
    for (int i = 0; status == MLFLOW_GATEWAY_OK && i < question->sentence_count; i++)
        status = mlflow_gateway_request_add_input(request, question->sentences[i], MLFLOW_GATEWAY_NUL_TERMINATED,
                                                  error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_embed(gateway, request, embeddings, error);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return status;
}

/* The cosine of the angle between two vectors; 0 where one of them has no direction. */
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
    const float *vectors = mlflow_gateway_embeddings_data(embeddings);

    fputs("    ", stdout);
    for (size_t column = 0; column < count; column++)
        printf("%7zu", column + 1);
    putchar('\n');
    for (size_t row = 0; row < count; row++) {
        printf("%4zu", row + 1);
        for (size_t column = 0; column < count; column++)
            printf("%7.3f", cosine(vectors + row * dimension, vectors + column * dimension, dimension));
        printf("  %s\n", sentences[row]);
    }
}

static enum exit_code answer(const struct question *question)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_embeddings *embeddings = NULL;
    enum exit_code code = exit_code_of(embed(question, &embeddings, &error));

    if (code != EXIT_ANSWERED)
        fprintf(stderr, "embed: %s\n", mlflow_gateway_error_message(error));
    else {
        print_table(embeddings, question->sentences);
        if (fflush(stdout) != 0 || ferror(stdout)) {
            perror("embed: the table could not be printed");
            code = EXIT_CANNOT_PRINT;
        }
    }
    mlflow_gateway_embeddings_destroy(embeddings);
    mlflow_gateway_error_destroy(error);
    return code;
}

int main(int argc, char **argv)
{
    struct question question = { .route = "embeddings" };
    int option;

    while ((option = getopt(argc, argv, "u:r:h")) != -1) {
        switch (option) {
        case 'u': question.uri = optarg; break;
        case 'r': question.route = optarg; break;
        case 'h': return fputs(USAGE, stdout) == EOF ? EXIT_CANNOT_PRINT : EXIT_ANSWERED;
        default: return wrong_use("see the usage below");
        }
    }
    question.sentences = argv + optind;
    question.sentence_count = argc - optind;
    if (question.sentence_count < 2)
        return wrong_use("there must be at least two sentences to compare");
    return answer(&question);
}

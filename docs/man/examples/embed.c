/* Create embeddings of two sentences. */
#include <mlflow_ai_gateway.h>
#include <stdio.h>
#include <stdlib.h>

static mlflow_gateway_error *error;

/* Ends the program if a call failed. */
static void check(mlflow_gateway_status status)
{
    if (status != MLFLOW_GATEWAY_OK) {
        fprintf(stderr, "%s\n", mlflow_gateway_error_message(error));
        exit(1);
    }
}

int main(void)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_embeddings *embeddings = NULL;
    const size_t measure = MLFLOW_GATEWAY_NUL_TERMINATED;

    check(mlflow_gateway_create("embeddings", NULL, &gateway, &error));
    check(mlflow_gateway_request_create(&request, &error));
    check(mlflow_gateway_request_add_input(
        request, "A cat.", measure, &error));
    check(mlflow_gateway_request_add_input(
        request, "A dog.", measure, &error));
    check(mlflow_gateway_embed(gateway, request, &embeddings, &error));

    size_t count = mlflow_gateway_embeddings_count(embeddings);
    size_t dimension = mlflow_gateway_embeddings_dimension(embeddings);
    const float *data = mlflow_gateway_embeddings_data(embeddings);
    for (size_t i = 0; i < count; i++)
        printf("embedding %zu begins with %g\n", i, data[i * dimension]);

    float *copy = calloc(count * dimension, sizeof *copy);
    check(mlflow_gateway_embeddings_copy_to(
        embeddings, copy, count * dimension, &error));
    const char *model = mlflow_gateway_embeddings_model(embeddings);
    printf("%zu floats of %s for %lld tokens\n", count * dimension,
        model != NULL ? model : "a model",
        (long long)mlflow_gateway_embeddings_tokens(
            embeddings, MLFLOW_GATEWAY_TOKENS_INPUT));

    free(copy);
    mlflow_gateway_embeddings_destroy(embeddings);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return 0;
}

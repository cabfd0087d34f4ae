/* Keep the result of each request of a queue, and show the progress. */
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

/* The result of a request. Only one of them is not NULL. */
static mlflow_gateway_response *response;
static mlflow_gateway_embeddings *embeddings;
static mlflow_gateway_error *failure;

static void keep(mlflow_gateway_completion *done)
{
    if (mlflow_gateway_completion_embeddings(done) != NULL)
        embeddings = mlflow_gateway_completion_take_embeddings(done);
    else if (mlflow_gateway_completion_error(done) != NULL)
        failure = mlflow_gateway_completion_take_error(done);
    else
        response = mlflow_gateway_completion_take_response(done);
}

int main(void)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_queue *queue = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_completion *done = NULL;
    mlflow_gateway_status status;

    check(mlflow_gateway_create("embeddings", NULL, &gateway, &error));
    check(mlflow_gateway_queue_create(gateway, &queue, &error));
    check(mlflow_gateway_request_create(&request, &error));
    check(mlflow_gateway_request_add_input(
        request, "A cat.", MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    check(mlflow_gateway_queue_submit(
        queue, request, MLFLOW_GATEWAY_SUBMIT_EMBED, 0, &error));
    mlflow_gateway_queue_close(queue);

    while ((status = mlflow_gateway_queue_next(queue, 1000, &done,
                &error)) != MLFLOW_GATEWAY_QUEUE_END) {
        if (status == MLFLOW_GATEWAY_PENDING) {
            printf("%zu wait, %zu are in flight\n",
                mlflow_gateway_queue_count(
                    queue, MLFLOW_GATEWAY_QUEUE_COUNT_WAITING),
                mlflow_gateway_queue_count(
                    queue, MLFLOW_GATEWAY_QUEUE_COUNT_IN_FLIGHT));
            continue;
        }
        check(status);
        keep(done);
        mlflow_gateway_completion_destroy(done);
    }
    printf("%zu embeddings, %s\n",
        mlflow_gateway_embeddings_count(embeddings),
        failure != NULL ? mlflow_gateway_error_message(failure)
                        : "no failure");

    mlflow_gateway_response_destroy(response);
    mlflow_gateway_embeddings_destroy(embeddings);
    mlflow_gateway_error_destroy(failure);
    mlflow_gateway_queue_destroy(queue);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return 0;
}

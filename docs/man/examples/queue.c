/* Send several prompts at once, and print the responses as they come. */
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

static const char *const CITIES[] = { "Paris", "Rome", "Oslo" };

int main(void)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_queue *queue = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_completion *done = NULL;

    check(mlflow_gateway_create("chat", NULL, &gateway, &error));
    check(mlflow_gateway_queue_create(gateway, &queue, &error));
    check(mlflow_gateway_request_create(&request, &error));
    for (uint64_t city = 0; city < 3; city++) {
        /* Each submit copies the request. */
        check(mlflow_gateway_request_set_prompt(request, CITIES[city],
            MLFLOW_GATEWAY_NUL_TERMINATED, &error));
        check(mlflow_gateway_queue_submit(queue, request,
            MLFLOW_GATEWAY_SUBMIT_SEND, city, &error));
    }
    mlflow_gateway_queue_close(queue);
    while (mlflow_gateway_queue_next(queue, -1, &done, &error) ==
           MLFLOW_GATEWAY_OK) {
        uint64_t city = mlflow_gateway_completion_tag(done);
        const char *text =
            mlflow_gateway_completion_status(done) == MLFLOW_GATEWAY_OK
                ? mlflow_gateway_response_text(
                      mlflow_gateway_completion_response(done), 0, NULL)
                : mlflow_gateway_error_message(
                      mlflow_gateway_completion_error(done));
        printf(
            "%s: %s\n", CITIES[city], text != NULL ? text : "no text");
        mlflow_gateway_completion_destroy(done);
    }

    mlflow_gateway_queue_destroy(queue);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return 0;
}

/* Print two streams in one event loop. Enter on standard input cancels. */
#include <mlflow_ai_gateway.h>
#include <poll.h>
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

static void print(const mlflow_gateway_completion *completion)
{
    unsigned tag = (unsigned)mlflow_gateway_completion_tag(completion);

    if (mlflow_gateway_completion_kind(completion) ==
        MLFLOW_GATEWAY_COMPLETION_DONE) {
        printf("%u: %s\n", tag,
            mlflow_gateway_status_name(
                mlflow_gateway_completion_status(completion)));
        return;
    }
    const mlflow_gateway_event *event =
        mlflow_gateway_completion_event(completion);
    if (mlflow_gateway_event_kind(event) == MLFLOW_GATEWAY_EVENT_TEXT)
        printf("%u: %s\n", tag, mlflow_gateway_event_text(event, NULL));
}

int main(void)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_queue *queue = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_completion *completion = NULL;
    mlflow_gateway_status status = MLFLOW_GATEWAY_PENDING;
    struct pollfd polled[2] = { { -1, POLLIN, 0 }, { 0, POLLIN, 0 } };

    check(mlflow_gateway_create("chat", NULL, &gateway, &error));
    check(mlflow_gateway_request_create(&request, &error));
    check(mlflow_gateway_request_set_prompt(
        request, "Hello", MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    check(mlflow_gateway_queue_create(gateway, &queue, &error));
    check(mlflow_gateway_queue_set_option(
        queue, "max_in_flight", "2", &error));
    for (uint64_t tag = 0; tag < 2; tag++)
        check(mlflow_gateway_queue_submit(queue, request,
            MLFLOW_GATEWAY_SUBMIT_STREAM, tag, &error));
    mlflow_gateway_queue_close(queue);

    check(mlflow_gateway_queue_fd(queue, &polled[0].fd, &error));
    while (status == MLFLOW_GATEWAY_PENDING) {
        poll(polled, 2, -1);
        if (polled[1].revents != 0) {
            polled[1].fd = -1; /* no longer polled */
            if (getchar() == '\n')
                for (uint64_t tag = 0; tag < 2; tag++)
                    mlflow_gateway_queue_cancel(queue, tag);
        }
        while ((status = mlflow_gateway_queue_next(queue, 0, &completion,
                    &error)) == MLFLOW_GATEWAY_OK) {
            print(completion);
            mlflow_gateway_completion_destroy(completion);
        }
    }
    if (status != MLFLOW_GATEWAY_QUEUE_END)
        check(status);

    mlflow_gateway_queue_destroy(queue);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return 0;
}

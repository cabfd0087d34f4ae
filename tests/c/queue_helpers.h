/* One-line uses of a queue. */
#ifndef QUEUE_HELPERS_H
#define QUEUE_HELPERS_H

#include "call_helpers.h"

static inline mlflow_gateway_queue *make_queue(mlflow_gateway *gateway, const char *max_in_flight)
{
    mlflow_gateway_queue *queue = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_queue_create(gateway, &queue, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_queue_set_option(queue, "max_in_flight", max_in_flight, &error));
    return queue;
}

/* Submits a request with this prompt. Returns OK or QUEUE_FULL. */
static inline mlflow_gateway_status submit(mlflow_gateway_queue *queue, int32_t how, const char *prompt, uint64_t tag)
{
    mlflow_gateway_request *request = make_request(prompt, NULL);
    mlflow_gateway_error *error = NULL;

    mlflow_gateway_status status = mlflow_gateway_queue_submit(queue, request, how, tag, &error);
    CHECK(error == NULL && (status == MLFLOW_GATEWAY_OK || status == MLFLOW_GATEWAY_QUEUE_FULL));
    mlflow_gateway_request_destroy(request);
    return status;
}

/* Fetches the next completion; NULL if there is none in time, or no more. */
static inline mlflow_gateway_completion *fetch(mlflow_gateway_queue *queue, int64_t timeout_ms)
{
    mlflow_gateway_completion *completion = NULL;
    mlflow_gateway_error *error = NULL;

    mlflow_gateway_status status = mlflow_gateway_queue_next(queue, timeout_ms, &completion, &error);
    CHECK(error == NULL && (completion != NULL) == (status == MLFLOW_GATEWAY_OK));
    CHECK(status == MLFLOW_GATEWAY_OK || status == MLFLOW_GATEWAY_PENDING || status == MLFLOW_GATEWAY_QUEUE_END);
    return completion;
}

static inline bool is_done(const mlflow_gateway_completion *completion)
{
    return mlflow_gateway_completion_kind(completion) == MLFLOW_GATEWAY_COMPLETION_DONE;
}

/* Checks that the text of the response of a DONE is this one. */
static inline void check_done(const mlflow_gateway_completion *completion, const char *text)
{
    CHECK(is_done(completion));
    if (mlflow_gateway_completion_status(completion) != MLFLOW_GATEWAY_OK)
        fprintf(stderr, "%s\n", mlflow_gateway_error_message(mlflow_gateway_completion_error(completion)));
    CHECK(mlflow_gateway_completion_status(completion) == MLFLOW_GATEWAY_OK);
    CHECK(mlflow_gateway_completion_error(completion) == NULL);
    CHECK(strcmp(mlflow_gateway_response_text(mlflow_gateway_completion_response(completion), 0, NULL), text) == 0);
}

#endif

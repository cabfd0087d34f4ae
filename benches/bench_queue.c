/*
 * This library's queue: one thread submits and fetches.
 *
 * usage: bench_queue URL CALLS [IN_FLIGHT]
 * With one in flight, which is the default, a request is submitted after the previous one was fetched. With more,
 * requests are submitted until the queue is full.
 */
#include "completions_request.h"
#include "ours.h"
#include "process.h"

#include <stdio.h>
#include <stdlib.h>

#define WARM_UP_EACH 100

static mlflow_gateway *gateway;
static mlflow_gateway_request *request;
static mlflow_gateway_queue *queue;

static void open_queue(const char *url, const char *in_flight)
{
    mlflow_gateway_error *error = NULL;

    open_request(url, &gateway, &request);
    check(mlflow_gateway_queue_create(gateway, &queue, &error), &error);
    check(mlflow_gateway_queue_set_option(queue, "max_in_flight", in_flight, &error), &error);
}

static void close_queue(void)
{
    mlflow_gateway_queue_destroy(queue);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
}

/* Submits up to `count` requests, and returns how many the queue has taken. */
static long submit(long count)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_status status = MLFLOW_GATEWAY_OK;
    long submitted = 0;

    while (submitted < count) {
        status = mlflow_gateway_queue_submit(queue, request, MLFLOW_GATEWAY_SUBMIT_SEND, 0, &error);
        if (status == MLFLOW_GATEWAY_QUEUE_FULL)
            break;
        check(status, &error);
        submitted++;
    }
    return submitted;
}

static void fetch(void)
{
    mlflow_gateway_completion *completion = NULL;
    mlflow_gateway_error *error = NULL;

    check(mlflow_gateway_queue_next(queue, -1, &completion, &error), &error);
    if (mlflow_gateway_completion_status(completion) != MLFLOW_GATEWAY_OK)
        fail("completion", mlflow_gateway_error_message(mlflow_gateway_completion_error(completion)));
    check_text(mlflow_gateway_completion_response(completion));
    mlflow_gateway_completion_destroy(completion);
}

static void make_calls(long calls, int is_one_at_a_time)
{
    for (long fetched = 0, submitted = 0; fetched < calls; fetched++) {
        submitted += submit(is_one_at_a_time ? 1 : calls - submitted);
        fetch();
    }
}

int main(int argc, char **argv)
{
    if (argc < 3)
        fail("usage", "bench_queue URL CALLS [IN_FLIGHT]");
    const char *in_flight = argc > 3 ? argv[3] : "1";
    long calls = atol(argv[2]), at_once = atol(in_flight);

    open_queue(argv[1], in_flight);
    make_calls(WARM_UP_EACH * at_once, at_once == 1);
    long before = resident_kib();
    double start = now();
    make_calls(calls, at_once == 1);
    double seconds = now() - start;
    printf("{\"seconds\": %.9f, \"calls\": %ld, \"resident_kib\": [%ld, %ld]}\n", seconds, calls, before,
           resident_kib());
    close_queue();
    return 0;
}

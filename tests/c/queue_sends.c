/*
 * Sends many prompts through one queue, on one thread, and checks that each gets its own response.
 *
 * usage: queue_sends URI PROMPTS MILLISECONDS [NAME=VALUE]...
 *   Submits PROMPTS prompts; no more after MILLISECONDS, if that is not 0.
 *   NAME is an option of the queue, or "handle." with an option of the handle.
 *   out, as JSON: the time in seconds, the number of responses in each tenth of a second, the number of retries, and the
 *   resident memory in KiB after a tenth of the prompts, after half of them and at the end
 */
#define _POSIX_C_SOURCE 200809L

#include "process_state.h"
#include "queue_load.h"

#define TENTH_NS 100000000
#define MAX_TENTHS 10000

static long done_in_tenth[MAX_TENTHS];

static void check_response(const mlflow_gateway_completion *completion)
{
    const char *text = mlflow_gateway_response_text(mlflow_gateway_completion_response(completion), 0, NULL);

    CHECK(text != NULL && strtoull(text, NULL, 10) == mlflow_gateway_completion_tag(completion));
}

int main(int argc, char **argv)
{
    mlflow_gateway_completion *completion;
    mlflow_gateway_queue *queue = NULL;

    CHECK(argc >= 4);
    long prompts = atol(argv[2]), submitted = 0, done = 0, retries = 0, early_kib = 0, middle_kib = 0;
    uint64_t limit_ns = 1000000 * strtoull(argv[3], NULL, 10), start = now_ns();
    char *is_done = calloc((size_t)prompts, 1);
    raise_descriptor_limit(DESCRIPTORS_FOR(4096));
    mlflow_gateway *gateway = open_queue(argv[1], argv + 4, &queue);

    for (bool is_closed = false;;) {
        while (submitted < prompts && submit_tag(queue, MLFLOW_GATEWAY_SUBMIT_SEND, (uint64_t)submitted))
            submitted++;
        if (!is_closed && (submitted == prompts || (limit_ns > 0 && now_ns() - start > limit_ns))) {
            prompts = submitted;
            is_closed = true;
            mlflow_gateway_queue_close(queue);
        }
        completion = next_completion(queue);
        if (completion == NULL)
            break;
        uint64_t tag = mlflow_gateway_completion_tag(completion), tenth = (now_ns() - start) / TENTH_NS;
        check_completion(completion);
        check_response(completion);
        CHECK(tag < (uint64_t)prompts && !is_done[tag] && tenth < MAX_TENTHS);
        is_done[tag] = 1;
        done_in_tenth[tenth]++;
        retries += (long)mlflow_gateway_response_retry_count(mlflow_gateway_completion_response(completion));
        mlflow_gateway_completion_destroy(completion);
        if (++done == prompts / 10)
            early_kib = resident_kib();
        if (done == prompts / 2)
            middle_kib = resident_kib();
    }
    uint64_t took = now_ns() - start;
    CHECK(done == prompts);
    printf("{\"seconds\": %.6f, \"done\": %ld, \"retries\": %ld, \"resident_kib\": [%ld, %ld, %ld], \"tenths\": [",
           1e-9 * (double)took, done, retries, early_kib, middle_kib, resident_kib());
    for (uint64_t i = 0; i <= took / TENTH_NS && i < MAX_TENTHS; i++)
        printf("%s%ld", i == 0 ? "" : ", ", done_in_tenth[i]);
    printf("]}\n");
    mlflow_gateway_queue_destroy(queue);
    mlflow_gateway_destroy(gateway);
    free(is_done);
    return 0;
}

/*
 * Fetches many streams at once from one queue, on one thread, and checks that each event comes once and in order.
 *
 * usage: queue_streams URI STREAMS EVENTS SLEEP_MS [NAME=VALUE]...
 *   Of EVENTS events in each stream. After half of all events the program fetches nothing for SLEEP_MS.
 *   NAME is an option of the queue, or "handle." with an option of the handle.
 *   out, as JSON: how late events were fetched after the server sent them, in microseconds (percentiles 50, 99, 99.9 and
 *   100, without those of the first tenth of all events and those after a sleep); the resident memory in KiB before the
 *   first submit, after half of the events, in the middle of the sleep, and at its end; and the number of threads
 */
#define _POSIX_C_SOURCE 200809L

#include "process_state.h"
#include "queue_load.h"

static int compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return (a > b) - (a < b);
}

static uint32_t at_fraction(const uint32_t *sorted, long count, double fraction)
{
    return count == 0 ? 0 : sorted[(long)((double)(count - 1) * fraction)];
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

int main(int argc, char **argv)
{
    mlflow_gateway_completion *completion;
    mlflow_gateway_queue *queue = NULL;

    CHECK(argc >= 5);
    long streams = atol(argv[2]), each = atol(argv[3]), sleep = atol(argv[4]), all = streams * each;
    long *next = calloc((size_t)streams, sizeof *next);
    uint32_t *late_us = calloc((size_t)all, sizeof *late_us);
    CHECK(next != NULL && late_us != NULL);
    memset(late_us, 1, (size_t)all * sizeof *late_us); /* its memory is resident before the first measurement */
    raise_descriptor_limit(DESCRIPTORS_FOR((rlim_t)streams));
    mlflow_gateway *gateway = open_queue(argv[1], argv + 5, &queue);
    long events = 0, measured = 0, done = 0, threads = 0, half_kib = 0, asleep_kib = 0, slept_kib = 0;
    long before_kib = resident_kib();

    for (long i = 0; i < streams; i++)
        CHECK(submit_tag(queue, MLFLOW_GATEWAY_SUBMIT_STREAM, (uint64_t)i));
    mlflow_gateway_queue_close(queue);
    while ((completion = next_completion(queue)) != NULL) {
        uint64_t tag = mlflow_gateway_completion_tag(completion);
        CHECK(tag < (uint64_t)streams);
        if (mlflow_gateway_completion_kind(completion) == MLFLOW_GATEWAY_COMPLETION_DONE) {
            check_completion(completion);
            CHECK(next[tag] == each);
            done++;
            mlflow_gateway_completion_destroy(completion);
            continue;
        }
        const mlflow_gateway_event *event = mlflow_gateway_completion_event(completion);
        const char *text = mlflow_gateway_event_text(event, NULL);
        if (mlflow_gateway_event_kind(event) == MLFLOW_GATEWAY_EVENT_TEXT && text[0] != '\0') {
            char *sent;
            CHECK(strtol(text, &sent, 10) == next[tag]);
            next[tag]++;
            if (events++ >= all / 10 && slept_kib == 0)
                late_us[measured++] = (uint32_t)((now_ns() - strtoull(sent, NULL, 10)) / 1000);
        }
        mlflow_gateway_completion_destroy(completion);
        if (events == all / 2 && half_kib == 0) {
            half_kib = resident_kib();
            threads = count_threads();
            if (sleep > 0) {
                sleep_ms(sleep / 2);
                asleep_kib = resident_kib();
                sleep_ms(sleep - sleep / 2);
                slept_kib = resident_kib();
            }
        }
    }
    CHECK(done == streams && events == all);
    qsort(late_us, (size_t)measured, sizeof *late_us, compare);
    printf("{\"late_us\": [%u, %u, %u, %u], \"resident_kib\": [%ld, %ld, %ld, %ld], \"threads\": %ld}\n",
           at_fraction(late_us, measured, 0.5), at_fraction(late_us, measured, 0.99),
           at_fraction(late_us, measured, 0.999), at_fraction(late_us, measured, 1), before_kib, half_kib, asleep_kib,
           slept_kib, threads);
    mlflow_gateway_queue_destroy(queue);
    mlflow_gateway_destroy(gateway);
    free(next);
    free(late_us);
    return 0;
}

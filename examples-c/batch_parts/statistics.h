/* What happened to all requests, and the summary of it. */
#ifndef BATCH_STATISTICS_H
#define BATCH_STATISTICS_H

#include <mlflow_ai_gateway.h>
#include <stddef.h>
#include <stdio.h>

enum { MOST_STATUSES = 128 };

/* Times in microseconds. */
struct samples {
    int64_t *us;
    size_t count, room;
};

/* Initialize it with zeros. */
struct statistics {
    size_t requests, failed, retries, invalid_lines, earlier;
    size_t by_status[MOST_STATUSES];
    long long tokens_in, tokens_out;
    /* Of the requests that succeeded. */
    struct samples latencies, first_tokens;
};

/* Counts a completed request with its final status. */
void statistics_add(struct statistics *statistics, mlflow_gateway_status status,
                    const mlflow_gateway_completion *completion);

/* Adds a time that is known: not a negative one. */
void samples_add(struct samples *samples, int64_t us);

/* Sorts the samples, after which samples_percentile() can be used. */
void samples_sort(struct samples *samples);

/* Returns the smallest sample that is not less than `percent` of all, or 0 without samples. */
int64_t samples_percentile(const struct samples *samples, int percent);

void statistics_print(struct statistics *statistics, double seconds, FILE *file);

void statistics_destroy(struct statistics *statistics);

#endif

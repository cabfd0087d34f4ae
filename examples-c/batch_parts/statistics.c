/* Counts, percentiles and the summary. */
#include "statistics.h"

#include <stdlib.h>

#include "text.h"

void samples_add(struct samples *samples, int64_t us)
{
    if (us < 0)
        return;
    if (samples->count == samples->room) {
        samples->room = samples->room * 2 + 1024;
        samples->us = reallocate(samples->us, samples->room * sizeof *samples->us);
    }
    samples->us[samples->count++] = us;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

void samples_sort(struct samples *samples)
{
    if (samples->count != 0)
        qsort(samples->us, samples->count, sizeof *samples->us, compare);
}

int64_t samples_percentile(const struct samples *samples, int percent)
{
    size_t rank = (samples->count * (size_t)percent + 99) / 100;
    return samples->count != 0 ? samples->us[rank != 0 ? rank - 1 : 0] : 0;
}

static long long known(int64_t tokens)
{
    return tokens > 0 ? tokens : 0;
}

void statistics_add(struct statistics *statistics, mlflow_gateway_status status,
                    const mlflow_gateway_completion *completion)
{
    const mlflow_gateway_response *response = mlflow_gateway_completion_response(completion);
    const mlflow_gateway_error *error = mlflow_gateway_completion_error(completion);

    statistics->requests++;
    statistics->failed += status != MLFLOW_GATEWAY_OK;
    if (status >= 0 && status < MOST_STATUSES)
        statistics->by_status[status]++;
    statistics->retries += error != NULL ? mlflow_gateway_error_retry_count(error)
                                         : mlflow_gateway_response_retry_count(response);
    statistics->tokens_in += known(mlflow_gateway_response_tokens(response, MLFLOW_GATEWAY_TOKENS_INPUT));
    statistics->tokens_out += known(mlflow_gateway_response_tokens(response, MLFLOW_GATEWAY_TOKENS_OUTPUT));
    if (status == MLFLOW_GATEWAY_OK) {
        samples_add(&statistics->latencies, mlflow_gateway_response_time_us(response, MLFLOW_GATEWAY_TIME_TOTAL));
        samples_add(&statistics->first_tokens,
                    mlflow_gateway_response_time_us(response, MLFLOW_GATEWAY_TIME_FIRST_TOKEN));
    }
}

static void print_time(const char *name, int64_t us, FILE *file)
{
    double seconds = (double)us / 1e6;

    if (seconds < 1)
        fprintf(file, "%s %.*f ms", name, seconds < 0.01 ? 1 : 0, seconds * 1e3);
    else
        fprintf(file, "%s %.*f s", name, seconds < 100 ? 2 : 0, seconds);
}

static void print_percentiles(const char *name, struct samples *samples, FILE *file)
{
    if (samples->count == 0)
        return;
    samples_sort(samples);
    fprintf(file, "%-12s", name);
    print_time("p50", samples_percentile(samples, 50), file);
    print_time(", p95", samples_percentile(samples, 95), file);
    print_time(", p99", samples_percentile(samples, 99), file);
    print_time(", max", samples_percentile(samples, 100), file);
    fputc('\n', file);
}

void statistics_print(struct statistics *statistics, double seconds, FILE *file)
{
    static const char PREFIX[] = "MLFLOW_GATEWAY_";
    const char *separator = ": ";

    fprintf(file, "requests    %zu", statistics->requests);
    for (int status = 0; status < MOST_STATUSES; status++)
        if (statistics->by_status[status] != 0) {
            fprintf(file, "%s%zu %s", separator, statistics->by_status[status],
                    mlflow_gateway_status_name(status) + sizeof PREFIX - 1);
            separator = ", ";
        }
    fputc('\n', file);
    if (statistics->earlier != 0)
        fprintf(file, "earlier     %zu, not sent again\n", statistics->earlier);
    if (statistics->invalid_lines != 0)
        fprintf(file, "invalid     %zu lines, not sent\n", statistics->invalid_lines);
    if (statistics->retries != 0)
        fprintf(file, "retries     %zu\n", statistics->retries);
    print_percentiles("latency", &statistics->latencies, file);
    print_percentiles("first token", &statistics->first_tokens, file);
    fprintf(file, "tokens      %lld input, %lld output\n", statistics->tokens_in, statistics->tokens_out);
    if (seconds > 0)
        fprintf(file, "rate        %.1f requests/s, %.1f output tokens/s, in %.1f s\n",
                (double)statistics->requests / seconds, (double)statistics->tokens_out / seconds, seconds);
}

void statistics_destroy(struct statistics *statistics)
{
    free(statistics->latencies.us);
    free(statistics->first_tokens.us);
}

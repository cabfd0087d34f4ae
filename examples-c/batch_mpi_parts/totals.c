/* Adds up the statistics of all workers, with all samples, for exact percentiles. */
#include "totals.h"

#include "messages.h"

static void append_samples(const struct samples *samples, struct text *message)
{
    message_append_number(message, (int64_t)samples->count);
    for (size_t i = 0; i < samples->count; i++)
        message_append_number(message, samples->us[i]);
}

static void add_samples(struct samples *samples, const char **message)
{
    for (int64_t left = message_read_number(message); left > 0; left--)
        samples_add(samples, message_read_number(message));
}

void totals_append(const struct statistics *statistics, struct text *message)
{
    message_append_number(message, (int64_t)statistics->requests);
    message_append_number(message, (int64_t)statistics->failed);
    message_append_number(message, (int64_t)statistics->retries);
    message_append_number(message, (int64_t)statistics->invalid_lines);
    message_append_number(message, statistics->tokens_in);
    message_append_number(message, statistics->tokens_out);
    for (int status = 0; status < MOST_STATUSES; status++)
        message_append_number(message, (int64_t)statistics->by_status[status]);
    append_samples(&statistics->latencies, message);
    append_samples(&statistics->first_tokens, message);
}

void totals_add(struct statistics *statistics, const char *message)
{
    statistics->requests += (size_t)message_read_number(&message);
    statistics->failed += (size_t)message_read_number(&message);
    statistics->retries += (size_t)message_read_number(&message);
    statistics->invalid_lines += (size_t)message_read_number(&message);
    statistics->tokens_in += message_read_number(&message);
    statistics->tokens_out += message_read_number(&message);
    for (int status = 0; status < MOST_STATUSES; status++)
        statistics->by_status[status] += (size_t)message_read_number(&message);
    add_samples(&statistics->latencies, &message);
    add_samples(&statistics->first_tokens, &message);
}

#include "counts.h"
#include "settings.h"

#include <stdio.h>
#include <string.h>

#define SECOND_NS 1000000000u
#define MAX_SECONDS 600

static struct {
    uint64_t start;
    long accepted[MAX_SECONDS], refused[MAX_SECONDS];
    long seconds, most_requests, most_streams;
} counts;

/* Counts windows of one second, which begin with the first request after the end of the previous one. */
static bool take_from_window(uint64_t now)
{
    static uint64_t end;
    static long left;

    if (now >= end) {
        end = now + SECOND_NS;
        left = settings.per_second;
    }
    return left > 0 && left-- > 0;
}

static bool take_from_bucket(uint64_t now)
{
    static uint64_t last;
    static double tokens;

    tokens = last == 0 ? (double)settings.burst : tokens + (double)(now - last) * (double)settings.per_second / SECOND_NS;
    last = now;
    if (tokens > (double)settings.burst)
        tokens = (double)settings.burst;
    if (tokens < 1)
        return false;
    tokens -= 1;
    return true;
}

bool take_from_rate(uint64_t now)
{
    if (settings.per_second == 0)
        return true;
    return settings.burst > 0 ? take_from_bucket(now) : take_from_window(now);
}

void count_request(bool is_accepted, uint64_t now)
{
    if (counts.start == 0)
        counts.start = now;
    uint64_t second = (now - counts.start) / SECOND_NS;
    if (second >= MAX_SECONDS)
        second = MAX_SECONDS - 1;
    if ((long)second >= counts.seconds)
        counts.seconds = (long)second + 1;
    (is_accepted ? counts.accepted : counts.refused)[second]++;
}

void count_open(long requests, long streams)
{
    if (requests > counts.most_requests)
        counts.most_requests = requests;
    if (streams > counts.most_streams)
        counts.most_streams = streams;
}

void reset_counts(void)
{
    memset(&counts, 0, sizeof counts);
}

static size_t write_list(char *json, size_t room, const char *name, const long *numbers)
{
    size_t at = (size_t)snprintf(json, room, "\"%s\":[", name);

    for (long i = 0; i < counts.seconds; i++)
        at += (size_t)snprintf(json + at, room - at, "%s%ld", i == 0 ? "" : ",", numbers[i]);
    return at + (size_t)snprintf(json + at, room - at, "],");
}

void write_counts(char *json, size_t room, long connections)
{
    size_t at = (size_t)snprintf(json, room, "{");

    at += write_list(json + at, room - at, "accepted", counts.accepted);
    at += write_list(json + at, room - at, "refused", counts.refused);
    snprintf(json + at, room - at, "\"most_requests\":%ld,\"most_streams\":%ld,\"connections\":%ld}",
             counts.most_requests, counts.most_streams, connections);
}

#include "settings.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct settings settings = {
    .slots = LONG_MAX,
    .most_waiting = LONG_MAX,
    .retry_after_s = -1,
    .events = 10,
};

static const struct {
    const char *name;
    long *value;
} NAMES[] = {
    { "slots", &settings.slots },
    { "latency_us", &settings.latency_us },
    { "jitter_us", &settings.jitter_us },
    { "most_waiting", &settings.most_waiting },
    { "barrier", &settings.barrier },
    { "per_second", &settings.per_second },
    { "burst", &settings.burst },
    { "retry_after_s", &settings.retry_after_s },
    { "events", &settings.events },
    { "interval_us", &settings.interval_us },
    { "event_bytes", &settings.event_bytes },
    { "is_aligned", &settings.is_aligned },
};

static long *find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strlen(NAMES[i].name) == len && memcmp(NAMES[i].name, name, len) == 0)
            return NAMES[i].value;
    return NULL;
}

int set_settings(const char *query)
{
    while (*query != '\0') {
        size_t len = strcspn(query, "=");
        long *value = find(query, len);
        if (value == NULL || query[len] != '=')
            return 0;
        *value = strtol(query + len + 1, (char **)&query, 10);
        query += *query == '&';
    }
    return 1;
}

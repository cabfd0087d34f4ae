/* What the server allows, and how it responds. Changed by GET /set?NAME=NUMBER&..., also while requests are served. */
#ifndef SETTINGS_H
#define SETTINGS_H

struct settings {
    long slots;         /* requests that are served at once; the others wait, first come, first served */
    long latency_us;    /* time to serve a request */
    long jitter_us;     /* at most this is added to it, at random */
    long most_waiting;  /* beyond these it responds with 503 */
    long barrier;       /* requests are served once this number of them has arrived, all at once; 0 for none */
    long per_second;    /* requests that are accepted in a second; beyond these it responds with 429; 0 for no limit */
    long burst;         /* size of a token bucket; 0 for windows of one second, as slowapi counts */
    long retry_after_s; /* the header of a 429; -1 for none */
    long events;        /* of a stream */
    long interval_us;   /* between events; 0 for as fast as the client reads */
    long event_bytes;   /* at least this much text in each event */
    long is_aligned;    /* 1 if all streams send their events at the same times, as a batch of a model does */
};

extern struct settings settings;

/* Reads "NAME=NUMBER&...". Returns 0 if a name is unknown. */
int set_settings(const char *query);

#endif

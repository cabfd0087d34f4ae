/* Standard error: the progress of the run, and messages that do not mix with it. */
#ifndef BATCH_PROGRESS_H
#define BATCH_PROGRESS_H

#include <stddef.h>

struct progress {
    /* A bar that is redrawn, or else a line now and then. */
    int is_bar;
    /* The number of lines, or -1 if that is not known. */
    long long total;
    /* Lines that need no request. */
    size_t skipped;
    double started, shown;
    /* At the time of the last line: requests, tokens and, of the last seconds, both per second. */
    size_t requests;
    long long tokens;
    double request_rate, token_rate;
};

/* Prints the name of the program and a message, as a line of its own. */
void report(const char *format, ...);

/* Seconds of a clock that is never set. */
double seconds_now(void);

void progress_start(struct progress *progress, int is_bar, long long total);

/* Shows the progress, unless that was done a moment ago. */
void progress_show(struct progress *progress, size_t requests, size_t failed, long long tokens);

/* Removes the bar. */
void progress_end(void);

#endif

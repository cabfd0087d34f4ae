/*
 * What the ranks send to each other.
 *
 * A worker asks rank 0 for work, and rank 0 answers at once; so a rank that waits for a message is never waited for.
 * Only messages between two ranks are used: where the MPI survives a lost rank (ULFM), they fail for that rank alone.
 */
#ifndef BATCH_MPI_MESSAGES_H
#define BATCH_MPI_MESSAGES_H

#include <stddef.h>
#include <stdint.h>

#include "../batch_parts/text.h"

enum { DISPATCHER = 0 };

enum message_tag {
    TAG_REPORT = 1,
    TAG_WORK,
    TAG_STATISTICS,
    /* The last message to each worker: how many ranks are lost. */
    TAG_END
};

/* A worker's report: these numbers, then the numbers of the lines whose results it has written since the last one. */
enum report_field {
    REPORT_WANTED, /* lines that it has room for */
    /* All so far: */
    REPORT_REQUESTS,
    REPORT_FAILED,
    REPORT_TOKENS,
    REPORT_FIELDS
};

/* Lines that a report can have. The others follow in the next one. */
enum { MOST_DONE = 1000, REPORT_ROOM = REPORT_FIELDS + MOST_DONE };

/* The answer: one of these numbers, then the lines, each with its number and its length. */
enum work_state {
    WORK_GOES_ON, /* also without lines: ask again soon */
    WORK_IS_DONE, /* send the statistics */
    WORK_FAILED   /* rank 0 has printed why */
};

/* Appends and reads the numbers of a message. */
void message_append_number(struct text *message, int64_t number);
int64_t message_read_number(const char **message);

#endif

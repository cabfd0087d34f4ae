/* Which worker has which lines. */
#ifndef BATCH_MPI_ASSIGNMENTS_H
#define BATCH_MPI_ASSIGNMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "../batch_parts/text.h"

/* A line of the input that a worker has, or that a lost worker had. */
struct assignment {
    int64_t line_number;
    char *line;
    size_t len;
};

/* Initialize it with zeros. */
struct assignments {
    struct assignment *items;
    size_t count, room;
};

/* Adds a copy of a line. */
void assignments_add(struct assignments *assignments, int64_t line_number, const char *line, size_t len);

/* Removes a line that is done. */
void assignments_remove(struct assignments *assignments, int64_t line_number);

/* Moves all lines of `from` to `to`. */
void assignments_move(struct assignments *from, struct assignments *to);

/* Moves the last line of `from` to `to`, and returns it, or NULL if there is none. */
const struct assignment *assignments_move_one(struct assignments *from, struct assignments *to);

void assignments_destroy(struct assignments *assignments);

#endif

/* The parts of the output, FILE.1, FILE.2 and so on: one of each worker, by its rank. */
#ifndef BATCH_MPI_PARTS_H
#define BATCH_MPI_PARTS_H

#include <stddef.h>

#include "../batch_parts/batch.h"
#include "../batch_parts/ids.h"
#include "../batch_parts/output.h"
#include "../batch_parts/text.h"

/* Writes the path of the part of a rank. */
void part_path(struct text *path, const char *output, long rank);

/*
 * Checks the parts that exist. If one has lines, `resume` must be set: then the ids of those that succeeded are added
 * to `ids`, and the others are removed. Prints why that fails.
 */
enum exit_code parts_prepare(const char *output, int resume, struct id_set *ids);

/*
 * Moves the lines of all parts to the output, in the order of the input, of which `ids` has the ids and the numbers of
 * `line_count` lines. If a lost rank and another have done the same line, one result is kept. Prints why that fails.
 */
enum exit_code parts_merge(struct output *output, struct id_set *ids, size_t line_count);

#endif

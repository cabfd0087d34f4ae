/* The output file: whole lines only, and what an earlier run left in it. */
#ifndef BATCH_OUTPUT_H
#define BATCH_OUTPUT_H

#include <stddef.h>

#include "batch.h"
#include "ids.h"

struct output {
    const char *path;
    int fd;
    /* The descriptor of a file that was replaced, which keeps its lock, or -1. */
    int replaced_fd;
};

/*
 * Opens the output, standard output if `path` is NULL. If the file has lines, `resume` must be set: then the ids of
 * those that succeeded are added to `ids`, and the others are removed, with a last line that was cut off. Prints why
 * that fails.
 */
enum exit_code output_open(struct output *output, const char *path, int resume, struct id_set *ids);

/* Writes lines with one call, so that a kill does not leave half of one. Prints why that fails. */
enum exit_code output_write(const struct output *output, const char *lines, size_t len);

/* Returns EXIT_OUTPUT if the system reports an error only now, as network file systems do. */
enum exit_code output_close(struct output *output);

#endif

/* The lines of the input that must be sent: each id once, and not those that an earlier run has sent. */
#ifndef BATCH_INPUT_H
#define BATCH_INPUT_H

#include <mlflow_ai_gateway.h>
#include <stddef.h>

#include "ids.h"
#include "item.h"
#include "lines.h"

/* Initialize it with zeros, `reader.fd`, the shard, and the ids of an earlier run. */
struct input {
    struct line_reader reader;
    /* Only the lines that have this remainder, counted from 0. */
    unsigned long shard, shards;
    struct id_set ids;
    /* The number of the last line. */
    size_t line_number;
    size_t invalid_lines, earlier;
    /* A message: kept to be used again. */
    struct text problem;
};

/*
 * Reads a line, which is valid until the next call of lines_fill(). `item` receives what must be sent, or NULL if the
 * line must not be sent: then it was counted, and a line that is not valid was reported. Returns LINE_NOT_YET after
 * which lines_fill() must be called, or LINE_END.
 */
enum line_result input_next(struct input *input, const struct destination *destination, char **line, size_t *len,
                            struct item **item, mlflow_gateway_request **request);

/* Counts and reports a line that cannot be sent. */
void input_reject(struct input *input, size_t line_number, const char *problem);

void input_destroy(struct input *input);

#endif

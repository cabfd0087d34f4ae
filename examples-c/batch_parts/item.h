/* One line of the input: what to send, and the line of the output for its response. */
#ifndef BATCH_ITEM_H
#define BATCH_ITEM_H

#include <mlflow_ai_gateway.h>

#include "text.h"

/* Where the lines of a batch file are sent. */
struct destination {
    /* A route for their bodies, or NULL: each is sent to the path that it names. */
    const char *route;
    /* The gateway URI ends in "/v1", which the paths of a batch file begin with. */
    int uri_ends_in_v1;
};

struct item {
    /* A line of OpenAI's batch files, or else a prompt. */
    int is_batch_line;
    /* As JSON: a string or a number. */
    char *id;
    size_t line;
    /* The neighbours in the list of unfinished items. */
    struct item *older, *newer;
};

/* Reads a line, and creates its request. Returns NULL and appends to `problem` if the line is not valid. */
struct item *item_read(const char *line, size_t len, size_t line_number, const struct destination *destination,
                       mlflow_gateway_request **request, struct text *problem);

void item_destroy(struct item *item);

/* Appends the line of the output for a completed request. `number` makes its id unique. Returns its status. */
mlflow_gateway_status item_append_result(const struct item *item, const mlflow_gateway_completion *completion,
                                         const char *run, struct text *text);

/* Reads the id of a line of the output, and whether its request failed. Returns 0 for a line of another program. */
int item_read_result(const char *line, size_t len, struct text *id, int *has_failed);

#endif

/* An array for each worker: a worker has few lines at a time. */
#include "assignments.h"

#include <stdlib.h>
#include <string.h>

static struct assignment *add(struct assignments *assignments, struct assignment assignment)
{
    if (assignments->count == assignments->room) {
        assignments->room = assignments->room * 2 + 16;
        assignments->items = reallocate(assignments->items, assignments->room * sizeof *assignments->items);
    }
    assignments->items[assignments->count] = assignment;
    return &assignments->items[assignments->count++];
}

void assignments_add(struct assignments *assignments, int64_t line_number, const char *line, size_t len)
{
    struct assignment assignment = { line_number, allocate(len), len };

    memcpy(assignment.line, line, len);
    add(assignments, assignment);
}

void assignments_remove(struct assignments *assignments, int64_t line_number)
{
    for (size_t i = 0; i < assignments->count; i++)
        if (assignments->items[i].line_number == line_number) {
            free(assignments->items[i].line);
            assignments->items[i] = assignments->items[--assignments->count];
            return;
        }
}

void assignments_move(struct assignments *from, struct assignments *to)
{
    while (assignments_move_one(from, to) != NULL)
        continue;
}

const struct assignment *assignments_move_one(struct assignments *from, struct assignments *to)
{
    return from->count != 0 ? add(to, from->items[--from->count]) : NULL;
}

void assignments_destroy(struct assignments *assignments)
{
    for (size_t i = 0; i < assignments->count; i++)
        free(assignments->items[i].line);
    free(assignments->items);
}

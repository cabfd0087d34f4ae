/* A set of ids, each with a number: a million short ids need about 50 MB. */
#ifndef BATCH_IDS_H
#define BATCH_IDS_H

#include <stddef.h>

struct id_entry {
    char *id;
    size_t line;
};

/* Initialize it with zeros. */
struct id_set {
    struct id_entry *entries;
    size_t count, room;
    char *block;
    size_t block_used, block_room;
};

/* The number of an id that comes from the output of an earlier run. */
#define ID_OF_EARLIER_RUN 0

/* Adds an id, or returns its entry if the set has it. Returns NULL if it was added. */
struct id_entry *id_set_add(struct id_set *set, const char *id, size_t line);

void id_set_destroy(struct id_set *set);

#endif

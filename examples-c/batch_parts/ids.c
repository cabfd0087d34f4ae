/* A hash table with open addressing. Ids are kept in large blocks: malloc() would add half of their size. */
#include "ids.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

enum { BLOCK = 1024 * 1024 };

/* FNV-1a. */
static size_t hash(const char *id)
{
    uint64_t value = 14695981039346656037u;

    for (; *id != '\0'; id++)
        value = (value ^ (unsigned char)*id) * 1099511628211u;
    return (size_t)(value ^ value >> 32);
}

static struct id_entry *find(struct id_entry *entries, size_t room, const char *id)
{
    size_t place = hash(id) & (room - 1);

    while (entries[place].id != NULL && strcmp(entries[place].id, id) != 0)
        place = (place + 1) & (room - 1);
    return &entries[place];
}

static void grow(struct id_set *set)
{
    size_t room = set->room != 0 ? set->room * 2 : 1024;
    struct id_entry *entries = allocate(room * sizeof *entries);

    memset(entries, 0, room * sizeof *entries);
    for (size_t i = 0; i < set->room; i++)
        if (set->entries[i].id != NULL)
            *find(entries, room, set->entries[i].id) = set->entries[i];
    free(set->entries);
    set->entries = entries;
    set->room = room;
}

/* The first bytes of each block are the address of the block before it. */
static char *keep(struct id_set *set, const char *id)
{
    size_t size = strlen(id) + 1;

    if (set->block == NULL || set->block_room - set->block_used < size) {
        char *before = set->block;
        set->block_room = sizeof before + (size > BLOCK ? size : BLOCK);
        set->block = allocate(set->block_room);
        memcpy(set->block, &before, sizeof before);
        set->block_used = sizeof before;
    }
    char *kept = set->block + set->block_used;
    memcpy(kept, id, size);
    set->block_used += size;
    return kept;
}

struct id_entry *id_set_add(struct id_set *set, const char *id, size_t line)
{
    if (set->count >= set->room / 4 * 3)
        grow(set);
    struct id_entry *entry = find(set->entries, set->room, id);
    if (entry->id != NULL)
        return entry;
    entry->id = keep(set, id);
    entry->line = line;
    set->count++;
    return NULL;
}

void id_set_destroy(struct id_set *set)
{
    while (set->block != NULL) {
        char *before;
        memcpy(&before, set->block, sizeof before);
        free(set->block);
        set->block = before;
    }
    free(set->entries);
}

/* Finds the parts, and merges them in one pass over each and one over the lines of the input. */
#define _POSIX_C_SOURCE 200809L

#include "parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../batch_parts/item.h"
#include "../batch_parts/lines.h"
#include "../batch_parts/progress.h"

struct ranks {
    long *ranks;
    size_t count;
};

void part_path(struct text *path, const char *output, long rank)
{
    path->len = 0;
    text_append_string(path, output);
    text_append_string(path, ".");
    text_append_number(path, rank);
}

static int compare(const void *a, const void *b)
{
    long left = *(const long *)a, right = *(const long *)b;
    return (left > right) - (left < right);
}

/* Finds the ranks of the parts that exist. Returns 0 and sets errno if that fails. */
static int find_parts(const char *output, struct ranks *found)
{
    const char *slash = strrchr(output, '/'), *name = slash != NULL ? slash + 1 : output;
    struct text folder = { NULL, 0, 0 };
    struct dirent *entry;

    text_append(&folder, output, (size_t)(name - output));
    text_append_string(&folder, ".");
    DIR *entries = opendir(folder.data);
    free(folder.data);
    if (entries == NULL)
        return 0;
    while ((entry = readdir(entries)) != NULL) {
        if (strncmp(entry->d_name, name, strlen(name)) != 0 || entry->d_name[strlen(name)] != '.')
            continue;
        const char *rank = entry->d_name + strlen(name) + 1;
        if (*rank == '\0' || rank[strspn(rank, "0123456789")] != '\0')
            continue;
        found->ranks = reallocate(found->ranks, (found->count + 1) * sizeof *found->ranks);
        found->ranks[found->count++] = strtol(rank, NULL, 10);
    }
    closedir(entries);
    if (found->count != 0)
        qsort(found->ranks, found->count, sizeof *found->ranks, compare);
    return 1;
}

enum exit_code parts_prepare(const char *output, int resume, struct id_set *ids)
{
    struct ranks found = { NULL, 0 };
    struct text path = { NULL, 0, 0 };
    enum exit_code code = EXIT_OK;

    if (!find_parts(output, &found)) {
        report("cannot read the folder of %s: %s", output, strerror(errno));
        code = EXIT_OUTPUT;
    }
    for (size_t i = 0; code == EXIT_OK && i < found.count; i++) {
        struct output part;
        part_path(&path, output, found.ranks[i]);
        code = output_open(&part, path.data, resume, ids);
        if (code == EXIT_OK)
            code = output_close(&part);
    }
    free(found.ranks);
    free(path.data);
    return code;
}

/* Where a line is. */
struct place {
    int fd;
    int has_failed;
    size_t len;
    off_t offset;
};

struct places {
    struct id_set *ids;
    /* By the number of the line of the input; a length of 0 means that there is none. */
    struct place *of_input;
    /* Lines of earlier runs with other inputs. */
    struct text others;
};

/* Notes where the lines of a file are. Returns 0 and sets errno if that fails. */
static int note_places(struct places *places, int fd)
{
    struct line_reader reader = { .fd = fd };
    struct place place = { .fd = fd };
    struct text id = { NULL, 0, 0 };
    enum line_result result;
    char *line;

    while ((result = lines_next(&reader, &line, &place.len)) != LINE_END) {
        if (result == LINE_NOT_YET) {
            if (lines_fill(&reader))
                continue;
            break;
        }
        id.len = 0;
        /* A lost rank may have left half of a line. */
        if (result == LINE_OK && item_read_result(line, place.len, &id, &place.has_failed)) {
            struct id_entry *entry = id_set_add(places->ids, id.data, ID_OF_EARLIER_RUN);
            if (entry == NULL || entry->line == ID_OF_EARLIER_RUN)
                text_append(&places->others, (const char *)&place, sizeof place);
            else if (places->of_input[entry->line].len == 0 || places->of_input[entry->line].has_failed)
                places->of_input[entry->line] = place;
        }
        place.offset += (off_t)place.len + 1;
    }
    free(reader.data);
    free(id.data);
    return result == LINE_END;
}

/* Copies a line. Returns 0 and sets errno if that fails. */
static int copy_line(const struct place *place, struct text *line, FILE *file)
{
    if (line->room <= place->len) {
        line->room = place->len + 1;
        line->data = reallocate(line->data, line->room);
    }
    if (place->len != 0 && pread(place->fd, line->data, place->len, place->offset) != (ssize_t)place->len)
        return 0;
    line->data[place->len] = '\n';
    return fwrite(line->data, 1, place->len + 1, file) == place->len + 1;
}

static int copy_lines(const struct places *places, size_t line_count, FILE *file)
{
    struct text line = { NULL, 0, 0 };
    int is_ok = 1;

    for (size_t i = 1; is_ok && i <= line_count; i++)
        if (places->of_input[i].len != 0)
            is_ok = copy_line(&places->of_input[i], &line, file);
    for (size_t at = 0; is_ok && at < places->others.len; at += sizeof(struct place)) {
        struct place place;
        memcpy(&place, places->others.data + at, sizeof place);
        is_ok = copy_line(&place, &line, file);
    }
    free(line.data);
    return is_ok && fflush(file) == 0 && fsync(fileno(file)) == 0;
}

/* Writes all lines to a new file, which then replaces the output. Returns 0 and sets errno if that fails. */
static int write_merged(const struct places *places, size_t line_count, const char *output)
{
    struct text path = { NULL, 0, 0 };

    text_append_string(&path, output);
    text_append_string(&path, ".merged");
    FILE *file = fopen(path.data, "w");
    int is_ok = file != NULL && copy_lines(places, line_count, file);
    if (file != NULL && fclose(file) != 0)
        is_ok = 0;
    is_ok = is_ok && rename(path.data, output) == 0;
    free(path.data);
    return is_ok;
}

enum exit_code parts_merge(struct output *output, struct id_set *ids, size_t line_count)
{
    struct places places = { ids, allocate((line_count + 1) * sizeof(struct place)), { NULL, 0, 0 } };
    struct ranks found = { NULL, 0 };
    struct text path = { NULL, 0, 0 };

    memset(places.of_input, 0, (line_count + 1) * sizeof(struct place));
    int is_ok = lseek(output->fd, 0, SEEK_SET) == 0 && note_places(&places, output->fd) &&
                find_parts(output->path, &found);
    int *fds = allocate(found.count * sizeof *fds);
    size_t open_count = 0;
    while (is_ok && open_count < found.count) {
        part_path(&path, output->path, found.ranks[open_count]);
        int fd = open(path.data, O_RDONLY);
        is_ok = fd >= 0;
        if (is_ok) {
            fds[open_count++] = fd;
            is_ok = note_places(&places, fd);
        }
    }
    is_ok = is_ok && write_merged(&places, line_count, output->path);
    if (!is_ok)
        report("cannot merge the parts of %s: %s", output->path, strerror(errno));
    for (size_t i = 0; i < open_count; i++) {
        close(fds[i]);
        part_path(&path, output->path, found.ranks[i]);
        if (is_ok)
            unlink(path.data);
    }
    free(fds);
    free(found.ranks);
    free(path.data);
    free(places.of_input);
    free(places.others.data);
    return is_ok ? EXIT_OK : EXIT_OUTPUT;
}

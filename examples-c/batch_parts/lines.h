/* Lines of a file or a pipe, without waiting for more than has arrived. */
#ifndef BATCH_LINES_H
#define BATCH_LINES_H

#include <stddef.h>

/* Initialize it with zeros and the descriptor, and free `data`. */
struct line_reader {
    int fd;
    char *data;
    size_t start, end, room;
    int is_at_end;
};

enum line_result {
    LINE_OK,
    LINE_TORN,    /* the last line, without a line break */
    LINE_NOT_YET, /* call lines_fill() first */
    LINE_END
};

/* Returns the next line, without its line break, which is valid until the next call of lines_fill(). */
enum line_result lines_next(struct line_reader *reader, char **line, size_t *len);

/* Reads more from the descriptor, once. Returns 0 and sets errno if that fails. */
int lines_fill(struct line_reader *reader);

/* Counts the lines of a regular file that are ahead of the descriptor, or returns -1 for anything else. */
long long lines_count(int fd);

#endif

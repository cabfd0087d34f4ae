/* Reads lines with read(), because stdio cannot tell whether a whole line has arrived. */
#define _POSIX_C_SOURCE 200809L

#include "lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"

enum { BLOCK = 64 * 1024 };

enum line_result lines_next(struct line_reader *reader, char **line, size_t *len)
{
    size_t left = reader->end - reader->start;
    char *begin = reader->data + reader->start;
    char *end = left != 0 ? memchr(begin, '\n', left) : NULL;

    if (end == NULL && !reader->is_at_end)
        return LINE_NOT_YET;
    if (left == 0)
        return LINE_END;
    *line = begin;
    *len = end != NULL ? (size_t)(end - begin) : left;
    reader->start += *len + (end != NULL);
    return end != NULL ? LINE_OK : LINE_TORN;
}

int lines_fill(struct line_reader *reader)
{
    if (reader->start != 0) {
        memmove(reader->data, reader->data + reader->start, reader->end - reader->start);
        reader->end -= reader->start;
        reader->start = 0;
    }
    if (reader->room - reader->end < BLOCK) {
        reader->room = reader->room * 2 + BLOCK;
        reader->data = reallocate(reader->data, reader->room);
    }
    ssize_t count = read(reader->fd, reader->data + reader->end, reader->room - reader->end);
    if (count > 0)
        reader->end += (size_t)count;
    else if (count == 0)
        reader->is_at_end = 1;
    return count >= 0 || errno == EINTR || errno == EAGAIN;
}

long long lines_count(int fd)
{
    struct stat status;
    off_t offset = lseek(fd, 0, SEEK_CUR);

    if (offset < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return -1;
    char *block = allocate(BLOCK);
    long long lines = 0;
    char last = '\n';
    ssize_t count;
    while ((count = pread(fd, block, BLOCK, offset)) > 0) {
        offset += count;
        last = block[count - 1];
        for (char *byte = block; (byte = memchr(byte, '\n', (size_t)(block + count - byte))) != NULL; byte++)
            lines++;
    }
    free(block);
    return lines + (last != '\n');
}

/*
 * Writes the output, and repairs it before a run is resumed.
 *
 * Each line is appended by one write(), so that a killed program leaves whole lines, except when the disk is full or
 * the machine fails. A lock keeps a second run away. The repaired file replaces the old one at once, by rename().
 */
#define _POSIX_C_SOURCE 200809L

#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "item.h"
#include "lines.h"
#include "progress.h"
#include "text.h"

enum { BLOCK = 1024 * 1024 };

/* Locks a file for this process. Other kinds of files, and file systems without locks, are not locked. */
static int lock(int fd)
{
    struct flock all;

    memset(&all, 0, sizeof all);
    all.l_type = F_WRLCK;
    all.l_whence = SEEK_SET;
    return fcntl(fd, F_SETLK, &all) == 0 || (errno != EACCES && errno != EAGAIN);
}

enum exit_code output_write(const struct output *output, const char *lines, size_t len)
{
    while (len != 0) {
        ssize_t written = write(output->fd, lines, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            report("cannot write to %s: %s", output->path, strerror(errno));
            return EXIT_OUTPUT;
        }
        lines += written;
        len -= (size_t)written;
    }
    return EXIT_OK;
}

/* Reads the file. Adds the ids of the lines to keep to `ids`, and appends the offset and the length of each other line
 * to `dropped`. */
static enum exit_code read_results(const struct output *output, struct id_set *ids, struct text *dropped)
{
    struct line_reader reader = { .fd = output->fd };
    struct text id = { NULL, 0, 0 };
    enum exit_code code = EXIT_OK;
    enum line_result result = LINE_OK;
    size_t number = 0;
    char *line;
    size_t len;
    off_t range[2] = { 0, 0 };

    while (code == EXIT_OK && result != LINE_END) {
        int has_failed = 0;
        result = lines_next(&reader, &line, &len);
        if (result == LINE_NOT_YET) {
            if (!lines_fill(&reader)) {
                report("cannot read %s: %s", output->path, strerror(errno));
                code = EXIT_OUTPUT;
            }
            continue;
        }
        if (result == LINE_END)
            break;
        number++;
        range[1] = (off_t)(len + (result == LINE_OK));
        id.len = 0;
        if (result == LINE_OK && !item_read_result(line, len, &id, &has_failed)) {
            report("%s, line %zu: not a result of batch; choose another output", output->path, number);
            code = EXIT_USAGE;
        } else if (result == LINE_TORN || has_failed || id_set_add(ids, id.data, ID_OF_EARLIER_RUN) != NULL) {
            text_append(dropped, (const char *)range, sizeof range);
        }
        range[0] += range[1];
    }
    free(reader.data);
    free(id.data);
    return code;
}

/* Copies the file without the dropped lines. Returns 0 and sets errno if that fails. */
static int copy_others(int from, int to, const struct text *dropped)
{
    char *block = allocate(BLOCK);
    const char *next = dropped->data, *end = dropped->data + dropped->len;
    off_t offset = 0;
    ssize_t count = 1;

    while (count > 0) {
        off_t range[2] = { -1, 0 };
        size_t most = BLOCK;
        if (next != end)
            memcpy(range, next, sizeof range);
        if (offset == range[0]) {
            offset += range[1];
            next += sizeof range;
            continue;
        }
        if (next != end && (off_t)most > range[0] - offset)
            most = (size_t)(range[0] - offset);
        count = pread(from, block, most, offset);
        for (ssize_t done = 0, part; done < count; done += part)
            if ((part = write(to, block + done, (size_t)(count - done))) < 0) {
                count = -1;
                break;
            }
        offset += count;
    }
    free(block);
    return count == 0 && fsync(to) == 0;
}

/* Replaces the file by one without the dropped lines. */
static enum exit_code replace(struct output *output, const struct text *dropped)
{
    struct text path = { NULL, 0, 0 };
    struct stat status;
    enum exit_code code = EXIT_OUTPUT;

    text_append_string(&path, output->path);
    text_append_string(&path, ".new");
    int mode = fstat(output->fd, &status) == 0 ? (int)(status.st_mode & 0777) : 0666;
    int fd = open(path.data, O_RDWR | O_APPEND | O_CREAT | O_TRUNC, mode);
    if (fd >= 0 && lock(fd) && copy_others(output->fd, fd, dropped) && rename(path.data, output->path) == 0) {
        output->replaced_fd = output->fd;
        output->fd = fd;
        code = EXIT_OK;
    } else {
        report("cannot replace %s: %s", output->path, strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    free(path.data);
    return code;
}

enum exit_code output_open(struct output *output, const char *path, int resume, struct id_set *ids)
{
    struct text dropped = { NULL, 0, 0 };
    struct stat status;
    enum exit_code code = EXIT_OK;

    output->path = path != NULL ? path : "standard output";
    output->fd = STDOUT_FILENO;
    output->replaced_fd = -1;
    if (path == NULL)
        return EXIT_OK;
    output->fd = open(path, O_RDWR | O_APPEND | O_CREAT, 0666);
    if (output->fd < 0 || fstat(output->fd, &status) != 0) {
        report("cannot open %s: %s", path, strerror(errno));
        return EXIT_OUTPUT;
    }
    if (!lock(output->fd)) {
        report("another run writes to %s", path);
        return EXIT_OUTPUT;
    }
    if (S_ISREG(status.st_mode) && status.st_size != 0 && !resume) {
        report("%s exists; continue it with --resume, or choose another output", path);
        return EXIT_USAGE;
    }
    if (S_ISREG(status.st_mode) && resume)
        code = read_results(output, ids, &dropped);
    if (code == EXIT_OK && dropped.len != 0)
        code = replace(output, &dropped);
    free(dropped.data);
    return code;
}

enum exit_code output_close(struct output *output)
{
    if (output->replaced_fd >= 0)
        close(output->replaced_fd);
    if (close(output->fd) == 0)
        return EXIT_OK;
    report("cannot write to %s: %s", output->path, strerror(errno));
    return EXIT_OUTPUT;
}

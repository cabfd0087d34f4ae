#include "glue.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Lines that may wait. Later ones are discarded and counted. */
enum { MAX_LINES = 65536 };

struct mlflow_go_log {
    pthread_mutex_t mutex;
    mlflow_go_line *first, **end;
    size_t count, lost, references;
    int fd;
};

mlflow_go_log *mlflow_go_log_create(void)
{
    mlflow_go_log *log = calloc(1, sizeof *log);

    if (log == NULL)
        return NULL;
    log->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (log->fd < 0) {
        free(log);
        return NULL;
    }
    pthread_mutex_init(&log->mutex, NULL);
    log->end = &log->first;
    log->references = 1;
    return log;
}

void mlflow_go_log_wake(const mlflow_go_log *log)
{
    static const uint64_t ONE = 1;
    ssize_t written = write(log->fd, &ONE, sizeof ONE);

    (void)written; /* It fails only if the counter is at its maximum, and then the descriptor is readable. */
}

/* The log callback of the library. It does not wait for Go. */
static void append(int32_t level, const char *text, size_t len, void *user_data)
{
    mlflow_go_log *log = user_data;
    mlflow_go_line *line = malloc(sizeof *line + len);

    if (line != NULL) {
        line->next = NULL;
        line->level = level;
        line->len = len;
        line->text = memcpy(line + 1, text, len);
    }
    pthread_mutex_lock(&log->mutex);
    if (line == NULL || log->count == MAX_LINES) {
        log->lost++;
        free(line);
    } else {
        *log->end = line;
        log->end = &line->next;
        if (log->count++ == 0)
            mlflow_go_log_wake(log);
    }
    pthread_mutex_unlock(&log->mutex);
}

void mlflow_go_log_release(mlflow_go_log *log)
{
    pthread_mutex_lock(&log->mutex);
    if (--log->references == 0)
        mlflow_go_log_wake(log);
    pthread_mutex_unlock(&log->mutex);
}

static void release(void *user_data)
{
    mlflow_go_log_release(user_data);
}

mlflow_gateway_status mlflow_go_log_attach(mlflow_go_log *log, mlflow_gateway *gateway, int32_t level,
                                           mlflow_gateway_error **error)
{
    mlflow_gateway_status status;

    pthread_mutex_lock(&log->mutex);
    log->references++;
    pthread_mutex_unlock(&log->mutex);
    status = mlflow_gateway_set_log(gateway, level, append, log, release, error);
    if (status != MLFLOW_GATEWAY_OK)
        release(log);
    return status;
}

int mlflow_go_log_fd(const mlflow_go_log *log)
{
    return log->fd;
}

mlflow_go_line *mlflow_go_log_take(mlflow_go_log *log, size_t *lost, int *is_closed)
{
    mlflow_go_line *lines;

    pthread_mutex_lock(&log->mutex);
    lines = log->first;
    *lost = log->lost;
    *is_closed = log->references == 0;
    log->first = NULL;
    log->end = &log->first;
    log->count = log->lost = 0;
    pthread_mutex_unlock(&log->mutex);
    return lines;
}

void mlflow_go_log_free_lines(mlflow_go_line *lines)
{
    while (lines != NULL) {
        mlflow_go_line *next = lines->next;

        free(lines);
        lines = next;
    }
}

void mlflow_go_log_destroy(mlflow_go_log *log)
{
    pthread_mutex_destroy(&log->mutex);
    free(log);
}

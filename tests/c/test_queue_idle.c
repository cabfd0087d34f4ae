/*
 * An idle queue wakes neither an event loop that watches it nor any thread.
 *
 * usage: test_queue_idle URI REQUESTS MILLISECONDS
 *   Makes REQUESTS requests, half of them streams, on an event loop. Then watches the idle queue for MILLISECONDS.
 *   out: the number of times that epoll_wait() returned, and that a thread of the process was switched to
 */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "queue_load.h"

/* Threads go idle some moments after the last completion. */
#define SETTLE_MS 200

static mlflow_gateway_queue *queue;

/* Returns how often the threads of this process, except the calling one, gave the processor away. */
static long count_switches(void)
{
    char name[300], line[256];
    long all = 0, count;
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;

    CHECK(tasks != NULL);
    while ((task = readdir(tasks)) != NULL) {
        if (atol(task->d_name) == 0 || atol(task->d_name) == (long)getpid()) /* "." and "..", and this thread */
            continue;
        snprintf(name, sizeof name, "/proc/self/task/%s/status", task->d_name);
        FILE *status = fopen(name, "r");
        while (status != NULL && fgets(line, sizeof line, status) != NULL)
            if (sscanf(line, "voluntary_ctxt_switches: %ld", &count) == 1)
                all += count;
        if (status != NULL)
            fclose(status);
    }
    closedir(tasks);
    return all;
}

/* Fetches until PENDING. Returns the number of requests that ended. */
static long fetch_all(void)
{
    mlflow_gateway_completion *completion = NULL;
    mlflow_gateway_status status;
    long done = 0;

    while ((status = mlflow_gateway_queue_next(queue, 0, &completion, NULL)) == MLFLOW_GATEWAY_OK) {
        if (mlflow_gateway_completion_kind(completion) == MLFLOW_GATEWAY_COMPLETION_DONE) {
            check_completion(completion);
            done++;
        }
        mlflow_gateway_completion_destroy(completion);
    }
    CHECK(status == MLFLOW_GATEWAY_PENDING);
    return done;
}

/* Runs the event loop until a time without an event. Returns the number of requests that ended, and counts wake-ups. */
static long run_loop(int loop, int quiet_ms, long *wakeups)
{
    struct epoll_event event;
    long done = 0;

    while (epoll_wait(loop, &event, 1, quiet_ms) > 0) {
        ++*wakeups;
        done += fetch_all();
    }
    return done;
}

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    long requests = atol(argv[2]), done = 0, wakeups = 0;
    int fd = -1, loop = epoll_create1(EPOLL_CLOEXEC), ms = atoi(argv[3]);
    mlflow_gateway *gateway = open_queue(argv[1], argv + 4, &queue);

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_queue_fd(queue, &fd, &error));
    CHECK(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLIN }) == 0);
    for (long i = 0; i < requests; i++)
        CHECK(submit_tag(queue, i % 2 == 0 ? MLFLOW_GATEWAY_SUBMIT_SEND : MLFLOW_GATEWAY_SUBMIT_STREAM, (uint64_t)i));
    while (done < requests)
        done += run_loop(loop, SETTLE_MS, &wakeups);
    wakeups = 0;
    long before = count_switches();
    done += run_loop(loop, ms, &wakeups);
    printf("%ld %ld\n", wakeups, count_switches() - before);
    CHECK(done == requests);
    close(loop);
    mlflow_gateway_queue_destroy(queue);
    mlflow_gateway_destroy(gateway);
    return 0;
}

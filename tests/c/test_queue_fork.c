/*
 * A process with a queue whose requests are in all states forks. In the child the queue can only be destroyed, which
 * changes nothing for the parent; another queue of the same handle works there.
 *
 * usage: test_queue_fork URI [CA_FILE]
 *   A gateway of tests/support/commanded_gateway.py
 */
#define _POSIX_C_SOURCE 200809L

#include <poll.h>
#include <sys/epoll.h>

#include "child.h"
#include "queue_helpers.h"

enum { SEND = MLFLOW_GATEWAY_SUBMIT_SEND, STREAM = MLFLOW_GATEWAY_SUBMIT_STREAM };

static mlflow_gateway *gateway;
static mlflow_gateway_queue *queue;
static mlflow_gateway_completion *fetched;
static int loop;

static size_t count(int32_t kind)
{
    return mlflow_gateway_queue_count(queue, kind);
}

static bool is_readable(void)
{
    struct epoll_event event;
    int ready = epoll_wait(loop, &event, 1, 0);

    CHECK(ready >= 0);
    return ready == 1;
}

static void open_queue(void)
{
    struct epoll_event event = { .events = EPOLLIN };
    int fd = -1;

    queue = make_queue(gateway, "6");
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_queue_set_option(queue, "max_events", "1", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_queue_fd(queue, &fd, &error));
    loop = epoll_create1(EPOLL_CLOEXEC);
    CHECK(loop >= 0 && epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) == 0);
}

/* Requests that are sent, a stream that waits for its program, requests that wait, and one that was cancelled. */
static void fill_queue(void)
{
    CHECK(submit(queue, SEND, "stall", 1) == MLFLOW_GATEWAY_OK);
    CHECK(submit(queue, STREAM, "half stalled", 2) == MLFLOW_GATEWAY_OK);
    CHECK(submit(queue, STREAM, "echo all", 3) == MLFLOW_GATEWAY_OK);
    CHECK(submit(queue, SEND, "echo", 4) == MLFLOW_GATEWAY_OK);
    CHECK(submit(queue, STREAM, "stall", 5) == MLFLOW_GATEWAY_OK);
    CHECK(submit(queue, SEND, "stall", 6) == MLFLOW_GATEWAY_OK);
    for (uint64_t tag = 7; tag < 10; tag++)
        CHECK(submit(queue, SEND, "echo", tag) == MLFLOW_GATEWAY_OK);
    /* The first events of two streams, and the end of a request. */
    while (count(MLFLOW_GATEWAY_QUEUE_COUNT_UNFETCHED) < 3)
        poll(NULL, 0, 1);
    CHECK(mlflow_gateway_queue_cancel(queue, 6) == 1);
    while (count(MLFLOW_GATEWAY_QUEUE_COUNT_UNFETCHED) < 4)
        poll(NULL, 0, 1);
}

/* Nothing of the parent's queue can be used. */
static void check_functions_in_child(void)
{
    mlflow_gateway_completion *completion = NULL;
    mlflow_gateway_request *request = make_request("echo", NULL);
    int fd = -1;

    CHECK_STATUS(MLFLOW_GATEWAY_INVALID_ARGUMENT, mlflow_gateway_queue_next(queue, 0, &completion, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_INVALID_ARGUMENT, mlflow_gateway_queue_next(queue, -1, &completion, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_INVALID_ARGUMENT, mlflow_gateway_queue_submit(queue, request, SEND, 1, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_INVALID_ARGUMENT,
                 mlflow_gateway_queue_set_option(queue, "max_in_flight", "9", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_INVALID_ARGUMENT, mlflow_gateway_queue_fd(queue, &fd, &error));
    CHECK(completion == NULL && fd == -1);
    for (int32_t kind = MLFLOW_GATEWAY_QUEUE_COUNT_WAITING; kind <= MLFLOW_GATEWAY_QUEUE_COUNT_LIMIT; kind++)
        CHECK(count(kind) == 0);
    for (uint64_t tag = 0; tag < 10; tag++)
        CHECK(mlflow_gateway_queue_cancel(queue, tag) == 0);
    mlflow_gateway_queue_close(queue);
    mlflow_gateway_request_destroy(request);
}

static void use_own_queue(void)
{
    mlflow_gateway_queue *own = make_queue(gateway, "4");
    mlflow_gateway_completion *completion;
    int done = 0;

    for (uint64_t tag = 0; tag < 8; tag++)
        CHECK(submit(own, tag % 2 == 0 ? SEND : STREAM, "echo in the child", tag) == MLFLOW_GATEWAY_OK);
    mlflow_gateway_queue_close(own);
    while ((completion = fetch(own, -1)) != NULL) {
        if (is_done(completion)) {
            check_done(completion, "echo in the child");
            done++;
        }
        mlflow_gateway_completion_destroy(completion);
    }
    CHECK(done == 8);
    mlflow_gateway_queue_destroy(own);
}

/* What the parent had fetched belongs to the child, too. */
static void run_child(bool destroys_first)
{
    if (destroys_first) {
        mlflow_gateway_queue_destroy(queue);
        mlflow_gateway_completion_destroy(fetched);
        use_own_queue();
    } else {
        check_functions_in_child();
        use_own_queue();
        mlflow_gateway_completion_destroy(fetched);
        mlflow_gateway_queue_destroy(queue);
    }
    mlflow_gateway_destroy(gateway);
}

/* Forks, lets the child end, and fetches all. */
static int run(bool destroys_first)
{
    mlflow_gateway_completion *completion;
    int done = 0, events = 0;

    open_queue();
    fill_queue();
    CHECK(is_readable());
    fetched = fetch(queue, 0);
    CHECK(fetched != NULL);
    size_t waiting = count(MLFLOW_GATEWAY_QUEUE_COUNT_WAITING);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        run_child(destroys_first);
        return 1;
    }
    wait_for(child);
    CHECK(is_readable() && count(MLFLOW_GATEWAY_QUEUE_COUNT_WAITING) <= waiting);
    events += !is_done(fetched);
    done += is_done(fetched);
    mlflow_gateway_completion_destroy(fetched);
    while ((done < 6 || events < 4) && (completion = fetch(queue, 20000)) != NULL) {
        done += is_done(completion);
        events += !is_done(completion);
        mlflow_gateway_completion_destroy(completion);
    }
    /* All except those that stall: the two of "echo all" and its finish reason, and one of "half stalled". */
    CHECK(done == 6 && events == 4);
    CHECK(!is_readable());
    /* A child has no effect on the readiness either way. */
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        mlflow_gateway_queue_destroy(queue);
        return 1;
    }
    wait_for(child);
    CHECK(!is_readable());
    for (uint64_t tag = 1; tag < 6; tag++)
        mlflow_gateway_queue_cancel(queue, tag);
    mlflow_gateway_queue_close(queue);
    while ((completion = fetch(queue, -1)) != NULL) {
        CHECK(mlflow_gateway_completion_status(completion) == MLFLOW_GATEWAY_CANCELLED);
        done++;
        mlflow_gateway_completion_destroy(completion);
    }
    CHECK(done == 9 && is_readable());
    mlflow_gateway_queue_destroy(queue);
    close(loop);
    return 0;
}

int main(int argc, char **argv)
{
    CHECK(argc == 2 || argc == 3);
    gateway = make_handle(argv[1], argv[2]);
    /* A child returns from here, too, with the exit handlers of the program. */
    for (int i = 0; i < 2; i++)
        if (run(i == 0) != 0)
            return 0;
    mlflow_gateway_destroy(gateway);
    return 0;
}

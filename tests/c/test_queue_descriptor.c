/*
 * The descriptor of a queue is readable exactly while mlflow_gateway_queue_next() would return a completion or the end.
 *
 * usage: test_queue_descriptor URI SEED STEPS
 *   tests/c/fast_gateway.c
 *   Compares a random program with a model after each step. Then fetches with epoll, level-triggered and
 *   edge-triggered.
 */
#define _POSIX_C_SOURCE 200809L

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "queue_helpers.h"

#define TAGS 16

static const char *uri;
static uint64_t state;

/* What the program has submitted to the queue and not fetched. */
static struct {
    mlflow_gateway_queue *queue;
    int fd;
    bool is_closed;
    size_t unfinished[TAGS], all;
    /* The requests of the tag that were cancelled when the tag had no other ones. */
    bool has_only_cancelled[TAGS];
} model;

/* xorshift64 */
static uint64_t random_below(uint64_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % limit;
}

static bool is_readable(int fd)
{
    struct pollfd entry = { .fd = fd, .events = POLLIN };

    CHECK(poll(&entry, 1, 0) >= 0 && (entry.revents & ~POLLIN) == 0);
    return entry.revents != 0;
}

/*
 * Only this thread fetches: what can be fetched remains so, but there may be more of it at any time. So each condition
 * is checked in the order in which a change in between cannot make it wrong.
 */
static void check_descriptor(void)
{
    bool is_over = model.is_closed && model.all == 0;

    if (mlflow_gateway_queue_count(model.queue, MLFLOW_GATEWAY_QUEUE_COUNT_UNFETCHED) > 0 || is_over)
        CHECK(is_readable(model.fd));
    if (is_readable(model.fd))
        CHECK(mlflow_gateway_queue_count(model.queue, MLFLOW_GATEWAY_QUEUE_COUNT_UNFETCHED) > 0 || is_over);
}

static void begin(mlflow_gateway *gateway)
{
    memset(&model, 0, sizeof model);
    model.queue = make_queue(gateway, random_below(2) == 0 ? "2" : "6");
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_queue_set_option(model.queue, "max_queued", "20", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_queue_set_option(model.queue, "max_events", "2", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_queue_fd(model.queue, &model.fd, &error));
    int again = -1;
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_queue_fd(model.queue, &again, &error));
    CHECK(again == model.fd && (fcntl(again, F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(again, F_GETFL) & O_NONBLOCK) != 0);
}

static void submit_one(void)
{
    static const char *const PROMPTS[] = { "echo", "later", "pieces", "stall", "503", "cut" };
    uint64_t tag = random_below(TAGS);
    const char *prompt = PROMPTS[random_below(sizeof PROMPTS / sizeof *PROMPTS)];
    mlflow_gateway_request *request = make_request(prompt, NULL);
    int32_t how = random_below(2) == 0 ? MLFLOW_GATEWAY_SUBMIT_SEND : MLFLOW_GATEWAY_SUBMIT_STREAM;

    mlflow_gateway_status status = mlflow_gateway_queue_submit(model.queue, request, how, tag, NULL);
    CHECK(model.is_closed ? status == MLFLOW_GATEWAY_INVALID_ARGUMENT
                          : status == MLFLOW_GATEWAY_OK || status == MLFLOW_GATEWAY_QUEUE_FULL);
    if (status == MLFLOW_GATEWAY_OK) {
        model.unfinished[tag]++;
        model.all++;
        model.has_only_cancelled[tag] = false;
    }
    mlflow_gateway_request_destroy(request);
}

static void fetch_one(int64_t timeout_ms)
{
    bool was_readable = is_readable(model.fd);
    mlflow_gateway_completion *completion = NULL;

    mlflow_gateway_status status = mlflow_gateway_queue_next(model.queue, timeout_ms, &completion, NULL);
    CHECK(!was_readable || status != MLFLOW_GATEWAY_PENDING);
    CHECK((status == MLFLOW_GATEWAY_QUEUE_END) == (model.is_closed && model.all == 0));
    if (completion == NULL)
        return;
    uint64_t tag = mlflow_gateway_completion_tag(completion);
    CHECK(tag < TAGS && model.unfinished[tag] > 0);
    if (is_done(completion)) {
        model.unfinished[tag]--;
        model.all--;
    } else {
        CHECK(!model.has_only_cancelled[tag]);
    }
    mlflow_gateway_completion_destroy(completion);
}

static void cancel(uint64_t tag)
{
    CHECK(mlflow_gateway_queue_cancel(model.queue, tag) <= model.unfinished[tag]);
    model.has_only_cancelled[tag] = true;
}

static void run_steps(mlflow_gateway *gateway, long steps)
{
    begin(gateway);
    for (long step = 0; step < steps; step++) {
        uint64_t choice = random_below(1000);
        if (choice < 400)
            submit_one();
        else if (choice < 850)
            fetch_one((int64_t)random_below(3));
        else if (choice < 990)
            cancel(random_below(TAGS));
        else if (choice < 995)
            model.is_closed = true, mlflow_gateway_queue_close(model.queue);
        check_descriptor();
        if (model.is_closed && random_below(50) == 0) {
            for (uint64_t tag = 0; tag < TAGS; tag++)
                cancel(tag);
            while (model.all > 0) {
                fetch_one(-1);
                check_descriptor();
            }
            fetch_one(-1);
            mlflow_gateway_queue_destroy(model.queue);
            CHECK(fcntl(model.fd, F_GETFD) < 0);
            begin(gateway);
        }
    }
    mlflow_gateway_queue_destroy(model.queue);
}

/* Fetches `count` streams in an event loop. Returns how often it was woken. */
static int fetch_with_epoll(mlflow_gateway *gateway, uint32_t trigger, int count)
{
    mlflow_gateway_queue *queue = make_queue(gateway, "20");
    struct epoll_event event = { .events = EPOLLIN | trigger };
    mlflow_gateway_completion *completion;
    int fd = -1, loop = epoll_create1(EPOLL_CLOEXEC), done = 0, wakes = 0;

    CHECK(loop >= 0);
    for (int i = 0; i < count / 2; i++)
        CHECK(submit(queue, MLFLOW_GATEWAY_SUBMIT_STREAM, "pieces", (uint64_t)i) == MLFLOW_GATEWAY_OK);
    /* Some are complete before the descriptor is made. */
    while (mlflow_gateway_queue_count(queue, MLFLOW_GATEWAY_QUEUE_COUNT_UNFETCHED) == 0)
        poll(NULL, 0, 1);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_queue_fd(queue, &fd, &error));
    CHECK(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) == 0);
    for (int i = count / 2; i < count; i++)
        CHECK(submit(queue, MLFLOW_GATEWAY_SUBMIT_STREAM, "pieces", (uint64_t)i) == MLFLOW_GATEWAY_OK);
    while (done < count) {
        CHECK(epoll_wait(loop, &event, 1, 20000) == 1);
        wakes++;
        /* Level-triggered, one completion each time is enough. */
        do {
            completion = fetch(queue, 0);
            CHECK(completion != NULL || trigger != 0);
            done += is_done(completion);
            mlflow_gateway_completion_destroy(completion);
        } while (completion != NULL && trigger != 0);
    }
    CHECK(fetch(queue, 0) == NULL);
    epoll_wait(loop, &event, 1, 0); /* an edge of what was fetched already */
    CHECK(epoll_wait(loop, &event, 1, 200) == 0); /* an idle queue wakes no one */
    mlflow_gateway_queue_close(queue);
    CHECK(epoll_wait(loop, &event, 1, 20000) == 1);
    mlflow_gateway_queue_destroy(queue);
    close(loop);
    return wakes;
}

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    uri = argv[1];
    state = strtoull(argv[2], NULL, 10) * 88172645463325252u + 1;
    mlflow_gateway *gateway = make_handle(uri, NULL);
    run_steps(gateway, atol(argv[3]));
    CHECK(fetch_with_epoll(gateway, 0, 100) > 100);
    CHECK(fetch_with_epoll(gateway, EPOLLET, 100) <= 500);
    mlflow_gateway_destroy(gateway);
    return 0;
}

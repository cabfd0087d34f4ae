/*
 * Many threads submit, fetch, cancel and destroy queues at random. Each request of a queue that is not destroyed before
 * ends exactly once, with its own response; after a cancellation only its end follows.
 *
 * usage: test_queue_storm URI THREADS SECONDS SEED
 *   tests/c/fast_gateway.c. A slow machine takes longer, until enough has happened.
 *   out: the numbers of requests submitted, of ends fetched, of events fetched, and of queues destroyed while full
 */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <pthread.h>

#include "clock.h"
#include "queue_helpers.h"

#define QUEUES 4
#define MAX_THREADS 64
#define MAX_REQUESTS 400000
#define KEPT 4
#define MAX_LONGER_US 120000000

/* A queue that is replaced by another one now and then. `lock` is held for writing meanwhile. */
static struct slot {
    pthread_rwlock_t lock;
    mlflow_gateway_queue *queue;
    uint64_t first_tag, submitted, done;
} slots[QUEUES];

/* By tag, which is the number of the request. */
static struct {
    char has_ended;
    /* The time when a cancellation returned, or 0. */
    uint64_t cancelled_at;
} requests[MAX_REQUESTS];

static mlflow_gateway *gateway;
static mlflow_gateway_cancel_token *token;
static int64_t end_us, last_us;
static uint64_t next_tag, now, submitted, done, events, destroyed_full;

static uint64_t add(uint64_t *to, uint64_t amount)
{
    return __atomic_fetch_add(to, amount, __ATOMIC_SEQ_CST);
}

static uint64_t random_below(uint64_t *state, uint64_t limit)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % limit;
}

static const char *kind_of(uint64_t tag)
{
    static const char *const KINDS[] = { "echo", "echo", "later", "pieces", "flaky", "closing", "close", "echo" };
    return tag % 32 == 31 ? "stall" : KINDS[tag % (sizeof KINDS / sizeof *KINDS)];
}

static void open_queue(struct slot *slot, uint64_t *state)
{
    slot->queue = make_queue(gateway, random_below(state, 2) == 0 ? "4" : "12");
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_queue_set_option(slot->queue, "max_queued", "50", &error));
    slot->submitted = slot->done = 0;
    slot->first_tag = add(&next_tag, 0);
}

static void submit_one(struct slot *slot, uint64_t *state)
{
    uint64_t tag = add(&next_tag, 1);
    char prompt[64];

    if (tag >= MAX_REQUESTS)
        return;
    snprintf(prompt, sizeof prompt, "%s %" PRIu64, kind_of(tag), tag);
    mlflow_gateway_request *request = make_request(prompt, tag % 5 == 0 ? token : NULL);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_option(request, "timeout_ms", "20000", &error));
    int32_t how = random_below(state, 2) == 0 ? MLFLOW_GATEWAY_SUBMIT_SEND : MLFLOW_GATEWAY_SUBMIT_STREAM;
    if (mlflow_gateway_queue_submit(slot->queue, request, how, tag, NULL) == MLFLOW_GATEWAY_OK) {
        add(&slot->submitted, 1);
        add(&submitted, 1);
    }
    mlflow_gateway_request_destroy(request);
}

static void check_end(const mlflow_gateway_completion *completion, uint64_t tag)
{
    char prompt[64];
    const mlflow_gateway_response *response = mlflow_gateway_completion_response(completion);
    mlflow_gateway_status status = mlflow_gateway_completion_status(completion);

    CHECK(__atomic_exchange_n(&requests[tag].has_ended, 1, __ATOMIC_SEQ_CST) == 0);
    CHECK((status == MLFLOW_GATEWAY_OK) == (mlflow_gateway_completion_error(completion) == NULL));
    snprintf(prompt, sizeof prompt, "%s %" PRIu64, kind_of(tag), tag);
    if (status == MLFLOW_GATEWAY_OK)
        CHECK(strcmp(mlflow_gateway_response_text(response, 0, NULL), prompt) == 0);
    if (tag % 8 < 4 && tag % 5 != 0)
        CHECK(status == MLFLOW_GATEWAY_OK || status == MLFLOW_GATEWAY_CANCELLED);
}

/* Returns the completion of an event, or NULL. */
static mlflow_gateway_completion *fetch_one(struct slot *slot, int64_t timeout_ms)
{
    uint64_t began = add(&now, 1);
    mlflow_gateway_completion *completion = fetch(slot->queue, timeout_ms);

    if (completion == NULL)
        return NULL;
    uint64_t tag = mlflow_gateway_completion_tag(completion);
    CHECK(tag < MAX_REQUESTS);
    if (is_done(completion)) {
        check_end(completion, tag);
        add(&slot->done, 1);
        add(&done, 1);
        mlflow_gateway_completion_destroy(completion);
        return NULL;
    }
    uint64_t cancelled_at = __atomic_load_n(&requests[tag].cancelled_at, __ATOMIC_SEQ_CST);
    CHECK(cancelled_at == 0 || cancelled_at > began);
    add(&events, 1);
    return completion;
}

static void cancel_one(struct slot *slot, uint64_t *state)
{
    uint64_t newest = add(&next_tag, 0), back = 1 + random_below(state, 100);
    uint64_t tag = newest > back ? newest - back : 0;

    if (tag < MAX_REQUESTS && mlflow_gateway_queue_cancel(slot->queue, tag) == 1)
        __atomic_store_n(&requests[tag].cancelled_at, add(&now, 1) + 1, __ATOMIC_SEQ_CST);
}

/* Fetches everything, or destroys the queue as it is. */
static void replace_queue(struct slot *slot, uint64_t *state)
{
    mlflow_gateway_completion *completion = NULL;
    mlflow_gateway_status status;

    if (random_below(state, 2) == 0) {
        add(&destroyed_full, slot->submitted > slot->done);
    } else {
        /* Requests of the kind "stall" would take until their timeout. */
        for (uint64_t tag = slot->first_tag, end = add(&next_tag, 0); tag < end; tag++)
            mlflow_gateway_queue_cancel(slot->queue, tag);
        mlflow_gateway_queue_close(slot->queue);
        while ((status = mlflow_gateway_queue_next(slot->queue, -1, &completion, NULL)) == MLFLOW_GATEWAY_OK) {
            if (is_done(completion)) {
                check_end(completion, mlflow_gateway_completion_tag(completion));
                slot->done++;
                add(&done, 1);
            }
            mlflow_gateway_completion_destroy(completion);
        }
        CHECK(status == MLFLOW_GATEWAY_QUEUE_END && slot->submitted == slot->done);
    }
    mlflow_gateway_queue_destroy(slot->queue);
    open_queue(slot, state);
}

/* Options, each with two values. */
static const char *const OPTIONS[][3] = {
    { "max_in_flight", "2", "16" },
    { "max_events", "1", "16" },
    { "adaptive", "true", "false" },
    { "requests_per_second", "5000", "0" },
    { "tokens_per_minute", "1000000000", "0" },
};

static void use_queue(struct slot *slot, uint64_t *state, mlflow_gateway_completion **kept)
{
    uint64_t choice = random_below(state, 100), place = random_below(state, KEPT);
    int fd = -1;

    if (choice < 35) {
        submit_one(slot, state);
    } else if (choice < 85) {
        mlflow_gateway_completion *event = fetch_one(slot, (int64_t)random_below(state, 4));
        if (event != NULL) {
            mlflow_gateway_completion_destroy(kept[place]);
            kept[place] = event;
        }
    } else if (choice < 93) {
        cancel_one(slot, state);
    } else if (choice < 96) {
        const char *const *option = OPTIONS[random_below(state, sizeof OPTIONS / sizeof *OPTIONS)];
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_queue_set_option(slot->queue, option[0], option[1 + random_below(state, 2)],
                                                     &error));
    } else if (choice < 98) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_queue_fd(slot->queue, &fd, &error));
    } else {
        mlflow_gateway_completion_destroy(kept[place]);
        kept[place] = NULL;
        CHECK(mlflow_gateway_queue_count(slot->queue, MLFLOW_GATEWAY_QUEUE_COUNT_IN_FLIGHT) <= 16);
    }
}

static bool is_enough(void)
{
    uint64_t ended = add(&done, 0), all = add(&submitted, 0);

    return all > 50 && ended > all / 10 && add(&events, 0) > 5 && add(&destroyed_full, 0) > 0;
}

static void *run(void *seed)
{
    uint64_t state = *(uint64_t *)seed;
    mlflow_gateway_completion *kept[KEPT] = { NULL };

    while (now_us() < end_us || (!is_enough() && now_us() < last_us)) {
        struct slot *slot = &slots[random_below(&state, QUEUES)];
        if (random_below(&state, 400) == 0) {
            CHECK(pthread_rwlock_wrlock(&slot->lock) == 0);
            replace_queue(slot, &state);
        } else {
            CHECK(pthread_rwlock_rdlock(&slot->lock) == 0);
            use_queue(slot, &state, kept);
        }
        CHECK(pthread_rwlock_unlock(&slot->lock) == 0);
        if (random_below(&state, 2000) == 0) {
            mlflow_gateway_cancel(token);
            mlflow_gateway_cancel_token_reset(token);
        }
    }
    for (int i = 0; i < KEPT; i++)
        mlflow_gateway_completion_destroy(kept[i]);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[MAX_THREADS];
    uint64_t seeds[MAX_THREADS], state;

    CHECK(argc == 5);
    int count = atoi(argv[2]);
    CHECK(count > 0 && count <= MAX_THREADS);
    state = strtoull(argv[4], NULL, 10) * 88172645463325252u + 1;
    gateway = make_handle(argv[1], NULL);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_cancel_token_create(&token, &error));
    for (int i = 0; i < QUEUES; i++) {
        CHECK(pthread_rwlock_init(&slots[i].lock, NULL) == 0);
        open_queue(&slots[i], &state);
    }
    end_us = now_us() + (int64_t)(1e6 * atof(argv[3]));
    last_us = end_us + MAX_LONGER_US;
    for (int i = 0; i < count; i++) {
        seeds[i] = random_below(&state, UINT64_MAX) | 1;
        CHECK(pthread_create(&threads[i], NULL, run, &seeds[i]) == 0);
    }
    for (int i = 0; i < count; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < QUEUES; i++) {
        replace_queue(&slots[i], &state);
        mlflow_gateway_queue_destroy(slots[i].queue);
        pthread_rwlock_destroy(&slots[i].lock);
    }
    mlflow_gateway_cancel_token_destroy(token);
    mlflow_gateway_destroy(gateway);
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", submitted, done, events, destroyed_full);
    return 0;
}

/*
 * Threads make calls on a few shared handles and on their own, with responses and faults of all kinds. Meanwhile other
 * threads cancel some of the calls, change the settings, and create and destroy objects. Each call must return what its
 * prompt requests from the gateway (see fast_gateway.c), or CANCELLED if it has a token. At the end, the process must
 * have as many threads and descriptors, and about as much memory, as before.
 *
 * usage: test_load URI THREADS CALLS SEED MAX_GROWTH_KIB
 *   CALLS is the number of calls of each thread. A warm-up with a twentieth of them comes first.
 *   out: one line for each kind: KIND CALLS CANCELLED ATTEMPTS
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "check.h"
#include "process_state.h"

#define SHARED_HANDLES 4
#define MAX_THREADS 256
/* One of this many calls has the token of the thread. */
#define ONE_WITH_TOKEN_OF 8
/* After this many calls, some calls use a new handle of the thread. */
#define OWN_HANDLE_AFTER 64
#define CALLS_ON_OWN_HANDLE 4

static const struct kind {
    const char *name;
    /* Per thousand calls. */
    unsigned share;
    mlflow_gateway_status status, stream_status;
    int http_status;
    /* Without retries; some calls have two. */
    bool can_be_retried;
} KINDS[] = {
    { "echo", 790, MLFLOW_GATEWAY_OK, MLFLOW_GATEWAY_STREAM_END, 200, false },
    { "later", 30, MLFLOW_GATEWAY_OK, MLFLOW_GATEWAY_STREAM_END, 200, false },
    { "pieces", 20, MLFLOW_GATEWAY_OK, MLFLOW_GATEWAY_STREAM_END, 200, false },
    { "closing", 20, MLFLOW_GATEWAY_OK, MLFLOW_GATEWAY_STREAM_END, 200, false },
    { "flaky", 20, MLFLOW_GATEWAY_OK, MLFLOW_GATEWAY_STREAM_END, 200, true },
    { "400", 15, MLFLOW_GATEWAY_BAD_REQUEST, MLFLOW_GATEWAY_BAD_REQUEST, 400, false },
    { "429", 20, MLFLOW_GATEWAY_RATE_LIMITED, MLFLOW_GATEWAY_RATE_LIMITED, 429, true },
    { "500", 15, MLFLOW_GATEWAY_SERVER_ERROR, MLFLOW_GATEWAY_SERVER_ERROR, 500, true },
    { "503", 20, MLFLOW_GATEWAY_SERVER_ERROR, MLFLOW_GATEWAY_SERVER_ERROR, 503, true },
    { "close", 10, MLFLOW_GATEWAY_CONNECTION_LOST, MLFLOW_GATEWAY_CONNECTION_LOST, 0, false },
    { "reset", 10, MLFLOW_GATEWAY_CONNECTION_LOST, MLFLOW_GATEWAY_CONNECTION_LOST, 0, false },
    { "cut", 10, MLFLOW_GATEWAY_CONNECTION_LOST, MLFLOW_GATEWAY_STREAM_TRUNCATED, 200, false },
    { "garbage", 10, MLFLOW_GATEWAY_BAD_RESPONSE, MLFLOW_GATEWAY_BAD_RESPONSE, 200, false },
    { "stall", 10, MLFLOW_GATEWAY_TIMEOUT, MLFLOW_GATEWAY_TIMEOUT, 0, false },
};
#define KIND_COUNT (sizeof KINDS / sizeof *KINDS)
#define STALL_MS "30"
#define FLAKY_RETRIES 10
#define RETRIES 2

struct tally {
    unsigned long calls, cancelled, attempts;
};

struct worker {
    pthread_t thread;
    int number, calls, call_count;
    uint64_t random;
    mlflow_gateway_cancel_token *token;
    struct tally tallies[KIND_COUNT];
};

/* The result of a call. */
struct outcome {
    mlflow_gateway_status status;
    int http_status;
    unsigned attempts;
    char text[128];
    size_t len;
};

static const char *uri;
static mlflow_gateway *gateways[SHARED_HANDLES];
static struct worker workers[MAX_THREADS];
static int worker_count;
static bool is_running;

static bool is_storm_running(void)
{
    return __atomic_load_n(&is_running, __ATOMIC_RELAXED);
}

/* xorshift64 */
static unsigned random_below(uint64_t *state, unsigned limit)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (unsigned)(*state % limit);
}

static uint64_t seed(uint64_t from, int number)
{
    uint64_t state = (from + (uint64_t)number + 1) * 0x9E3779B97F4A7C15u;
    return state == 0 ? 1 : state;
}

static void sleep_us(unsigned microseconds)
{
    nanosleep(&(struct timespec){ 0, (long)microseconds * 1000 }, NULL);
}

static mlflow_gateway *make_handle(void)
{
    mlflow_gateway *gateway = NULL;
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create("r", uri, &gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "timeout_ms", "120000", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "retry_backoff_ms", "1", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "retry_max_backoff_ms", "2", &error));
    return gateway;
}

static void keep_text(struct outcome *outcome, const char *text, size_t len)
{
    CHECK(outcome->len + len < sizeof outcome->text);
    memcpy(outcome->text + outcome->len, text, len);
    outcome->len += len;
    outcome->text[outcome->len] = '\0';
}

static void keep_error(struct outcome *outcome, mlflow_gateway_error *error)
{
    CHECK(mlflow_gateway_error_status(error) == outcome->status);
    outcome->http_status = mlflow_gateway_error_http_status(error);
    outcome->attempts = mlflow_gateway_error_attempts(error);
    mlflow_gateway_error_destroy(error);
}

static void keep_response(struct outcome *outcome, const mlflow_gateway_response *response)
{
    outcome->http_status = mlflow_gateway_response_http_status(response);
    outcome->attempts = mlflow_gateway_response_attempts(response);
}

static void call(mlflow_gateway *gateway, const char *prompt, struct outcome *outcome)
{
    mlflow_gateway_error *error = NULL;
    char *text = NULL;
    size_t len = 0;

    outcome->status = mlflow_gateway_call(gateway, prompt, &text, &len, &error);
    if (outcome->status == MLFLOW_GATEWAY_OK) {
        keep_text(outcome, text, len);
        outcome->http_status = 200;
        outcome->attempts = 1;
        mlflow_gateway_string_free(text);
    } else {
        keep_error(outcome, error);
    }
}

static void send_request(mlflow_gateway *gateway, mlflow_gateway_request *request, struct outcome *outcome)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_response *response = NULL;

    outcome->status = mlflow_gateway_send(gateway, request, &response, &error);
    if (outcome->status == MLFLOW_GATEWAY_OK) {
        size_t len = 0;
        const char *text = mlflow_gateway_response_text(response, 0, &len);
        keep_text(outcome, text, len);
        keep_response(outcome, response);
        mlflow_gateway_response_destroy(response);
    } else {
        keep_error(outcome, error);
    }
}

static int add_event(const mlflow_gateway_event *event, void *outcome)
{
    size_t len = 0;
    const char *text = mlflow_gateway_event_text(event, &len);

    CHECK(mlflow_gateway_event_candidate(event) == 0);
    if (mlflow_gateway_event_kind(event) == MLFLOW_GATEWAY_EVENT_TEXT)
        keep_text(outcome, text, len);
    return 0;
}

static void read_stream(mlflow_gateway *gateway, mlflow_gateway_request *request, struct outcome *outcome)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_stream *stream = NULL;
    const mlflow_gateway_event *event = NULL;

    outcome->status = mlflow_gateway_stream_open(gateway, request, &stream, &error);
    while (outcome->status == MLFLOW_GATEWAY_OK) {
        outcome->status = mlflow_gateway_stream_next(stream, &event, &error);
        if (outcome->status == MLFLOW_GATEWAY_OK)
            add_event(event, outcome);
    }
    if (outcome->status == MLFLOW_GATEWAY_STREAM_END)
        keep_response(outcome, mlflow_gateway_stream_response(stream));
    else
        keep_error(outcome, error);
    mlflow_gateway_stream_destroy(stream);
}

static void call_stream(mlflow_gateway *gateway, mlflow_gateway_request *request, struct outcome *outcome)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_response *response = NULL;

    outcome->status = mlflow_gateway_stream_call(gateway, request, add_event, outcome, &response, &error);
    if (outcome->status == MLFLOW_GATEWAY_OK) {
        outcome->status = MLFLOW_GATEWAY_STREAM_END;
        keep_response(outcome, response);
    } else {
        keep_error(outcome, error);
    }
    mlflow_gateway_response_destroy(response);
}

static const struct kind *pick_kind(struct worker *worker)
{
    unsigned number = random_below(&worker->random, 1000), at = 0;

    while (number >= KINDS[at].share)
        number -= KINDS[at++].share;
    return &KINDS[at];
}

/* Creates a request with this prompt and the options of its kind. Returns the maximum number of retries. */
static unsigned make_request(struct worker *worker, const struct kind *kind, const char *prompt,
                             mlflow_gateway_request **request)
{
    unsigned retries = 0;
    char value[12];

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_request_set_prompt(*request, prompt, MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    if (strcmp(kind->name, "stall") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_request_set_option(*request, "timeout_ms", STALL_MS, &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_request_set_option(*request, "stream_timeout_ms", STALL_MS, &error));
    }
    if (strcmp(kind->name, "flaky") == 0)
        retries = FLAKY_RETRIES;
    else if (random_below(&worker->random, 2) == 0)
        retries = RETRIES;
    snprintf(value, sizeof value, "%u", retries);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_option(*request, "max_retries", value, &error));
    return retries;
}

/* Whether the call returned what its prompt requested, with at most `retries` retries. */
static bool is_expected(const struct kind *kind, bool is_stream, const char *prompt, unsigned retries,
                        const struct outcome *outcome)
{
    mlflow_gateway_status status = is_stream ? kind->stream_status : kind->status;
    bool is_flaky = strcmp(kind->name, "flaky") == 0, has_text = kind->status == MLFLOW_GATEWAY_OK;
    unsigned attempts = kind->can_be_retried ? retries + 1 : 1;

    if (is_flaky && outcome->status == MLFLOW_GATEWAY_SERVER_ERROR)
        return outcome->attempts == attempts && outcome->http_status == 503;
    if (outcome->status != status)
        return false;
    /* The prompt does not determine how far the call gets before the timeout. */
    if (status == MLFLOW_GATEWAY_TIMEOUT)
        return outcome->attempts <= 1;
    if (has_text ? strcmp(outcome->text, prompt) != 0 : strncmp(outcome->text, prompt, outcome->len) != 0)
        return false;
    /* A request on an idle connection that is closed without a response is sent once more. */
    if (status == MLFLOW_GATEWAY_CONNECTION_LOST && kind->http_status == 0)
        attempts++;
    else if (!is_flaky)
        return outcome->attempts == attempts;
    return outcome->attempts >= 1 && outcome->attempts <= attempts;
}

static void make_call(struct worker *worker, mlflow_gateway *gateway)
{
    const struct kind *kind = pick_kind(worker);
    struct tally *tally = &worker->tallies[kind - KINDS];
    struct outcome outcome = { .len = 0 };
    mlflow_gateway_request *request = NULL;
    bool has_token = random_below(&worker->random, ONE_WITH_TOKEN_OF) == 0, was_cancelled = false;
    unsigned call_kind = random_below(&worker->random, 16), retries;
    bool is_stream = call_kind < 4;
    char prompt[128];

    snprintf(prompt, sizeof prompt, "%s %d of thread %d", kind->name, worker->call_count++, worker->number);
    retries = make_request(worker, kind, prompt, &request);
    if (has_token) {
        if (random_below(&worker->random, 4) != 0)
            mlflow_gateway_cancel_token_reset(worker->token);
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_request_set_cancel_token(request, worker->token, &error));
        was_cancelled = mlflow_gateway_cancel_token_is_cancelled(worker->token);
    }
    if (call_kind < 2) {
        read_stream(gateway, request, &outcome);
    } else if (is_stream) {
        call_stream(gateway, request, &outcome);
    } else if (call_kind < 8 && !has_token && kind->status == MLFLOW_GATEWAY_OK && strcmp(kind->name, "flaky") != 0) {
        call(gateway, prompt, &outcome);
    } else {
        send_request(gateway, request, &outcome);
    }
    mlflow_gateway_request_destroy(request);

    tally->calls++;
    tally->attempts += outcome.attempts;
    if (has_token && outcome.status == MLFLOW_GATEWAY_CANCELLED) {
        CHECK(strncmp(outcome.text, prompt, outcome.len) == 0);
        tally->cancelled++;
    } else if (!is_expected(kind, is_stream, prompt, retries, &outcome) || was_cancelled) {
        fprintf(stderr, "\"%s\" returned %s, HTTP status %d, %u attempts, \"%s\"%s%s%s\n", prompt,
                mlflow_gateway_status_name(outcome.status), outcome.http_status, outcome.attempts, outcome.text,
                is_stream ? ", a stream" : "", has_token ? ", with a token" : "", was_cancelled ? ", cancelled" : "");
        exit(1);
    }
    if (was_cancelled)
        CHECK(outcome.attempts == 0);
}

static void *run_worker(void *argument)
{
    struct worker *worker = argument;

    while (worker->calls > 0) {
        mlflow_gateway *own = make_handle();
        for (int i = 0; i < CALLS_ON_OWN_HANDLE && worker->calls > 0; i++, worker->calls--)
            make_call(worker, own);
        mlflow_gateway_destroy(own);
        for (int i = 0; i < OWN_HANDLE_AFTER && worker->calls > 0; i++, worker->calls--)
            make_call(worker, gateways[random_below(&worker->random, SHARED_HANDLES)]);
    }
    return NULL;
}

static void *cancel_repeatedly(void *random)
{
    while (is_storm_running()) {
        mlflow_gateway_cancel(workers[random_below(random, (unsigned)worker_count)].token);
        sleep_us(random_below(random, 200));
    }
    return NULL;
}

/* Changes settings and tokens during the calls. These tokens are never cancelled. */
static void *change_settings(void *random)
{
    while (is_storm_running()) {
        mlflow_gateway *gateway = gateways[random_below(random, SHARED_HANDLES)];
        mlflow_gateway_cancel_token *token = NULL;
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_cancel_token_create(&token, &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_cancel_token(gateway, token, &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_param_int(gateway, "max_tokens", 8, &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "max_connections", "32", &error));
        sleep_us(random_below(random, 500));
        if (random_below(random, 2) == 0)
            CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_cancel_token(gateway, NULL, &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_unset_param(gateway, "max_tokens", &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "max_connections", "64", &error));
        mlflow_gateway_cancel_token_destroy(token);
    }
    return NULL;
}

/* Creates and destroys objects in varying order, with a call that is cancelled before it starts. */
static void *create_and_destroy(void *random)
{
    while (is_storm_running()) {
        mlflow_gateway *gateway = make_handle();
        mlflow_gateway_request *request = NULL;
        mlflow_gateway_response *response = NULL;
        mlflow_gateway_cancel_token *token = NULL;
        unsigned order = random_below(random, 3);

        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_cancel_token_create(&token, &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_prompt(request, "never sent", 10, &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_cancel_token(request, token, &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_cancel_token(gateway, token, &error));
        mlflow_gateway_cancel(token);
        if (order == 0)
            mlflow_gateway_cancel_token_destroy(token);
        CHECK_STATUS(MLFLOW_GATEWAY_CANCELLED, mlflow_gateway_send(gateway, request, &response, &error));
        if (order == 1)
            mlflow_gateway_cancel_token_destroy(token);
        mlflow_gateway_destroy(gateway);
        mlflow_gateway_request_destroy(request);
        if (order == 2)
            mlflow_gateway_cancel_token_destroy(token);
        sleep_us(random_below(random, 500));
    }
    return NULL;
}

static void run_storm(int calls, uint64_t from)
{
    void *(*const others[])(void *) = { cancel_repeatedly, change_settings, create_and_destroy };
    enum { OTHERS = sizeof others / sizeof *others };
    pthread_t other_threads[OTHERS];
    uint64_t randoms[OTHERS];

    __atomic_store_n(&is_running, true, __ATOMIC_RELAXED);
    for (int i = 0; i < SHARED_HANDLES; i++)
        gateways[i] = make_handle();
    for (int i = 0; i < worker_count; i++) {
        workers[i].number = i;
        workers[i].calls = calls;
        workers[i].random = seed(from, i);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_cancel_token_create(&workers[i].token, &error));
    }
    for (int i = 0; i < OTHERS; i++) {
        randoms[i] = seed(from, MAX_THREADS + i);
        CHECK(pthread_create(&other_threads[i], NULL, others[i], &randoms[i]) == 0);
    }
    for (int i = 0; i < worker_count; i++)
        CHECK(pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) == 0);
    for (int i = 0; i < worker_count; i++)
        CHECK(pthread_join(workers[i].thread, NULL) == 0);
    __atomic_store_n(&is_running, false, __ATOMIC_RELAXED);
    for (int i = 0; i < OTHERS; i++)
        CHECK(pthread_join(other_threads[i], NULL) == 0);
    for (int i = 0; i < worker_count; i++)
        mlflow_gateway_cancel_token_destroy(workers[i].token);
    for (int i = 0; i < SHARED_HANDLES; i++)
        mlflow_gateway_destroy(gateways[i]);
}

/* Makes sanitizers start their own threads before threads are counted. */
static void *do_nothing(void *unused)
{
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t first;

    CHECK(argc == 6);
    uri = argv[1];
    worker_count = atoi(argv[2]);
    int calls = atoi(argv[3]);
    uint64_t from = strtoull(argv[4], NULL, 10);
    long max_growth = atol(argv[5]);
    CHECK(worker_count > 0 && worker_count <= MAX_THREADS && calls >= 20);

    CHECK(pthread_create(&first, NULL, do_nothing, NULL) == 0 && pthread_join(first, NULL) == 0);
    long descriptors = count_open_descriptors(), threads = count_threads();
    run_storm(calls / 20, from);
    long early = resident_kib();
    run_storm(calls - calls / 20, from + MAX_THREADS);
    long growth = resident_kib() - early;

    for (size_t kind = 0; kind < KIND_COUNT; kind++) {
        struct tally all = { 0, 0, 0 };
        for (int i = 0; i < worker_count; i++) {
            all.calls += workers[i].tallies[kind].calls;
            all.cancelled += workers[i].tallies[kind].cancelled;
            all.attempts += workers[i].tallies[kind].attempts;
        }
        printf("%s %lu %lu %lu\n", KINDS[kind].name, all.calls, all.cancelled, all.attempts);
    }
    CHECK(count_open_descriptors() == descriptors);
    CHECK(wait_for_thread_count(threads));
    if (growth > max_growth) {
        fprintf(stderr, "memory has grown by %ld KiB\n", growth);
        return 1;
    }
    return 0;
}

/*
 * Threads share a handle and make calls at the same time in rounds, after the handle's access token has expired. A line
 * on standard input starts a round, and its results are printed as a line.
 *
 * usage: test_token_threads URI ROUTE THREADS SHORT_MS
 *   The route responds with "echo: " and the prompt. If SHORT_MS is not 0, it is the timeout of every second thread,
 *   and these start before the others, so one of them requests the token.
 *   out: OK_COUNT FAILED_COUNT MILLISECONDS_OF_THE_SLOWEST_SHORT_CALL LAST_FAILED_STATUS
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <time.h>

#include "check.h"

static mlflow_gateway *gateway;
static const char *short_ms;
static pthread_barrier_t begin, end;
static bool has_ended;

static struct {
    pthread_mutex_t lock;
    int ok, failed;
    long slowest_ms;
    mlflow_gateway_status status;
} results = { .lock = PTHREAD_MUTEX_INITIALIZER };

static long now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (long)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void make_call(mlflow_gateway_request *request, const char *expected, bool is_short)
{
    mlflow_gateway_response *response = NULL;
    long start = now_ms();

    mlflow_gateway_status status = mlflow_gateway_send(gateway, request, &response, NULL);
    long took = now_ms() - start;
    if (status == MLFLOW_GATEWAY_OK)
        CHECK(strcmp(mlflow_gateway_response_text(response, 0, NULL), expected) == 0);
    mlflow_gateway_response_destroy(response);
    pthread_mutex_lock(&results.lock);
    if (status == MLFLOW_GATEWAY_OK) {
        results.ok++;
    } else {
        results.failed++;
        results.status = status;
    }
    if (is_short && took > results.slowest_ms)
        results.slowest_ms = took;
    pthread_mutex_unlock(&results.lock);
}

static void *run_rounds(void *number)
{
    mlflow_gateway_request *request = NULL;
    char prompt[64], expected[80];
    bool is_short = strcmp(short_ms, "0") != 0 && *(int *)number % 2 == 1;

    snprintf(prompt, sizeof prompt, "prompt of thread %d", *(int *)number);
    snprintf(expected, sizeof expected, "echo: %s", prompt);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_request_set_prompt(request, prompt, MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    if (is_short)
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_option(request, "timeout_ms", short_ms, &error));
    for (;;) {
        pthread_barrier_wait(&begin);
        if (has_ended)
            break;
        if (!is_short && strcmp(short_ms, "0") != 0)
            nanosleep(&(struct timespec){ 0, 100 * 1000000 }, NULL);
        make_call(request, expected, is_short);
        pthread_barrier_wait(&end);
    }
    mlflow_gateway_request_destroy(request);
    return NULL;
}

int main(int argc, char **argv)
{
    CHECK(argc == 5);
    int count = atoi(argv[3]);
    short_ms = argv[4];
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    int *numbers = calloc((size_t)count, sizeof *numbers);
    CHECK(count > 0 && threads != NULL && numbers != NULL);
    CHECK(pthread_barrier_init(&begin, NULL, (unsigned)count + 1) == 0);
    CHECK(pthread_barrier_init(&end, NULL, (unsigned)count + 1) == 0);

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create(argv[2], argv[1], &gateway, &error));
    for (int i = 0; i < count; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, run_rounds, &numbers[i]) == 0);
    }
    while (getchar() != EOF) {
        pthread_barrier_wait(&begin);
        pthread_barrier_wait(&end);
        printf("%d %d %ld %s\n", results.ok, results.failed, results.slowest_ms,
               mlflow_gateway_status_name(results.status));
        fflush(stdout);
        results.ok = results.failed = 0;
        results.slowest_ms = 0;
        results.status = MLFLOW_GATEWAY_OK;
    }
    has_ended = true;
    pthread_barrier_wait(&begin);
    for (int i = 0; i < count; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    mlflow_gateway_destroy(gateway);
    pthread_barrier_destroy(&begin);
    pthread_barrier_destroy(&end);
    free(threads);
    free(numbers);
    return 0;
}

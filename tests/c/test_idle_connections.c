/*
 * Calls succeed although the server closes idle connections, or closes a connection after a failed request.
 *
 * usage: test_idle_connections after-failure URI ROUTE PAIRS THREADS
 *        test_idle_connections period URI ROUTE CALLS THREADS MILLISECONDS
 *
 * after-failure: on one handle, each thread makes PAIRS pairs of calls. The first call of a pair fails with
 * SERVER_ERROR, the second one must succeed. period: each thread has a handle and makes CALLS calls with a pause of
 * MILLISECONDS. Prints the number of successful calls, of failed calls and of attempts, and the last error.
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <time.h>

#include "check.h"

static const char *uri, *route;
static int calls, period_ms;
static mlflow_gateway *shared;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int ok_count, failed_count, attempts;
static char last_error[1024];

static void sleep_ms(int ms)
{
    struct timespec time = { ms / 1000, ms % 1000 * 1000000L };
    nanosleep(&time, NULL);
}

static void call(mlflow_gateway *gateway)
{
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_response *response = NULL;
    mlflow_gateway_error *error = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_request_add_message(request, "user", "hi", MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    mlflow_gateway_status status = mlflow_gateway_send(gateway, request, &response, &error);
    pthread_mutex_lock(&lock);
    if (status == MLFLOW_GATEWAY_OK) {
        ok_count++;
        attempts += mlflow_gateway_response_attempts(response);
    } else {
        failed_count++;
        snprintf(last_error, sizeof last_error, "%s", mlflow_gateway_error_message(error));
    }
    pthread_mutex_unlock(&lock);
    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_error_destroy(error);
}

static void *after_failure(void *unused)
{
    for (int i = 0; i < calls; i++) {
        char *text = NULL;
        CHECK_STATUS(MLFLOW_GATEWAY_SERVER_ERROR, mlflow_gateway_call(shared, "!strange", &text, NULL, &error));
        call(shared);
    }
    return unused;
}

static mlflow_gateway *handle(void)
{
    mlflow_gateway *gateway = NULL;
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create(route, uri, &gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "max_retries", "0", &error));
    return gateway;
}

static void *period(void *unused)
{
    mlflow_gateway *gateway = handle();
    char *text = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_call(gateway, "hi", &text, NULL, &error));
    mlflow_gateway_string_free(text);
    for (int i = 0; i < calls; i++) {
        sleep_ms(period_ms);
        call(gateway);
    }
    mlflow_gateway_destroy(gateway);
    return unused;
}

int main(int argc, char **argv)
{
    CHECK(argc >= 6);
    uri = argv[2];
    route = argv[3];
    calls = atoi(argv[4]);
    int count = atoi(argv[5]);
    period_ms = argc > 6 ? atoi(argv[6]) : 0;
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    CHECK(calls > 0 && count > 0 && threads != NULL);

    shared = handle();
    for (int i = 0; i < count; i++) {
        CHECK(pthread_create(&threads[i], NULL, strcmp(argv[1], "period") == 0 ? period : after_failure, NULL) == 0);
        /* Spreads the calls of the threads over the period. */
        sleep_ms(period_ms > 0 ? 13 : 0);
    }
    for (int i = 0; i < count; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    mlflow_gateway_destroy(shared);
    free(threads);
    printf("%d %d %d %s\n", ok_count, failed_count, attempts, last_error);
    return 0;
}

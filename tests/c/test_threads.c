/*
 * Threads share one handle while other threads change its settings: each call returns the response to its own request.
 *
 * usage: test_threads URI ROUTE THREADS CALLS
 *   The route responds with "echo: " and the prompt.
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <time.h>

#include "check.h"

static mlflow_gateway *gateway;
static int calls;
static bool running = true;

static void *make_calls(void *number)
{
    char prompt[64], expected[80];

    for (int i = 0; i < calls; i++) {
        char *text = NULL;
        size_t len = 0;
        snprintf(prompt, sizeof prompt, "prompt %d of thread %d", i, *(int *)number);
        snprintf(expected, sizeof expected, "echo: %s", prompt);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_call(gateway, prompt, &text, &len, &error));
        CHECK(strcmp(text, expected) == 0);
        CHECK(len == strlen(expected));
        mlflow_gateway_string_free(text);
    }
    return NULL;
}

static void *change_settings(void *unused)
{
    /* With a pause, so that the others can run under tools that run one thread at a time. */
    const struct timespec pause = { 0, 200 * 1000 };

    for (int i = 0; __atomic_load_n(&running, __ATOMIC_RELAXED); i++) {
        char *json = NULL;
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_param_int(gateway, "max_tokens", 1 + i % 100, &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_param_double(gateway, "temperature", i % 2, &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_add_stop(gateway, "unused", &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_header(gateway, "X-Number", i % 2 ? "1" : NULL, &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "timeout_ms", "60000", &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_identifying_params(gateway, &json, NULL, &error));
        CHECK(strstr(json, "\"stop\":[\"unused\"]") != NULL);
        mlflow_gateway_string_free(json);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_unset_param(gateway, "stop", &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_unset_param(gateway, "temperature", &error));
        nanosleep(&pause, NULL);
    }
    return unused;
}

int main(int argc, char **argv)
{
    CHECK(argc == 5);
    int count = atoi(argv[3]);
    calls = atoi(argv[4]);
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    int *numbers = calloc((size_t)count, sizeof *numbers);
    pthread_t changing;
    CHECK(count > 0 && threads != NULL && numbers != NULL);

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create(argv[2], argv[1], &gateway, &error));
    CHECK(pthread_create(&changing, NULL, change_settings, NULL) == 0);
    for (int i = 0; i < count; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, make_calls, &numbers[i]) == 0);
    }
    for (int i = 0; i < count; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    __atomic_store_n(&running, false, __ATOMIC_RELAXED);
    CHECK(pthread_join(changing, NULL) == 0);
    mlflow_gateway_destroy(gateway);
    free(threads);
    free(numbers);
    printf("%d right responses\n", count * calls);
    return 0;
}

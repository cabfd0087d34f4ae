/*
 * Forks while threads make calls: whichever locks the threads hold, each child can use the handle, and the threads are
 * not affected.
 *
 * usage: test_fork_threads URI THREADS FORKS [CA_FILE]
 *   The gateway echoes the prompt.
 *   out: the number of calls of the threads
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>

#include "call_helpers.h"
#include "child.h"

#define MAX_THREADS 64

static mlflow_gateway *gateway;
static mlflow_gateway_request *request;
static mlflow_gateway_cancel_token *token;
static bool is_running = true;
static unsigned long call_count[MAX_THREADS];

/* A clone shares its data with the request, which other threads change. */
static void change_clone(int thread)
{
    mlflow_gateway_request *clone = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_clone(request, &clone, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_omit_param(clone, thread % 2 == 0 ? "n" : "top_p", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_prompt(clone, "another", 7, &error));
    mlflow_gateway_request_destroy(clone);
}

/* Sends a raw request, then sends it again with a cancelled token, the child's own copy. */
static void send_raw(void)
{
    mlflow_gateway_request *raw = NULL;
    mlflow_gateway_response *response = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&raw, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_path(raw, "GET", "/health", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_send(gateway, raw, &response, &error));
    CHECK(mlflow_gateway_response_http_status(response) == 200);
    mlflow_gateway_response_destroy(response);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_cancel_token(raw, token, &error));
    mlflow_gateway_cancel(token);
    CHECK_STATUS(MLFLOW_GATEWAY_CANCELLED, mlflow_gateway_send(gateway, raw, &response, &error));
    mlflow_gateway_request_destroy(raw);
}

static void *call_until_stopped(void *number)
{
    int thread = *(int *)number;
    char prompt[64];

    while (__atomic_load_n(&is_running, __ATOMIC_RELAXED)) {
        snprintf(prompt, sizeof prompt, "echo %lu of thread %d", call_count[thread]++, thread);
        /* The calls of the first thread have the token. Only children cancel it. */
        if (thread == 0)
            CHECK(send_with_token(gateway, prompt, token) == MLFLOW_GATEWAY_OK);
        else
            check_echo(gateway, prompt);
        /* These hold a lock without waiting, so that some forks occur while it is held. */
        for (int i = 0; i < 20; i++) {
            char *json = NULL;
            CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_param_int(gateway, "max_tokens", i, &error));
            CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_identifying_params(gateway, &json, NULL, &error));
            mlflow_gateway_string_free(json);
            CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_param_int(request, "n", i, &error));
            change_clone(thread);
        }
    }
    return NULL;
}

static void change_settings(void)
{
    char *json = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_param_int(gateway, "max_tokens", 7777, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "max_connections", "3", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_header(gateway, "X-Child", "yes", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_param_int(request, "max_tokens", 1, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_identifying_params(gateway, &json, NULL, &error));
    CHECK(strstr(json, "7777") != NULL);
    mlflow_gateway_string_free(json);
}

/* After the fork, the child has its own copy of the token. */
static void cancel_own_calls(const char *prompt)
{
    CHECK(!mlflow_gateway_cancel_token_is_cancelled(token));
    mlflow_gateway_cancel(token);
    CHECK(send_with_token(gateway, prompt, token) == MLFLOW_GATEWAY_CANCELLED);
    mlflow_gateway_cancel_token_reset(token);
    CHECK(send_with_token(gateway, prompt, token) == MLFLOW_GATEWAY_OK);
    mlflow_gateway_cancel(token);
}

static void run_child(int number, const char *uri, const char *ca_file)
{
    char prompt[64];

    snprintf(prompt, sizeof prompt, "echo for child %d", number);
    switch (number % 6) {
    case 0:
        change_settings();
        break;
    case 1:
        cancel_own_calls(prompt);
        break;
    case 2:
        mlflow_gateway_destroy(gateway);
        mlflow_gateway_request_destroy(request);
        mlflow_gateway_cancel_token_destroy(token);
        gateway = make_handle(uri, ca_file);
        break;
    case 3:
        send_raw();
        break;
    case 4:
        change_clone(number);
        break;
    default:
        break;
    }
    for (int i = 0; i < 3; i++)
        check_echo(gateway, prompt);
    /* Skips the exit handlers of the parent. */
    _exit(0);
}

int main(int argc, char **argv)
{
    pthread_t threads[MAX_THREADS];
    int numbers[MAX_THREADS];
    unsigned long all = 0;

    CHECK(argc == 4 || argc == 5);
    int count = atoi(argv[2]), forks = atoi(argv[3]);
    CHECK(count > 0 && count <= MAX_THREADS);
    gateway = make_handle(argv[1], argv[4]);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_cancel_token_create(&token, &error));
    request = make_request("unused", NULL);
    for (int i = 0; i < count; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, call_until_stopped, &numbers[i]) == 0);
    }
    for (int i = 0; i < forks; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0)
            run_child(i, argv[1], argv[4]);
        wait_for(child);
    }
    __atomic_store_n(&is_running, false, __ATOMIC_RELAXED);
    for (int i = 0; i < count; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        all += call_count[i];
    }
    CHECK(!mlflow_gateway_cancel_token_is_cancelled(token));
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_cancel_token_destroy(token);
    mlflow_gateway_destroy(gateway);
    printf("%lu\n", all);
    return 0;
}

/*
 * Threads share a handle and a request while another thread changes the request: each call uses the request as it was
 * when the call started.
 *
 * usage: test_shared_request URI CALLS
 *   The chat route "r" echoes the prompt.
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>

#include "check.h"

#define THREADS 8

static mlflow_gateway *gateway;
static mlflow_gateway_request *request;
static int calls;
static pthread_barrier_t begin;

static const char *const PROMPTS[] = { "a prompt", "another one, which is longer", "" };
#define PROMPT_COUNT (sizeof PROMPTS / sizeof *PROMPTS)

static void check_text(const char *text)
{
    for (size_t i = 0; i < PROMPT_COUNT; i++)
        if (strcmp(text == NULL ? "" : text, PROMPTS[i]) == 0)
            return;
    fprintf(stderr, "the response to none of the prompts: %s\n", text);
    exit(1);
}

static void send_request(void)
{
    mlflow_gateway_response *response = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_send(gateway, request, &response, &error));
    check_text(mlflow_gateway_response_text(response, 0, NULL));
    mlflow_gateway_response_destroy(response);
}

static void stream_request(void)
{
    mlflow_gateway_stream *stream = NULL;
    mlflow_gateway_status status;
    const mlflow_gateway_event *event;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_stream_open(gateway, request, &stream, &error));
    do
        status = mlflow_gateway_stream_next(stream, &event, NULL);
    while (status == MLFLOW_GATEWAY_OK);
    CHECK(status == MLFLOW_GATEWAY_STREAM_END);
    check_text(mlflow_gateway_response_text(mlflow_gateway_stream_response(stream), 0, NULL));
    mlflow_gateway_stream_destroy(stream);
}

static void *call_repeatedly(void *number)
{
    pthread_barrier_wait(&begin);
    for (int i = 0; i < calls; i++) {
        if ((i + *(int *)number) % 2 == 0)
            send_request();
        else
            stream_request();
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];

    CHECK(argc == 3);
    calls = atoi(argv[2]);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create("r", argv[1], &gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_request_set_prompt(request, PROMPTS[0], MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    CHECK(pthread_barrier_init(&begin, NULL, THREADS + 1) == 0);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, call_repeatedly, &numbers[i]) == 0);
    }
    pthread_barrier_wait(&begin);
    for (int i = 0; i < 20 * calls; i++) {
        const char *prompt = PROMPTS[(size_t)i % PROMPT_COUNT];
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_prompt(request, prompt,
                                                                         MLFLOW_GATEWAY_NUL_TERMINATED, &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_param_int(request, "max_tokens", i, &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_header(request, "X-Number", prompt, &error));
    }
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    pthread_barrier_destroy(&begin);
    return 0;
}

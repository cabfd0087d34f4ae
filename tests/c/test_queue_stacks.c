/*
 * The small stacks of a queue suffice for all requests, also in a program with large thread-local variables; and all
 * signals are blocked on its threads.
 *
 * usage: test_queue_stacks URI [CA_FILE]
 *   A gateway of tests/support/commanded_gateway.py, with the routes "r" (completions), "chat" and "embeddings".
 */
#define _GNU_SOURCE

#include <dirent.h>
#include <signal.h>

#include "queue_helpers.h"

enum { SEND = MLFLOW_GATEWAY_SUBMIT_SEND, STREAM = MLFLOW_GATEWAY_SUBMIT_STREAM };

/* The C library takes the memory for it from each stack. */
static __thread char large[1 << 20];

static mlflow_gateway *gateway;
static mlflow_gateway_queue *queue;

static mlflow_gateway_status run(int32_t how, const char *prompt, const char *text)
{
    mlflow_gateway_completion *completion;

    CHECK(submit(queue, how, prompt, 1) == MLFLOW_GATEWAY_OK);
    while ((completion = fetch(queue, -1)) != NULL && !is_done(completion))
        mlflow_gateway_completion_destroy(completion);
    mlflow_gateway_status status = mlflow_gateway_completion_status(completion);
    if (text != NULL)
        check_done(completion, text);
    mlflow_gateway_completion_destroy(completion);
    return status;
}

static void send_and_stream(void)
{
    run(SEND, "echo", "echo");
    run(STREAM, "pieces of text", "pieces of text");
    CHECK(run(SEND, "long", NULL) == MLFLOW_GATEWAY_OK);
    CHECK(run(SEND, "deep", NULL) == MLFLOW_GATEWAY_BAD_RESPONSE);
    CHECK(run(SEND, "deep 400", NULL) == MLFLOW_GATEWAY_BAD_REQUEST);
    run(SEND, "deep beside the text", "deep beside the text");
    CHECK(run(SEND, "503", NULL) == MLFLOW_GATEWAY_SERVER_ERROR);
    CHECK(run(SEND, "cut", NULL) == MLFLOW_GATEWAY_CONNECTION_LOST);
}

static void embed(void)
{
    mlflow_gateway_request *request = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_route(request, "embeddings", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_option(request, "embed_concurrency", "4", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_option(request, "embed_batch_size", "10", &error));
    for (int i = 0; i < 100; i++)
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_input(request, "input", 5, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_queue_submit(queue, request, MLFLOW_GATEWAY_SUBMIT_EMBED, 1, &error));
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_completion *completion = fetch(queue, -1);
    CHECK(mlflow_gateway_embeddings_count(mlflow_gateway_completion_embeddings(completion)) == 100);
    mlflow_gateway_completion_destroy(completion);
}

/* Returns whether the kernel delivers this signal on no thread except for the calling one. */
static bool is_blocked_on_other_threads(int signal)
{
    char path[300], line[256];
    unsigned long long blocked;
    DIR *folder = opendir("/proc/self/task");
    bool result = true;

    CHECK(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.' || atol(entry->d_name) == (long)getpid())
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *file = fopen(path, "r");
        while (file != NULL && fgets(line, sizeof line, file) != NULL)
            if (sscanf(line, "SigBlk: %llx", &blocked) == 1)
                result = result && (blocked >> (signal - 1) & 1) != 0;
        if (file != NULL)
            fclose(file);
    }
    closedir(folder);
    return result;
}

static void signals_are_blocked(void)
{
    for (uint64_t tag = 10; tag < 14; tag++)
        CHECK(submit(queue, SEND, "stall", tag) == MLFLOW_GATEWAY_OK);
    const int signals[] = { SIGINT, SIGTERM, SIGCHLD, SIGUSR1, SIGPROF, SIGALRM, SIGPIPE };
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        CHECK(is_blocked_on_other_threads(signals[i]));
}

int main(int argc, char **argv)
{
    CHECK(argc == 2 || argc == 3);
    memset(large, 1, sizeof large);
    gateway = make_handle(argv[1], argv[2]);
    queue = make_queue(gateway, "4");
    send_and_stream();
    embed();
    signals_are_blocked();
    mlflow_gateway_queue_destroy(queue);
    mlflow_gateway_destroy(gateway);
    return 0;
}

/*
 * The commands of operations.c about queues:
 *
 *   queue-send, queue-stream, queue-embed    as send, stream and embed, through a queue of their own
 *
 * The others are about one queue. Each prints a line of JSON, except for the first one:
 *
 *   queue [NAME=VALUE]...     create the queue with these options
 *   queue-option NAME=VALUE   {"status": ..., "message": ...}
 *   submit HOW TAG            HOW is a number or "send", "stream" or "embed"; {"status": ..., "message": ...}
 *   next MS [keep]            {"status": ..., "message": ..., "took_us": ..., "log": [...]}, and if there is a completion
 *                             "tag" and "event" or "done", in the form that operations.c describes. An event that is
 *                             kept is not destroyed.
 *   destroy-kept N            destroy the first N of the kept completions on another thread; {}
 *   queue-cancel TAG          {"count": ...}
 *   queue-count               {"counts": [WAITING, IN_FLIGHT, UNFETCHED, LIMIT]}
 *   queue-poll MS             wait until the descriptor is readable; {"is_readable": ...}
 *   queue-close               {}
 *   queue-destroy             {"took_us": ..., "log": [...]}
 */
#ifndef QUEUE_COMMANDS_H
#define QUEUE_COMMANDS_H

#include <poll.h>
#include <pthread.h>

#include "results.h"

#define MAX_KEPT 10000

static mlflow_gateway_queue *queue;

static struct {
    mlflow_gateway_completion *completions[MAX_KEPT];
    size_t count;
} kept;

static void print_short_status(mlflow_gateway_status status, mlflow_gateway_error *error)
{
    CHECK((error != NULL) == (status != MLFLOW_GATEWAY_OK && status < 100));
    printf("{\"status\": ");
    print_string(mlflow_gateway_status_name(status) + strlen("MLFLOW_GATEWAY_"));
    printf(", \"message\": ");
    print_string(mlflow_gateway_error_message(error));
    mlflow_gateway_error_destroy(error);
}

/* Prints the end of a request as operations.c prints an operation, without the closing brace. */
static void print_done(mlflow_gateway_completion *completion)
{
    mlflow_gateway_status status = mlflow_gateway_completion_status(completion);
    const mlflow_gateway_response *response = mlflow_gateway_completion_response(completion);
    const mlflow_gateway_embeddings *embeddings = mlflow_gateway_completion_embeddings(completion);

    CHECK(mlflow_gateway_completion_kind(completion) == MLFLOW_GATEWAY_COMPLETION_DONE);
    CHECK(mlflow_gateway_completion_event(completion) == NULL);
    print_status(status, mlflow_gateway_completion_take_error(completion));
    CHECK(mlflow_gateway_completion_error(completion) == NULL);
    CHECK(mlflow_gateway_completion_status(completion) == status);
    if (response != NULL)
        print_response(response);
    if (embeddings != NULL)
        print_embeddings(embeddings);
}

static void check_event(const mlflow_gateway_completion *completion)
{
    CHECK(mlflow_gateway_completion_kind(completion) == MLFLOW_GATEWAY_COMPLETION_EVENT);
    CHECK(mlflow_gateway_completion_status(completion) == MLFLOW_GATEWAY_OK);
    CHECK(mlflow_gateway_completion_response(completion) == NULL);
    CHECK(mlflow_gateway_completion_embeddings(completion) == NULL);
    CHECK(mlflow_gateway_completion_error(completion) == NULL);
    CHECK(mlflow_gateway_completion_event(completion) != NULL);
}

/* Sends the request through a queue, and prints the result like that of the direct call. */
static void send_through_queue(mlflow_gateway *gateway, mlflow_gateway_request *request, int32_t how)
{
    mlflow_gateway_queue *own = NULL;
    mlflow_gateway_completion *completion = NULL;
    mlflow_gateway_error *error = NULL;
    bool is_done = false;

    begin_events();
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_queue_create(gateway, &own, &error));
    mlflow_gateway_status status = mlflow_gateway_queue_submit(own, request, how, 7, &error);
    mlflow_gateway_queue_close(own);
    if (status != MLFLOW_GATEWAY_OK)
        print_status(status, error);
    while ((status = mlflow_gateway_queue_next(own, -1, &completion, NULL)) == MLFLOW_GATEWAY_OK) {
        CHECK(!is_done && mlflow_gateway_completion_tag(completion) == 7);
        is_done = mlflow_gateway_completion_kind(completion) == MLFLOW_GATEWAY_COMPLETION_DONE;
        if (is_done) {
            print_done(completion);
        } else {
            check_event(completion);
            add_event(mlflow_gateway_completion_event(completion));
        }
        mlflow_gateway_completion_destroy(completion);
    }
    CHECK(status == MLFLOW_GATEWAY_QUEUE_END);
    printf(", \"events\": [%s]}\n", events.json);
    mlflow_gateway_queue_destroy(own);
}

static void set_queue_option(char *setting, mlflow_gateway_error **error, mlflow_gateway_status *status)
{
    char *value = strchr(setting, '=');

    CHECK(value != NULL);
    *value++ = '\0';
    *status = mlflow_gateway_queue_set_option(queue, setting, value, error);
}

static void create_queue(mlflow_gateway *gateway, char *settings)
{
    mlflow_gateway_queue_destroy(queue);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_queue_create(gateway, &queue, &error));
    for (char *setting = strtok(settings, " "); setting != NULL; setting = strtok(NULL, " ")) {
        mlflow_gateway_error *error = NULL;
        mlflow_gateway_status status;
        set_queue_option(setting, &error, &status);
        CHECK(status == MLFLOW_GATEWAY_OK && error == NULL);
    }
}

static int32_t parse_how(const char *how)
{
    if (strcmp(how, "send") == 0)
        return MLFLOW_GATEWAY_SUBMIT_SEND;
    if (strcmp(how, "stream") == 0)
        return MLFLOW_GATEWAY_SUBMIT_STREAM;
    return strcmp(how, "embed") == 0 ? MLFLOW_GATEWAY_SUBMIT_EMBED : (int32_t)atol(how);
}

static void print_next(int64_t timeout_ms, bool keeps)
{
    mlflow_gateway_completion *completion = NULL;
    mlflow_gateway_error *error = NULL;
    int64_t began = now_us();

    mlflow_gateway_status status = mlflow_gateway_queue_next(queue, timeout_ms, &completion, &error);
    CHECK((completion != NULL) == (status == MLFLOW_GATEWAY_OK));
    int64_t took = now_us() - began;
    print_short_status(status, error);
    printf(", \"took_us\": %" PRId64, took);
    print_log();
    if (completion == NULL) {
        puts("}");
        return;
    }
    printf(", \"tag\": %" PRIu64, mlflow_gateway_completion_tag(completion));
    if (mlflow_gateway_completion_kind(completion) == MLFLOW_GATEWAY_COMPLETION_DONE) {
        started_at = began;
        printf(", \"done\": ");
        print_done(completion);
        puts("}}");
    } else {
        check_event(completion);
        begin_events();
        add_event(mlflow_gateway_completion_event(completion));
        printf(", \"event\": %s}\n", events.json);
        if (keeps) {
            CHECK(kept.count < MAX_KEPT);
            kept.completions[kept.count++] = completion;
            return;
        }
    }
    mlflow_gateway_completion_destroy(completion);
}

static void *destroy_first_kept(void *count)
{
    size_t destroyed = *(size_t *)count;

    CHECK(destroyed <= kept.count);
    for (size_t i = 0; i < destroyed; i++)
        mlflow_gateway_completion_destroy(kept.completions[i]);
    kept.count -= destroyed;
    memmove(kept.completions, kept.completions + destroyed, kept.count * sizeof *kept.completions);
    return NULL;
}

static void destroy_kept(size_t count)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, destroy_first_kept, &count) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void print_counts(void)
{
    printf("{\"counts\": [");
    for (int32_t kind = MLFLOW_GATEWAY_QUEUE_COUNT_WAITING; kind <= MLFLOW_GATEWAY_QUEUE_COUNT_LIMIT; kind++)
        printf("%s%zu", kind == MLFLOW_GATEWAY_QUEUE_COUNT_WAITING ? "" : ", ",
               mlflow_gateway_queue_count(queue, kind));
    puts("]}");
}

static void print_readability(int timeout_ms)
{
    struct pollfd entry = { .events = POLLIN };

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_queue_fd(queue, &entry.fd, &error));
    CHECK(poll(&entry, 1, timeout_ms) >= 0);
    printf("{\"is_readable\": %s}\n", entry.revents == POLLIN ? "true" : "false");
    CHECK(entry.revents == POLLIN || entry.revents == 0);
}

static void end_queue(void)
{
    mlflow_gateway_queue_destroy(queue);
    queue = NULL;
    destroy_kept(kept.count);
}

/* Returns false if the command is not one of these. */
static bool run_queue_command(mlflow_gateway *gateway, mlflow_gateway_request *request, const char *name, char *value)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_status status;

    if (strcmp(name, "queue-send") == 0) {
        send_through_queue(gateway, request, MLFLOW_GATEWAY_SUBMIT_SEND);
    } else if (strcmp(name, "queue-stream") == 0) {
        send_through_queue(gateway, request, MLFLOW_GATEWAY_SUBMIT_STREAM);
    } else if (strcmp(name, "queue-embed") == 0) {
        send_through_queue(gateway, request, MLFLOW_GATEWAY_SUBMIT_EMBED);
    } else if (strcmp(name, "queue") == 0) {
        create_queue(gateway, value);
    } else if (strcmp(name, "queue-option") == 0) {
        set_queue_option(value, &error, &status);
        print_short_status(status, error);
        puts("}");
    } else if (strcmp(name, "submit") == 0) {
        char *tag = strchr(value, ' ');
        CHECK(tag != NULL);
        *tag++ = '\0';
        status = mlflow_gateway_queue_submit(queue, request, parse_how(value), strtoull(tag, NULL, 10), &error);
        print_short_status(status, error);
        puts("}");
    } else if (strcmp(name, "next") == 0) {
        print_next(strtoll(value, NULL, 10), strstr(value, " keep") != NULL);
    } else if (strcmp(name, "destroy-kept") == 0) {
        destroy_kept((size_t)atol(value));
        puts("{}");
    } else if (strcmp(name, "queue-cancel") == 0) {
        printf("{\"count\": %zu}\n", mlflow_gateway_queue_cancel(queue, strtoull(value, NULL, 10)));
    } else if (strcmp(name, "queue-count") == 0) {
        print_counts();
    } else if (strcmp(name, "queue-poll") == 0) {
        print_readability(atoi(value));
    } else if (strcmp(name, "queue-close") == 0) {
        mlflow_gateway_queue_close(queue);
        puts("{}");
    } else if (strcmp(name, "queue-destroy") == 0) {
        int64_t began = now_us();
        mlflow_gateway_queue_destroy(queue);
        queue = NULL;
        printf("{\"took_us\": %" PRId64, now_us() - began);
        print_log();
        puts("}");
    } else {
        return false;
    }
    return true;
}

#endif

/*
 * The user data of a log callback is destroyed once, and not before the last call that may log with it has ended.
 *
 * usage: test_log_data URI
 *   A gateway of tests/obeying_gateway.py.
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>

#include "call_helpers.h"
#include "child.h"

/* The user data. It stays allocated, so that the test can count its uses. */
struct data {
    mlflow_gateway *gateway;
    int lines, destroyed;
    pthread_t destroyer;
    /* Whether to replace the log in the log callback, or in the destroy callback. */
    bool replaces_log, uses_gateway;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void count_line(int32_t level, const char *line, size_t len, void *user_data)
{
    struct data *data = user_data;

    CHECK(level > MLFLOW_GATEWAY_LOG_OFF && strlen(line) == len && data->destroyed == 0);
    CHECK(pthread_mutex_lock(&lock) == 0);
    data->lines++;
    CHECK(pthread_mutex_unlock(&lock) == 0);
    if (data->replaces_log) {
        data->replaces_log = false;
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_log(data->gateway, 0, NULL, NULL, NULL, &error));
        CHECK(data->destroyed == 0);
    }
}

static void destroy(void *user_data)
{
    struct data *data = user_data;

    CHECK(data->destroyed++ == 0);
    data->destroyer = pthread_self();
    if (data->uses_gateway) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(data->gateway, "max_retries", "1", &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_log(data->gateway, 0, NULL, NULL, NULL, &error));
        check_echo(data->gateway, "from within");
    }
}

static void set_log(mlflow_gateway *gateway, struct data *data)
{
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_set_log(gateway, MLFLOW_GATEWAY_LOG_DEBUG, count_line, data, destroy, &error));
}

static void data_is_destroyed_when_replaced_and_with_the_handle(const char *uri)
{
    mlflow_gateway *gateway = make_handle(uri, NULL);
    struct data first = { 0 }, second = { 0 }, third = { 0 };

    set_log(gateway, &first);
    check_echo(gateway, "one");
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "max_retries", "2", &error));
    CHECK(first.lines > 0 && first.destroyed == 0);
    set_log(gateway, &second);
    CHECK(first.destroyed == 1 && pthread_equal(first.destroyer, pthread_self()) && second.destroyed == 0);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_log(gateway, 0, NULL, NULL, NULL, &error));
    CHECK(second.destroyed == 1);
    set_log(gateway, &third);
    mlflow_gateway_destroy(gateway);
    CHECK(third.destroyed == 1 && first.destroyed == 1 && second.destroyed == 1);
}

static void failed_set_log_does_not_destroy_its_data(const char *uri)
{
    mlflow_gateway *gateway = make_handle(uri, NULL);
    struct data kept = { 0 }, refused = { 0 };

    set_log(gateway, &kept);
    CHECK(mlflow_gateway_set_log(gateway, 7, count_line, &refused, destroy, NULL) == MLFLOW_GATEWAY_INVALID_ARGUMENT);
    CHECK(mlflow_gateway_set_log(NULL, 1, count_line, &refused, destroy, NULL) == MLFLOW_GATEWAY_INVALID_ARGUMENT);
    CHECK(refused.destroyed == 0 && kept.destroyed == 0);
    mlflow_gateway_destroy(gateway);
    CHECK(refused.destroyed == 0 && kept.destroyed == 1);
}

static void callbacks_can_set_the_log(const char *uri)
{
    mlflow_gateway *gateway = make_handle(uri, NULL);
    struct data replacing = { .gateway = gateway, .replaces_log = true };
    struct data using = { .gateway = gateway, .uses_gateway = true };

    set_log(gateway, &replacing);
    check_echo(gateway, "x");
    CHECK(replacing.lines > 1 && replacing.destroyed == 1);
    set_log(gateway, &using);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_log(gateway, 0, NULL, NULL, NULL, &error));
    CHECK(using.destroyed == 1);
    mlflow_gateway_destroy(gateway);
}

static void stream_keeps_the_data_of_a_destroyed_handle(const char *uri)
{
    mlflow_gateway *gateway = make_handle(uri, NULL);
    mlflow_gateway_request *request = make_request("pieces", NULL);
    mlflow_gateway_stream *stream = NULL;
    struct data data = { 0 };

    set_log(gateway, &data);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_stream_open(gateway, request, &stream, &error));
    mlflow_gateway_destroy(gateway);
    mlflow_gateway_stream_destroy(stream);
    CHECK(data.lines > 0 && data.destroyed == 1);
    mlflow_gateway_request_destroy(request);
}

static void *make_slow_call(void *gateway)
{
    check_echo(gateway, "later");
    return NULL;
}

static void running_calls_keep_the_replaced_data(const char *uri)
{
    enum { ROUNDS = 20, THREADS = 4 };
    static struct data data[ROUNDS];
    mlflow_gateway *gateway = make_handle(uri, NULL);
    pthread_t threads[THREADS];

    for (int round = 0; round < ROUNDS; round++) {
        set_log(gateway, &data[round]);
        for (int i = 0; i < THREADS; i++)
            CHECK(pthread_create(&threads[i], NULL, make_slow_call, gateway) == 0);
        if (round % 2 == 1)
            check_echo(gateway, "meanwhile");
        if (round % 3 == 1)
            CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_log(gateway, 0, NULL, NULL, NULL, &error));
        for (int i = 0; i < THREADS; i++)
            CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(data[round].destroyed == (round % 3 == 1));
    }
    mlflow_gateway_destroy(gateway);
    for (int round = 0; round < ROUNDS; round++)
        CHECK(data[round].destroyed == 1);
}

static void each_process_destroys_its_copy_of_the_data(const char *uri)
{
    mlflow_gateway *gateway = make_handle(uri, NULL);
    struct data data = { 0 };

    set_log(gateway, &data);
    check_echo(gateway, "before");
    pid_t child = fork();
    CHECK(child >= 0);
    check_echo(gateway, child == 0 ? "child" : "parent");
    CHECK(data.destroyed == 0);
    mlflow_gateway_destroy(gateway);
    CHECK(data.destroyed == 1);
    if (child == 0)
        _exit(0);
    wait_for(child);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    data_is_destroyed_when_replaced_and_with_the_handle(argv[1]);
    failed_set_log_does_not_destroy_its_data(argv[1]);
    callbacks_can_set_the_log(argv[1]);
    stream_keeps_the_data_of_a_destroyed_handle(argv[1]);
    running_calls_keep_the_replaced_data(argv[1]);
    each_process_destroys_its_copy_of_the_data(argv[1]);
    return 0;
}

/*
 * A call succeeds while another thread sets an option and blocks reading its file.
 *
 * usage: test_slow_file URI ROUTE FIFO
 */
#define _POSIX_C_SOURCE 200809L

#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static mlflow_gateway *gateway;

static void *set_file(void *path)
{
    CHECK_STATUS(MLFLOW_GATEWAY_INVALID_OPTION_VALUE, mlflow_gateway_set_option(gateway, "ca_file", path, &error));
    return NULL;
}

int main(int argc, char **argv)
{
    const struct timespec while_the_thread_opens = { 0, 200 * 1000000 };
    pthread_t thread;
    char *text = NULL;

    CHECK(argc == 4);
    alarm(20);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create(argv[2], argv[1], &gateway, &error));
    CHECK(pthread_create(&thread, NULL, set_file, argv[3]) == 0);
    nanosleep(&while_the_thread_opens, NULL);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_call(gateway, "hi", &text, NULL, &error));
    mlflow_gateway_string_free(text);
    int pipe = open(argv[3], O_WRONLY);
    CHECK(pipe >= 0 && close(pipe) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    mlflow_gateway_destroy(gateway);
    return 0;
}

/*
 * Destroying a stream closes its connection, even if a child process has inherited the socket.
 *
 * usage: test_fork_close URI ROUTE
 *   The route sends an endless stream. The program prints a line when the stream is destroyed, and exits at the end of
 *   standard input.
 */
#define _POSIX_C_SOURCE 200809L

#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

int main(int argc, char **argv)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_stream *stream = NULL;
    const mlflow_gateway_event *event = NULL;
    int ends[2], status;
    char byte;

    CHECK(argc == 3);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create(argv[2], argv[1], &gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_request_set_prompt(request, "x", MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_stream_open(gateway, request, &stream, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_stream_next(stream, &event, &error));
    CHECK(pipe(ends) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        close(ends[1]);
        /* Until the parent exits. */
        CHECK(read(ends[0], &byte, 1) == 0);
        _exit(0);
    }
    mlflow_gateway_stream_destroy(stream);
    mlflow_gateway_request_destroy(request);
    puts("destroyed");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    close(ends[1]);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    mlflow_gateway_destroy(gateway);
    return 0;
}

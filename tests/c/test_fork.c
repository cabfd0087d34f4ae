/*
 * Parent and child use the same handle after a fork, and each receives the responses to its own requests.
 *
 * usage: test_fork URI ROUTE
 *   The route responds with "echo: " and the prompt.
 */
#define _POSIX_C_SOURCE 200809L

#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static void check_echoes(mlflow_gateway *gateway, const char *process)
{
    char prompt[64], expected[80];

    for (int i = 0; i < 20; i++) {
        char *text = NULL;
        snprintf(prompt, sizeof prompt, "call %d of the %s", i, process);
        snprintf(expected, sizeof expected, "echo: %s", prompt);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_call(gateway, prompt, &text, NULL, &error));
        CHECK(strcmp(text, expected) == 0);
        mlflow_gateway_string_free(text);
    }
}

int main(int argc, char **argv)
{
    mlflow_gateway *gateway = NULL;
    int status;

    CHECK(argc == 3);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create(argv[2], argv[1], &gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "timeout_ms", "10000", &error));
    check_echoes(gateway, "only one");
    pid_t child = fork();
    CHECK(child >= 0);
    check_echoes(gateway, child == 0 ? "child" : "parent");
    mlflow_gateway_destroy(gateway);
    if (child == 0)
        return 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return 0;
}

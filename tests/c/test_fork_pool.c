/*
 * The idle connections of the parent do not count towards max_connections in a child.
 *
 * usage: test_fork_pool URI
 *   The server responds to any method and path. The handle keeps one connection, and a DELETE opens its own.
 */
#define _POSIX_C_SOURCE 200809L

#include "child.h"

static void send_raw(mlflow_gateway *gateway, const char *method)
{
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_response *response = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_path(request, method, "/x", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_send(gateway, request, &response, &error));
    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(request);
}

int main(int argc, char **argv)
{
    mlflow_gateway *gateway = NULL;

    CHECK(argc == 2);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create(NULL, argv[1], &gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "max_connections", "1", &error));
    send_raw(gateway, "GET");
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        send_raw(gateway, "DELETE");
        send_raw(gateway, "GET");
        mlflow_gateway_destroy(gateway);
        return 0;
    }
    wait_for(child);
    send_raw(gateway, "GET");
    mlflow_gateway_destroy(gateway);
    return 0;
}

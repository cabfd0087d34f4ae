/*
 * Makes one call with limited memory, and prints its status.
 *
 * usage: test_memory URI ROUTE MEGABYTES
 */
#define _POSIX_C_SOURCE 200809L

#include <sys/resource.h>

#include "check.h"

int main(int argc, char **argv)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_error *error = NULL;
    char *text = NULL;

    CHECK(argc == 4);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create(argv[2], argv[1], &gateway, &error));
    struct rlimit limit = { (rlim_t)atol(argv[3]) << 20, (rlim_t)atol(argv[3]) << 20 };
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    puts(mlflow_gateway_status_name(mlflow_gateway_call(gateway, "hi", &text, NULL, &error)));
    mlflow_gateway_string_free(text);
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_destroy(gateway);
    return 0;
}

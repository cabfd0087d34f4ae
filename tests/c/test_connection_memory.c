/*
 * Measures the allocated memory of connections while calls wait for their responses, and after they have ended and
 * their connections are idle.
 *
 * usage: test_connection_memory URI ROUTE CALLS [CA_FILE]
 * When it reads a line from standard input it prints the bytes per call in flight. At the end it prints the bytes per
 * idle connection.
 */
#define _POSIX_C_SOURCE 200809L

#include <malloc.h>
#include <pthread.h>

#include "check.h"

static mlflow_gateway *gateway;

static void *call(void *unused)
{
    char *text = NULL;
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_call(gateway, "wait", &text, NULL, &error));
    mlflow_gateway_string_free(text);
    return unused;
}

static void print_growth_per_call(size_t before, int calls)
{
    printf("%ld\n", ((long)mallinfo2().uordblks - (long)before) / calls);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    CHECK(argc >= 4);
    int calls = atoi(argv[3]);
    pthread_t *threads = calloc((size_t)calls, sizeof *threads);
    pthread_attr_t small;
    char line[16], *text = NULL;
    CHECK(calls > 0 && threads != NULL);

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create(argv[2], argv[1], &gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "max_connections", argv[3], &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "connect_timeout_ms", "60000", &error));
    if (argc > 4)
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "ca_file", argv[4], &error));
    /* The handle allocates its caches at the first call. */
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_call(gateway, "hi", &text, NULL, &error));
    mlflow_gateway_string_free(text);
    CHECK(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 256 * 1024) == 0);

    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < calls; i++)
        CHECK(pthread_create(&threads[i], &small, call, NULL) == 0);
    CHECK(fgets(line, sizeof line, stdin) != NULL);
    print_growth_per_call(before, calls);
    for (int i = 0; i < calls; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    print_growth_per_call(before, calls);
    mlflow_gateway_destroy(gateway);
    free(threads);
    return 0;
}

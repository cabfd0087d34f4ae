/*
 * Misuses the library on purpose, to prove that a sanitizer or valgrind detects it.
 *
 * usage: misuse (leak | "freed twice" | "read after free" | race | overflow)
 */
#define _POSIX_C_SOURCE 200809L

#include <limits.h>
#include <pthread.h>
#include <time.h>

#include "check.h"

static void *read_message(void *error)
{
    CHECK(mlflow_gateway_error_message(error)[0] != '\0');
    return NULL;
}

/* Destroys an error while another thread may read it: only a delay separates them. */
static void race(void)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_error *error = NULL;
    pthread_t thread;

    CHECK(mlflow_gateway_create("r", "nonsense", &gateway, &error) == MLFLOW_GATEWAY_INVALID_URI);
    CHECK(pthread_create(&thread, NULL, read_message, error) == 0);
    nanosleep(&(struct timespec){ 0, 100 * 1000000 }, NULL);
    mlflow_gateway_error_destroy(error);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void misuse_string(const char *fault)
{
    mlflow_gateway *gateway = NULL;
    char *json = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create("r", "http://127.0.0.1:1", &gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_identifying_params(gateway, &json, NULL, &error));
    if (strcmp(fault, "leak") == 0) {
        json = NULL;
    } else {
        mlflow_gateway_string_free(json);
        if (strcmp(fault, "freed twice") == 0)
            mlflow_gateway_string_free(json);
        else
            printf("%c\n", *(volatile char *)json);
    }
    mlflow_gateway_destroy(gateway);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    if (strcmp(argv[1], "race") == 0)
        race();
    else if (strcmp(argv[1], "overflow") == 0)
        printf("%d\n", INT_MAX + mlflow_gateway_version_number());
    else
        misuse_string(argv[1]);
    return 0;
}

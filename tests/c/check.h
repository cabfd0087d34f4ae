/* Assertions for the C tests: on failure they print the location and end the program. */
#ifndef CHECK_H
#define CHECK_H

#include <mlflow_ai_gateway.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                              \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition);   \
            exit(1);                                                                  \
        }                                                                             \
    } while (0)

/* Checks the status, and that there is an error object if and only if the call failed. Destroys the error object. */
#define CHECK_STATUS(expected, call)                                                                   \
    do {                                                                                               \
        mlflow_gateway_error *error = NULL;                                                            \
        mlflow_gateway_status status = (call);                                                         \
        if (status != (expected)) {                                                                    \
            fprintf(stderr, "%s:%d: %s returned %s, not %s: %s\n", __FILE__, __LINE__, #call,                \
                    mlflow_gateway_status_name(status), #expected, mlflow_gateway_error_message(error)); \
            exit(1);                                                                                   \
        }                                                                                              \
        CHECK((error == NULL) == (status == MLFLOW_GATEWAY_OK || status >= 100));                      \
        CHECK(mlflow_gateway_error_status(error) == (error == NULL ? MLFLOW_GATEWAY_OK : status));     \
        CHECK((mlflow_gateway_error_message(error)[0] == '\0') == (error == NULL));                    \
        mlflow_gateway_error_destroy(error);                                                           \
    } while (0)

#endif

/* The version in its four forms, and the names of statuses. */
#include "check.h"

#if !MLFLOW_GATEWAY_AT_LEAST(0, 0, 0) || MLFLOW_GATEWAY_AT_LEAST(MLFLOW_GATEWAY_VERSION_MAJOR + 1, 0, 0) || \
    MLFLOW_GATEWAY_AT_LEAST(MLFLOW_GATEWAY_VERSION_MAJOR, MLFLOW_GATEWAY_VERSION_MINOR + 1, 0) ||          \
    MLFLOW_GATEWAY_AT_LEAST(MLFLOW_GATEWAY_VERSION_MAJOR, MLFLOW_GATEWAY_VERSION_MINOR,                    \
                            MLFLOW_GATEWAY_VERSION_PATCH + 1) ||                                           \
    !MLFLOW_GATEWAY_AT_LEAST(MLFLOW_GATEWAY_VERSION_MAJOR, MLFLOW_GATEWAY_VERSION_MINOR,                   \
                             MLFLOW_GATEWAY_VERSION_PATCH)
#error "MLFLOW_GATEWAY_AT_LEAST compares wrongly"
#endif

int main(void)
{
    char expected[32];
    int major, minor, patch;

    snprintf(expected, sizeof expected, "%d.%d.%d", MLFLOW_GATEWAY_VERSION_MAJOR, MLFLOW_GATEWAY_VERSION_MINOR,
             MLFLOW_GATEWAY_VERSION_PATCH);
    CHECK(strcmp(mlflow_gateway_version(), expected) == 0);
    CHECK(mlflow_gateway_version_number() == MLFLOW_GATEWAY_VERSION_NUMBER);

    /* Each part must be contained in the version number. */
    major = mlflow_gateway_version_number() / 1000000;
    minor = mlflow_gateway_version_number() / 1000 % 1000;
    patch = mlflow_gateway_version_number() % 1000;
    CHECK(major == MLFLOW_GATEWAY_VERSION_MAJOR);
    CHECK(minor == MLFLOW_GATEWAY_VERSION_MINOR);
    CHECK(patch == MLFLOW_GATEWAY_VERSION_PATCH);

    CHECK(strcmp(mlflow_gateway_llm_type(), "mlflow-ai-gateway") == 0);
    CHECK(strcmp(mlflow_gateway_status_name(MLFLOW_GATEWAY_OK), "MLFLOW_GATEWAY_OK") == 0);
    CHECK(strcmp(mlflow_gateway_status_name(-1), "MLFLOW_GATEWAY_UNKNOWN") == 0);
    CHECK(strcmp(mlflow_gateway_status_name(INT32_MAX), "MLFLOW_GATEWAY_UNKNOWN") == 0);

    /* Prints the names and numbers of all statuses, which the Python test compares with the header. */
    for (int status = 0; status < 128; status++)
        printf("%s %d\n", mlflow_gateway_status_name(status), status);
    return 0;
}

/*
 * Misuses the library on purpose, to prove that the tool under which it runs notices.
 *
 * usage: misuse (leak | "freed twice")
 */
#include "check.h"

int main(int argc, char **argv)
{
    mlflow_gateway *gateway = NULL;
    char *json = NULL;

    CHECK(argc == 2);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create("r", "http://127.0.0.1:1", &gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_identifying_params(gateway, &json, NULL, &error));
    if (strcmp(argv[1], "leak") == 0) {
        json = NULL;
    } else {
        mlflow_gateway_string_free(json);
        mlflow_gateway_string_free(json);
    }
    mlflow_gateway_destroy(gateway);
    return 0;
}

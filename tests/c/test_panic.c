/*
 * A panic inside the library becomes a status, prints nothing, and leaves the handle usable.
 *
 * usage: test_panic URI ROUTE
 * Linked to a build of the library that panics at a certain prompt. The route responds with "echo: " and the prompt.
 */
#include "check.h"

int main(int argc, char **argv)
{
    mlflow_gateway *gateway = NULL;
    char *text = NULL;

    CHECK(argc == 3);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create(argv[2], argv[1], &gateway, &error));
    for (int i = 0; i < 3; i++) {
        mlflow_gateway_error *error = NULL;
        CHECK(mlflow_gateway_call(gateway, "panic, please", &text, NULL, &error) == MLFLOW_GATEWAY_PANIC);
        CHECK(text == NULL);
        for (const char *c = mlflow_gateway_error_message(error); *c != 0; c++)
            putchar(*c == (char)10 ? 32 : *c);
        putchar(10);
        mlflow_gateway_error_destroy(error);
        CHECK(mlflow_gateway_call(gateway, "panic, please", &text, NULL, NULL) == MLFLOW_GATEWAY_PANIC);

        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_param_int(gateway, "max_tokens", 5, &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_call(gateway, "hello", &text, NULL, &error));
        CHECK(strcmp(text, "echo: hello") == 0);
        mlflow_gateway_string_free(text);
        text = NULL;
    }
    mlflow_gateway_destroy(gateway);
    return 0;
}

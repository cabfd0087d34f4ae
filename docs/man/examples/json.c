/* Read values from a JSON document, and write a string as JSON. */
#include <mlflow_ai_gateway.h>
#include <stdio.h>
#include <stdlib.h>

static mlflow_gateway_error *error;

/* Ends the program if a call failed. */
static void check(mlflow_gateway_status status)
{
    if (status != MLFLOW_GATEWAY_OK) {
        fprintf(stderr, "%s\n", mlflow_gateway_error_message(error));
        exit(1);
    }
}

int main(void)
{
    const char *json = "{\"cities\": [\"Paris\", \"Oslo\"]}";
    const size_t measure = MLFLOW_GATEWAY_NUL_TERMINATED;
    char *text = NULL;
    size_t count = 0;
    int32_t kind = 0;

    check(mlflow_gateway_json_count(
        json, measure, "/cities", &count, &error));
    printf("%zu cities\n", count);
    check(mlflow_gateway_json_get(
        json, measure, "/cities/1", &kind, &text, NULL, &error));
    if (kind == MLFLOW_GATEWAY_JSON_STRING)
        puts(text);
    mlflow_gateway_string_free(text);
    if (mlflow_gateway_json_get(json, measure, "/rivers", NULL, NULL,
            NULL, &error) == MLFLOW_GATEWAY_NO_VALUE)
        puts("no rivers");

    check(mlflow_gateway_json_quote(
        "a \"quoted\" word", measure, &text, NULL, &error));
    puts(text);
    mlflow_gateway_string_free(text);
    return 0;
}

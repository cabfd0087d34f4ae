/* The JSON functions with invalid arguments in every position. */
#include <stdint.h>

#include "bad_arguments.h"

#define NUL MLFLOW_GATEWAY_NUL_TERMINATED
#define NO_VALUE MLFLOW_GATEWAY_NO_VALUE

static const char *const NOT_JSON[] = { "", " ", "[", "[1,]", "{\"a\":}", "nul", "01", "\"a\nb\"", "[1] x", "'a'" };
static const char *const NOT_POINTERS[] = { "a", "0", "#/a", "/~", "/~2", "/a~", "//~x" };

static void invalid_arguments_are_rejected(void)
{
    static char *const UNTOUCHED = BAD_PTR;
    char *text = UNTOUCHED;
    size_t len = 42, count = 42;
    int32_t kind = 42;

    for (size_t i = 0; i < COUNT(NOT_JSON); i++) {
        const char *json = NOT_JSON[i];
        CHECK_STATUS(ARGUMENT, mlflow_gateway_json_get(json, NUL, "/a", &kind, &text, &len, &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_json_get(json, NUL, "", &kind, NULL, &len, &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_json_count(json, NUL, "", &count, &error));
        CHECK(mlflow_gateway_json_get(json, NUL, "", NULL, NULL, NULL, NULL) == ARGUMENT);
    }
    for (size_t i = 0; i < COUNT(NOT_POINTERS); i++) {
        CHECK_STATUS(ARGUMENT, mlflow_gateway_json_get("{}", 2, NOT_POINTERS[i], &kind, &text, &len, &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_json_count("{}", 2, NOT_POINTERS[i], &count, &error));
    }
    for (size_t i = 0; i < NOT_UTF8_COUNT; i++) {
        CHECK_STATUS(ARGUMENT, mlflow_gateway_json_get(NOT_UTF8[i], NUL, "", &kind, &text, &len, &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_json_get("{}", NUL, NOT_UTF8[i], &kind, &text, &len, &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_json_count(NOT_UTF8[i], NUL, "", &count, &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_json_count("{}", NUL, NOT_UTF8[i], &count, &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_json_quote(NOT_UTF8[i], NUL, &text, &len, &error));
    }
    CHECK_STATUS(ARGUMENT, mlflow_gateway_json_get(NULL, NUL, "", &kind, &text, &len, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_json_get(NULL, 2, "", &kind, &text, &len, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_json_get(NULL, 0, "", &kind, &text, &len, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_json_get("{}", SIZE_MAX - 1, "", &kind, &text, &len, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_json_get("{}", 2, NULL, &kind, &text, &len, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_json_count(NULL, NUL, "", &count, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_json_count(NULL, 0, "", &count, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_json_count("{}", SIZE_MAX - 1, "", &count, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_json_count("{}", 2, NULL, &count, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_json_count("{}", 2, "", NULL, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_json_quote(NULL, NUL, &text, &len, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_json_quote(NULL, 1, &text, &len, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_json_quote("a", SIZE_MAX - 1, &text, &len, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_json_quote("a", 1, NULL, &len, &error));
    CHECK(mlflow_gateway_json_get(NULL, NUL, NULL, NULL, NULL, NULL, NULL) == ARGUMENT);
    CHECK(mlflow_gateway_json_count(NULL, NUL, NULL, NULL, NULL) == ARGUMENT);
    CHECK(mlflow_gateway_json_quote(NULL, NUL, NULL, NULL, NULL) == ARGUMENT);

    /* A missing value is not an error, and the outputs stay unset. */
    CHECK_STATUS(NO_VALUE, mlflow_gateway_json_get("{\"b\":1}", NUL, "/a", &kind, &text, &len, &error));
    CHECK_STATUS(NO_VALUE, mlflow_gateway_json_get("[]", NUL, "/0", &kind, &text, &len, &error));
    CHECK_STATUS(NO_VALUE, mlflow_gateway_json_get("1", NUL, "/0", &kind, NULL, &len, &error));
    CHECK(mlflow_gateway_json_get("1", NUL, "/0", NULL, NULL, NULL, NULL) == NO_VALUE);
    CHECK_STATUS(NO_VALUE, mlflow_gateway_json_count("{\"b\":1}", NUL, "/a", &count, &error));
    CHECK_STATUS(NO_VALUE, mlflow_gateway_json_count("{\"b\":null}", NUL, "/b", &count, &error));
    CHECK(mlflow_gateway_json_count("\"[]\"", NUL, "", &count, NULL) == NO_VALUE);
    CHECK(text == UNTOUCHED && len == 42 && kind == 42 && count == 42);
}

static void values_are_found_counted_and_quoted(void)
{
    static const char JSON[] = "{\"a\": \"\\u0000x\"}, and what is behind the length";
    char *text = NULL;
    size_t len = 42, count = 42;
    int32_t kind = 42;

    CHECK_STATUS(OK, mlflow_gateway_json_get(JSON, 16, "/a", &kind, &text, &len, &error));
    CHECK(kind == MLFLOW_GATEWAY_JSON_STRING && len == 2 && memcmp(text, "\0x", 3) == 0);
    mlflow_gateway_string_free(text);
    text = NULL;
    CHECK_STATUS(OK, mlflow_gateway_json_get(JSON, 16, "", NULL, &text, NULL, &error));
    CHECK(strcmp(text, "{\"a\": \"\\u0000x\"}") == 0);
    mlflow_gateway_string_free(text);
    len = 42;
    CHECK_STATUS(OK, mlflow_gateway_json_get(JSON, 16, "/a", NULL, NULL, &len, &error));
    CHECK(len == 2);
    CHECK_STATUS(OK, mlflow_gateway_json_get("\"\"", NUL, "", &kind, NULL, &len, &error));
    CHECK(kind == MLFLOW_GATEWAY_JSON_STRING && len == 0);
    CHECK(mlflow_gateway_json_get("null", NUL, "", NULL, NULL, NULL, NULL) == OK);

    CHECK_STATUS(OK, mlflow_gateway_json_count("{\"a\":[1,2]}", NUL, "/a", &count, &error));
    CHECK(count == 2);
    CHECK_STATUS(OK, mlflow_gateway_json_count("{}x", 2, "", &count, &error));
    CHECK(count == 0);

    text = NULL;
    CHECK_STATUS(OK, mlflow_gateway_json_quote(NULL, 0, &text, &len, &error));
    CHECK(len == 2 && strcmp(text, "\"\"") == 0);
    mlflow_gateway_string_free(text);
    CHECK_STATUS(OK, mlflow_gateway_json_quote("a\0\"\n", 4, &text, NULL, &error));
    CHECK(strcmp(text, "\"a\\u0000\\\"\\n\"") == 0);
    mlflow_gateway_string_free(text);
}

int main(void)
{
    invalid_arguments_are_rejected();
    values_are_found_counted_and_quoted();
    return 0;
}

/* Growing text, and JSON. */
#include "text.h"

#include <mlflow_ai_gateway.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"

void *allocate(size_t size)
{
    return reallocate(NULL, size);
}

void *reallocate(void *memory, size_t size)
{
    void *larger = realloc(memory, size != 0 ? size : 1);

    if (larger == NULL) {
        fprintf(stderr, "%s: out of memory\n", PROGRAM);
        exit(EXIT_INTERNAL);
    }
    return larger;
}

void text_append(struct text *text, const char *data, size_t len)
{
    if (text->room - text->len <= len) {
        text->room = (text->len + len + 1) * 2;
        text->data = reallocate(text->data, text->room);
    }
    if (len != 0)
        memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = '\0';
}

void text_append_string(struct text *text, const char *string)
{
    text_append(text, string, strlen(string));
}

void text_append_number(struct text *text, long long number)
{
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%lld", number);
    text_append(text, digits, (size_t)len);
}

void text_append_quoted(struct text *text, const char *data, size_t len)
{
    char *json = NULL;
    size_t json_len = 0;

    if (data != NULL && mlflow_gateway_json_quote(data, len, &json, &json_len, NULL) == MLFLOW_GATEWAY_OK)
        text_append(text, json, json_len);
    else
        text_append_string(text, "null");
    mlflow_gateway_string_free(json);
}

void text_append_json(struct text *text, const char *data, size_t len)
{
    if (data == NULL || mlflow_gateway_json_get(data, len, "", NULL, NULL, NULL, NULL) != MLFLOW_GATEWAY_OK) {
        text_append_quoted(text, data, len);
        return;
    }
    size_t start = text->len;
    text_append(text, data, len);
    /* Between the values of JSON a line break is a space, and within a string it is escaped. */
    for (char *byte = text->data + start; *byte != '\0'; byte++)
        if (*byte == '\n' || *byte == '\r')
            *byte = ' ';
}

char *json_value(const char *json, size_t len, const char *pointer, int *kind, size_t *value_len)
{
    char *value = NULL;
    int32_t found = 0;

    if (mlflow_gateway_json_get(json, len, pointer, &found, &value, value_len, NULL) != MLFLOW_GATEWAY_OK)
        return NULL;
    *kind = found;
    return value;
}

char *json_string(const char *json, size_t len, const char *pointer)
{
    int kind = 0;
    char *value = json_value(json, len, pointer, &kind, NULL);

    if (value == NULL || kind == MLFLOW_GATEWAY_JSON_STRING)
        return value;
    mlflow_gateway_string_free(value);
    return NULL;
}

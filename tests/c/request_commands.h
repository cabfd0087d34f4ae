/*
 * The commands of operations.c that change a request, except for its prompt, messages and settings:
 *
 *   text TEXT, media TYPE=HEX             add a part to the last message
 *   tool-result ID=TEXT                   add a tool result; an empty ID is NULL
 *   add-response CANDIDATE                add a candidate of the last response of send or callback
 *   path METHOD PATH                      set the path of a raw request; "-" is NULL
 *   omit NAME, unset NAME                 omit or unset a parameter
 *   clone                                 continue with a clone of the request, and keep the original
 *   original                              continue with the original, and destroy the clone
 */
#ifndef REQUEST_COMMANDS_H
#define REQUEST_COMMANDS_H

#include "check.h"

static mlflow_gateway_request *original;
static mlflow_gateway_response *last_response;

/* Takes ownership of the response. */
static void keep_response(mlflow_gateway_response *response)
{
    mlflow_gateway_response_destroy(last_response);
    last_response = response;
}

/* Decodes hexadecimal digits in place. Returns the number of bytes. */
static size_t from_hex(char *hex)
{
    size_t len = strlen(hex) / 2;

    for (size_t i = 0; i < len; i++) {
        unsigned byte;
        CHECK(sscanf(hex + 2 * i, "%2x", &byte) == 1);
        hex[i] = (char)byte;
    }
    return len;
}

static const char *or_null(const char *value)
{
    return strcmp(value, "-") == 0 ? NULL : value;
}

/* Ends the value at the first separator, and returns the rest. */
static char *split_at(char *value, char separator)
{
    char *end = strchr(value, separator);

    CHECK(end != NULL);
    *end = '\0';
    return end + 1;
}

/* Returns false if the command is not one of these. */
static bool run_request_command(mlflow_gateway_request **request, const char *name, char *value, size_t len)
{
    char *rest;

    if (strcmp(name, "text") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_text(*request, value, len, &error));
    } else if (strcmp(name, "media") == 0) {
        rest = split_at(value, '=');
        len = from_hex(rest);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_media(*request, value, rest, len, &error));
    } else if (strcmp(name, "tool-result") == 0) {
        rest = split_at(value, '=');
        len -= (size_t)(rest - value);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_tool_result(*request, *value == '\0' ? NULL : value,
                                                                              rest, len, &error));
    } else if (strcmp(name, "add-response") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_request_add_response(*request, last_response, (size_t)atol(value), &error));
    } else if (strcmp(name, "path") == 0) {
        rest = split_at(value, ' ');
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_request_set_path(*request, or_null(value), or_null(rest), &error));
    } else if (strcmp(name, "omit") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_omit_param(*request, value, &error));
    } else if (strcmp(name, "unset") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_unset_param(*request, value, &error));
    } else if (strcmp(name, "clone") == 0) {
        mlflow_gateway_request_destroy(original);
        original = *request;
        *request = NULL;
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_clone(original, request, &error));
    } else if (strcmp(name, "original") == 0) {
        mlflow_gateway_request_destroy(*request);
        *request = original;
        original = NULL;
    } else {
        return false;
    }
    return true;
}

#endif

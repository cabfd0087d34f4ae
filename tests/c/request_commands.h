/*
 * The commands of asks.c that shape a request beyond a text and its settings:
 *
 *   text TEXT, media TYPE=HEX             of the last message
 *   tool-result ID=TEXT                   an empty ID is NULL
 *   add-response CANDIDATE                of the last response of send or callback
 *   path METHOD PATH                      "-" for NULL
 *   omit NAME, unset NAME                 a parameter
 *   clone                                 goes on with a clone of the request, and keeps the original
 *   original                              goes on with the original, and destroys the clone
 */
#ifndef REQUEST_COMMANDS_H
#define REQUEST_COMMANDS_H

#include "check.h"

static mlflow_gateway_request *original;
static mlflow_gateway_response *last_response;

/* Takes it over. */
static void keep_response(mlflow_gateway_response *response)
{
    mlflow_gateway_response_destroy(last_response);
    last_response = response;
}

/* The bytes of hexadecimal digits, in place; returns how many. */
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

/* Cuts the value at the first such character, and returns what is behind it. */
static char *cut_at(char *value, char separator)
{
    char *end = strchr(value, separator);

    CHECK(end != NULL);
    *end = '\0';
    return end + 1;
}

/* False if the command is none of these. */
static bool shape_request(mlflow_gateway_request **request, const char *name, char *value, size_t len)
{
    char *second;

    if (strcmp(name, "text") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_text(*request, value, len, &error));
    } else if (strcmp(name, "media") == 0) {
        second = cut_at(value, '=');
        len = from_hex(second);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_media(*request, value, second, len, &error));
    } else if (strcmp(name, "tool-result") == 0) {
        second = cut_at(value, '=');
        len -= (size_t)(second - value);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_tool_result(*request, *value == '\0' ? NULL : value,
                                                                              second, len, &error));
    } else if (strcmp(name, "add-response") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_request_add_response(*request, last_response, (size_t)atol(value), &error));
    } else if (strcmp(name, "path") == 0) {
        second = cut_at(value, ' ');
        CHECK_STATUS(MLFLOW_GATEWAY_OK,
                     mlflow_gateway_request_set_path(*request, or_null(value), or_null(second), &error));
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

/*
 * The formats of the lines.
 *
 * Input:  {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {...}}
 *         {"id": 1, "prompt": "..."}
 * Output: {"id": "batch_req_...", "custom_id": "a", "response": {"status_code": 200, "request_id": "...",
 *         "body": {...}}, "error": null}
 *         {"id": 1, "text": "...", "finish_reason": "stop", "error": null}
 */
#include "item.h"

#include <stdlib.h>
#include <string.h>

/* Appends the value of an id as JSON, in one way for equal values. Returns 0 if it is neither string nor number. */
static int append_id(struct text *text, const char *json, size_t len, const char *pointer)
{
    int kind = 0;
    size_t id_len = 0;
    char *id = json_value(json, len, pointer, &kind, &id_len);

    if (kind == MLFLOW_GATEWAY_JSON_STRING)
        text_append_quoted(text, id, id_len);
    else if (kind == MLFLOW_GATEWAY_JSON_NUMBER)
        text_append(text, id, id_len);
    mlflow_gateway_string_free(id);
    return kind == MLFLOW_GATEWAY_JSON_STRING || kind == MLFLOW_GATEWAY_JSON_NUMBER;
}

static int has(const char *json, size_t len, const char *pointer)
{
    return mlflow_gateway_json_get(json, len, pointer, NULL, NULL, NULL, NULL) == MLFLOW_GATEWAY_OK;
}

/* Appends a JSON object without its member "model": a gateway's route has its own, and most refuse another. */
static void append_without_model(struct text *text, const char *object)
{
    static const char NAME[] = "\"model\"";
    const char *member = strchr(object, '{') + 1;
    int depth = 0, count = 0;

    text_append(text, "{", 1);
    for (const char *byte = member; depth >= 0; byte++) {
        if (*byte == '"') {
            while (*++byte != '"')
                byte += *byte == '\\';
        } else if (*byte == '{' || *byte == '[') {
            depth++;
        } else if (*byte == '}' || *byte == ']') {
            depth--;
        }
        if (depth < 0 || (depth == 0 && *byte == ',')) {
            member += strspn(member, " \t\r\n");
            if (member != byte && strncmp(member, NAME, sizeof NAME - 1) != 0) {
                text_append(text, ",", count++ != 0);
                text_append(text, member, (size_t)(byte - member));
            }
            member = byte + 1;
        }
    }
    text_append(text, "}", 1);
}

/* Appends why a function failed. */
static void append_error(struct text *problem, mlflow_gateway_error *error)
{
    static const char LINE[] = "the argument json ";
    const char *message = mlflow_gateway_error_message(error);
    int is_line = strncmp(message, LINE, sizeof LINE - 1) == 0;

    text_append_string(problem, is_line ? "it " : "");
    text_append_string(problem, is_line ? message + sizeof LINE - 1 : message);
    mlflow_gateway_error_destroy(error);
}

/* Adds the method, the path and the body of a line of a batch file. Returns 0 if one is not valid. */
static int add_batch_line(mlflow_gateway_request *request, const char *line, size_t len,
                          const struct destination *destination, struct text *problem)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_status status = MLFLOW_GATEWAY_INVALID_ARGUMENT;
    int kind = 0;
    size_t body_len = 0;
    char *method = json_string(line, len, "/method");
    char *url = json_string(line, len, "/url");
    char *body = json_value(line, len, "/body", &kind, &body_len);
    char *stream = json_value(line, len, "/body/stream", &kind, NULL);

    if (method == NULL || url == NULL || body == NULL || *body != '{')
        text_append_string(problem, "\"method\" and \"url\" must be strings, and \"body\" an object");
    else if (stream != NULL && strcmp(stream, "true") == 0)
        text_append_string(problem, "the body asks for a stream; remove \"stream\"");
    else if (destination->route != NULL) {
        struct text without_model = { NULL, 0, 0 };
        append_without_model(&without_model, body);
        status = mlflow_gateway_request_set_route(request, destination->route, &error);
        if (status == MLFLOW_GATEWAY_OK)
            status = mlflow_gateway_request_set_body_json(request, without_model.data, without_model.len, &error);
        free(without_model.data);
    } else {
        int has_both = destination->uri_ends_in_v1 && strncmp(url, "/v1/", 4) == 0;
        status = mlflow_gateway_request_set_path(request, method, has_both ? url + 3 : url, &error);
        if (status == MLFLOW_GATEWAY_OK)
            status = mlflow_gateway_request_set_body_json(request, body, body_len, &error);
    }
    if (error != NULL)
        append_error(problem, error);
    mlflow_gateway_string_free(method);
    mlflow_gateway_string_free(url);
    mlflow_gateway_string_free(body);
    mlflow_gateway_string_free(stream);
    return status == MLFLOW_GATEWAY_OK;
}

/* Adds a prompt. Returns 0 if it is not valid. */
static int add_prompt(mlflow_gateway_request *request, const char *line, size_t len, struct text *problem)
{
    mlflow_gateway_error *error = NULL;
    int kind = 0, is_valid = 0;
    size_t prompt_len = 0;
    char *prompt = json_value(line, len, "/prompt", &kind, &prompt_len);

    if (kind != MLFLOW_GATEWAY_JSON_STRING)
        text_append_string(problem, "\"prompt\" must be a string");
    else if (mlflow_gateway_request_set_prompt(request, prompt, prompt_len, &error) == MLFLOW_GATEWAY_OK)
        is_valid = 1;
    else
        append_error(problem, error);
    mlflow_gateway_string_free(prompt);
    return is_valid;
}

struct item *item_read(const char *line, size_t len, size_t line_number, const struct destination *destination,
                       mlflow_gateway_request **request, struct text *problem)
{
    mlflow_gateway_error *error = NULL;
    struct text id = { NULL, 0, 0 };
    int is_valid = 0;
    int is_batch_line = has(line, len, "/custom_id") || has(line, len, "/body");

    *request = NULL;
    if (mlflow_gateway_json_get(line, len, "", NULL, NULL, NULL, &error) != MLFLOW_GATEWAY_OK ||
        mlflow_gateway_request_create(request, &error) != MLFLOW_GATEWAY_OK)
        append_error(problem, error);
    else if (is_batch_line) {
        if (!append_id(&id, line, len, "/custom_id") || *id.data != '"')
            text_append_string(problem, "\"custom_id\" must be a string");
        else
            is_valid = add_batch_line(*request, line, len, destination, problem);
    } else if (has(line, len, "/prompt")) {
        /* Without an id, the number of the line identifies a prompt. */
        if (!has(line, len, "/id"))
            text_append_number(&id, (long long)line_number);
        if (id.len == 0 && !append_id(&id, line, len, "/id"))
            text_append_string(problem, "\"id\" must be a string or a number");
        else
            is_valid = add_prompt(*request, line, len, problem);
    } else {
        text_append_string(problem, "it has neither \"custom_id\" nor \"prompt\"");
    }
    if (!is_valid) {
        free(id.data);
        mlflow_gateway_request_destroy(*request);
        *request = NULL;
        return NULL;
    }
    struct item *item = allocate(sizeof *item);
    memset(item, 0, sizeof *item);
    item->is_batch_line = is_batch_line;
    item->id = id.data;
    item->line = line_number;
    return item;
}

void item_destroy(struct item *item)
{
    if (item != NULL)
        free(item->id);
    free(item);
}

/* Appends the error of a result. */
static void append_failure(struct text *text, mlflow_gateway_status status, const char *message)
{
    static const char PREFIX[] = "MLFLOW_GATEWAY_";

    text_append_string(text, "{\"code\": \"");
    text_append_string(text, mlflow_gateway_status_name(status) + sizeof PREFIX - 1);
    text_append_string(text, "\", \"message\": ");
    text_append_quoted(text, message, strlen(message));
    text_append_string(text, "}");
}

static void append_prompt_result(const struct item *item, mlflow_gateway_status status,
                                 const mlflow_gateway_response *response, const char *message, struct text *text)
{
    size_t len = 0;
    const char *completion = status == MLFLOW_GATEWAY_OK ? mlflow_gateway_response_text(response, 0, &len) : NULL;
    const char *reason = mlflow_gateway_response_finish_reason(response, 0);

    text_append_string(text, "{\"id\": ");
    text_append_string(text, item->id);
    text_append_string(text, ", \"text\": ");
    text_append_quoted(text, completion, len);
    text_append_string(text, ", \"finish_reason\": ");
    text_append_quoted(text, reason, reason != NULL ? strlen(reason) : 0);
    text_append_string(text, ", \"error\": ");
    if (status != MLFLOW_GATEWAY_OK)
        append_failure(text, status, message);
    else
        text_append_string(text, "null");
    text_append_string(text, "}\n");
}

static void append_batch_result(const struct item *item, mlflow_gateway_status status,
                                const mlflow_gateway_response *response, const mlflow_gateway_error *error,
                                const char *run, struct text *text)
{
    size_t body_len = 0;
    int is_ok = status == MLFLOW_GATEWAY_OK;
    int http_status = is_ok ? mlflow_gateway_response_http_status(response) : mlflow_gateway_error_http_status(error);
    const char *body = is_ok ? mlflow_gateway_response_body(response, &body_len)
                             : mlflow_gateway_error_body(error, &body_len);
    const char *request_id = is_ok ? mlflow_gateway_response_header(response, "x-request-id")
                                   : mlflow_gateway_error_header(error, "x-request-id");
    struct text id = { NULL, 0, 0 };

    text_append_string(&id, "batch_req_");
    text_append_string(&id, run);
    text_append_number(&id, (long long)item->line);
    if (request_id == NULL)
        request_id = id.data;

    text_append_string(text, "{\"id\": \"");
    text_append_string(text, id.data);
    text_append_string(text, "\", \"custom_id\": ");
    text_append_string(text, item->id);
    text_append_string(text, ", \"response\": ");
    if (http_status > 0) {
        text_append_string(text, "{\"status_code\": ");
        text_append_number(text, http_status);
        text_append_string(text, ", \"request_id\": ");
        text_append_quoted(text, request_id, strlen(request_id));
        text_append_string(text, ", \"body\": ");
        text_append_json(text, body, body_len);
        text_append_string(text, "}");
    } else {
        text_append_string(text, "null");
    }
    text_append_string(text, ", \"error\": ");
    if (!is_ok)
        append_failure(text, status, mlflow_gateway_error_message(error));
    else
        text_append_string(text, "null");
    text_append_string(text, "}\n");
    free(id.data);
}

mlflow_gateway_status item_append_result(const struct item *item, const mlflow_gateway_completion *completion,
                                         const char *run, struct text *text)
{
    mlflow_gateway_status status = mlflow_gateway_completion_status(completion);
    const mlflow_gateway_response *response = mlflow_gateway_completion_response(completion);
    const mlflow_gateway_error *error = mlflow_gateway_completion_error(completion);
    const char *message = error != NULL ? mlflow_gateway_error_message(error) : "the response has no text";

    if (item->is_batch_line) {
        append_batch_result(item, status, response, error, run, text);
        return status;
    }
    if (status == MLFLOW_GATEWAY_OK && mlflow_gateway_response_text(response, 0, NULL) == NULL)
        status = MLFLOW_GATEWAY_NO_TEXT;
    append_prompt_result(item, status, response, message, text);
    return status;
}

int item_read_result(const char *line, size_t len, struct text *id, int *has_failed)
{
    int kind = 0;
    char *error = json_value(line, len, "/error", &kind, NULL);

    *has_failed = kind != MLFLOW_GATEWAY_JSON_NULL;
    mlflow_gateway_string_free(error);
    return error != NULL && append_id(id, line, len, has(line, len, "/custom_id") ? "/custom_id" : "/id");
}

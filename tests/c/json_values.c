/*
 * Runs the JSON functions on the arguments on standard input. The Python tests use it to check many documents.
 *
 *   in:  one command per line, with arguments in hexadecimal digits ("-" is the empty string):
 *        get JSON POINTER, count JSON POINTER, quote STRING
 *   out: a line of JSON for each: {"status": ..., "kind": ..., "text": ..., "count": ..., "message": ...}; outputs that
 *        the function did not set are 0 or null
 */
#define _POSIX_C_SOURCE 200809L

#include "check.h"
#include "json_text.h"

struct text {
    char *bytes;
    size_t len;
};

static unsigned digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Decodes the next argument to a block of its own, so that memory checkers detect reading past its end. */
static struct text next_argument(char **arguments)
{
    char *word = strtok_r(NULL, " \n", arguments);
    CHECK(word != NULL);
    size_t len = strcmp(word, "-") == 0 ? 0 : strlen(word) / 2;
    struct text text = { malloc(len + 1), len };
    CHECK(text.bytes != NULL);
    for (size_t i = 0; i < len; i++)
        text.bytes[i] = (char)(digit(word[2 * i]) << 4 | digit(word[2 * i + 1]));
    text.bytes[len] = '\0';
    return text;
}

static void run(const char *command, char **arguments)
{
    struct text in = next_argument(arguments);
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_status status;
    int32_t kind = 0;
    char *out = NULL, *exact = malloc(in.len);
    size_t len = 0, count = 0;

    CHECK(exact != NULL || in.len == 0);
    memcpy(exact, in.bytes, in.len);
    if (strcmp(command, "quote") == 0) {
        status = mlflow_gateway_json_quote(exact, in.len, &out, &len, &error);
    } else {
        struct text pointer = next_argument(arguments);
        if (strcmp(command, "get") == 0)
            status = mlflow_gateway_json_get(exact, in.len, pointer.bytes, &kind, &out, &len, &error);
        else
            status = mlflow_gateway_json_count(exact, in.len, pointer.bytes, &count, &error);
        free(pointer.bytes);
    }
    CHECK((error != NULL) == (status == MLFLOW_GATEWAY_INVALID_ARGUMENT));
    CHECK(out == NULL || out[len] == '\0');
    printf("{\"status\": ");
    print_string(mlflow_gateway_status_name(status) + strlen("MLFLOW_GATEWAY_"));
    printf(", \"kind\": %d, \"count\": %zu, \"text\": ", (int)kind, count);
    print_string_len(out, len);
    printf(", \"message\": ");
    print_string(mlflow_gateway_error_message(error));
    printf("}\n");
    mlflow_gateway_string_free(out);
    mlflow_gateway_error_destroy(error);
    free(exact);
    free(in.bytes);
}

int main(void)
{
    char *line = NULL, *arguments;
    size_t room = 0;

    while (getline(&line, &room, stdin) > 0) {
        const char *command = strtok_r(line, " \n", &arguments);
        CHECK(command != NULL);
        run(command, &arguments);
    }
    free(line);
    return 0;
}

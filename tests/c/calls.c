/*
 * Makes the calls described on standard input, one per line, and prints their results. The Python tests use it to check
 * the simple API. Fields are separated by tabs.
 *
 *   in:  URI ROUTE PROMPT [NAME=VALUE]...     a URI of - is NULL
 *        NAME is an option (option:timeout_ms=100), a header (header:X-A=1), a JSON parameter (param:n=2), a stop
 *        sequence (stop=x), the number of calls before the one that is printed (warm=1), or the pause in milliseconds
 *        after each of those (pause=100)
 *   out: STATUS HTTP_STATUS GATEWAY_CODE RETRY_AFTER_MS ATTEMPTS BODY_LENGTH TEXT_LENGTH TEXT_OR_MESSAGE
 *        line breaks and tabs in the last field are replaced by spaces
 */
#define _POSIX_C_SOURCE 200809L

#include <time.h>

#include "check.h"

/* The calls before the one that is printed. */
struct warm_up {
    int calls;
    struct timespec pause;
};

static void set(mlflow_gateway *gateway, char *setting, struct warm_up *warm_up)
{
    char *value = strchr(setting, '=');
    CHECK(value != NULL);
    *value++ = '\0';
    if (strncmp(setting, "option:", 7) == 0)
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, setting + 7, value, &error));
    else if (strncmp(setting, "header:", 7) == 0)
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_header(gateway, setting + 7, value, &error));
    else if (strncmp(setting, "param:", 6) == 0)
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_param_json(gateway, setting + 6, value, &error));
    else if (strcmp(setting, "stop") == 0)
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_add_stop(gateway, value, &error));
    else if (strcmp(setting, "warm") == 0)
        warm_up->calls = atoi(value);
    else if (strcmp(setting, "pause") == 0)
        warm_up->pause = (struct timespec){ atol(value) / 1000, atol(value) % 1000 * 1000000 };
    else
        CHECK(!"the setting exists");
}

static void print_line(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        putchar(strchr("\t\r\n", text[i]) != NULL ? ' ' : text[i]);
    putchar('\n');
    fflush(stdout);
}

static void call(char *line)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_error *error = NULL;
    char *text = NULL;
    size_t text_len = 0, body_len = 0;
    struct warm_up warm_up = { 0, { 0, 0 } };
    char *uri = strtok(line, "\t"), *route = strtok(NULL, "\t"), *prompt = strtok(NULL, "\t");

    CHECK(prompt != NULL);
    mlflow_gateway_status status = mlflow_gateway_create(route, strcmp(uri, "-") == 0 ? NULL : uri, &gateway, &error);
    if (status == MLFLOW_GATEWAY_OK) {
        for (char *setting; (setting = strtok(NULL, "\t")) != NULL;)
            set(gateway, setting, &warm_up);
        while (warm_up.calls-- > 0) {
            char *unused = NULL;
            mlflow_gateway_call(gateway, prompt, &unused, NULL, NULL);
            mlflow_gateway_string_free(unused);
            nanosleep(&warm_up.pause, NULL);
        }
        status = mlflow_gateway_call(gateway, prompt, &text, &text_len, &error);
    }
    const char *code = mlflow_gateway_error_gateway_code(error);
    const char *body = mlflow_gateway_error_body(error, &body_len);
    CHECK(body == NULL || body[body_len] == '\0');
    CHECK(text == NULL || text[text_len] == '\0');
    printf("%s\t%d\t%s\t%lld\t%u\t%zu\t%zu\t", mlflow_gateway_status_name(status),
           (int)mlflow_gateway_error_http_status(error), code == NULL ? "-" : code,
           (long long)mlflow_gateway_error_retry_after_ms(error), (unsigned)mlflow_gateway_error_attempts(error),
           body_len, text_len);
    if (text != NULL)
        print_line(text, text_len);
    else
        print_line(mlflow_gateway_error_message(error), strlen(mlflow_gateway_error_message(error)));
    mlflow_gateway_string_free(text);
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_destroy(gateway);
}

int main(void)
{
    static char line[1 << 24];

    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        call(line);
    }
    return 0;
}

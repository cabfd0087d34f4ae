/*
 * Makes one call to a server that sends too much, and prints the status and the peak memory.
 *
 * usage: test_limits URI CALL MEGABYTES [NAME=VALUE]...
 *        CALL is call, send, stream, callback, embed or list. MEGABYTES, if not 0, limits the additional memory of the
 *        process. NAME=VALUE are options of the handle.
 *   out: STATUS PEAK_KIB TEXT_BYTES MESSAGE
 *        PEAK_KIB is the growth of resident memory, TEXT_BYTES the length of all strings that the call returned.
 */
#define _POSIX_C_SOURCE 200809L

#include <sys/resource.h>

#include "check.h"

/* Returns a number of /proc/self/status, in KiB. */
static long read_process_status(const char *name)
{
    char line[256];
    long kib = -1;
    FILE *file = fopen("/proc/self/status", "r");

    CHECK(file != NULL);
    while (kib < 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            kib = atol(line + strlen(name));
    fclose(file);
    CHECK(kib >= 0);
    return kib;
}

static size_t text_bytes;

static int count(const mlflow_gateway_event *event, void *user_data)
{
    size_t len = 0;
    const char *text = mlflow_gateway_event_text(event, &len);

    (void)user_data;
    CHECK(text == NULL || text[len] == '\0');
    if (mlflow_gateway_event_kind(event) == MLFLOW_GATEWAY_EVENT_TEXT)
        text_bytes += len;
    return 0;
}

static mlflow_gateway_status call(mlflow_gateway *gateway, mlflow_gateway_error **error)
{
    char *text = NULL;
    size_t len = 0;
    mlflow_gateway_status status = mlflow_gateway_call(gateway, "hi", &text, &len, error);

    text_bytes = len;
    mlflow_gateway_string_free(text);
    return status;
}

static mlflow_gateway_status send_request(mlflow_gateway *gateway, mlflow_gateway_request *request,
                                          mlflow_gateway_error **error)
{
    mlflow_gateway_response *response = NULL;
    mlflow_gateway_status status = mlflow_gateway_send(gateway, request, &response, error);

    mlflow_gateway_response_text(response, 0, &text_bytes);
    mlflow_gateway_response_destroy(response);
    return status;
}

static mlflow_gateway_status read_stream(mlflow_gateway *gateway, mlflow_gateway_request *request,
                                   mlflow_gateway_error **error)
{
    mlflow_gateway_stream *stream = NULL;
    const mlflow_gateway_event *event = NULL;
    mlflow_gateway_status status = mlflow_gateway_stream_open(gateway, request, &stream, error);

    while (status == MLFLOW_GATEWAY_OK &&
           (status = mlflow_gateway_stream_next(stream, &event, error)) == MLFLOW_GATEWAY_OK)
        count(event, NULL);
    mlflow_gateway_stream_destroy(stream);
    return status;
}

static mlflow_gateway_status embed(mlflow_gateway *gateway, mlflow_gateway_error **error)
{
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_embeddings *embeddings = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_input(request, "hi", 2, &error));
    mlflow_gateway_status status = mlflow_gateway_embed(gateway, request, &embeddings, error);
    mlflow_gateway_embeddings_destroy(embeddings);
    mlflow_gateway_request_destroy(request);
    return status;
}

static mlflow_gateway_status list(mlflow_gateway *gateway, mlflow_gateway_error **error)
{
    mlflow_gateway_routes *routes = NULL;
    mlflow_gateway_status status = mlflow_gateway_list_routes(gateway, &routes, error);

    mlflow_gateway_routes_destroy(routes);
    return status;
}

int main(int argc, char **argv)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_status status = MLFLOW_GATEWAY_INTERNAL;

    CHECK(argc >= 4);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create("r", argv[1], &gateway, &error));
    for (int i = 4; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        CHECK(value != NULL);
        *value++ = '\0';
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, argv[i], value, &error));
    }
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_prompt(request, "hi", 2, &error));

    if (atol(argv[3]) > 0) {
        rlim_t bytes = ((rlim_t)read_process_status("VmSize:") << 10) + ((rlim_t)atol(argv[3]) << 20);
        struct rlimit limit = { bytes, bytes };
        CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    }
    long before = read_process_status("VmRSS:");
    if (strcmp(argv[2], "call") == 0)
        status = call(gateway, &error);
    else if (strcmp(argv[2], "send") == 0)
        status = send_request(gateway, request, &error);
    else if (strcmp(argv[2], "stream") == 0)
        status = read_stream(gateway, request, &error);
    else if (strcmp(argv[2], "callback") == 0)
        status = mlflow_gateway_stream_call(gateway, request, count, NULL, NULL, &error);
    else if (strcmp(argv[2], "embed") == 0)
        status = embed(gateway, &error);
    else if (strcmp(argv[2], "list") == 0)
        status = list(gateway, &error);
    else
        CHECK(!"the call exists");
    long peak = read_process_status("VmHWM:") - before;
    printf("%s %ld %zu %s\n", mlflow_gateway_status_name(status) + strlen("MLFLOW_GATEWAY_"), peak, text_bytes,
           mlflow_gateway_error_message(error));
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return 0;
}

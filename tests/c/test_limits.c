/*
 * Asks a server that sends too much, once, and prints what came of it and how much memory that took at its peak.
 *
 * usage: test_limits URI WAY MEGABYTES [NAME=VALUE]...
 *        WAY is call, send, stream (fetched), callback, embed or list; MEGABYTES, if not 0, is how much more memory the
 *        process gets from then on; the rest are options of the handle
 *   out: STATUS PEAK_KIB TEXT_BYTES MESSAGE
 *        with the peak as what was resident more than before, and the bytes of all texts that were given out
 */
#define _POSIX_C_SOURCE 200809L

#include <sys/resource.h>

#include "check.h"

/* A number of /proc/self/status, in KiB. */
static long of_process(const char *name)
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

static mlflow_gateway_status fetch(mlflow_gateway *gateway, mlflow_gateway_request *request,
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
        rlim_t most = ((rlim_t)of_process("VmSize:") << 10) + ((rlim_t)atol(argv[3]) << 20);
        struct rlimit limit = { most, most };
        CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    }
    long before = of_process("VmRSS:");
    if (strcmp(argv[2], "call") == 0)
        status = call(gateway, &error);
    else if (strcmp(argv[2], "send") == 0)
        status = send_request(gateway, request, &error);
    else if (strcmp(argv[2], "stream") == 0)
        status = fetch(gateway, request, &error);
    else if (strcmp(argv[2], "callback") == 0)
        status = mlflow_gateway_stream_call(gateway, request, count, NULL, NULL, &error);
    else if (strcmp(argv[2], "embed") == 0)
        status = embed(gateway, &error);
    else if (strcmp(argv[2], "list") == 0)
        status = list(gateway, &error);
    else
        CHECK(!"a known way");
    long peak = of_process("VmHWM:") - before;
    printf("%s %ld %zu %s\n", mlflow_gateway_status_name(status) + strlen("MLFLOW_GATEWAY_"), peak, text_bytes,
           mlflow_gateway_error_message(error));
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return 0;
}

/* Creates the gateway and the queue from the options of the command line. */
#define _POSIX_C_SOURCE 200809L

#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "progress.h"
#include "text.h"

/* Requests that wait in the queue. More would only need memory: the input is read as fast as they are sent. */
static const char MOST_QUEUED[] = "256";

static int read_seconds(const char *text, struct settings *settings)
{
    char *end;
    double seconds = strtod(text, &end);

    snprintf(settings->timeout_ms, sizeof settings->timeout_ms, "%.0f", seconds * 1000);
    return end != text && *end == '\0' && seconds > 0;
}

const char *settings_set(struct settings *settings, int option, const char *value)
{
    switch (option) {
    case 'u': settings->uri = value; break;
    case 'r': settings->route = value; break;
    case OPTION_IN_FLIGHT: settings->in_flight = value; break;
    case OPTION_RATE: settings->rate = value; break;
    case OPTION_TOKENS: settings->tokens_per_minute = value; break;
    case OPTION_RETRIES: settings->retries = value; break;
    case OPTION_STREAM: settings->stream = 1; break;
    case OPTION_TIMEOUT: return read_seconds(value, settings) ? NULL : "SECONDS is not a positive number";
    case OPTION_PARAM:
        if (strchr(value, '=') == NULL)
            return "--param needs NAME=VALUE";
        settings->params = reallocate(settings->params, ((size_t)settings->param_count + 1) * sizeof *settings->params);
        settings->params[settings->param_count++] = value;
        break;
    }
    return NULL;
}

void settings_destroy(struct settings *settings)
{
    free(settings->params);
}

/* Returns whether the handle's URI ends in "/v1". */
static int ends_in_v1(const mlflow_gateway *gateway)
{
    char *params = NULL, *uri = NULL;
    size_t len = 0;

    if (mlflow_gateway_identifying_params(gateway, &params, &len, NULL) == MLFLOW_GATEWAY_OK)
        uri = json_string(params, len, "/gateway_uri");
    size_t uri_len = uri != NULL ? strlen(uri) : 0;
    while (uri_len != 0 && uri[uri_len - 1] == '/')
        uri_len--;
    int result = uri_len >= 3 && strncmp(uri + uri_len - 3, "/v1", 3) == 0;
    mlflow_gateway_string_free(params);
    mlflow_gateway_string_free(uri);
    return result;
}

/* Sets NAME=VALUE as a parameter: JSON, or else a string. */
static mlflow_gateway_status set_param(mlflow_gateway *gateway, const char *param, mlflow_gateway_error **error)
{
    const char *value = strchr(param, '=') + 1;
    struct text name = { NULL, 0, 0 };

    text_append(&name, param, (size_t)(value - 1 - param));
    int is_json = mlflow_gateway_json_get(value, strlen(value), "", NULL, NULL, NULL, NULL) == MLFLOW_GATEWAY_OK;
    mlflow_gateway_status status = is_json ? mlflow_gateway_set_param_json(gateway, name.data, value, error)
                                           : mlflow_gateway_set_param_string(gateway, name.data, value, error);
    free(name.data);
    return status;
}

static mlflow_gateway_status create_gateway(struct sender *sender, const struct settings *settings,
                                            mlflow_gateway_error **error)
{
    const char *route = settings->route != NULL ? settings->route : "completions";
    mlflow_gateway_status status = mlflow_gateway_create(route, settings->uri, &sender->gateway, error);

    for (int i = 0; status == MLFLOW_GATEWAY_OK && i < settings->param_count; i++)
        status = set_param(sender->gateway, settings->params[i], error);
    if (status == MLFLOW_GATEWAY_OK && settings->retries != NULL)
        status = mlflow_gateway_set_option(sender->gateway, "max_retries", settings->retries, error);
    if (status == MLFLOW_GATEWAY_OK && *settings->timeout_ms != '\0')
        status = mlflow_gateway_set_option(sender->gateway, "timeout_ms", settings->timeout_ms, error);
    return status;
}

static mlflow_gateway_status create_queue(struct sender *sender, const struct settings *settings,
                                          mlflow_gateway_error **error)
{
    int is_auto = settings->in_flight != NULL && strcmp(settings->in_flight, "auto") == 0;
    const char *const options[][2] = {
        { "max_queued", MOST_QUEUED },
        { "adaptive", is_auto ? "true" : "false" },
        { "max_in_flight", is_auto ? NULL : settings->in_flight },
        { "requests_per_second", settings->rate },
        { "tokens_per_minute", settings->tokens_per_minute },
    };
    mlflow_gateway_status status = mlflow_gateway_queue_create(sender->gateway, &sender->queue, error);

    for (size_t i = 0; status == MLFLOW_GATEWAY_OK && i < sizeof options / sizeof *options; i++)
        if (options[i][1] != NULL)
            status = mlflow_gateway_queue_set_option(sender->queue, options[i][0], options[i][1], error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_queue_fd(sender->queue, &sender->queue_fd, error);
    return status;
}

enum exit_code sender_create(struct sender *sender, const struct settings *settings)
{
    unsigned long run = (unsigned long)time(NULL) ^ (unsigned long)getpid() << 16;
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_status status = create_gateway(sender, settings, &error);

    if (status == MLFLOW_GATEWAY_OK)
        status = create_queue(sender, settings, &error);
    if (status == MLFLOW_GATEWAY_OK) {
        snprintf(sender->run, sizeof sender->run, "%08lx_", run & 0xffffffff);
        sender->stream = settings->stream;
        sender->destination.route = settings->route;
        sender->destination.uri_ends_in_v1 = ends_in_v1(sender->gateway);
        return EXIT_OK;
    }
    report("%s", mlflow_gateway_error_message(error));
    mlflow_gateway_error_destroy(error);
    return status < 20 ? EXIT_USAGE : EXIT_INTERNAL;
}

mlflow_gateway_status sender_submit(struct sender *sender, const struct item *item,
                                    const mlflow_gateway_request *request, mlflow_gateway_error **error)
{
    int32_t how =
        sender->stream && !item->is_batch_line ? MLFLOW_GATEWAY_SUBMIT_STREAM : MLFLOW_GATEWAY_SUBMIT_SEND;
    return mlflow_gateway_queue_submit(sender->queue, request, how, (uint64_t)(uintptr_t)item, error);
}

void sender_destroy(struct sender *sender)
{
    mlflow_gateway_queue_destroy(sender->queue);
    mlflow_gateway_destroy(sender->gateway);
}

/* The gateway and the queue, and their options on the command line, which batch and batch_mpi have in common. */
#ifndef BATCH_SETTINGS_H
#define BATCH_SETTINGS_H

#include <mlflow_ai_gateway.h>

#include "batch.h"
#include "item.h"

#define SETTINGS_HELP \
    "  -u, --uri URI          gateway URI; default: $MLFLOW_GATEWAY_URI,\n" \
    "                         $MLFLOW_DEPLOYMENTS_TARGET or $MLFLOW_TRACKING_URI\n" \
    "  -r, --route ROUTE      route (endpoint) of the prompts; default: completions.\n" \
    "                         If given, bodies are sent to it, too, without their\n" \
    "                         \"model\", instead of to their url\n" \
    "  --in-flight N|auto     requests at once, or the number that serves best, which\n" \
    "                         is found during the run; default: 8\n" \
    "  --rate N               requests per second at most\n" \
    "  --tokens-per-minute N  tokens per minute at most, input and output\n" \
    "  --retries N            retries of each request at most; default: 3\n" \
    "  --timeout SECONDS      time limit of each request; default: 300\n" \
    "  --param NAME=VALUE     parameter of the prompts, as JSON or else a string; may\n" \
    "                         be repeated\n" \
    "  --stream               stream the responses to prompts, to measure the time to\n" \
    "                         their first token\n"

enum {
    OPTION_IN_FLIGHT = 256,
    OPTION_RATE,
    OPTION_TOKENS,
    OPTION_RETRIES,
    OPTION_TIMEOUT,
    OPTION_PARAM,
    OPTION_STREAM,
    FIRST_OPTION_OF_PROGRAM
};

/* For getopt_long(). */
#define SETTINGS_OPTIONS \
    { "uri", required_argument, NULL, 'u' }, \
    { "route", required_argument, NULL, 'r' }, \
    { "in-flight", required_argument, NULL, OPTION_IN_FLIGHT }, \
    { "rate", required_argument, NULL, OPTION_RATE }, \
    { "tokens-per-minute", required_argument, NULL, OPTION_TOKENS }, \
    { "retries", required_argument, NULL, OPTION_RETRIES }, \
    { "timeout", required_argument, NULL, OPTION_TIMEOUT }, \
    { "param", required_argument, NULL, OPTION_PARAM }, \
    { "stream", no_argument, NULL, OPTION_STREAM }

/* Initialize it with zeros. */
struct settings {
    const char *uri, *route;
    const char *in_flight, *rate, *tokens_per_minute, *retries;
    char timeout_ms[32];
    const char **params;
    int param_count;
    int stream;
};

/* Sets one of SETTINGS_OPTIONS. Returns NULL, or an error message if its value is not valid. */
const char *settings_set(struct settings *settings, int option, const char *value);

void settings_destroy(struct settings *settings);

/* Initialize it with zeros. */
struct sender {
    mlflow_gateway *gateway;
    mlflow_gateway_queue *queue;
    int queue_fd;
    struct destination destination;
    int stream;
    /* Distinguishes the ids of this run's output lines from those of others. */
    char run[16];
};

/* Creates the gateway and the queue. Prints why that fails. */
enum exit_code sender_create(struct sender *sender, const struct settings *settings);

/* Submits the request of an item, with the item as the tag. */
mlflow_gateway_status sender_submit(struct sender *sender, const struct item *item,
                                    const mlflow_gateway_request *request, mlflow_gateway_error **error);

void sender_destroy(struct sender *sender);

#endif

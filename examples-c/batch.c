/*
 * batch - send many requests to an MLflow AI gateway at once, and write their responses.
 *
 * It shows the queue: one thread reads the input, submits requests, and fetches completions. The directory batch_parts
 * has the rest: the formats of the lines, the output and --resume, the progress, and the statistics.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <mlflow_ai_gateway.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "batch_parts/batch.h"
#include "batch_parts/histogram.h"
#include "batch_parts/ids.h"
#include "batch_parts/item.h"
#include "batch_parts/lines.h"
#include "batch_parts/output.h"
#include "batch_parts/progress.h"
#include "batch_parts/statistics.h"
#include "batch_parts/text.h"

#define SYNOPSIS \
    "usage: batch [-u URI] [-r ROUTE] [-o FILE [--resume]] [--in-flight N|auto]\n" \
    "             [--rate N] [--tokens-per-minute N] [OPTION]... [FILE]\n"

static const char HELP[] =
    SYNOPSIS
    "\n"
    "Send the requests of a file to an MLflow AI gateway or an OpenAI-compatible\n"
    "server, many at once, and write a line for each response. Each line of FILE, or\n"
    "of standard input, is a line of an OpenAI batch file or a prompt:\n"
    "\n"
    "  {\"custom_id\": \"a\", \"method\": \"POST\", \"url\": \"/v1/...\", \"body\": {...}}\n"
    "  {\"id\": 1, \"prompt\": \"...\"}\n"
    "\n"
    "A body is sent to URI + url; a URI that ends in /v1 is not followed by another\n"
    "/v1. The tracking server of MLflow 3 needs the URI http://HOST/gateway/mlflow.\n"
    "\n"
    "  -u, --uri URI          gateway URI; default: $MLFLOW_GATEWAY_URI,\n"
    "                         $MLFLOW_DEPLOYMENTS_TARGET or $MLFLOW_TRACKING_URI\n"
    "  -r, --route ROUTE      route (endpoint) of the prompts; default: completions.\n"
    "                         If given, bodies are sent to it, too, without their\n"
    "                         \"model\", instead of to their url\n"
    "  -o, --output FILE      default: standard output\n"
    "  --resume               FILE is the output of an earlier run: send only what is\n"
    "                         missing in it or failed\n"
    "  --in-flight N|auto     requests at once, or as many as serve best; default: 8\n"
    "  --rate N               requests per second at most\n"
    "  --tokens-per-minute N  tokens per minute at most, input and output\n"
    "  --retries N            retries of each request at most; default: 3\n"
    "  --timeout SECONDS      time limit of each request; default: 300\n"
    "  --param NAME=VALUE     parameter of the prompts, as JSON or else a string; may\n"
    "                         be repeated\n"
    "  --stream               stream the responses to prompts, to measure the time to\n"
    "                         their first token\n"
    "  --plot FILE            write a histogram of the latencies, as SVG\n"
    "  --shard I/N            only every N-th line, from line I+1 on: I is 0 to N-1.\n"
    "                         With 4 shards, and an output file for each:\n"
    "                           Slurm, --array=0-3: $SLURM_ARRAY_TASK_ID/4\n"
    "                           Kubernetes, completions: 4: $JOB_COMPLETION_INDEX/4\n"
    "                           GNU parallel, ::: 0 1 2 3: {}/4\n"
    "  -h, --help             show this help\n"
    "\n"
    "Ctrl-C waits for the requests in flight; a second one does not.\n"
    "\n"
    "exit status: 0 success, 1 output error, 2 usage error, 6 internal error, 7 a\n"
    "request failed or a line is not valid, 128 + the number of a signal\n";

enum { OPTION_RESUME = 256, OPTION_IN_FLIGHT, OPTION_RATE, OPTION_TOKENS, OPTION_RETRIES, OPTION_TIMEOUT, OPTION_PARAM,
       OPTION_STREAM, OPTION_PLOT, OPTION_SHARD };

static const struct option LONG_OPTIONS[] = {
    { "uri", required_argument, NULL, 'u' },
    { "route", required_argument, NULL, 'r' },
    { "output", required_argument, NULL, 'o' },
    { "resume", no_argument, NULL, OPTION_RESUME },
    { "in-flight", required_argument, NULL, OPTION_IN_FLIGHT },
    { "rate", required_argument, NULL, OPTION_RATE },
    { "tokens-per-minute", required_argument, NULL, OPTION_TOKENS },
    { "retries", required_argument, NULL, OPTION_RETRIES },
    { "timeout", required_argument, NULL, OPTION_TIMEOUT },
    { "param", required_argument, NULL, OPTION_PARAM },
    { "stream", no_argument, NULL, OPTION_STREAM },
    { "plot", required_argument, NULL, OPTION_PLOT },
    { "shard", required_argument, NULL, OPTION_SHARD },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

/* Requests that wait in the queue. More would only need memory: the input is read as fast as they are sent. */
static const char MOST_QUEUED[] = "256";

/* Lines to read before completions are fetched again. */
enum { LINES_AT_ONCE = 100 };

/* Bounds the time until a signal is noticed and the bar is drawn. */
enum { MOST_WAIT_MS = 100 };

/* Prints a usage error. `message` is NULL if one has been printed. */
static enum exit_code usage_error(const char *message)
{
    if (message != NULL)
        report("%s", message);
    fputs(SYNOPSIS "Try 'batch --help' for more information.\n", stderr);
    return EXIT_USAGE;
}

/* Global, because the signal handler uses it: the first SIGINT or SIGTERM, or 0. */
static volatile sig_atomic_t signal_received;

static void stop_or_exit(int signal_number)
{
    if (signal_received != 0)
        _exit(EXIT_SIGNAL + signal_number);
    signal_received = signal_number;
}

static void handle_signals(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = stop_or_exit;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

struct arguments {
    const char *uri, *route, *output, *input, *plot;
    const char *in_flight, *rate, *tokens_per_minute, *retries;
    char timeout_ms[32];
    const char **params;
    int param_count;
    int resume, stream;
    unsigned long shard, shards;
};

struct batch {
    const struct arguments *arguments;
    mlflow_gateway *gateway;
    mlflow_gateway_queue *queue;
    int queue_fd;
    struct destination destination;
    /* Distinguishes the ids of this run's output lines from those of others. */
    char run[16];

    struct line_reader input;
    size_t line_number;
    struct id_set ids;
    /* The item that the queue had no room for, with its request, or NULL. */
    struct item *held;
    mlflow_gateway_request *held_request;
    /* The items that were submitted and are not done, newest first. */
    struct item *newest;
    int is_closed, is_stopped;

    struct output output;
    struct statistics statistics;
    struct progress progress;
    FILE *plot;
    /* A line of the output, and a message: kept to be used again. */
    struct text result, problem;
    enum exit_code code;
};

static void list_add(struct batch *batch, struct item *item)
{
    item->older = batch->newest;
    if (batch->newest != NULL)
        batch->newest->newer = item;
    batch->newest = item;
}

static void list_remove(struct batch *batch, struct item *item)
{
    if (item->older != NULL)
        item->older->newer = item->newer;
    if (item->newer != NULL)
        item->newer->older = item->older;
    else
        batch->newest = item->older;
}

/* Reports a line that is not sent. */
static void reject_line(struct batch *batch, size_t line_number, const char *problem)
{
    report("line %zu: %s", line_number, problem);
    batch->statistics.invalid_lines++;
}

static int is_blank(const char *line, size_t len)
{
    while (len != 0 && strchr(" \t\r", line[len - 1]) != NULL)
        len--;
    return len == 0;
}

/* Makes a line the held item, unless it is not valid or the output has it already. */
static void hold_line(struct batch *batch, const char *line, size_t len)
{
    const struct arguments *arguments = batch->arguments;

    batch->line_number++;
    if ((batch->line_number - 1) % arguments->shards != arguments->shard || is_blank(line, len))
        return;
    batch->problem.len = 0;
    struct item *item = item_read(line, len, batch->line_number, &batch->destination, &batch->held_request,
                                  &batch->problem);
    if (item == NULL) {
        reject_line(batch, batch->line_number, batch->problem.data);
        batch->progress.skipped++;
        return;
    }
    struct id_entry *known = id_set_add(&batch->ids, item->id, item->line);
    if (known == NULL) {
        batch->held = item;
        return;
    }
    if (known->line == ID_OF_EARLIER_RUN) {
        known->line = item->line;
        batch->statistics.earlier++;
    } else {
        text_append_string(&batch->problem, "the id ");
        text_append_string(&batch->problem, item->id);
        text_append_string(&batch->problem, " is that of line ");
        text_append_number(&batch->problem, (long long)known->line);
        text_append_string(&batch->problem, ", too");
        reject_line(batch, item->line, batch->problem.data);
    }
    batch->progress.skipped++;
    item_destroy(item);
    mlflow_gateway_request_destroy(batch->held_request);
    batch->held_request = NULL;
}

/* Submits the held item. Returns 0 if the queue has no room for it. */
static int submit_held(struct batch *batch)
{
    mlflow_gateway_error *error = NULL;
    struct item *item = batch->held;
    int32_t how = batch->arguments->stream && !item->is_batch_line ? MLFLOW_GATEWAY_SUBMIT_STREAM
                                                                   : MLFLOW_GATEWAY_SUBMIT_SEND;
    mlflow_gateway_status status =
        mlflow_gateway_queue_submit(batch->queue, batch->held_request, how, (uint64_t)(uintptr_t)item, &error);

    if (status == MLFLOW_GATEWAY_QUEUE_FULL)
        return 0;
    if (status == MLFLOW_GATEWAY_OK) {
        list_add(batch, item);
    } else {
        reject_line(batch, item->line, mlflow_gateway_error_message(error));
        batch->progress.skipped++;
        item_destroy(item);
    }
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_request_destroy(batch->held_request);
    batch->held_request = NULL;
    batch->held = NULL;
    return 1;
}

/* What the loop has to wait for. */
enum waiting { FOR_NOTHING, FOR_COMPLETIONS, FOR_INPUT };

/* Reads and submits lines, until the queue is full or no line has arrived. After the last one it closes the queue. */
static enum waiting submit_lines(struct batch *batch)
{
    char *line;
    size_t len;

    for (int i = 0; i < LINES_AT_ONCE && !batch->is_closed; i++) {
        if (batch->held != NULL) {
            if (!submit_held(batch))
                return FOR_COMPLETIONS;
            continue;
        }
        switch (lines_next(&batch->input, &line, &len)) {
        case LINE_OK:
        case LINE_TORN:
            hold_line(batch, line, len);
            break;
        case LINE_NOT_YET:
            return FOR_INPUT;
        case LINE_END:
            mlflow_gateway_queue_close(batch->queue);
            batch->is_closed = 1;
        }
    }
    return batch->is_closed ? FOR_COMPLETIONS : FOR_NOTHING;
}

/* Ends the input early, and cancels the requests that are not in flight: the newest. */
static void stop(struct batch *batch)
{
    size_t waiting = mlflow_gateway_queue_count(batch->queue, MLFLOW_GATEWAY_QUEUE_COUNT_WAITING);

    mlflow_gateway_queue_close(batch->queue);
    batch->is_closed = batch->is_stopped = 1;
    for (struct item *item = batch->newest; item != NULL && waiting != 0; item = item->older, waiting--)
        mlflow_gateway_queue_cancel(batch->queue, (uint64_t)(uintptr_t)item);
    report("waiting for %zu requests in flight; interrupt again to end at once",
           mlflow_gateway_queue_count(batch->queue, MLFLOW_GATEWAY_QUEUE_COUNT_IN_FLIGHT));
}

/* Writes the result of a request. Cancelled ones have none: --resume sends them again. */
static void finish_item(struct batch *batch, const mlflow_gateway_completion *completion)
{
    struct item *item = (struct item *)(uintptr_t)mlflow_gateway_completion_tag(completion);
    mlflow_gateway_status status = mlflow_gateway_completion_status(completion);

    if (status != MLFLOW_GATEWAY_CANCELLED) {
        batch->result.len = 0;
        status = item_append_result(item, completion, batch->run, &batch->result);
        batch->code = output_write(&batch->output, batch->result.data, batch->result.len);
    }
    statistics_add(&batch->statistics, status, completion);
    list_remove(batch, item);
    item_destroy(item);
}

/* Waits for a completion, or for input if there is room for it. */
static void wait_for(struct batch *batch, enum waiting waiting)
{
    struct pollfd descriptors[] = { { batch->queue_fd, POLLIN, 0 }, { batch->input.fd, POLLIN, 0 } };

    if (poll(descriptors, waiting == FOR_INPUT ? 2 : 1, waiting == FOR_NOTHING ? 0 : MOST_WAIT_MS) <= 0)
        return;
    if (waiting == FOR_INPUT && descriptors[1].revents != 0 && !lines_fill(&batch->input)) {
        report("cannot read the input: %s", strerror(errno));
        batch->code = EXIT_INTERNAL;
    }
}

/* Submits lines and fetches completions, until the input ends and all is done, or something fails. */
static void run_queue(struct batch *batch)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_status status = MLFLOW_GATEWAY_PENDING;

    while (batch->code == EXIT_OK && status != MLFLOW_GATEWAY_QUEUE_END) {
        mlflow_gateway_completion *completion = NULL;
        if (signal_received != 0 && !batch->is_stopped)
            stop(batch);
        wait_for(batch, submit_lines(batch));
        while (batch->code == EXIT_OK &&
               (status = mlflow_gateway_queue_next(batch->queue, 0, &completion, &error)) == MLFLOW_GATEWAY_OK) {
            if (mlflow_gateway_completion_kind(completion) == MLFLOW_GATEWAY_COMPLETION_DONE)
                finish_item(batch, completion);
            mlflow_gateway_completion_destroy(completion);
        }
        if (error != NULL) {
            report("%s", mlflow_gateway_error_message(error));
            mlflow_gateway_error_destroy(error);
            batch->code = EXIT_INTERNAL;
        }
        progress_show(&batch->progress, batch->statistics.requests, batch->statistics.failed,
                      batch->statistics.tokens_out);
    }
    progress_end();
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

static mlflow_gateway_status create_gateway(const struct arguments *arguments, struct batch *batch,
                                            mlflow_gateway_error **error)
{
    const char *route = arguments->route != NULL ? arguments->route : "completions";
    mlflow_gateway_status status = mlflow_gateway_create(route, arguments->uri, &batch->gateway, error);

    for (int i = 0; status == MLFLOW_GATEWAY_OK && i < arguments->param_count; i++)
        status = set_param(batch->gateway, arguments->params[i], error);
    if (status == MLFLOW_GATEWAY_OK && arguments->retries != NULL)
        status = mlflow_gateway_set_option(batch->gateway, "max_retries", arguments->retries, error);
    if (status == MLFLOW_GATEWAY_OK && *arguments->timeout_ms != '\0')
        status = mlflow_gateway_set_option(batch->gateway, "timeout_ms", arguments->timeout_ms, error);
    return status;
}

static mlflow_gateway_status create_queue(const struct arguments *arguments, struct batch *batch,
                                          mlflow_gateway_error **error)
{
    int is_auto = arguments->in_flight != NULL && strcmp(arguments->in_flight, "auto") == 0;
    const char *const options[][2] = {
        { "max_queued", MOST_QUEUED },
        { "adaptive", is_auto ? "true" : "false" },
        { "max_in_flight", is_auto ? NULL : arguments->in_flight },
        { "requests_per_second", arguments->rate },
        { "tokens_per_minute", arguments->tokens_per_minute },
    };
    mlflow_gateway_status status = mlflow_gateway_queue_create(batch->gateway, &batch->queue, error);

    for (size_t i = 0; status == MLFLOW_GATEWAY_OK && i < sizeof options / sizeof *options; i++)
        if (options[i][1] != NULL)
            status = mlflow_gateway_queue_set_option(batch->queue, options[i][0], options[i][1], error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_queue_fd(batch->queue, &batch->queue_fd, error);
    return status;
}

/* Creates the gateway and the queue. Prints why that fails. */
static enum exit_code create(const struct arguments *arguments, struct batch *batch)
{
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_status status = create_gateway(arguments, batch, &error);

    if (status == MLFLOW_GATEWAY_OK)
        status = create_queue(arguments, batch, &error);
    if (status == MLFLOW_GATEWAY_OK) {
        batch->destination.route = arguments->route;
        batch->destination.uri_ends_in_v1 = ends_in_v1(batch->gateway);
        return EXIT_OK;
    }
    report("%s", mlflow_gateway_error_message(error));
    mlflow_gateway_error_destroy(error);
    return status < 20 ? EXIT_USAGE : EXIT_INTERNAL;
}

/* Opens the input, the output and the histogram. Prints why that fails. */
static enum exit_code open_files(const struct arguments *arguments, struct batch *batch)
{
    batch->input.fd = STDIN_FILENO;
    if (arguments->input != NULL && (batch->input.fd = open(arguments->input, O_RDONLY)) < 0) {
        report("cannot open %s: %s", arguments->input, strerror(errno));
        return EXIT_USAGE;
    }
    enum exit_code code = output_open(&batch->output, arguments->output, arguments->resume, &batch->ids);
    if (code == EXIT_OK && arguments->plot != NULL && (batch->plot = fopen(arguments->plot, "w")) == NULL) {
        report("cannot open %s: %s", arguments->plot, strerror(errno));
        code = EXIT_OUTPUT;
    }
    return code;
}

/* Returns how many lines of the input belong to the shard, or -1 if that is not known. */
static long long count_shard(const struct arguments *arguments, int fd)
{
    long long lines = lines_count(fd), shard = (long long)arguments->shard;

    if (lines < 0)
        return -1;
    return lines > shard ? (lines - shard - 1) / (long long)arguments->shards + 1 : 0;
}

static enum exit_code write_plot(struct batch *batch)
{
    samples_sort(&batch->statistics.latencies);
    histogram_write(&batch->statistics.latencies, batch->plot);
    int is_written = !ferror(batch->plot);
    if (fclose(batch->plot) == 0 && is_written)
        return EXIT_OK;
    report("cannot write to %s: %s", batch->arguments->plot, strerror(errno));
    return EXIT_OUTPUT;
}

/* Sends everything, and prints the summary. */
static enum exit_code send_all(struct batch *batch)
{
    int is_bar = isatty(STDERR_FILENO) && !isatty(batch->output.fd);

    handle_signals();
    progress_start(&batch->progress, is_bar, count_shard(batch->arguments, batch->input.fd));
    run_queue(batch);
    statistics_print(&batch->statistics, seconds_now() - batch->progress.started, stderr);
    if (batch->plot != NULL && write_plot(batch) != EXIT_OK)
        batch->code = EXIT_OUTPUT;
    if (output_close(&batch->output) != EXIT_OK)
        batch->code = EXIT_OUTPUT;
    if (batch->code != EXIT_OK)
        return batch->code;
    if (signal_received != 0)
        return EXIT_SIGNAL + signal_received;
    return batch->statistics.failed != 0 || batch->statistics.invalid_lines != 0 ? EXIT_INCOMPLETE : EXIT_OK;
}

static enum exit_code run(const struct arguments *arguments)
{
    struct batch batch;

    memset(&batch, 0, sizeof batch);
    batch.arguments = arguments;
    unsigned long run_number = (unsigned long)time(NULL) ^ (unsigned long)getpid() << 16;
    snprintf(batch.run, sizeof batch.run, "%08lx_", run_number & 0xffffffff);
    enum exit_code code = create(arguments, &batch);
    if (code == EXIT_OK)
        code = open_files(arguments, &batch);
    if (code == EXIT_OK)
        code = send_all(&batch);

    mlflow_gateway_queue_destroy(batch.queue);
    mlflow_gateway_destroy(batch.gateway);
    mlflow_gateway_request_destroy(batch.held_request);
    item_destroy(batch.held);
    while (batch.newest != NULL) {
        struct item *item = batch.newest;
        list_remove(&batch, item);
        item_destroy(item);
    }
    id_set_destroy(&batch.ids);
    statistics_destroy(&batch.statistics);
    free(batch.input.data);
    free(batch.result.data);
    free(batch.problem.data);
    return code;
}

/* Reads "I/N". */
static int read_shard(const char *text, struct arguments *arguments)
{
    char *end;

    arguments->shard = strtoul(text, &end, 10);
    if (end == text || *end != '/' || strchr(text, '-') != NULL)
        return 0;
    text = end + 1;
    arguments->shards = strtoul(text, &end, 10);
    return end != text && *end == '\0' && arguments->shard < arguments->shards;
}

static int read_seconds(const char *text, struct arguments *arguments)
{
    char *end;
    double seconds = strtod(text, &end);

    snprintf(arguments->timeout_ms, sizeof arguments->timeout_ms, "%.0f", seconds * 1000);
    return end != text && *end == '\0' && seconds > 0;
}

/* Reads the command line and runs the batch. */
static enum exit_code run_command(int argc, char **argv, struct arguments *arguments)
{
    int option;

    while ((option = getopt_long(argc, argv, "u:r:o:h", LONG_OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'u': arguments->uri = optarg; break;
        case 'r': arguments->route = optarg; break;
        case 'o': arguments->output = optarg; break;
        case OPTION_RESUME: arguments->resume = 1; break;
        case OPTION_IN_FLIGHT: arguments->in_flight = optarg; break;
        case OPTION_RATE: arguments->rate = optarg; break;
        case OPTION_TOKENS: arguments->tokens_per_minute = optarg; break;
        case OPTION_RETRIES: arguments->retries = optarg; break;
        case OPTION_STREAM: arguments->stream = 1; break;
        case OPTION_PLOT: arguments->plot = optarg; break;
        case OPTION_PARAM:
            if (strchr(optarg, '=') == NULL)
                return usage_error("--param needs NAME=VALUE");
            arguments->params[arguments->param_count++] = optarg;
            break;
        case OPTION_TIMEOUT:
            if (!read_seconds(optarg, arguments))
                return usage_error("SECONDS is not a positive number");
            break;
        case OPTION_SHARD:
            if (!read_shard(optarg, arguments))
                return usage_error("--shard needs I/N, with I from 0 to N-1");
            break;
        case 'h': return fputs(HELP, stdout) == EOF || fflush(stdout) != 0 ? EXIT_OUTPUT : EXIT_OK;
        default: return usage_error(NULL);
        }
    }
    if (optind + 1 < argc)
        return usage_error("more than one input file given");
    if (optind < argc && strcmp(argv[optind], "-") != 0)
        arguments->input = argv[optind];
    if (arguments->resume && arguments->output == NULL)
        return usage_error("--resume needs --output");
    return run(arguments);
}

int main(int argc, char **argv)
{
    struct arguments arguments = { .shards = 1 };

    /* There are fewer parameters than command-line arguments. */
    arguments.params = allocate((size_t)argc * sizeof *arguments.params);
    enum exit_code code = run_command(argc, argv, &arguments);
    free(arguments.params);
    return code;
}

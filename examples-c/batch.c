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
#include "batch_parts/input.h"
#include "batch_parts/item.h"
#include "batch_parts/lines.h"
#include "batch_parts/output.h"
#include "batch_parts/progress.h"
#include "batch_parts/settings.h"
#include "batch_parts/statistics.h"
#include "batch_parts/text.h"

const char PROGRAM[] = "batch";

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
    SETTINGS_HELP
    "  -o, --output FILE      default: standard output\n"
    "  --resume               FILE is the output of an earlier run: send only what is\n"
    "                         missing in it or failed\n"
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

enum { OPTION_RESUME = FIRST_OPTION_OF_PROGRAM, OPTION_PLOT, OPTION_SHARD };

static const struct option LONG_OPTIONS[] = {
    SETTINGS_OPTIONS,
    { "output", required_argument, NULL, 'o' },
    { "resume", no_argument, NULL, OPTION_RESUME },
    { "plot", required_argument, NULL, OPTION_PLOT },
    { "shard", required_argument, NULL, OPTION_SHARD },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

/* Lines to read before completions are fetched, and completions to fetch before lines are read. */
enum { LINES_AT_ONCE = 100, COMPLETIONS_AT_ONCE = 100 };

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
    struct settings settings;
    const char *output, *input, *plot;
    int resume;
    unsigned long shard, shards;
};

struct batch {
    const struct arguments *arguments;
    struct sender sender;

    struct input input;
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
    /* A line of the output: kept to be used again. */
    struct text result;
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

/* Submits the held item. Returns 0 if the queue has no room for it. */
static int submit_held(struct batch *batch)
{
    mlflow_gateway_error *error = NULL;
    struct item *item = batch->held;
    mlflow_gateway_status status = sender_submit(&batch->sender, item, batch->held_request, &error);

    if (status == MLFLOW_GATEWAY_QUEUE_FULL)
        return 0;
    if (status == MLFLOW_GATEWAY_OK) {
        list_add(batch, item);
    } else {
        input_reject(&batch->input, item->line, mlflow_gateway_error_message(error));
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
        enum line_result result = input_next(&batch->input, &batch->sender.destination, &line, &len, &batch->held,
                                             &batch->held_request);
        if (result == LINE_NOT_YET)
            return FOR_INPUT;
        if (result == LINE_END) {
            mlflow_gateway_queue_close(batch->sender.queue);
            batch->is_closed = 1;
        }
    }
    return batch->is_closed ? FOR_COMPLETIONS : FOR_NOTHING;
}

/* Ends the input early, and cancels the requests that are not in flight: the newest. */
static void stop(struct batch *batch)
{
    size_t waiting = mlflow_gateway_queue_count(batch->sender.queue, MLFLOW_GATEWAY_QUEUE_COUNT_WAITING);

    mlflow_gateway_queue_close(batch->sender.queue);
    batch->is_closed = batch->is_stopped = 1;
    for (struct item *item = batch->newest; item != NULL && waiting != 0; item = item->older, waiting--)
        mlflow_gateway_queue_cancel(batch->sender.queue, (uint64_t)(uintptr_t)item);
    report("waiting for %zu requests in flight; interrupt again to end at once",
           mlflow_gateway_queue_count(batch->sender.queue, MLFLOW_GATEWAY_QUEUE_COUNT_IN_FLIGHT));
}

/* Writes the result of a request. Cancelled ones have none: --resume sends them again. */
static void finish_item(struct batch *batch, const mlflow_gateway_completion *completion)
{
    struct item *item = (struct item *)(uintptr_t)mlflow_gateway_completion_tag(completion);
    mlflow_gateway_status status = mlflow_gateway_completion_status(completion);

    if (status != MLFLOW_GATEWAY_CANCELLED) {
        batch->result.len = 0;
        status = item_append_result(item, completion, batch->sender.run, &batch->result);
        batch->code = output_write(&batch->output, batch->result.data, batch->result.len);
    }
    statistics_add(&batch->statistics, status, completion);
    list_remove(batch, item);
    item_destroy(item);
}

/* Waits for a completion, or for input if there is room for it. */
static void wait_for(struct batch *batch, enum waiting waiting)
{
    struct pollfd descriptors[] = { { batch->sender.queue_fd, POLLIN, 0 }, { batch->input.reader.fd, POLLIN, 0 } };

    if (poll(descriptors, waiting == FOR_INPUT ? 2 : 1, waiting == FOR_NOTHING ? 0 : MOST_WAIT_MS) <= 0)
        return;
    if (waiting == FOR_INPUT && descriptors[1].revents != 0 && !lines_fill(&batch->input.reader)) {
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
        for (int i = 0; i < COMPLETIONS_AT_ONCE && batch->code == EXIT_OK; i++) {
            status = mlflow_gateway_queue_next(batch->sender.queue, 0, &completion, &error);
            if (status != MLFLOW_GATEWAY_OK)
                break;
            if (mlflow_gateway_completion_kind(completion) == MLFLOW_GATEWAY_COMPLETION_DONE)
                finish_item(batch, completion);
            mlflow_gateway_completion_destroy(completion);
        }
        if (error != NULL) {
            report("%s", mlflow_gateway_error_message(error));
            mlflow_gateway_error_destroy(error);
            batch->code = EXIT_INTERNAL;
        }
        batch->progress.skipped = batch->input.invalid_lines + batch->input.earlier;
        progress_show(&batch->progress, batch->statistics.requests, batch->statistics.failed,
                      batch->statistics.tokens_out);
    }
    progress_end();
}

/* Opens the input, the output and the histogram. Prints why that fails. */
static enum exit_code open_files(const struct arguments *arguments, struct batch *batch)
{
    batch->input.reader.fd = STDIN_FILENO;
    if (arguments->input != NULL && (batch->input.reader.fd = open(arguments->input, O_RDONLY)) < 0) {
        report("cannot open %s: %s", arguments->input, strerror(errno));
        return EXIT_USAGE;
    }
    enum exit_code code = output_open(&batch->output, arguments->output, arguments->resume, &batch->input.ids);
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
    progress_start(&batch->progress, is_bar, count_shard(batch->arguments, batch->input.reader.fd));
    run_queue(batch);
    batch->statistics.invalid_lines = batch->input.invalid_lines;
    batch->statistics.earlier = batch->input.earlier;
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
    batch.input.shard = arguments->shard;
    batch.input.shards = arguments->shards;
    enum exit_code code = sender_create(&batch.sender, &arguments->settings);
    if (code == EXIT_OK)
        code = open_files(arguments, &batch);
    if (code == EXIT_OK)
        code = send_all(&batch);

    sender_destroy(&batch.sender);
    mlflow_gateway_request_destroy(batch.held_request);
    item_destroy(batch.held);
    while (batch.newest != NULL) {
        struct item *item = batch.newest;
        list_remove(&batch, item);
        item_destroy(item);
    }
    input_destroy(&batch.input);
    statistics_destroy(&batch.statistics);
    free(batch.result.data);
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

/* Reads the command line and runs the batch. */
static enum exit_code run_command(int argc, char **argv, struct arguments *arguments)
{
    const char *problem;
    int option;

    while ((option = getopt_long(argc, argv, "u:r:o:h", LONG_OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'o': arguments->output = optarg; break;
        case OPTION_RESUME: arguments->resume = 1; break;
        case OPTION_PLOT: arguments->plot = optarg; break;
        case OPTION_SHARD:
            if (!read_shard(optarg, arguments))
                return usage_error("--shard needs I/N, with I from 0 to N-1");
            break;
        case 'h': return fputs(HELP, stdout) == EOF || fflush(stdout) != 0 ? EXIT_OUTPUT : EXIT_OK;
        case '?': return usage_error(NULL);
        default:
            if ((problem = settings_set(&arguments->settings, option, optarg)) != NULL)
                return usage_error(problem);
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

    enum exit_code code = run_command(argc, argv, &arguments);
    settings_destroy(&arguments.settings);
    return code;
}

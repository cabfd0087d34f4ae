/*
 * event_loop - stream the responses to many prompts at once, from one thread with one poll().
 *
 * The loop waits for three descriptors: the queue of requests, standard input, and a timer. The queue's descriptor is
 * used in the same way with epoll, libuv, GLib, or IO.select of Ruby; docs/guide/event-loops.md shows how.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <mlflow_ai_gateway.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum exit_code { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define SYNOPSIS "usage: event_loop [-u URI] [-r ROUTE] [-n STREAMS]\n"

static const char HELP[] =
    SYNOPSIS
    "\n"
    "Each line of standard input is a prompt. Their responses are streamed, many at\n"
    "the same time, and each is printed after the number of its line when it is\n"
    "complete. Each second a status line is written to standard error. The program\n"
    "ends when all prompts of its input are done, or at once after the line \"q\".\n"
    "\n"
    "  -u URI      gateway URI; default: $MLFLOW_GATEWAY_URI,\n"
    "              $MLFLOW_DEPLOYMENTS_TARGET or $MLFLOW_TRACKING_URI\n"
    "  -r ROUTE    route (endpoint); default: chat\n"
    "  -n STREAMS  maximum number of streams at the same time, to 4096; default: 200\n"
    "  -h, --help  show this help\n"
    "\n"
    "exit status: 0 success, 1 an error, or a failed stream; 2 usage error\n";

static const struct option LONG_OPTIONS[] = { { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };

/* The completions that are handled before the loop looks at its other descriptors again. */
#define FETCHED_AT_ONCE 100

#define LONGEST_LINE 65536

struct loop {
    mlflow_gateway *gateway;
    mlflow_gateway_queue *queue;
    /* Why the loop failed, or NULL. */
    mlflow_gateway_error *error;
    /* What was read, and not submitted yet. */
    char input[LONGEST_LINE];
    size_t input_len;
    int input_has_ended;
    int is_over;
    int seconds;
    uint64_t lines, events, complete, failed;
};

static void report_failure(struct loop *loop, uint64_t line, const mlflow_gateway_error *error)
{
    loop->failed++;
    fprintf(stderr, "event_loop: line %" PRIu64 ": %s\n", line, mlflow_gateway_error_message(error));
}

/* Submits a line. Returns 0 if the queue is full. */
static int submit(struct loop *loop, uint64_t line, const char *prompt, size_t len)
{
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_status status = mlflow_gateway_request_create(&request, &error);

    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_request_add_message(request, "user", prompt, len, &error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_queue_submit(loop->queue, request, MLFLOW_GATEWAY_SUBMIT_STREAM, line, &error);
    mlflow_gateway_request_destroy(request);
    if (status != MLFLOW_GATEWAY_OK && status != MLFLOW_GATEWAY_QUEUE_FULL)
        report_failure(loop, line, error);
    mlflow_gateway_error_destroy(error);
    return status != MLFLOW_GATEWAY_QUEUE_FULL;
}

/* Submits the lines that were read. If the queue is full, the rest stays where it is. */
static void submit_lines(struct loop *loop)
{
    char *line = loop->input, *end;

    while (!loop->is_over && (end = memchr(line, '\n', loop->input + loop->input_len - line)) != NULL) {
        if (end == line + 1 && *line == 'q')
            loop->is_over = 1;
        else if (end > line && !submit(loop, loop->lines + 1, line, end - line))
            break;
        loop->lines++;
        line = end + 1;
    }
    loop->input_len -= line - loop->input;
    memmove(loop->input, line, loop->input_len);
    if (loop->input_has_ended && loop->input_len == 0)
        mlflow_gateway_queue_close(loop->queue);
}

/* Reads what has arrived. It does not wait, because poll() has reported that the descriptor is readable. */
static int read_input(struct loop *loop)
{
    ssize_t len = read(STDIN_FILENO, loop->input + loop->input_len, LONGEST_LINE - 1 - loop->input_len);

    if (len == -1) {
        fprintf(stderr, "event_loop: cannot read standard input: %s\n", strerror(errno));
        return 0;
    }
    loop->input_len += len;
    loop->input_has_ended = len == 0;
    if (len == 0 && loop->input_len > 0)
        loop->input[loop->input_len++] = '\n';
    if (loop->input_len == LONGEST_LINE - 1 && memchr(loop->input, '\n', loop->input_len) == NULL) {
        fprintf(stderr, "event_loop: a line of standard input has more than %d bytes\n", LONGEST_LINE - 2);
        return 0;
    }
    return 1;
}

static void handle(struct loop *loop, const mlflow_gateway_completion *completion)
{
    uint64_t tag = mlflow_gateway_completion_tag(completion);
    size_t len = 0;

    switch (mlflow_gateway_completion_kind(completion)) {
    case MLFLOW_GATEWAY_COMPLETION_EVENT:
        /* A server would send the text of this event to the client that has this tag. */
        loop->events++;
        break;
    case MLFLOW_GATEWAY_COMPLETION_DONE:
        if (mlflow_gateway_completion_status(completion) == MLFLOW_GATEWAY_OK) {
            const char *text = mlflow_gateway_response_text(mlflow_gateway_completion_response(completion), 0, &len);
            loop->complete++;
            printf("%" PRIu64 ": %.*s\n", tag, (int)len, text == NULL ? "" : text);
        } else {
            report_failure(loop, tag, mlflow_gateway_completion_error(completion));
        }
        break;
    }
}

/* Handles the next completions. The others wait: poll() reports them again. */
static mlflow_gateway_status fetch(struct loop *loop)
{
    mlflow_gateway_status status = MLFLOW_GATEWAY_OK;
    mlflow_gateway_completion *completion = NULL;

    for (int i = 0; i < FETCHED_AT_ONCE && status == MLFLOW_GATEWAY_OK; i++) {
        status = mlflow_gateway_queue_next(loop->queue, 0, &completion, &loop->error);
        if (status == MLFLOW_GATEWAY_OK) {
            handle(loop, completion);
            /* Only now the stream of an event may be read on, or another request begin. */
            mlflow_gateway_completion_destroy(completion);
        }
    }
    loop->is_over = fflush(stdout) != 0 || status == MLFLOW_GATEWAY_QUEUE_END;
    submit_lines(loop);
    return status == MLFLOW_GATEWAY_PENDING || status == MLFLOW_GATEWAY_QUEUE_END ? MLFLOW_GATEWAY_OK : status;
}

static void print_status(struct loop *loop, int timer)
{
    uint64_t expirations = 0;

    if (read(timer, &expirations, sizeof expirations) == sizeof expirations)
        loop->seconds += expirations;
    fprintf(stderr, "%d s: %zu streams, %zu waiting, %" PRIu64 " events, %" PRIu64 " complete, %" PRIu64 " failed\n",
            loop->seconds, mlflow_gateway_queue_count(loop->queue, MLFLOW_GATEWAY_QUEUE_COUNT_IN_FLIGHT),
            mlflow_gateway_queue_count(loop->queue, MLFLOW_GATEWAY_QUEUE_COUNT_WAITING), loop->events,
            loop->complete, loop->failed);
}

static int run(struct loop *loop, int timer)
{
    enum { QUEUE, INPUT, TIMER };
    struct pollfd ready[] = { { -1, POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 }, { timer, POLLIN, 0 } };
    const struct itimerspec each_second = { { 1, 0 }, { 1, 0 } };
    mlflow_gateway_status status = mlflow_gateway_queue_fd(loop->queue, &ready[QUEUE].fd, &loop->error);

    timerfd_settime(timer, 0, &each_second, NULL);
    while (status == MLFLOW_GATEWAY_OK && !loop->is_over) {
        /* While the queue is full, lines wait in the pipe or on the terminal: poll() skips negative descriptors. */
        int is_full = memchr(loop->input, '\n', loop->input_len) != NULL;
        ready[INPUT].fd = is_full || loop->input_has_ended ? -1 : STDIN_FILENO;
        if (poll(ready, sizeof ready / sizeof *ready, -1) == -1)
            continue; /* EINTR */
        if (ready[QUEUE].revents != 0)
            status = fetch(loop);
        if (ready[TIMER].revents != 0)
            print_status(loop, timer);
        if (ready[INPUT].revents != 0 && status == MLFLOW_GATEWAY_OK) {
            if (!read_input(loop))
                return 0;
            submit_lines(loop);
        }
    }
    if (status != MLFLOW_GATEWAY_OK)
        fprintf(stderr, "event_loop: %s\n", mlflow_gateway_error_message(loop->error));
    if (ferror(stdout))
        perror("event_loop: cannot write to standard output");
    return status == MLFLOW_GATEWAY_OK && !ferror(stdout) && loop->failed == 0;
}

/* Prints a usage error. `message` is NULL if getopt_long() has printed one. */
static enum exit_code usage_error(const char *message)
{
    if (message != NULL)
        fprintf(stderr, "event_loop: %s\n", message);
    fputs(SYNOPSIS "Try 'event_loop --help' for more information.\n", stderr);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    static struct loop loop;
    const char *uri = NULL, *route = "chat", *streams = "200";
    int option;

    while ((option = getopt_long(argc, argv, "+u:r:n:h", LONG_OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'u': uri = optarg; break;
        case 'r': route = optarg; break;
        case 'n': streams = optarg; break;
        case 'h': return fputs(HELP, stdout) == EOF ? EXIT_FAILED : EXIT_OK;
        default: return usage_error(NULL);
        }
    }
    if (optind < argc)
        return usage_error("prompts are read from standard input");

    enum exit_code code = EXIT_FAILED;
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    /* By default only 8 streams would run, and all others would wait. */
    if (timer == -1)
        perror("event_loop: cannot create a timer");
    else if (mlflow_gateway_create(route, uri, &loop.gateway, &loop.error) != MLFLOW_GATEWAY_OK ||
             mlflow_gateway_queue_create(loop.gateway, &loop.queue, &loop.error) != MLFLOW_GATEWAY_OK ||
             mlflow_gateway_queue_set_option(loop.queue, "max_in_flight", streams, &loop.error) != MLFLOW_GATEWAY_OK)
        code = usage_error(mlflow_gateway_error_message(loop.error));
    else if (run(&loop, timer))
        code = EXIT_OK;
    mlflow_gateway_queue_destroy(loop.queue);
    mlflow_gateway_destroy(loop.gateway);
    mlflow_gateway_error_destroy(loop.error);
    if (timer != -1)
        close(timer);
    return code;
}

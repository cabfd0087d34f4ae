/* MPI has no descriptor to wait for, so a worker waits for completions a few milliseconds at a time. */
#define _POSIX_C_SOURCE 200809L

#include "worker.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../batch_parts/output.h"
#include "../batch_parts/progress.h"
#include "../batch_parts/statistics.h"
#include "messages.h"
#include "parts.h"
#include "totals.h"

/* While an answer is awaited, and otherwise. */
enum { SHORT_WAIT_MS = 1, LONG_WAIT_MS = 20 };

/* Seconds between reports if there is little to report. */
static const double MOST_SECONDS_BETWEEN_REPORTS = 0.05;

/* Requests that wait in the queue, to be sent as soon as another ends. */
enum { MOST_WAITING = 200 };

struct worker {
    const struct job *job;
    int rank;
    int is_ready;
    struct sender sender;
    struct output output;
    struct statistics statistics;
    size_t unfinished;
    /* The numbers of the lines that are done and not reported yet. */
    struct text done;
    int is_asking;
    double asked;
    /* Kept to be used again. */
    struct text result, problem;
};

/* Ends all ranks. */
static void end_all(enum exit_code code)
{
    MPI_Abort(MPI_COMM_WORLD, code);
    exit(code);
}

static void check(int mpi_result)
{
    if (mpi_result == MPI_SUCCESS)
        return;
    report("rank 0 is lost; continue with --resume");
    end_all(EXIT_INTERNAL);
}

/* Opens the part of this rank, when rank 0 has checked it. */
static void open_output(struct worker *worker)
{
    struct id_set ids = { NULL, 0, 0, NULL, 0, 0 };
    struct text path = { NULL, 0, 0 };

    part_path(&path, worker->job->output, worker->rank);
    enum exit_code code = output_open(&worker->output, path.data, 1, &ids);
    if (code != EXIT_OK)
        end_all(code);
    worker->output.path = worker->job->output;
    id_set_destroy(&ids);
    free(path.data);
}

/* Rates are those of all workers together. */
static void share_rates(struct settings *settings, int worker_count, char *rate, char *tokens, size_t room)
{
    if (settings->rate != NULL) {
        snprintf(rate, room, "%.9f", strtod(settings->rate, NULL) / worker_count);
        settings->rate = rate;
    }
    if (settings->tokens_per_minute != NULL) {
        long long share = strtoll(settings->tokens_per_minute, NULL, 10) / worker_count;
        snprintf(tokens, room, "%lld", share > 0 ? share : 1);
        settings->tokens_per_minute = tokens;
    }
}

static void get_ready(struct worker *worker, int worker_count)
{
    struct settings settings = worker->job->settings;
    char rate[64], tokens[64];

    share_rates(&settings, worker_count, rate, tokens, sizeof rate);
    enum exit_code code = sender_create(&worker->sender, &settings);
    if (code != EXIT_OK)
        end_all(code);
    open_output(worker);
    worker->is_ready = 1;
}

/* Counts the lines that keep the queue full. */
static size_t lines_wanted(const struct worker *worker)
{
    size_t limit = mlflow_gateway_queue_count(worker->sender.queue, MLFLOW_GATEWAY_QUEUE_COUNT_LIMIT);
    size_t room = limit + (limit / 4 < MOST_WAITING ? limit / 4 + 1 : MOST_WAITING);

    return worker->unfinished < room ? room - worker->unfinished : 0;
}

static size_t done_count(const struct worker *worker)
{
    return worker->done.len / sizeof(int64_t);
}

/* Asks for lines if enough of them can be sent, or if that was done a while ago. */
static void ask(struct worker *worker)
{
    size_t wanted = worker->is_ready ? lines_wanted(worker) : 0, done = done_count(worker);
    double now = seconds_now();

    if (worker->is_asking || (wanted <= worker->unfinished / 8 && done < MOST_DONE &&
                              now - worker->asked < MOST_SECONDS_BETWEEN_REPORTS))
        return;
    int64_t message[REPORT_ROOM] = {
        [REPORT_WANTED] = (int64_t)wanted,
        [REPORT_REQUESTS] = (int64_t)worker->statistics.requests,
        [REPORT_FAILED] = (int64_t)worker->statistics.failed,
        [REPORT_TOKENS] = worker->statistics.tokens_out,
    };
    done = done < MOST_DONE ? done : MOST_DONE;
    worker->done.len -= done * sizeof(int64_t);
    if (done != 0)
        memcpy(message + REPORT_FIELDS, worker->done.data + worker->done.len, done * sizeof(int64_t));
    check(MPI_Send(message, (int)(REPORT_FIELDS + done), MPI_INT64_T, DISPATCHER, TAG_REPORT, MPI_COMM_WORLD));
    worker->is_asking = 1;
    worker->asked = now;
}

/* Writes the result of a request. */
static void finish_item(struct worker *worker, const mlflow_gateway_completion *completion)
{
    struct item *item = (struct item *)(uintptr_t)mlflow_gateway_completion_tag(completion);

    worker->result.len = 0;
    mlflow_gateway_status status = item_append_result(item, completion, worker->sender.run, &worker->result);
    enum exit_code code = output_write(&worker->output, worker->result.data, worker->result.len);
    if (code != EXIT_OK)
        end_all(code);
    statistics_add(&worker->statistics, status, completion);
    message_append_number(&worker->done, (int64_t)item->line);
    worker->unfinished--;
    item_destroy(item);
}

/* Waits for a completion and fetches those that have arrived. */
static void fetch(struct worker *worker, int64_t timeout_ms)
{
    mlflow_gateway_completion *completion = NULL;
    mlflow_gateway_error *error = NULL;

    while (mlflow_gateway_queue_next(worker->sender.queue, timeout_ms, &completion, &error) == MLFLOW_GATEWAY_OK) {
        if (mlflow_gateway_completion_kind(completion) == MLFLOW_GATEWAY_COMPLETION_DONE)
            finish_item(worker, completion);
        mlflow_gateway_completion_destroy(completion);
        timeout_ms = 0;
    }
    if (error != NULL) {
        report("%s", mlflow_gateway_error_message(error));
        end_all(EXIT_INTERNAL);
    }
}

/* Counts a line that cannot be sent as done: every other worker would reject it, too. */
static void reject(struct worker *worker, int64_t line_number, const char *problem)
{
    report("line %lld: %s", (long long)line_number, problem);
    worker->statistics.invalid_lines++;
    message_append_number(&worker->done, line_number);
}

static void submit_line(struct worker *worker, int64_t line_number, const char *line, size_t len)
{
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_status status;

    worker->problem.len = 0;
    struct item *item =
        item_read(line, len, (size_t)line_number, &worker->sender.destination, &request, &worker->problem);
    if (item == NULL) {
        reject(worker, line_number, worker->problem.data);
        return;
    }
    while ((status = sender_submit(&worker->sender, item, request, &error)) == MLFLOW_GATEWAY_QUEUE_FULL)
        fetch(worker, LONG_WAIT_MS);
    if (status == MLFLOW_GATEWAY_OK) {
        worker->unfinished++;
    } else {
        reject(worker, line_number, mlflow_gateway_error_message(error));
        item_destroy(item);
    }
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_request_destroy(request);
}

/* Handles an answer of rank 0. Returns its state. */
static enum work_state handle_answer(struct worker *worker, const char *message, size_t len)
{
    const char *end = message + len;
    enum work_state state = (enum work_state)message_read_number(&message);

    while (message != end) {
        int64_t line_number = message_read_number(&message);
        size_t line_len = (size_t)message_read_number(&message);
        submit_line(worker, line_number, message, line_len);
        message += line_len;
    }
    return state;
}

/* Handles the answer of rank 0 if it has arrived. */
static enum work_state receive_answer(struct worker *worker, int worker_count)
{
    enum work_state state = WORK_GOES_ON;
    MPI_Message message;
    MPI_Status status;
    int has_arrived = 0, len = 0;

    check(MPI_Improbe(DISPATCHER, TAG_WORK, MPI_COMM_WORLD, &has_arrived, &message, &status));
    if (!has_arrived)
        return state;
    MPI_Get_count(&status, MPI_BYTE, &len);
    char *data = allocate((size_t)len);
    check(MPI_Mrecv(data, len, MPI_BYTE, &message, &status));
    worker->is_asking = 0;
    state = handle_answer(worker, data, (size_t)len);
    free(data);
    if (!worker->is_ready && state == WORK_GOES_ON)
        get_ready(worker, worker_count);
    return state;
}

static void send_statistics(const struct worker *worker)
{
    struct text message = { NULL, 0, 0 };

    totals_append(&worker->statistics, &message);
    check(MPI_Send(message.data, (int)message.len, MPI_BYTE, DISPATCHER, TAG_STATISTICS, MPI_COMM_WORLD));
    free(message.data);
}

/* Waits until rank 0 ends, too. Returns how many ranks are lost. */
static int receive_end(void)
{
    int lost_count = 0;

    if (MPI_Recv(&lost_count, 1, MPI_INT, DISPATCHER, TAG_END, MPI_COMM_WORLD, MPI_STATUS_IGNORE) != MPI_SUCCESS)
        lost_count = 1;
    return lost_count;
}

static void wait_a_moment(struct worker *worker)
{
    static const struct timespec moment = { 0, SHORT_WAIT_MS * 1000000 };

    if (worker->unfinished != 0)
        fetch(worker, worker->is_asking ? SHORT_WAIT_MS : LONG_WAIT_MS);
    else
        nanosleep(&moment, NULL);
}

int worker_run(const struct job *job, int rank, int worker_count)
{
    enum work_state state = WORK_GOES_ON;
    struct worker worker;

    memset(&worker, 0, sizeof worker);
    worker.job = job;
    worker.rank = rank;
    while (state == WORK_GOES_ON) {
        ask(&worker);
        wait_a_moment(&worker);
        if (worker.is_asking)
            state = receive_answer(&worker, worker_count);
    }
    if (worker.is_ready && output_close(&worker.output) != EXIT_OK)
        end_all(EXIT_OUTPUT);
    if (state == WORK_IS_DONE)
        send_statistics(&worker);
    sender_destroy(&worker.sender);
    statistics_destroy(&worker.statistics);
    free(worker.done.data);
    free(worker.result.data);
    free(worker.problem.data);
    return receive_end();
}

/*
 * The lines that a worker has not reported as done are kept, so that others can do them if the worker is lost.
 *
 * A worker is lost if a message to or from it fails. That only happens where the MPI survives a lost rank, as Open MPI
 * 5 does with `mpirun --with-ft ulfm`. Elsewhere the MPI ends all ranks, and --resume continues.
 */
#define _POSIX_C_SOURCE 200809L

#include "dispatcher.h"

#include <errno.h>
#include <fcntl.h>
#include <mpi.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../batch_parts/input.h"
#include "../batch_parts/output.h"
#include "../batch_parts/progress.h"
#include "../batch_parts/statistics.h"
#include "assignments.h"
#include "messages.h"
#include "parts.h"
#include "totals.h"

/* Bytes of lines to send at once. */
enum { MOST_BYTES = 1024 * 1024 };

static const struct timespec BETWEEN_POLLS = { 0, 500000 };

enum worker_state { WORKER_RUNS, WORKER_HAS_ENDED, WORKER_IS_LOST };

struct remote_worker {
    int rank;
    enum worker_state state;
    /* The report that is being received. */
    MPI_Request receiving;
    int64_t report[REPORT_ROOM];
    int64_t requests, failed, tokens;
    struct assignments assigned;
};

struct dispatcher {
    const struct job *job;
    /* Only to check the settings and the lines: it sends nothing. */
    struct sender sender;
    struct input input;
    int input_has_ended;
    struct output output;
    struct remote_worker *workers;
    int worker_count;
    /* The lines of lost workers. */
    struct assignments lost;
    struct text message;
    struct statistics statistics;
    struct progress progress;
    enum exit_code code;
};

static void lose(struct dispatcher *dispatcher, struct remote_worker *worker)
{
    report("rank %d is lost; the others do its %zu lines", worker->rank, worker->assigned.count);
    worker->state = WORKER_IS_LOST;
    assignments_move(&worker->assigned, &dispatcher->lost);
}

static void receive_report(struct dispatcher *dispatcher, struct remote_worker *worker)
{
    if (MPI_Irecv(worker->report, REPORT_ROOM, MPI_INT64_T, worker->rank, TAG_REPORT, MPI_COMM_WORLD,
                  &worker->receiving) != MPI_SUCCESS)
        lose(dispatcher, worker);
}

static void append_line(struct text *message, int64_t line_number, const char *line, size_t len)
{
    message_append_number(message, line_number);
    message_append_number(message, (int64_t)len);
    text_append(message, line, len);
}

/* Appends a line of the input that must be sent. Returns 0 at its end. */
static int append_next_line(struct dispatcher *dispatcher, struct remote_worker *worker)
{
    struct item *item = NULL;
    mlflow_gateway_request *request = NULL;
    char *line;
    size_t len;

    while (item == NULL) {
        switch (input_next(&dispatcher->input, &dispatcher->sender.destination, &line, &len, &item, &request)) {
        case LINE_END:
            dispatcher->input_has_ended = 1;
            return 0;
        case LINE_NOT_YET:
            if (!lines_fill(&dispatcher->input.reader)) {
                report("cannot read the input: %s", strerror(errno));
                dispatcher->code = EXIT_INTERNAL;
                return 0;
            }
            break;
        default:
            break;
        }
    }
    assignments_add(&worker->assigned, (int64_t)item->line, line, len);
    append_line(&dispatcher->message, (int64_t)item->line, line, len);
    item_destroy(item);
    mlflow_gateway_request_destroy(request);
    return 1;
}

/* Appends a line of a lost worker. Returns 0 if there is none. */
static int append_lost_line(struct dispatcher *dispatcher, struct remote_worker *worker)
{
    const struct assignment *lost = assignments_move_one(&dispatcher->lost, &worker->assigned);

    if (lost != NULL)
        append_line(&dispatcher->message, lost->line_number, lost->line, lost->len);
    return lost != NULL;
}

static int all_is_done(const struct dispatcher *dispatcher)
{
    size_t assigned = dispatcher->lost.count;

    for (int i = 0; i < dispatcher->worker_count; i++)
        assigned += dispatcher->workers[i].assigned.count;
    return dispatcher->input_has_ended && assigned == 0;
}

/* Answers a report. */
static void answer(struct dispatcher *dispatcher, struct remote_worker *worker, int field_count)
{
    struct text *message = &dispatcher->message;
    int64_t state = WORK_GOES_ON;

    worker->requests = worker->report[REPORT_REQUESTS];
    worker->failed = worker->report[REPORT_FAILED];
    worker->tokens = worker->report[REPORT_TOKENS];
    for (int i = REPORT_FIELDS; i < field_count; i++)
        assignments_remove(&worker->assigned, worker->report[i]);

    message->len = 0;
    message_append_number(message, state);
    for (int64_t wanted = worker->report[REPORT_WANTED];
         dispatcher->code == EXIT_OK && wanted > 0 && message->len < MOST_BYTES; wanted--)
        if (!append_lost_line(dispatcher, worker) && !append_next_line(dispatcher, worker))
            break;
    if (dispatcher->code != EXIT_OK)
        state = WORK_FAILED;
    else if (all_is_done(dispatcher))
        state = WORK_IS_DONE;
    memcpy(message->data, &state, sizeof state);
    if (MPI_Send(message->data, (int)message->len, MPI_BYTE, worker->rank, TAG_WORK, MPI_COMM_WORLD) != MPI_SUCCESS)
        lose(dispatcher, worker);
    else if (state == WORK_GOES_ON)
        receive_report(dispatcher, worker);
    else
        worker->state = WORKER_HAS_ENDED;
}

/* Answers the reports that have arrived. Returns how many. */
static int answer_reports(struct dispatcher *dispatcher)
{
    int answered = 0;

    for (int i = 0; i < dispatcher->worker_count; i++) {
        struct remote_worker *worker = &dispatcher->workers[i];
        MPI_Status status;
        int has_arrived = 0, field_count = 0;
        if (worker->state != WORKER_RUNS)
            continue;
        if (MPI_Test(&worker->receiving, &has_arrived, &status) != MPI_SUCCESS) {
            lose(dispatcher, worker);
        } else if (has_arrived) {
            MPI_Get_count(&status, MPI_INT64_T, &field_count);
            answer(dispatcher, worker, field_count);
            answered++;
        }
    }
    return answered;
}

static int count_workers(const struct dispatcher *dispatcher, enum worker_state state)
{
    int count = 0;

    for (int i = 0; i < dispatcher->worker_count; i++)
        count += dispatcher->workers[i].state == state;
    return count;
}

static void show_progress(struct dispatcher *dispatcher)
{
    int64_t requests = 0, failed = 0, tokens = 0;

    for (int i = 0; i < dispatcher->worker_count; i++) {
        requests += dispatcher->workers[i].requests;
        failed += dispatcher->workers[i].failed;
        tokens += dispatcher->workers[i].tokens;
    }
    dispatcher->progress.skipped = dispatcher->input.invalid_lines + dispatcher->input.earlier;
    progress_show(&dispatcher->progress, (size_t)requests, (size_t)failed, tokens);
}

/* Hands out lines until all are done, or no worker is left. */
static void dispatch(struct dispatcher *dispatcher)
{
    for (int i = 0; i < dispatcher->worker_count; i++)
        receive_report(dispatcher, &dispatcher->workers[i]);
    while (count_workers(dispatcher, WORKER_RUNS) != 0) {
        if (answer_reports(dispatcher) == 0)
            nanosleep(&BETWEEN_POLLS, NULL);
        show_progress(dispatcher);
    }
    progress_end();
    if (dispatcher->code == EXIT_OK && count_workers(dispatcher, WORKER_HAS_ENDED) == 0) {
        report("all workers are lost; continue with --resume");
        dispatcher->code = EXIT_INTERNAL;
    }
}

/* Receives the statistics of the workers, which have closed their parts before. */
static void receive_statistics(struct dispatcher *dispatcher)
{
    for (int i = 0; i < dispatcher->worker_count; i++) {
        struct remote_worker *worker = &dispatcher->workers[i];
        MPI_Message message;
        MPI_Status status;
        int len = 0;
        if (worker->state != WORKER_HAS_ENDED)
            continue;
        int is_ok = MPI_Mprobe(worker->rank, TAG_STATISTICS, MPI_COMM_WORLD, &message, &status) == MPI_SUCCESS;
        if (is_ok) {
            MPI_Get_count(&status, MPI_BYTE, &len);
            char *data = allocate((size_t)len);
            is_ok = MPI_Mrecv(data, len, MPI_BYTE, &message, &status) == MPI_SUCCESS;
            if (is_ok)
                totals_add(&dispatcher->statistics, data);
            free(data);
        }
        if (!is_ok)
            lose(dispatcher, worker);
    }
}

/* Lets the workers end. Returns how many are lost. */
static int end_workers(struct dispatcher *dispatcher)
{
    int lost_count = count_workers(dispatcher, WORKER_IS_LOST);

    for (int i = 0; i < dispatcher->worker_count; i++)
        if (dispatcher->workers[i].state == WORKER_HAS_ENDED)
            MPI_Send(&lost_count, 1, MPI_INT, dispatcher->workers[i].rank, TAG_END, MPI_COMM_WORLD);
    return lost_count;
}

/* Prints the summary. */
static void print_statistics(struct dispatcher *dispatcher)
{
    int lost = count_workers(dispatcher, WORKER_IS_LOST);

    dispatcher->statistics.invalid_lines += dispatcher->input.invalid_lines;
    dispatcher->statistics.earlier = dispatcher->input.earlier;
    statistics_print(&dispatcher->statistics, seconds_now() - dispatcher->progress.started, stderr);
    if (lost != 0)
        fprintf(stderr, "lost ranks  %d, whose requests are not counted\n", lost);
}

/* Opens the input and the output, and checks the settings. */
static enum exit_code prepare(struct dispatcher *dispatcher)
{
    const struct job *job = dispatcher->job;
    enum exit_code code = sender_create(&dispatcher->sender, &job->settings);

    if (code != EXIT_OK)
        return code;
    if (job->input != NULL && (dispatcher->input.reader.fd = open(job->input, O_RDONLY)) < 0) {
        report("cannot open %s: %s", job->input, strerror(errno));
        return EXIT_USAGE;
    }
    code = output_open(&dispatcher->output, job->output, job->resume, &dispatcher->input.ids);
    return code == EXIT_OK ? parts_prepare(job->output, job->resume, &dispatcher->input.ids) : code;
}

static enum exit_code finish(struct dispatcher *dispatcher)
{
    enum exit_code code =
        parts_merge(&dispatcher->output, &dispatcher->input.ids, dispatcher->input.line_number);

    if (code == EXIT_OK)
        code = output_close(&dispatcher->output);
    if (code != EXIT_OK)
        return code;
    return dispatcher->statistics.failed != 0 || dispatcher->statistics.invalid_lines != 0 ? EXIT_INCOMPLETE : EXIT_OK;
}

enum exit_code dispatcher_run(const struct job *job, int worker_count, int *lost_count)
{
    struct dispatcher dispatcher;

    memset(&dispatcher, 0, sizeof dispatcher);
    dispatcher.job = job;
    dispatcher.worker_count = worker_count;
    dispatcher.workers = allocate((size_t)worker_count * sizeof *dispatcher.workers);
    memset(dispatcher.workers, 0, (size_t)worker_count * sizeof *dispatcher.workers);
    for (int i = 0; i < worker_count; i++)
        dispatcher.workers[i].rank = i + 1;
    dispatcher.input.shards = 1;
    dispatcher.input.reader.fd = STDIN_FILENO;

    dispatcher.code = prepare(&dispatcher);
    progress_start(&dispatcher.progress, isatty(STDERR_FILENO), lines_count(dispatcher.input.reader.fd));
    dispatch(&dispatcher);
    if (dispatcher.code == EXIT_OK) {
        receive_statistics(&dispatcher);
        print_statistics(&dispatcher);
        dispatcher.code = finish(&dispatcher);
    }
    *lost_count = end_workers(&dispatcher);
    for (int i = 0; i < worker_count; i++)
        assignments_destroy(&dispatcher.workers[i].assigned);
    assignments_destroy(&dispatcher.lost);
    sender_destroy(&dispatcher.sender);
    input_destroy(&dispatcher.input);
    statistics_destroy(&dispatcher.statistics);
    free(dispatcher.workers);
    free(dispatcher.message.data);
    return dispatcher.code;
}

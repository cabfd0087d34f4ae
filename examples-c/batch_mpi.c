/*
 * batch_mpi - send the requests of a file to an MLflow AI gateway from many machines, under MPI.
 *
 * Rank 0 reads the input and hands out its lines. Each other rank is a worker with a queue. The directory
 * batch_mpi_parts has both, and what they send to each other; batch_parts has what batch does in the same way.
 */
#define _POSIX_C_SOURCE 200809L

#include <getopt.h>
#include <mpi.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "batch_mpi_parts/dispatcher.h"
#include "batch_mpi_parts/worker.h"
#include "batch_parts/batch.h"
#include "batch_parts/progress.h"
#include "batch_parts/settings.h"

const char PROGRAM[] = "batch_mpi";

#define SYNOPSIS "usage: mpirun [-n RANKS] batch_mpi [-u URI] [-r ROUTE] -o FILE [--resume] [OPTION]... [FILE]\n"

static const char HELP[] =
    SYNOPSIS
    "\n"
    "Send the requests of a file to an MLflow AI gateway, from many machines. Input\n"
    "and output have the formats of batch. Rank 0 reads FILE, or standard input, and\n"
    "hands out its lines; the others send them, and each writes a part of the\n"
    "output, OUTPUT.RANK. At the end rank 0 merges the parts, in the order of the\n"
    "input. All machines need the folder of the output.\n"
    "\n"
    SETTINGS_HELP
    "  -o, --output FILE      required\n"
    "  --resume               send only what is missing in FILE and in its parts, or\n"
    "                         failed\n"
    "  -h, --help             show this help\n"
    "\n"
    "--in-flight is for each rank, --rate and --tokens-per-minute for all together.\n"
    "\n"
    "If a rank is lost, MPI ends all ranks; continue with --resume. With Open MPI 5,\n"
    "\"mpirun --with-ft ulfm\" keeps the others, and these do the lines of the lost\n"
    "rank.\n"
    "\n"
    "exit status: 0 success, 1 output error, 2 usage error, 6 internal error, 7 a\n"
    "request failed or a line is not valid\n";

enum { OPTION_RESUME = FIRST_OPTION_OF_PROGRAM };

static const struct option LONG_OPTIONS[] = {
    SETTINGS_OPTIONS,
    { "output", required_argument, NULL, 'o' },
    { "resume", no_argument, NULL, OPTION_RESUME },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

enum command { COMMAND_RUN, COMMAND_HELP, COMMAND_INVALID };

/* Reads the command line. `problem` receives an error message, or NULL if getopt_long() has printed one. */
static enum command read_command(int argc, char **argv, struct job *job, const char **problem)
{
    int option;

    while ((option = getopt_long(argc, argv, "u:r:o:h", LONG_OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'o': job->output = optarg; break;
        case OPTION_RESUME: job->resume = 1; break;
        case 'h': return COMMAND_HELP;
        case '?': return COMMAND_INVALID;
        default:
            if ((*problem = settings_set(&job->settings, option, optarg)) != NULL)
                return COMMAND_INVALID;
        }
    }
    if (optind + 1 < argc)
        *problem = "more than one input file given";
    else if (job->output == NULL)
        *problem = "no output given; use --output FILE";
    if (optind < argc && strcmp(argv[optind], "-") != 0)
        job->input = argv[optind];
    return *problem == NULL ? COMMAND_RUN : COMMAND_INVALID;
}

/* Runs a rank. Only rank 0 prints errors that all ranks find. `lost_count` receives the number of lost ranks. */
static enum exit_code run_rank(int argc, char **argv, int rank, int rank_count, struct job *job, int *lost_count)
{
    const char *problem = NULL;

    opterr = rank == 0;
    enum command command = read_command(argc, argv, job, &problem);
    if (command == COMMAND_RUN && rank_count < 2) {
        problem = "needs at least 2 ranks: one hands out the lines, the others send them";
        command = COMMAND_INVALID;
    }
    if (command == COMMAND_RUN && rank != 0) {
        *lost_count = worker_run(job, rank, rank_count - 1);
        return EXIT_OK;
    }
    if (rank != 0)
        return EXIT_OK;
    if (command == COMMAND_RUN)
        return dispatcher_run(job, rank_count - 1, lost_count);
    if (command == COMMAND_HELP)
        return fputs(HELP, stdout) == EOF || fflush(stdout) != 0 ? EXIT_OUTPUT : EXIT_OK;
    if (problem != NULL)
        report("%s", problem);
    fputs(SYNOPSIS "Try 'batch_mpi --help' for more information.\n", stderr);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct job job;
    int rank = 0, rank_count = 0, lost_count = 0, level;

    memset(&job, 0, sizeof job);
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level) != MPI_SUCCESS)
        return EXIT_INTERNAL;
    /* A lost rank is then an error of the messages to and from it. */
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &rank_count);
    enum exit_code code = run_rank(argc, argv, rank, rank_count, &job, &lost_count);
    settings_destroy(&job.settings);
    /* That of Open MPI 5.0 may wait for a lost rank forever. All files are closed. */
    if (lost_count != 0)
        _exit(code);
    MPI_Finalize();
    return code;
}

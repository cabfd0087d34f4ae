/* Rank 0: reads the input, hands out its lines to the workers, and merges their output. */
#ifndef BATCH_MPI_DISPATCHER_H
#define BATCH_MPI_DISPATCHER_H

#include "../batch_parts/settings.h"

struct job {
    struct settings settings;
    /* The input is standard input if it is NULL. */
    const char *input, *output;
    int resume;
};

/* `lost_count` receives the number of lost workers. */
enum exit_code dispatcher_run(const struct job *job, int worker_count, int *lost_count);

#endif

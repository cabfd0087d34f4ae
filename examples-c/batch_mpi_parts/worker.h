/* A rank other than 0: asks for lines, keeps its queue full, and writes its part of the output. */
#ifndef BATCH_MPI_WORKER_H
#define BATCH_MPI_WORKER_H

#include "dispatcher.h"

/* Ends all ranks if it fails. Returns how many ranks are lost. */
int worker_run(const struct job *job, int rank, int worker_count);

#endif

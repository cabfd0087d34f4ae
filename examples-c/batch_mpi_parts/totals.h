/* The statistics of a worker as a message. */
#ifndef BATCH_MPI_TOTALS_H
#define BATCH_MPI_TOTALS_H

#include "../batch_parts/statistics.h"
#include "../batch_parts/text.h"

void totals_append(const struct statistics *statistics, struct text *message);

/* Adds the statistics of a message. */
void totals_add(struct statistics *statistics, const char *message);

#endif

/* A histogram of latencies as an SVG image. */
#ifndef BATCH_HISTOGRAM_H
#define BATCH_HISTOGRAM_H

#include <stdio.h>

#include "statistics.h"

/* Writes the image. The samples must be sorted. */
void histogram_write(const struct samples *samples, FILE *file);

#endif

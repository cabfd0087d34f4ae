/* What a process has at the moment, as the system counts it. */
#ifndef PROCESS_STATE_H
#define PROCESS_STATE_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "descriptors.h"

/* The entries of a folder; -1 if it cannot be read. */
static inline long count_entries(const char *path)
{
    long count = -2; /* "." and ".." */
    DIR *folder = opendir(path);

    if (folder == NULL)
        return -1;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static inline long running_threads(void)
{
    return count_entries("/proc/self/task");
}

/* Whether so many threads are running, within some seconds: one that was joined may still be there for a moment. */
static inline bool threads_come_to(long count)
{
    for (int i = 0; i < 1000 && running_threads() != count; i++)
        nanosleep(&(struct timespec){ 0, 10 * 1000000 }, NULL);
    return running_threads() == count;
}

/* Counted page by page. The sums in statm and status may be wrong by megabytes on a machine with many cores. */
static inline long resident_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");

    if (file == NULL)
        return -1;
    while (kib < 0 && fgets(line, sizeof line, file) != NULL)
        sscanf(line, "Rss: %ld", &kib);
    fclose(file);
    return kib;
}

#endif

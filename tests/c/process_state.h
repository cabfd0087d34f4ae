/* Threads and memory of this process, as counted by the kernel. */
#ifndef PROCESS_STATE_H
#define PROCESS_STATE_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "descriptors.h"

/* Returns the number of entries of a directory; -1 if it cannot be read. */
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

static inline long count_threads(void)
{
    return count_entries("/proc/self/task");
}

/* Waits up to 10 seconds for this number of threads: a joined thread may still exist for a moment. */
static inline bool wait_for_thread_count(long count)
{
    for (int i = 0; i < 1000 && count_threads() != count; i++)
        nanosleep(&(struct timespec){ 0, 10 * 1000000 }, NULL);
    return count_threads() == count;
}

/* Uses smaps_rollup, because statm and status may be off by megabytes on a machine with many cores. */
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

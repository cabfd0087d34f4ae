/* What a process has at the moment, as the system counts it. */
#ifndef PROCESS_STATE_H
#define PROCESS_STATE_H

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

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

static inline long resident_kib(void)
{
    long pages = -1;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file != NULL) {
        if (fscanf(file, "%*d %ld", &pages) != 1)
            pages = -1;
        fclose(file);
    }
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

#endif

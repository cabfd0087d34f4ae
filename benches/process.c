#include "process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

long resident_kib(void)
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

long peak_kib(void)
{
    char line[256];
    long peak = -1;
    FILE *file = fopen("/proc/self/status", "r");

    if (file != NULL) {
        while (peak < 0 && fgets(line, sizeof line, file) != NULL)
            if (sscanf(line, "VmHWM: %ld", &peak) != 1)
                peak = -1;
        fclose(file);
    }
    return peak;
}

long open_files(void)
{
    long count = 0;
    DIR *folder = opendir("/proc/self/fd");

    if (folder != NULL) {
        while (readdir(folder) != NULL)
            count++;
        closedir(folder);
    }
    return count - 3; /* "." and "..", and the folder itself */
}

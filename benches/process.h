/* Clock, memory and file counts of this process, for all C programs here. */
#ifndef PROCESS_H
#define PROCESS_H

/* Prints an error and ends the program. */
void fail(const char *what, const char *why);

/* Monotonic time in seconds. */
double now(void);

/* Resident memory of this process, in KiB. */
long resident_kib(void);

/* Peak resident memory of this process, in KiB. */
long peak_kib(void);

/* Open file descriptors of this process. */
long open_files(void);

#endif

/* What the programs in C need of the system, whatever they measure. */
#ifndef PROCESS_H
#define PROCESS_H

/* Says what went wrong and ends the program. */
void fail(const char *what, const char *why);

/* Seconds since some moment in the past. */
double now(void);

/* Resident memory of this process. */
long resident_kib(void);

/* The most that it was so far. */
long peak_kib(void);

/* Open file descriptors of this process. */
long open_files(void);

#endif

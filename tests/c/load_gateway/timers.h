/* Times at which something is due on a descriptor: at most one for each. */
#ifndef TIMERS_H
#define TIMERS_H

#include <stdint.h>

#define MAX_DESCRIPTORS 65536
#define NEVER UINT64_MAX

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t now_ns(void);

/* Sets the time of a descriptor, or replaces it. */
void set_timer(int fd, uint64_t due_ns);

void clear_timer(int fd);

/* The earliest time; NEVER if there is none. */
uint64_t next_timer(void);

/* Removes the earliest timer and returns its descriptor. */
int take_timer(void);

#endif

/* Accepts or refuses requests by their rate, and counts what was accepted and refused in each second. */
#ifndef COUNTS_H
#define COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the rate allows one more request. */
bool take_from_rate(uint64_t now);

/* Counts a request. The first one begins the first second. */
void count_request(bool is_accepted, uint64_t now);

/* Keeps the highest number of requests and of streams at once. */
void count_open(long requests, long streams);

/* Forgets all counts. */
void reset_counts(void);

/* Writes the counts as JSON. */
void write_counts(char *json, size_t room, long connections);

#endif

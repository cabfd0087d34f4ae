/*
 * What the peers in C share that get large answers. A peer implements the functions peer_...; large.c calls them and
 * takes the time.
 */
#ifndef LARGE_H
#define LARGE_H

#define CHAT "chat"
#define QUESTION "Tell me a long story."
#define VECTORS "embeddings"
#define INPUTS 1000
#define INPUT "text %d"
#define INPUT_ROOM 16

/* Makes what is asked with. */
void *peer_open(const char *url);

/* Asks once, and keeps what came until the next call. */
void peer_call(void *peer);

/* Prints what the last call brought, by a function of what_came.h. */
void peer_print(void *peer);

void peer_close(void *peer);

#endif

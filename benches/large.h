/* The interface of the C peers for large responses. large.c calls the peer_ functions and measures the time. */
#ifndef LARGE_H
#define LARGE_H

#define CHAT_ROUTE "chat"
#define MESSAGE "Tell me a long story."
#define EMBEDDINGS_ROUTE "embeddings"
#define INPUTS 1000
#define INPUT "text %d"
#define INPUT_ROOM 16

/* Creates the client. */
void *peer_open(const char *url);

/* Sends one request and keeps the response until the next call. */
void peer_call(void *peer);

/* Prints the last response with a function of summary.h. */
void peer_print_summary(void *peer);

void peer_close(void *peer);

#endif

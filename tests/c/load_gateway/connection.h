/* Connections of clients: reads requests, and sends what is appended. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEED(condition)                                                                                         \
    do {                                                                                                        \
        if (!(condition)) {                                                                                     \
            fprintf(stderr, "%s:%d: check failed: %s (%s)\n", __FILE__, __LINE__, #condition, strerror(errno)); \
            exit(1);                                                                                            \
        }                                                                                                       \
    } while (0)

#define MAX_REQUEST 4096
#define MAX_PROMPT 512

enum state { IDLE, GATHERED, WAITING, SERVED, STREAMED };

struct connection {
    bool is_open;
    char in[MAX_REQUEST];
    size_t in_len;
    char *out;
    size_t out_len, out_sent, out_room;
    bool waits_for_room; /* in the socket's buffer */

    /* The request, if the state is not IDLE. */
    enum state state;
    bool is_stream;
    char prompt[MAX_PROMPT];
    int previous, next; /* in a list of requests */
    long events;        /* sent so far */
    uint64_t due_ns;    /* of the next event */
};

/* A complete request: its line, and its body. */
struct request {
    const char *line, *body;
};

struct connection *connection_of(int fd);

/* The number of connections that were opened. */
extern long connection_count;

void open_connection(int poll, int fd);

void close_connection(int fd);

/* Reads once. Returns false at the end of the connection. */
bool receive(int fd);

/* Returns whether a complete request has arrived. It is valid until the next receive(). */
bool take_request(int fd, struct request *request);

/* Adds bytes to those to send. */
void append(int fd, const char *bytes, size_t len);

/* Sends as much as the socket's buffer has room for; the rest when it has more. Returns false if the peer is gone. */
bool flush(int poll, int fd);

#endif

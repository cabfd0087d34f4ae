/* Serves requests as the settings say. */
#ifndef SERVE_H
#define SERVE_H

#include <stdint.h>

/* The epoll descriptor. */
extern int serve_poll;

/* Reads from a connection, and responds to a complete request or begins to serve it. */
void serve_input(int fd);

/* Sends more: the socket's buffer has room. */
void serve_room(int fd);

/* Continues the request of a connection whose timer is due. */
void serve_timer(int fd);

#endif

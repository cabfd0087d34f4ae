#define _GNU_SOURCE

#include "connection.h"
#include "timers.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct connection *connections[MAX_DESCRIPTORS];

long connection_count;

struct connection *connection_of(int fd)
{
    return connections[fd];
}

static void watch(int poll, int operation, int fd, uint32_t events)
{
    NEED(epoll_ctl(poll, operation, fd, &(struct epoll_event){ .events = events, .data.fd = fd }) == 0);
}

void open_connection(int poll, int fd)
{
    NEED(fd < MAX_DESCRIPTORS);
    if (connections[fd] == NULL)
        connections[fd] = calloc(1, sizeof *connections[fd]);
    struct connection *connection = connections[fd];
    NEED(connection != NULL);
    connection->is_open = true;
    connection->in_len = connection->out_len = connection->out_sent = 0;
    connection->waits_for_room = false;
    connection->state = IDLE;
    connection_count++;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    watch(poll, EPOLL_CTL_ADD, fd, EPOLLIN);
}

void close_connection(int fd)
{
    connections[fd]->is_open = false;
    clear_timer(fd);
    close(fd);
}

bool receive(int fd)
{
    struct connection *connection = connections[fd];
    ssize_t len = recv(fd, connection->in + connection->in_len, sizeof connection->in - 1 - connection->in_len, 0);

    if (len <= 0)
        return len < 0 && errno == EAGAIN;
    connection->in_len += (size_t)len;
    connection->in[connection->in_len] = '\0';
    return true;
}

/* Returns the Content-Length of a request head, or 0. */
static size_t content_length(const char *head)
{
    static const char NAME[] = "\r\ncontent-length:";
    const char *found = strcasestr(head, NAME);
    return found == NULL ? 0 : (size_t)atol(found + strlen(NAME));
}

bool take_request(int fd, struct request *request)
{
    struct connection *connection = connections[fd];
    char *end = connection->in_len == 0 ? NULL : strstr(connection->in, "\r\n\r\n");

    if (end == NULL)
        return false;
    *end = '\0';
    size_t all = (size_t)(end + 4 - connection->in) + content_length(connection->in);
    *end = '\r';
    NEED(all < sizeof connection->in);
    if (connection->in_len < all)
        return false;
    NEED(connection->in_len == all); /* clients do not pipeline */
    *end = '\0';
    connection->in_len = 0;
    *request = (struct request){ connection->in, end + 4 };
    return true;
}

void append(int fd, const char *bytes, size_t len)
{
    struct connection *connection = connections[fd];

    if (connection->out_len + len > connection->out_room) {
        connection->out_room = 2 * (connection->out_len + len);
        connection->out = realloc(connection->out, connection->out_room);
        NEED(connection->out != NULL);
    }
    memcpy(connection->out + connection->out_len, bytes, len);
    connection->out_len += len;
}

bool flush(int poll, int fd)
{
    struct connection *connection = connections[fd];
    size_t left = connection->out_len - connection->out_sent;
    ssize_t sent = left == 0 ? 0 : send(fd, connection->out + connection->out_sent, left, MSG_NOSIGNAL);

    if (sent < 0 && errno != EAGAIN)
        return false;
    connection->out_sent += sent > 0 ? (size_t)sent : 0;
    bool waits_for_room = connection->out_sent < connection->out_len;
    if (!waits_for_room)
        connection->out_len = connection->out_sent = 0;
    if (waits_for_room != connection->waits_for_room)
        watch(poll, EPOLL_CTL_MOD, fd, waits_for_room ? EPOLLIN | EPOLLOUT : EPOLLIN);
    connection->waits_for_room = waits_for_room;
    return true;
}

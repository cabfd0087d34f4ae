/*
 * A fast gateway for tests with very many calls: one thread, and no allocation after a connection is accepted. It
 * echoes the prompt. The first word of the prompt selects the kind of the response, so a test knows what to expect.
 *
 * usage: fast_gateway
 *   out: its port on the first line. At the end of standard input it exits, and prints the number of all requests
 *   ("total") and of the requests of each kind.
 *
 *   echo      responds with the prompt, at once or as a stream
 *   later     ... after some milliseconds
 *   pieces    ... in pieces with pauses
 *   closing   ... and closes the connection, as the head announces
 *   flaky     ... or responds with HTTP status 503, at random
 *   400, 429, 500, 503    responds with this HTTP status
 *   close     closes the connection without a response
 *   reset     resets the connection (RST) without a response
 *   cut       closes the connection after half of the response
 *   garbage   responds with a body that is not JSON
 *   stall     does not respond, or stops after half of a stream
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NEED(condition)                                                                                    \
    do {                                                                                                   \
        if (!(condition)) {                                                                                \
            fprintf(stderr, "%s:%d: check failed: %s (%s)\n", __FILE__, __LINE__, #condition, strerror(errno));  \
            exit(1);                                                                                       \
        }                                                                                                  \
    } while (0)

#define MAX_CONNECTIONS 8192
#define MAX_MESSAGE 8192

enum end { KEEP_ALIVE, CLOSE, RESET };

struct connection {
    bool is_open, is_pending;
    char in[MAX_MESSAGE], out[MAX_MESSAGE];
    size_t in_len, out_len, sent;
    /* Size of the next piece, and when to send it; 0 for no pending piece. */
    size_t piece;
    uint64_t due_us;
    enum end end;
};

static const char *const KINDS[] = { "echo", "later", "pieces",  "closing", "flaky", "400",   "429",
                                     "500",    "503",   "close",   "reset",   "cut",   "garbage", "stall" };
#define KIND_COUNT (sizeof KINDS / sizeof *KINDS)

static struct connection *connections[MAX_CONNECTIONS];
static int pending[MAX_CONNECTIONS];
static size_t pending_count;
static unsigned long total, total_of_kind[KIND_COUNT];
static uint64_t random_state = 88172645463325252u;

static uint64_t now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/* xorshift64 */
static uint64_t random_below(uint64_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % limit;
}

static void close_connection(int fd, enum end end)
{
    if (end == RESET)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
    connections[fd]->is_open = false;
    close(fd);
}

/* Sends the next piece of the response. Without pauses the piece is the whole response. */
static void send_piece(int fd)
{
    struct connection *connection = connections[fd];
    size_t len = connection->out_len - connection->sent;

    if (len > connection->piece)
        len = connection->piece;
    if (len > 0 && send(fd, connection->out + connection->sent, len, MSG_NOSIGNAL) != (ssize_t)len) {
        close_connection(fd, CLOSE); /* the client has closed the connection */
        return;
    }
    connection->sent += len;
    if (connection->sent < connection->out_len)
        connection->due_us = now_us() + 500 + random_below(1500);
    else if (connection->end != KEEP_ALIVE)
        close_connection(fd, connection->end);
    else
        connection->due_us = 0;
}

static void send_due_pieces(void)
{
    uint64_t now = now_us();

    for (size_t i = 0; i < pending_count;) {
        struct connection *connection = connections[pending[i]];
        if (connection->is_open && connection->due_us != 0 && connection->due_us <= now)
            send_piece(pending[i]);
        if (connection->is_open && connection->due_us != 0) {
            i++;
        } else {
            connection->is_pending = false;
            pending[i] = pending[--pending_count];
        }
    }
}

static void schedule_piece(int fd, uint64_t after_us, size_t piece)
{
    connections[fd]->due_us = now_us() + after_us;
    connections[fd]->piece = piece;
    if (!connections[fd]->is_pending) {
        connections[fd]->is_pending = true;
        pending[pending_count++] = fd;
    }
}

static void write_response(struct connection *connection, const char *status, const char *headers, const char *body)
{
    int len = snprintf(connection->out, sizeof connection->out,
                       "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n%s", status,
                       strlen(body), headers, body);
    NEED(len > 0 && (size_t)len < sizeof connection->out);
    connection->out_len = (size_t)len;
}

/* Writes the text as two events, as OpenAI streams completions. */
static void write_stream(struct connection *connection, const char *text, size_t len, const char *headers)
{
    static const char EVENT[] = "data: {\"choices\":[{\"index\":0,\"text\":\"%.*s\",\"finish_reason\":%s}]}\n\n";
    char events[MAX_MESSAGE / 2];
    size_t half = len / 2;
    int at = snprintf(events, sizeof events, EVENT, (int)half, text, "null");

    at += snprintf(events + at, sizeof events - (size_t)at, EVENT, (int)(len - half), text + half, "null");
    at += snprintf(events + at, sizeof events - (size_t)at, EVENT, 0, "", "\"stop\"");
    NEED((size_t)at < sizeof events);
    int all = snprintf(connection->out, sizeof connection->out,
                       "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n%s\r\n"
                       "%x\r\n%s\r\n0\r\n\r\n", headers, (unsigned)at, events);
    NEED(all > 0 && (size_t)all < sizeof connection->out);
    connection->out_len = (size_t)all;
}

static size_t find_kind(const char *text, size_t len)
{
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (len >= strlen(KINDS[i]) && memcmp(text, KINDS[i], strlen(KINDS[i])) == 0)
            return i;
    return 0;
}

static void respond(int fd, const char *text, size_t len, bool is_stream)
{
    struct connection *connection = connections[fd];
    char body[MAX_MESSAGE / 2];
    size_t number = find_kind(text, len);
    const char *kind = KINDS[number];
    bool closes = strcmp(kind, "closing") == 0;
    const char *headers = closes ? "Connection: close\r\n" : "";

    total++;
    total_of_kind[number]++;
    if (is_stream) {
        write_stream(connection, text, len, headers);
    } else {
        snprintf(body, sizeof body, "{\"choices\":[{\"index\":0,\"text\":\"%.*s\",\"finish_reason\":\"stop\"}]}",
                 (int)len, text);
        write_response(connection, "200 OK", headers, body);
    }
    connection->end = closes ? CLOSE : KEEP_ALIVE;
    connection->piece = MAX_MESSAGE;
    if (strcmp(kind, "later") == 0) {
        schedule_piece(fd, 500 + random_below(5000), MAX_MESSAGE);
        return;
    } else if (strcmp(kind, "pieces") == 0) {
        schedule_piece(fd, 0, connection->out_len / 3 + 1);
    } else if (strcmp(kind, "503") == 0 || (strcmp(kind, "flaky") == 0 && random_below(2) == 0)) {
        write_response(connection, "503 Busy", "", "{\"detail\":\"busy\"}");
    } else if (strcmp(kind, "500") == 0) {
        write_response(connection, "500 Broken", "", "{\"detail\":\"broken\"}");
    } else if (strcmp(kind, "429") == 0) {
        write_response(connection, "429 Too many", "Retry-After: 0\r\n", "{\"detail\":\"too many\"}");
    } else if (strcmp(kind, "400") == 0) {
        write_response(connection, "400 Wrong", "", "{\"detail\":\"wrong\"}");
    } else if (strcmp(kind, "close") == 0 || strcmp(kind, "reset") == 0) {
        connection->out_len = 0;
        connection->end = strcmp(kind, "close") == 0 ? CLOSE : RESET;
    } else if (strcmp(kind, "cut") == 0) {
        connection->out_len -= 40 + len / 2;
        connection->end = CLOSE;
    } else if (strcmp(kind, "garbage") == 0) {
        write_response(connection, "200 OK", "", "<html>");
    } else if (strcmp(kind, "stall") == 0) {
        connection->out_len = is_stream ? connection->out_len / 2 : 0;
    }
    send_piece(fd);
}

/* Returns the Content-Length of a request head, or 0. */
static size_t content_length(const char *head)
{
    static const char NAME[] = "\r\ncontent-length:";
    const char *found = strcasestr(head, NAME);
    return found == NULL ? 0 : (size_t)atol(found + strlen(NAME));
}

/* Handles a request once it is complete. Clients do not pipeline, so there is at most one. */
static void handle_request(int fd)
{
    static const char PROMPT[] = "\"prompt\":\"";
    struct connection *connection = connections[fd];

    connection->in[connection->in_len] = '\0';
    char *end = strstr(connection->in, "\r\n\r\n");
    if (end == NULL)
        return;
    const char *body = end + 4;
    *end = '\0';
    size_t all = (size_t)(body - connection->in) + content_length(connection->in);
    NEED(all < sizeof connection->in);
    if (connection->in_len < all) {
        *end = '\r';
        return;
    }
    NEED(connection->in_len == all);
    connection->in_len = connection->sent = 0;
    connection->piece = MAX_MESSAGE;
    connection->end = KEEP_ALIVE;
    const char *prompt = strstr(body, PROMPT);
    if (strncmp(connection->in, "POST ", 5) == 0 && prompt != NULL) {
        prompt += strlen(PROMPT);
        respond(fd, prompt, strcspn(prompt, "\""), strstr(body, "\"stream\":true") != NULL);
    } else if (strncmp(connection->in, "GET /health ", 12) == 0) {
        write_response(connection, "200 OK", "", "{\"status\":\"OK\"}");
        send_piece(fd);
    } else if (strncmp(connection->in, "GET /api/2.0/endpoints/", 23) == 0) {
        write_response(connection, "200 OK", "", "{\"name\":\"r\",\"endpoint_type\":\"llm/v1/completions\"}");
        send_piece(fd);
    } else {
        write_response(connection, "404 Not Found", "", "{\"detail\":\"Not Found\"}");
        send_piece(fd);
    }
}

static void receive(int fd)
{
    struct connection *connection = connections[fd];
    ssize_t len = recv(fd, connection->in + connection->in_len, sizeof connection->in - 1 - connection->in_len, 0);

    if (len > 0) {
        connection->in_len += (size_t)len;
        handle_request(fd);
    } else if (len == 0 || errno != EAGAIN) {
        close_connection(fd, CLOSE);
    }
}

static void watch(int poll, int fd)
{
    NEED(epoll_ctl(poll, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLIN, .data.fd = fd }) == 0);
}

static void accept_all(int listener, int poll)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        NEED(fd < MAX_CONNECTIONS);
        if (connections[fd] == NULL)
            connections[fd] = calloc(1, sizeof *connections[fd]);
        struct connection *connection = connections[fd];
        NEED(connection != NULL);
        connection->is_open = true;
        connection->in_len = 0;
        connection->due_us = 0;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        watch(poll, fd);
    }
}

static int listen_on_free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    NEED(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    NEED(listen(listener, 4096) == 0 && getsockname(listener, (struct sockaddr *)&address, &len) == 0);
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(void)
{
    struct epoll_event events[256];
    int listener = listen_on_free_port(), poll = epoll_create1(EPOLL_CLOEXEC);
    bool has_ended = false;

    NEED(poll >= 0);
    watch(poll, listener);
    watch(poll, STDIN_FILENO);
    while (!has_ended) {
        int count = epoll_wait(poll, events, 256, pending_count > 0 ? 1 : -1);
        NEED(count >= 0 || errno == EINTR);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                accept_all(listener, poll);
            else if (fd == STDIN_FILENO)
                has_ended = read(STDIN_FILENO, &(char){ 0 }, 1) <= 0;
            else if (connections[fd]->is_open)
                receive(fd);
        }
        if (pending_count > 0)
            send_due_pieces();
    }
    printf("total %lu\n", total);
    for (size_t i = 0; i < KIND_COUNT; i++)
        printf("%s %lu\n", KINDS[i], total_of_kind[i]);
    return 0;
}

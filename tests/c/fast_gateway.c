/*
 * A gateway for a great many calls: one thread, no allocation once a connection is there. It answers a question with
 * the question, and does with it what its first word asks for. So whoever asks knows what has to come of each call.
 *
 * usage: fast_gateway
 *   out: its port, in a line. At the end of standard input it ends, and says in a line each how often it was asked for
 *   what, and under "asked" how often in all.
 *
 *   answer    the question comes back, whole or in a stream
 *   later     ... after some milliseconds
 *   pieces    ... in pieces, with pauses between
 *   closing   ... and the connection is closed, which the head announces
 *   flaky     ... or else HTTP status 503, as chance will have it
 *   400, 429, 500, 503    that HTTP status
 *   close     the connection is closed without a byte
 *   reset     the connection is broken (RST) without a byte
 *   cut       the first half of the answer comes, and then the end of the connection
 *   garbage   a whole answer comes, which is no JSON
 *   stall     nothing comes, or of a stream only the first half
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
            fprintf(stderr, "%s:%d: not so: %s (%s)\n", __FILE__, __LINE__, #condition, strerror(errno));  \
            exit(1);                                                                                       \
        }                                                                                                  \
    } while (0)

#define MAX_CONNECTIONS 8192
#define MAX_MESSAGE 8192

enum end { STAYS, CLOSES, RESETS };

struct connection {
    bool is_open, is_waiting;
    char in[MAX_MESSAGE], out[MAX_MESSAGE];
    size_t in_len, out_len, sent;
    /* How much of the answer leaves at once, and when the next piece does. */
    size_t piece;
    uint64_t due_us;
    enum end end;
};

static const char *const KINDS[] = { "answer", "later", "pieces",  "closing", "flaky", "400",   "429",
                                     "500",    "503",   "close",   "reset",   "cut",   "garbage", "stall" };
#define KIND_COUNT (sizeof KINDS / sizeof *KINDS)

static struct connection *connections[MAX_CONNECTIONS];
static int waiting[MAX_CONNECTIONS];
static size_t waiting_count;
static unsigned long asked, asked_for[KIND_COUNT];
static uint64_t random_state = 88172645463325252u;

static uint64_t now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/* xorshift64 */
static uint64_t chance(uint64_t of)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % of;
}

static void close_connection(int fd, enum end how)
{
    if (how == RESETS)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
    connections[fd]->is_open = false;
    close(fd);
}

/* Sends the next piece of the answer; all of it, unless pauses are wanted. */
static void go_on(int fd)
{
    struct connection *connection = connections[fd];
    size_t len = connection->out_len - connection->sent;

    if (len > connection->piece)
        len = connection->piece;
    if (len > 0 && send(fd, connection->out + connection->sent, len, MSG_NOSIGNAL) != (ssize_t)len) {
        close_connection(fd, CLOSES); /* the peer has left */
        return;
    }
    connection->sent += len;
    if (connection->sent < connection->out_len)
        connection->due_us = now_us() + 500 + chance(1500);
    else if (connection->end != STAYS)
        close_connection(fd, connection->end);
    else
        connection->due_us = 0;
}

static void go_on_with_those_due(void)
{
    uint64_t now = now_us();

    for (size_t i = 0; i < waiting_count;) {
        struct connection *connection = connections[waiting[i]];
        if (connection->is_open && connection->due_us != 0 && connection->due_us <= now)
            go_on(waiting[i]);
        if (connection->is_open && connection->due_us != 0) {
            i++;
        } else {
            connection->is_waiting = false;
            waiting[i] = waiting[--waiting_count];
        }
    }
}

static void answer_later(int fd, uint64_t after_us, size_t piece)
{
    connections[fd]->due_us = now_us() + after_us;
    connections[fd]->piece = piece;
    if (!connections[fd]->is_waiting) {
        connections[fd]->is_waiting = true;
        waiting[waiting_count++] = fd;
    }
}

static void write_answer(struct connection *connection, const char *status, const char *more, const char *body)
{
    int len = snprintf(connection->out, sizeof connection->out,
                       "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n%s", status,
                       strlen(body), more, body);
    NEED(len > 0 && (size_t)len < sizeof connection->out);
    connection->out_len = (size_t)len;
}

/* The text in two deltas, as OpenAI streams completions. */
static void write_stream(struct connection *connection, const char *text, size_t len, const char *more)
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
                       "%x\r\n%s\r\n0\r\n\r\n", more, (unsigned)at, events);
    NEED(all > 0 && (size_t)all < sizeof connection->out);
    connection->out_len = (size_t)all;
}

static size_t kind_of(const char *text, size_t len)
{
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (len >= strlen(KINDS[i]) && memcmp(text, KINDS[i], strlen(KINDS[i])) == 0)
            return i;
    return 0;
}

static void answer_question(int fd, const char *text, size_t len, bool is_stream)
{
    struct connection *connection = connections[fd];
    char body[MAX_MESSAGE / 2];
    size_t number = kind_of(text, len);
    const char *kind = KINDS[number];
    bool closes = strcmp(kind, "closing") == 0;
    const char *more = closes ? "Connection: close\r\n" : "";

    asked++;
    asked_for[number]++;
    if (is_stream) {
        write_stream(connection, text, len, more);
    } else {
        snprintf(body, sizeof body, "{\"choices\":[{\"index\":0,\"text\":\"%.*s\",\"finish_reason\":\"stop\"}]}",
                 (int)len, text);
        write_answer(connection, "200 OK", more, body);
    }
    connection->end = closes ? CLOSES : STAYS;
    connection->piece = MAX_MESSAGE;
    if (strcmp(kind, "later") == 0) {
        answer_later(fd, 500 + chance(5000), MAX_MESSAGE);
        return;
    } else if (strcmp(kind, "pieces") == 0) {
        answer_later(fd, 0, connection->out_len / 3 + 1);
    } else if (strcmp(kind, "503") == 0 || (strcmp(kind, "flaky") == 0 && chance(2) == 0)) {
        write_answer(connection, "503 Busy", "", "{\"detail\":\"busy\"}");
    } else if (strcmp(kind, "500") == 0) {
        write_answer(connection, "500 Broken", "", "{\"detail\":\"broken\"}");
    } else if (strcmp(kind, "429") == 0) {
        write_answer(connection, "429 Too many", "Retry-After: 0\r\n", "{\"detail\":\"too many\"}");
    } else if (strcmp(kind, "400") == 0) {
        write_answer(connection, "400 Wrong", "", "{\"detail\":\"wrong\"}");
    } else if (strcmp(kind, "close") == 0 || strcmp(kind, "reset") == 0) {
        connection->out_len = 0;
        connection->end = strcmp(kind, "close") == 0 ? CLOSES : RESETS;
    } else if (strcmp(kind, "cut") == 0) {
        connection->out_len -= 40 + len / 2;
        connection->end = CLOSES;
    } else if (strcmp(kind, "garbage") == 0) {
        write_answer(connection, "200 OK", "", "<html>");
    } else if (strcmp(kind, "stall") == 0) {
        connection->out_len = is_stream ? connection->out_len / 2 : 0;
    }
    go_on(fd);
}

/* The number after a name in the head; 0 without it. */
static size_t content_length(const char *head)
{
    static const char NAME[] = "\r\ncontent-length:";
    const char *found = strcasestr(head, NAME);
    return found == NULL ? 0 : (size_t)atol(found + strlen(NAME));
}

/* Answers what has come in full: one question, since nobody asks the next one before that. */
static void understand(int fd)
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
    connection->end = STAYS;
    const char *prompt = strstr(body, PROMPT);
    if (strncmp(connection->in, "POST ", 5) == 0 && prompt != NULL) {
        prompt += strlen(PROMPT);
        answer_question(fd, prompt, strcspn(prompt, "\""), strstr(body, "\"stream\":true") != NULL);
    } else if (strncmp(connection->in, "GET /health ", 12) == 0) {
        write_answer(connection, "200 OK", "", "{\"status\":\"OK\"}");
        go_on(fd);
    } else if (strncmp(connection->in, "GET /api/2.0/endpoints/", 23) == 0) {
        write_answer(connection, "200 OK", "", "{\"name\":\"r\",\"endpoint_type\":\"llm/v1/completions\"}");
        go_on(fd);
    } else {
        write_answer(connection, "404 Not Found", "", "{\"detail\":\"Not Found\"}");
        go_on(fd);
    }
}

static void receive(int fd)
{
    struct connection *connection = connections[fd];
    ssize_t len = recv(fd, connection->in + connection->in_len, sizeof connection->in - 1 - connection->in_len, 0);

    if (len > 0) {
        connection->in_len += (size_t)len;
        understand(fd);
    } else if (len == 0 || errno != EAGAIN) {
        close_connection(fd, CLOSES);
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

static int listen_somewhere(void)
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
    int listener = listen_somewhere(), poll = epoll_create1(EPOLL_CLOEXEC);
    bool is_over = false;

    NEED(poll >= 0);
    watch(poll, listener);
    watch(poll, STDIN_FILENO);
    while (!is_over) {
        int count = epoll_wait(poll, events, 256, waiting_count > 0 ? 1 : -1);
        NEED(count >= 0 || errno == EINTR);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                accept_all(listener, poll);
            else if (fd == STDIN_FILENO)
                is_over = read(STDIN_FILENO, &(char){ 0 }, 1) <= 0;
            else if (connections[fd]->is_open)
                receive(fd);
        }
        if (waiting_count > 0)
            go_on_with_those_due();
    }
    printf("asked %lu\n", asked);
    for (size_t i = 0; i < KIND_COUNT; i++)
        printf("%s %lu\n", KINDS[i], asked_for[i]);
    return 0;
}

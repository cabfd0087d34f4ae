#include "serve.h"
#include "connection.h"
#include "counts.h"
#include "settings.h"
#include "timers.h"

#include <limits.h>

#define MAX_HEAD 256
#define MAX_COUNTS 16384
/* Events of one stream in one turn, if they have no interval. */
#define EVENTS_PER_TURN 16

/* Requests in the order of their arrival. */
struct list {
    int first, last;
    long count;
};

int serve_poll;
static struct list gathered = { -1, -1, 0 }, waiting = { -1, -1, 0 };
static long served_count, stream_count;

static void add(struct list *list, int fd)
{
    struct connection *connection = connection_of(fd);

    connection->previous = list->last;
    connection->next = -1;
    if (list->last < 0)
        list->first = fd;
    else
        connection_of(list->last)->next = fd;
    list->last = fd;
    list->count++;
}

static void take_out(struct list *list, int fd)
{
    struct connection *connection = connection_of(fd);

    if (connection->previous < 0)
        list->first = connection->next;
    else
        connection_of(connection->previous)->next = connection->next;
    if (connection->next < 0)
        list->last = connection->previous;
    else
        connection_of(connection->next)->previous = connection->previous;
    list->count--;
}

static void count_requests(void)
{
    count_open(gathered.count + waiting.count + served_count, stream_count);
}

static void serve(int fd)
{
    struct connection *connection = connection_of(fd);
    uint64_t us = (uint64_t)settings.latency_us;

    if (settings.jitter_us > 0)
        us += (uint64_t)(random() % settings.jitter_us);
    connection->state = SERVED;
    served_count++;
    set_timer(fd, now_ns() + 1000 * us);
}

static void fill_slots(void)
{
    while (waiting.count > 0 && served_count < settings.slots) {
        int fd = waiting.first;
        take_out(&waiting, fd);
        serve(fd);
    }
}

/* Ends the request of a connection, whatever its state. */
static void end_request(int fd)
{
    struct connection *connection = connection_of(fd);
    enum state state = connection->state;

    connection->state = IDLE;
    clear_timer(fd);
    if (state == GATHERED) {
        take_out(&gathered, fd);
    } else if (state == WAITING) {
        take_out(&waiting, fd);
    } else if (state == SERVED) {
        served_count--;
        fill_slots();
    } else if (state == STREAMED) {
        stream_count--;
    }
}

static void end_connection(int fd)
{
    end_request(fd);
    close_connection(fd);
}

static void send_appended(int fd)
{
    if (!flush(serve_poll, fd))
        end_connection(fd);
}

static void respond(int fd, const char *status, const char *headers, const char *body)
{
    char head[MAX_HEAD];
    int len = snprintf(head, sizeof head,
                       "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n", status,
                       strlen(body), headers);

    NEED(len > 0 && len < MAX_HEAD);
    append(fd, head, (size_t)len);
    append(fd, body, strlen(body));
    send_appended(fd);
}

static void respond_with_prompt(int fd)
{
    char body[MAX_PROMPT + 128];

    snprintf(body, sizeof body, "{\"choices\":[{\"index\":0,\"text\":\"%s\",\"finish_reason\":\"stop\"}]}",
             connection_of(fd)->prompt);
    respond(fd, "200 OK", "", body);
}

/* Spreads the first events of streams over the interval, as independent models do. */
static uint64_t first_event(uint64_t now)
{
    static uint64_t number;
    uint64_t interval = 1000 * (uint64_t)settings.interval_us;

    if (interval == 0)
        return now;
    if (settings.is_aligned)
        return (now / interval + 1) * interval;
    number += 0x9E3779B97F4A7C15u;
    return now + (number >> 32) * interval / UINT32_MAX;
}

static void begin_stream(int fd)
{
    static const char HEAD[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    struct connection *connection = connection_of(fd);

    connection->state = STREAMED;
    connection->events = 0;
    connection->due_ns = first_event(now_ns());
    stream_count++;
    append(fd, HEAD, strlen(HEAD));
    set_timer(fd, connection->due_ns);
    send_appended(fd);
}

static void append_chunk(int fd, const char *text, size_t padding, const char *finish_reason)
{
    static const char END[] = ",\"finish_reason\":%s}]}\n\n";
    static char chunk[1 << 20];
    char size[32];
    int len = snprintf(chunk, sizeof chunk, "data: {\"choices\":[{\"index\":0,\"text\":\"%s", text);

    NEED((size_t)len + padding + 64 < sizeof chunk);
    memset(chunk + len, '.', padding);
    len += (int)padding;
    chunk[len++] = '"';
    len += snprintf(chunk + len, sizeof chunk - (size_t)len, END, finish_reason);
    append(fd, size, (size_t)snprintf(size, sizeof size, "%x\r\n", (unsigned)len));
    append(fd, chunk, (size_t)len);
    append(fd, "\r\n", 2);
}

/* The text of an event: its number from 0, and the time at which it is sent, in nanoseconds. */
static void append_event(int fd)
{
    struct connection *connection = connection_of(fd);
    char text[64];
    int len = snprintf(text, sizeof text, "%ld %llu ", connection->events++, (unsigned long long)now_ns());

    append_chunk(fd, text, len < settings.event_bytes ? (size_t)(settings.event_bytes - len) : 0, "null");
}

static void end_stream(int fd)
{
    static const char END[] = "E\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";

    append_chunk(fd, "", 0, "\"stop\"");
    append(fd, END, strlen(END));
    end_request(fd);
    send_appended(fd);
}

static void continue_stream(int fd)
{
    struct connection *connection = connection_of(fd);
    int turns = settings.interval_us > 0 ? 1 : EVENTS_PER_TURN;

    for (; turns > 0 && connection->events < settings.events; turns--)
        append_event(fd);
    if (connection->events >= settings.events) {
        end_stream(fd);
        return;
    }
    connection->due_ns = settings.interval_us > 0 ? connection->due_ns + 1000 * (uint64_t)settings.interval_us : now_ns();
    if (!flush(serve_poll, fd))
        end_connection(fd);
    else if (!connection->waits_for_room)
        set_timer(fd, connection->due_ns);
}

static void admit(int fd)
{
    struct connection *connection = connection_of(fd);

    if (connection->is_stream) {
        begin_stream(fd);
    } else if (served_count < settings.slots) {
        serve(fd);
    } else if (waiting.count < settings.most_waiting) {
        connection->state = WAITING;
        add(&waiting, fd);
    } else {
        respond(fd, "503 Service Unavailable", "", "{\"detail\":\"Too many requests are waiting\"}");
    }
}

/* Admits the requests that have arrived, if they are enough. */
static void admit_gathered(void)
{
    if (gathered.count < settings.barrier)
        return;
    while (gathered.count > 0) {
        int fd = gathered.first;
        take_out(&gathered, fd);
        connection_of(fd)->state = IDLE;
        admit(fd);
    }
    count_requests();
}

static void refuse(int fd)
{
    char header[64] = "";

    if (settings.retry_after_s >= 0)
        snprintf(header, sizeof header, "Retry-After: %ld\r\n", settings.retry_after_s);
    respond(fd, "429 Too Many Requests", header, "{\"detail\":\"Rate limit exceeded\"}");
}

static void begin_request(int fd, const char *prompt, bool is_stream)
{
    struct connection *connection = connection_of(fd);
    uint64_t now = now_ns();
    bool is_accepted = take_from_rate(now);

    count_request(is_accepted, now);
    if (!is_accepted) {
        refuse(fd);
        return;
    }
    connection->is_stream = is_stream;
    snprintf(connection->prompt, sizeof connection->prompt, "%.*s", (int)strcspn(prompt, "\""), prompt);
    if (settings.barrier > 0) {
        connection->state = GATHERED;
        add(&gathered, fd);
        count_requests();
        admit_gathered();
    } else {
        admit(fd);
        count_requests();
    }
}

static bool is_get(const char *line, const char *path)
{
    return strncmp(line, "GET ", 4) == 0 && strncmp(line + 4, path, strlen(path)) == 0;
}

static void change_settings(int fd, char *query)
{
    query[strcspn(query, " ")] = '\0';
    if (!set_settings(query)) {
        respond(fd, "400 Bad Request", "", "{\"detail\":\"An unknown setting\"}");
        return;
    }
    admit_gathered();
    fill_slots();
    respond(fd, "200 OK", "", "{}");
}

static void respond_with_counts(int fd)
{
    static char counts[MAX_COUNTS];

    write_counts(counts, sizeof counts, connection_count);
    respond(fd, "200 OK", "", counts);
}

static void handle_request(int fd, const struct request *request)
{
    static const char PROMPT[] = "\"prompt\":\"", SET[] = "/set?";
    const char *prompt = strstr(request->body, PROMPT);

    if (strncmp(request->line, "POST ", 5) == 0 && prompt != NULL) {
        begin_request(fd, prompt + strlen(PROMPT), strstr(request->body, "\"stream\":true") != NULL);
    } else if (is_get(request->line, "/health ")) {
        respond(fd, "200 OK", "", "{\"status\":\"OK\"}");
    } else if (is_get(request->line, "/api/2.0/endpoints/")) {
        respond(fd, "200 OK", "", "{\"name\":\"r\",\"endpoint_type\":\"llm/v1/completions\"}");
    } else if (is_get(request->line, SET)) {
        change_settings(fd, connection_of(fd)->in + strlen("GET ") + strlen(SET));
    } else if (is_get(request->line, "/counts ")) {
        respond_with_counts(fd);
    } else if (is_get(request->line, "/reset ")) {
        reset_counts();
        respond(fd, "200 OK", "", "{}");
    } else {
        respond(fd, "404 Not Found", "", "{\"detail\":\"Not Found\"}");
    }
}

void serve_input(int fd)
{
    struct request request;

    if (!receive(fd))
        end_connection(fd);
    else if (take_request(fd, &request))
        handle_request(fd, &request);
}

void serve_room(int fd)
{
    struct connection *connection = connection_of(fd);

    send_appended(fd);
    if (connection->is_open && !connection->waits_for_room && connection->state == STREAMED)
        set_timer(fd, connection->due_ns);
}

void serve_timer(int fd)
{
    if (connection_of(fd)->state == STREAMED) {
        continue_stream(fd);
    } else {
        end_request(fd);
        respond_with_prompt(fd);
    }
}

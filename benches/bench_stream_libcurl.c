/* Reads a stream with libcurl and cJSON: parses and frees each event as soon as it is complete. */
#include "large.h"
#include "process.h"
#include "summary.h"
#include "http_client.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#define BODY "{\"messages\":[{\"role\":\"user\",\"content\":\"" MESSAGE "\"}],\"stream\":true}"
#define DATA "data: "
#define DONE "[DONE]"

struct peer {
    struct http_client client;
    struct bytes unread; /* the beginning of an incomplete event */
    struct bytes text;
    long deltas, output_tokens;
    char finish_reason[32];
    bool is_done;
};

static cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static bool read_chunk(struct peer *peer, const char *json, size_t length)
{
    cJSON *chunk = cJSON_ParseWithLength(json, length);
    if (chunk == NULL)
        return false;
    cJSON *choice = cJSON_GetArrayItem(member(chunk, "choices"), 0);
    const char *content = cJSON_GetStringValue(member(member(choice, "delta"), "content"));
    const char *finish_reason = cJSON_GetStringValue(member(choice, "finish_reason"));
    cJSON *output_tokens = member(member(chunk, "usage"), "completion_tokens");
    bool is_ok = true;

    if (content != NULL) {
        is_ok = bytes_add(&peer->text, content, strlen(content));
        peer->deltas++;
    }
    if (finish_reason != NULL && strlen(finish_reason) < sizeof peer->finish_reason)
        strcpy(peer->finish_reason, finish_reason);
    if (cJSON_IsNumber(output_tokens))
        peer->output_tokens = (long)output_tokens->valuedouble;
    cJSON_Delete(chunk);
    return is_ok;
}

static bool read_event(struct peer *peer, const char *event, size_t length)
{
    size_t before = strlen(DATA);

    if (length < before || memcmp(event, DATA, before) != 0)
        return true; /* a comment or an unused field */
    if (length - before == strlen(DONE) && memcmp(event + before, DONE, strlen(DONE)) == 0)
        return peer->is_done = true;
    return read_chunk(peer, event + before, length - before);
}

/* Returns the blank line after an event, or NULL. */
static char *find_end_of_event(char *start, const char *end)
{
    char *line = start;

    while ((line = memchr(line, '\n', (size_t)(end - line))) != NULL) {
        if (line + 1 < end && line[1] == '\n')
            return line;
        line++;
    }
    return NULL;
}

static size_t receive(char *data, size_t size, size_t count, void *opened)
{
    struct peer *peer = opened;

    if (!bytes_add(&peer->unread, data, size * count))
        return 0;
    char *start = peer->unread.data, *end = start + peer->unread.length, *blank;
    while ((blank = find_end_of_event(start, end)) != NULL) {
        if (!read_event(peer, start, (size_t)(blank - start)))
            return 0;
        start = blank + 2;
    }
    peer->unread.length = (size_t)(end - start);
    memmove(peer->unread.data, start, peer->unread.length);
    return size * count;
}

void *peer_open(const char *url)
{
    struct peer *peer = calloc(1, sizeof *peer);

    if (peer == NULL)
        fail("calloc", "no memory");
    http_client_open(&peer->client, url, "/endpoints/" CHAT_ROUTE "/invocations", BODY, NULL);
    curl_easy_setopt(peer->client.curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(peer->client.curl, CURLOPT_WRITEDATA, peer);
    return peer;
}

void peer_call(void *opened)
{
    struct peer *peer = opened;

    peer->unread.length = peer->text.length = 0;
    peer->deltas = peer->output_tokens = 0;
    peer->is_done = false;
    http_client_post(&peer->client);
    if (!peer->is_done)
        fail("stream", "it ended before [DONE]");
}

void peer_print_summary(void *opened)
{
    struct peer *peer = opened;

    print_text_summary(peer->text.data, peer->text.length, peer->deltas, peer->finish_reason, peer->output_tokens);
}

void peer_close(void *opened)
{
    struct peer *peer = opened;

    http_client_close(&peer->client);
    free(peer->unread.data);
    free(peer->text.data);
    free(peer);
}

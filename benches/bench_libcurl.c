/* libcurl and cJSON as a careful programmer uses them: one easy handle, set up once and used for every call. */
#include "bench.h"
#include "process.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 300000L

struct peer {
    CURL *curl;
    struct curl_slist *headers;
    char *answer;
    size_t length, room;
};

static size_t append(char *data, size_t size, size_t count, void *opened)
{
    struct peer *peer = opened;
    size_t added = size * count;

    if (peer->length + added > peer->room) {
        size_t room = 2 * (peer->length + added);
        char *answer = realloc(peer->answer, room);
        if (answer == NULL)
            return 0;
        peer->answer = answer;
        peer->room = room;
    }
    memcpy(peer->answer + peer->length, data, added);
    peer->length += added;
    return added;
}

void *peer_open(const char *url, const char *ca_file)
{
    struct peer *peer = calloc(1, sizeof *peer);
    char whole_url[256] = "";

    if (peer == NULL || strlen(url) + sizeof INVOCATIONS > sizeof whole_url)
        fail(url, "too long");
    strcat(strcat(whole_url, url), INVOCATIONS);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    peer->curl = curl_easy_init();
    peer->headers = curl_slist_append(peer->headers, "Content-Type: application/json");
    peer->headers = curl_slist_append(peer->headers, "Accept: application/json");
    curl_easy_setopt(peer->curl, CURLOPT_URL, whole_url);
    curl_easy_setopt(peer->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(peer->curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(peer->curl, CURLOPT_HTTPHEADER, peer->headers);
    curl_easy_setopt(peer->curl, CURLOPT_POSTFIELDS, BODY);
    curl_easy_setopt(peer->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(BODY));
    curl_easy_setopt(peer->curl, CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(peer->curl, CURLOPT_WRITEDATA, peer);
    if (ca_file != NULL)
        curl_easy_setopt(peer->curl, CURLOPT_CAINFO, ca_file);
    return peer;
}

void peer_call(void *opened)
{
    struct peer *peer = opened;
    long status = 0;

    peer->length = 0;
    CURLcode code = curl_easy_perform(peer->curl);
    if (code != CURLE_OK)
        fail("curl_easy_perform", curl_easy_strerror(code));
    curl_easy_getinfo(peer->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200)
        fail("HTTP status", "not 200");

    cJSON *answer = cJSON_ParseWithLength(peer->answer, peer->length);
    cJSON *choice = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(answer, "choices"), 0);
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(choice, "text"));
    if (text == NULL || strcmp(text, TEXT) != 0)
        fail("answer", "not the right text");
    cJSON_Delete(answer);
}

void peer_close(void *opened)
{
    struct peer *peer = opened;

    curl_easy_cleanup(peer->curl);
    curl_slist_free_all(peer->headers);
    free(peer->answer);
    free(peer);
    curl_global_cleanup();
}

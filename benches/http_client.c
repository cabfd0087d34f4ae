#include "http_client.h"
#include "process.h"

#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 300000L

bool bytes_add(struct bytes *bytes, const char *data, size_t length)
{
    if (bytes->length + length > bytes->room) {
        size_t room = 2 * (bytes->length + length);
        char *more = realloc(bytes->data, room);
        if (more == NULL)
            return false;
        bytes->data = more;
        bytes->room = room;
    }
    memcpy(bytes->data + bytes->length, data, length);
    bytes->length += length;
    return true;
}

size_t bytes_receive(char *data, size_t size, size_t count, void *bytes)
{
    return bytes_add(bytes, data, size * count) ? size * count : 0;
}

void http_client_open(struct http_client *client, const char *url, const char *path, const char *body, const char *ca_file)
{
    char whole_url[256] = "";

    if (strlen(url) + strlen(path) >= sizeof whole_url)
        fail(url, "too long");
    strcat(strcat(whole_url, url), path);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    client->curl = curl_easy_init();
    client->headers = curl_slist_append(NULL, "Content-Type: application/json");
    client->headers = curl_slist_append(client->headers, "Accept: application/json");
    curl_easy_setopt(client->curl, CURLOPT_URL, whole_url);
    curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, client->headers);
    curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
    if (ca_file != NULL)
        curl_easy_setopt(client->curl, CURLOPT_CAINFO, ca_file);
}

void http_client_post(struct http_client *client)
{
    long status = 0;
    CURLcode code = curl_easy_perform(client->curl);

    if (code != CURLE_OK)
        fail("curl_easy_perform", curl_easy_strerror(code));
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200)
        fail("HTTP status", "not 200");
}

void http_client_close(struct http_client *client)
{
    curl_easy_cleanup(client->curl);
    curl_slist_free_all(client->headers);
    curl_global_cleanup();
}

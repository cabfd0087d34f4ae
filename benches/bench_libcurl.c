/* libcurl and cJSON as a careful programmer uses them: one easy handle, set up once and used for every call. */
#include "bench.h"
#include "process.h"
#include "http_client.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

struct peer {
    struct http_client client;
    struct bytes response;
};

void *peer_open(const char *url, const char *ca_file)
{
    struct peer *peer = calloc(1, sizeof *peer);

    if (peer == NULL)
        fail("calloc", "no memory");
    http_client_open(&peer->client, url, INVOCATIONS, BODY, ca_file);
    curl_easy_setopt(peer->client.curl, CURLOPT_WRITEFUNCTION, bytes_receive);
    curl_easy_setopt(peer->client.curl, CURLOPT_WRITEDATA, &peer->response);
    return peer;
}

void peer_call(void *opened)
{
    struct peer *peer = opened;

    peer->response.length = 0;
    http_client_post(&peer->client);
    cJSON *response = cJSON_ParseWithLength(peer->response.data, peer->response.length);
    cJSON *choice = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(response, "choices"), 0);
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(choice, "text"));
    if (text == NULL || strcmp(text, TEXT) != 0)
        fail("response", "wrong text");
    cJSON_Delete(response);
}

void peer_close(void *opened)
{
    struct peer *peer = opened;

    http_client_close(&peer->client);
    free(peer->response.data);
    free(peer);
}

/* libcurl and cJSON as a careful programmer uses them: one easy handle, set up once and used for every call. */
#include "bench.h"
#include "process.h"
#include "with_curl.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

struct peer {
    struct asking asking;
    struct bytes answer;
};

void *peer_open(const char *url, const char *ca_file)
{
    struct peer *peer = calloc(1, sizeof *peer);

    if (peer == NULL)
        fail("calloc", "no memory");
    asking_open(&peer->asking, url, INVOCATIONS, BODY, ca_file);
    curl_easy_setopt(peer->asking.curl, CURLOPT_WRITEFUNCTION, bytes_receive);
    curl_easy_setopt(peer->asking.curl, CURLOPT_WRITEDATA, &peer->answer);
    return peer;
}

void peer_call(void *opened)
{
    struct peer *peer = opened;

    peer->answer.length = 0;
    asking_call(&peer->asking);
    cJSON *answer = cJSON_ParseWithLength(peer->answer.data, peer->answer.length);
    cJSON *choice = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(answer, "choices"), 0);
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(choice, "text"));
    if (text == NULL || strcmp(text, TEXT) != 0)
        fail("answer", "not the right text");
    cJSON_Delete(answer);
}

void peer_close(void *opened)
{
    struct peer *peer = opened;

    asking_close(&peer->asking);
    free(peer->answer.data);
    free(peer);
}

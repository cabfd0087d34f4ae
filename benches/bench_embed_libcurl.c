/* Embeddings with libcurl and cJSON: parses the whole response and copies its numbers to one array of floats. */
#include "large.h"
#include "process.h"
#include "summary.h"
#include "http_client.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

struct peer {
    struct http_client client;
    struct bytes request, response;
    float *values;
    size_t count, dimension;
};

static void write_request(struct bytes *request)
{
    cJSON *body = cJSON_CreateObject(), *inputs = cJSON_AddArrayToObject(body, "input");
    char input[INPUT_ROOM];

    for (int i = 0; i < INPUTS; i++) {
        snprintf(input, sizeof input, INPUT, i);
        cJSON_AddItemToArray(inputs, cJSON_CreateString(input));
    }
    request->data = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
}

void *peer_open(const char *url)
{
    struct peer *peer = calloc(1, sizeof *peer);

    if (peer == NULL)
        fail("calloc", "no memory");
    write_request(&peer->request);
    http_client_open(&peer->client, url, "/endpoints/" EMBEDDINGS_ROUTE "/invocations", peer->request.data, NULL);
    curl_easy_setopt(peer->client.curl, CURLOPT_WRITEFUNCTION, bytes_receive);
    curl_easy_setopt(peer->client.curl, CURLOPT_WRITEDATA, &peer->response);
    return peer;
}

static void copy_row(float *to, const cJSON *numbers, size_t dimension)
{
    const cJSON *number;
    size_t i = 0;

    cJSON_ArrayForEach(number, numbers) {
        if (i == dimension || !cJSON_IsNumber(number))
            fail("response", "an embedding is too long or contains something other than numbers");
        to[i++] = (float)number->valuedouble;
    }
    if (i != dimension)
        fail("response", "the embeddings have different lengths");
}

void peer_call(void *opened)
{
    struct peer *peer = opened;
    const cJSON *row;

    peer->response.length = 0;
    http_client_post(&peer->client);
    cJSON *response = cJSON_ParseWithLength(peer->response.data, peer->response.length);
    cJSON *data = cJSON_GetObjectItemCaseSensitive(response, "data");
    peer->count = (size_t)cJSON_GetArraySize(data);
    if (peer->count != INPUTS)
        fail("response", "not one embedding for each input");
    peer->dimension = (size_t)cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(data->child, "embedding"));
    free(peer->values);
    peer->values = malloc(peer->count * peer->dimension * sizeof *peer->values);
    if (peer->values == NULL)
        fail("malloc", "no memory");
    cJSON_ArrayForEach(row, data) {
        double index = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(row, "index"));
        if (!(index >= 0 && index < INPUTS))
            fail("response", "an embedding has an invalid index");
        copy_row(peer->values + (size_t)index * peer->dimension,
                 cJSON_GetObjectItemCaseSensitive(row, "embedding"), peer->dimension);
    }
    cJSON_Delete(response);
}

void peer_print_summary(void *opened)
{
    struct peer *peer = opened;

    print_embeddings_summary(peer->values, peer->count, peer->dimension);
}

void peer_close(void *opened)
{
    struct peer *peer = opened;

    http_client_close(&peer->client);
    cJSON_free(peer->request.data);
    free(peer->response.data);
    free(peer->values);
    free(peer);
}

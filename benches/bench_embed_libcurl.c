/* Vectors by libcurl and cJSON: the whole answer is parsed, and its numbers are copied into one block of floats. */
#include "large.h"
#include "process.h"
#include "what_came.h"
#include "with_curl.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

struct peer {
    struct asking asking;
    struct bytes question, answer;
    float *values;
    size_t count, dimension;
};

static void make_question(struct bytes *question)
{
    cJSON *body = cJSON_CreateObject(), *inputs = cJSON_AddArrayToObject(body, "input");
    char input[INPUT_ROOM];

    for (int i = 0; i < INPUTS; i++) {
        snprintf(input, sizeof input, INPUT, i);
        cJSON_AddItemToArray(inputs, cJSON_CreateString(input));
    }
    question->data = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
}

void *peer_open(const char *url)
{
    struct peer *peer = calloc(1, sizeof *peer);

    if (peer == NULL)
        fail("calloc", "no memory");
    make_question(&peer->question);
    asking_open(&peer->asking, url, "/endpoints/" VECTORS "/invocations", peer->question.data, NULL);
    curl_easy_setopt(peer->asking.curl, CURLOPT_WRITEFUNCTION, bytes_receive);
    curl_easy_setopt(peer->asking.curl, CURLOPT_WRITEDATA, &peer->answer);
    return peer;
}

static void copy_row(float *to, const cJSON *numbers, size_t dimension)
{
    const cJSON *number;
    size_t i = 0;

    cJSON_ArrayForEach(number, numbers) {
        if (i == dimension || !cJSON_IsNumber(number))
            fail("answer", "a vector of another length, or one with something else in it");
        to[i++] = (float)number->valuedouble;
    }
    if (i != dimension)
        fail("answer", "vectors of different lengths");
}

void peer_call(void *opened)
{
    struct peer *peer = opened;
    const cJSON *row;

    peer->answer.length = 0;
    asking_call(&peer->asking);
    cJSON *answer = cJSON_ParseWithLength(peer->answer.data, peer->answer.length);
    cJSON *data = cJSON_GetObjectItemCaseSensitive(answer, "data");
    peer->count = (size_t)cJSON_GetArraySize(data);
    if (peer->count != INPUTS)
        fail("answer", "not a vector for each input");
    peer->dimension = (size_t)cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(data->child, "embedding"));
    free(peer->values);
    peer->values = malloc(peer->count * peer->dimension * sizeof *peer->values);
    if (peer->values == NULL)
        fail("malloc", "no memory");
    cJSON_ArrayForEach(row, data) {
        double index = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(row, "index"));
        if (!(index >= 0 && index < INPUTS))
            fail("answer", "a vector for no input");
        copy_row(peer->values + (size_t)index * peer->dimension,
                 cJSON_GetObjectItemCaseSensitive(row, "embedding"), peer->dimension);
    }
    cJSON_Delete(answer);
}

void peer_print(void *opened)
{
    struct peer *peer = opened;

    print_vectors(peer->values, peer->count, peer->dimension);
}

void peer_close(void *opened)
{
    struct peer *peer = opened;

    asking_close(&peer->asking);
    cJSON_free(peer->question.data);
    free(peer->answer.data);
    free(peer->values);
    free(peer);
}

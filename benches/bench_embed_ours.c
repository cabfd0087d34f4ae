/* Embeddings with this library, all in one request. */
#include "large.h"
#include "ours.h"
#include "process.h"
#include "summary.h"

#include <stdio.h>
#include <stdlib.h>

struct peer {
    mlflow_gateway *gateway;
    mlflow_gateway_request *request;
    mlflow_gateway_embeddings *embeddings;
};

void *peer_open(const char *url)
{
    struct peer *peer = calloc(1, sizeof *peer);
    mlflow_gateway_error *error = NULL;
    char number[INPUT_ROOM];

    if (peer == NULL)
        fail("calloc", "no memory");
    check(mlflow_gateway_create(EMBEDDINGS_ROUTE, url, &peer->gateway, &error), &error);
    check(mlflow_gateway_request_create(&peer->request, &error), &error);
    snprintf(number, sizeof number, "%d", INPUTS);
    check(mlflow_gateway_request_set_option(peer->request, "embed_batch_size", number, &error), &error);
    for (int i = 0; i < INPUTS; i++) {
        char input[INPUT_ROOM];
        int length = snprintf(input, sizeof input, INPUT, i);
        check(mlflow_gateway_request_add_input(peer->request, input, (size_t)length, &error), &error);
    }
    return peer;
}

void peer_call(void *opened)
{
    struct peer *peer = opened;
    mlflow_gateway_error *error = NULL;

    mlflow_gateway_embeddings_destroy(peer->embeddings);
    peer->embeddings = NULL;
    check(mlflow_gateway_embed(peer->gateway, peer->request, &peer->embeddings, &error), &error);
}

void peer_print_summary(void *opened)
{
    struct peer *peer = opened;

    print_embeddings_summary(mlflow_gateway_embeddings_data(peer->embeddings),
                  mlflow_gateway_embeddings_count(peer->embeddings),
                  mlflow_gateway_embeddings_dimension(peer->embeddings));
}

void peer_close(void *opened)
{
    struct peer *peer = opened;

    mlflow_gateway_embeddings_destroy(peer->embeddings);
    mlflow_gateway_request_destroy(peer->request);
    mlflow_gateway_destroy(peer->gateway);
    free(peer);
}

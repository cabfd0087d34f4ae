/*
 * Loads the library, lets it start threads, and unloads it, again and again: nothing may keep it loaded.
 *
 * usage: test_unload LIBRARY URI, of a gateway with the route "r" for vectors, on a host with a name to be looked up
 */
#include <dlfcn.h>

#include "check.h"

static void *library;

/* ISO C has no conversion from an object's pointer to a function's. */
static void find(const char *name, void *function)
{
    void *found = dlsym(library, name);
    CHECK(found != NULL);
    memcpy(function, &found, sizeof found);
}

static void use(const char *uri)
{
    __extension__ __typeof__(mlflow_gateway_create) *create;
    __extension__ __typeof__(mlflow_gateway_destroy) *destroy;
    __extension__ __typeof__(mlflow_gateway_request_create) *request_create;
    __extension__ __typeof__(mlflow_gateway_request_add_input) *add_input;
    __extension__ __typeof__(mlflow_gateway_request_set_option) *set_option;
    __extension__ __typeof__(mlflow_gateway_request_destroy) *request_destroy;
    __extension__ __typeof__(mlflow_gateway_embed) *embed;
    __extension__ __typeof__(mlflow_gateway_embeddings_count) *count;
    __extension__ __typeof__(mlflow_gateway_embeddings_destroy) *embeddings_destroy;
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_embeddings *embeddings = NULL;

    find("mlflow_gateway_create", &create);
    find("mlflow_gateway_destroy", &destroy);
    find("mlflow_gateway_request_create", &request_create);
    find("mlflow_gateway_request_add_input", &add_input);
    find("mlflow_gateway_request_set_option", &set_option);
    find("mlflow_gateway_request_destroy", &request_destroy);
    find("mlflow_gateway_embed", &embed);
    find("mlflow_gateway_embeddings_count", &count);
    find("mlflow_gateway_embeddings_destroy", &embeddings_destroy);
    CHECK(create("r", uri, &gateway, NULL) == MLFLOW_GATEWAY_OK);
    CHECK(request_create(&request, NULL) == MLFLOW_GATEWAY_OK);
    for (int i = 0; i < 8; i++)
        CHECK(add_input(request, "input", MLFLOW_GATEWAY_NUL_TERMINATED, NULL) == MLFLOW_GATEWAY_OK);
    CHECK(set_option(request, "embed_batch_size", "1", NULL) == MLFLOW_GATEWAY_OK);
    CHECK(set_option(request, "embed_concurrency", "4", NULL) == MLFLOW_GATEWAY_OK);
    CHECK(embed(gateway, request, &embeddings, NULL) == MLFLOW_GATEWAY_OK);
    CHECK(count(embeddings) == 8);
    embeddings_destroy(embeddings);
    request_destroy(request);
    destroy(gateway);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    for (int i = 0; i < 3; i++) {
        CHECK(dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD) == NULL);
        library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        CHECK(library != NULL);
        use(argv[2]);
        CHECK(dlclose(library) == 0);
    }
    CHECK(dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD) == NULL);
    return 0;
}

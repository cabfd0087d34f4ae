/*
 * Loads the library, makes calls with threads, connections and descriptors, and unloads it, in many rounds: it must be
 * unloaded and leave nothing behind. The exception is an abandoned name look-up, which keeps the library loaded until
 * it ends.
 *
 * usage: test_unload LIBRARY URI TLS_URI CA_FILE
 *   Gateways of tests/obeying_gateway.py, with the routes "r" (completions), "chat" and "embeddings". The host of URI
 *   is a name.
 *   out: resident KiB after the first rounds and after all
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <time.h>

#include "check.h"
#include "process_state.h"

#define ROUNDS 12
#define ROUNDS_TO_SETTLE 3
#define SLOW_HOST "slow.invalid"
#define SLOW_MS 300

static void *library;

/* Replaces the function of the C library: the look-up of one name is slow. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    static __typeof__(getaddrinfo) *original;

    if (node != NULL && strcmp(node, SLOW_HOST) == 0) {
        nanosleep(&(struct timespec){ 0, SLOW_MS * 1000000 }, NULL);
        return EAI_AGAIN;
    }
    if (original == NULL) {
        void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
        memcpy(&original, &symbol, sizeof symbol);
    }
    return original(node, service, hints, found);
}

/* ISO C has no conversion from an object pointer to a function pointer. */
static void find(const char *name, void *function)
{
    void *found = dlsym(library, name);
    CHECK(found != NULL);
    memcpy(function, &found, sizeof found);
}

/* Declares a function pointer with this name, and loads it from the library. */
#define FUNCTION(name)                                   \
    __extension__ __typeof__(mlflow_gateway_##name) *name; \
    find("mlflow_gateway_" #name, &name)

static mlflow_gateway *open_route(const char *route, const char *uri, const char *ca_file)
{
    FUNCTION(create);
    FUNCTION(set_option);
    mlflow_gateway *gateway = NULL;

    CHECK(create(route, uri, &gateway, NULL) == MLFLOW_GATEWAY_OK);
    if (ca_file != NULL)
        CHECK(set_option(gateway, "ca_file", ca_file, NULL) == MLFLOW_GATEWAY_OK);
    return gateway;
}

static mlflow_gateway_request *make_request(const char *prompt, mlflow_gateway_cancel_token *token)
{
    FUNCTION(request_create);
    FUNCTION(request_set_prompt);
    FUNCTION(request_set_cancel_token);
    mlflow_gateway_request *request = NULL;

    CHECK(request_create(&request, NULL) == MLFLOW_GATEWAY_OK);
    CHECK(request_set_prompt(request, prompt, MLFLOW_GATEWAY_NUL_TERMINATED, NULL) == MLFLOW_GATEWAY_OK);
    CHECK(request_set_cancel_token(request, token, NULL) == MLFLOW_GATEWAY_OK);
    return request;
}

static void embed_on_threads(const char *uri)
{
    FUNCTION(request_create);
    FUNCTION(request_add_input);
    FUNCTION(request_set_option);
    FUNCTION(request_destroy);
    FUNCTION(embed);
    FUNCTION(embeddings_count);
    FUNCTION(embeddings_destroy);
    FUNCTION(destroy);
    mlflow_gateway *gateway = open_route("embeddings", uri, NULL);
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_embeddings *embeddings = NULL;

    CHECK(request_create(&request, NULL) == MLFLOW_GATEWAY_OK);
    for (int i = 0; i < 8; i++)
        CHECK(request_add_input(request, "input", MLFLOW_GATEWAY_NUL_TERMINATED, NULL) == MLFLOW_GATEWAY_OK);
    CHECK(request_set_option(request, "embed_batch_size", "1", NULL) == MLFLOW_GATEWAY_OK);
    CHECK(request_set_option(request, "embed_concurrency", "4", NULL) == MLFLOW_GATEWAY_OK);
    CHECK(embed(gateway, request, &embeddings, NULL) == MLFLOW_GATEWAY_OK);
    CHECK(embeddings_count(embeddings) == 8);
    embeddings_destroy(embeddings);
    request_destroy(request);
    destroy(gateway);
}

static void stream(const char *uri, const char *ca_file)
{
    FUNCTION(stream_open);
    FUNCTION(stream_next);
    FUNCTION(stream_destroy);
    FUNCTION(request_destroy);
    FUNCTION(destroy);
    mlflow_gateway *gateway = open_route("r", uri, ca_file);
    mlflow_gateway_request *request = make_request("pieces of a stream", NULL);
    mlflow_gateway_stream *whole = NULL, *cut_off = NULL;
    mlflow_gateway_status status;
    const mlflow_gateway_event *event;

    CHECK(stream_open(gateway, request, &whole, NULL) == MLFLOW_GATEWAY_OK);
    CHECK(stream_open(gateway, request, &cut_off, NULL) == MLFLOW_GATEWAY_OK);
    while ((status = stream_next(whole, &event, NULL)) == MLFLOW_GATEWAY_OK)
        ;
    CHECK(status == MLFLOW_GATEWAY_STREAM_END);
    CHECK(stream_next(cut_off, &event, NULL) == MLFLOW_GATEWAY_OK);
    stream_destroy(whole);
    stream_destroy(cut_off);
    request_destroy(request);
    destroy(gateway);
}

struct waiting {
    mlflow_gateway *gateway;
    mlflow_gateway_request *request;
};

static void *wait_until_cancelled(void *argument)
{
    FUNCTION(send);
    const struct waiting *waiting = argument;
    mlflow_gateway_response *response = NULL;

    CHECK(send(waiting->gateway, waiting->request, &response, NULL) == MLFLOW_GATEWAY_CANCELLED);
    return NULL;
}

static void cancel_call(const char *uri, const char *ca_file)
{
    FUNCTION(cancel_token_create);
    FUNCTION(cancel_token_destroy);
    FUNCTION(cancel);
    FUNCTION(request_destroy);
    FUNCTION(call);
    FUNCTION(string_free);
    FUNCTION(destroy);
    mlflow_gateway_cancel_token *token = NULL;
    struct waiting waiting = { open_route("r", uri, ca_file), NULL };
    pthread_t thread;
    char *text = NULL;

    /* Resolves the host name first, because a look-up of the cancelled call would keep the library loaded. */
    CHECK(call(waiting.gateway, "echo", &text, NULL, NULL) == MLFLOW_GATEWAY_OK);
    string_free(text);
    CHECK(cancel_token_create(&token, NULL) == MLFLOW_GATEWAY_OK);
    waiting.request = make_request("stall", token);
    CHECK(pthread_create(&thread, NULL, wait_until_cancelled, &waiting) == 0);
    nanosleep(&(struct timespec){ 0, 20 * 1000000 }, NULL);
    cancel(token);
    CHECK(pthread_join(thread, NULL) == 0);
    cancel_token_destroy(token);
    request_destroy(waiting.request);
    destroy(waiting.gateway);
}

/* A look-up that ends after its call, and after the library is unloaded. */
static void abandon_name_lookup(void)
{
    FUNCTION(set_option);
    FUNCTION(call);
    FUNCTION(destroy);
    mlflow_gateway *gateway = open_route("r", "http://" SLOW_HOST ":1", NULL);
    char *text = NULL;

    CHECK(set_option(gateway, "timeout_ms", "50", NULL) == MLFLOW_GATEWAY_OK);
    CHECK(call(gateway, "prompt", &text, NULL, NULL) == MLFLOW_GATEWAY_TIMEOUT);
    destroy(gateway);
}

static bool is_loaded(const char *path)
{
    void *still = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (still != NULL)
        dlclose(still);
    return still != NULL;
}

static long count_mappings(const char *of)
{
    char line[4096];
    long count = 0;
    FILE *file = fopen("/proc/self/maps", "r");

    CHECK(file != NULL);
    while (fgets(line, sizeof line, file) != NULL)
        count += of == NULL || strstr(line, of) != NULL;
    fclose(file);
    return count;
}

static void make_all_calls(const char *uri, const char *tls_uri, const char *ca_file)
{
    embed_on_threads(uri);
    stream(uri, NULL);
    stream(tls_uri, ca_file);
    cancel_call(uri, NULL);
    cancel_call(tls_uri, ca_file);
}

int main(int argc, char **argv)
{
    long settled_mappings = 0, settled_kib = 0;

    CHECK(argc == 5);
    const char *path = argv[1], *name = strrchr(argv[1], '/');
    long descriptors = count_open_descriptors();
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(!is_loaded(path));
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        CHECK(library != NULL);
        make_all_calls(argv[2], argv[3], argv[4]);
        CHECK(dlclose(library) == 0);
        CHECK(wait_for_thread_count(1)); /* a look-up thread keeps the library loaded until it ends */
        CHECK(!is_loaded(path) && count_mappings(name) == 0);
        CHECK(count_open_descriptors() == descriptors);
        if (i == ROUNDS_TO_SETTLE) {
            settled_mappings = count_mappings(NULL);
            settled_kib = resident_kib();
        }
    }
    /* The C library caches thread stacks in a varying number of mappings. */
    CHECK(count_mappings(NULL) < settled_mappings + ROUNDS - ROUNDS_TO_SETTLE - 1);
    printf("%ld %ld\n", settled_kib, resident_kib());

    for (int i = 0; i < 2; i++) {
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        CHECK(library != NULL);
        abandon_name_lookup();
        CHECK(dlclose(library) == 0);
        CHECK(wait_for_thread_count(1));
        CHECK(count_open_descriptors() == descriptors);
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        CHECK(library != NULL);
        make_all_calls(argv[2], argv[3], argv[4]);
        CHECK(dlclose(library) == 0);
    }
    return 0;
}

/* What the peers share that use libcurl. */
#ifndef WITH_CURL_H
#define WITH_CURL_H

#include <curl/curl.h>
#include <stdbool.h>

/* Bytes that grow as more come. Zeros are the empty ones. */
struct bytes {
    char *data;
    size_t length, room;
};

/* False if there is no memory for it. */
bool bytes_add(struct bytes *bytes, const char *data, size_t length);

/* A write function of libcurl that keeps all; its user data are the struct bytes. */
size_t bytes_receive(char *data, size_t size, size_t count, void *bytes);

/* One easy handle, set up once and used for every call. */
struct asking {
    CURL *curl;
    struct curl_slist *headers;
};

/* `ca_file` is NULL where the URL is an http:// one. `body` has to live as long as the handle. */
void asking_open(struct asking *asking, const char *url, const char *path, const char *body, const char *ca_file);

/* Asks once; the answer goes to the write function that was set. */
void asking_call(struct asking *asking);

void asking_close(struct asking *asking);

#endif

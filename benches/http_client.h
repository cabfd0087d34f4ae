/* A libcurl client for the peers that use libcurl. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <curl/curl.h>
#include <stdbool.h>

/* A growing buffer. All zeros is an empty buffer. */
struct bytes {
    char *data;
    size_t length, room;
};

/* Returns false if out of memory. */
bool bytes_add(struct bytes *bytes, const char *data, size_t length);

/* A CURLOPT_WRITEFUNCTION that appends to the struct bytes given as its user data. */
size_t bytes_receive(char *data, size_t size, size_t count, void *bytes);

/* One easy handle, set up once and used for every call. */
struct http_client {
    CURL *curl;
    struct curl_slist *headers;
};

/* `ca_file` is NULL for an http:// URL. `body` must outlive the client. */
void http_client_open(struct http_client *client, const char *url, const char *path, const char *body, const char *ca_file);

/* Sends the request once. The response goes to the CURLOPT_WRITEFUNCTION of the handle. */
void http_client_post(struct http_client *client);

void http_client_close(struct http_client *client);

#endif

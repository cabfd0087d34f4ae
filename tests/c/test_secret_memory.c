/*
 * Passes a secret to the library, makes calls, destroys the handle, and searches the memory of the process for the
 * secret.
 *
 * The program itself keeps the secret only scrambled: it derives it from a number when needed, and then wipes it. A
 * copy found afterwards was left by the library, in its own or in freed memory.
 *
 * usage: test_secret_memory SOURCE URI NUMBER PROXY
 *   SOURCE is one of those in prepare(). Files are written to $HOME. The server accepts all requests and credentials.
 *   out: the number of places with pieces of the secret before, while the handle exists, and after it is destroyed
 */
#define _GNU_SOURCE

#include <ctype.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

#define SECRET_LENGTH 64
#define PIECE 12
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

/* The pieces of the secret to search for, with all bits inverted. */
static unsigned char pieces[32][PIECE];
static size_t piece_count;
static unsigned char begins_piece[256]; /* by the byte in memory */

static char text[4096];
static size_t text_len;

static void wipe(void *memory, size_t len)
{
    volatile unsigned char *bytes = memory;
    while (len-- > 0)
        bytes[len] = 0;
}

/* Derives the secret from a number, as tests/test_secret_memory.py does. */
static void append_secret(uint32_t number)
{
    uint32_t state = number;

    for (int i = 0; i < SECRET_LENGTH; i++) {
        state = state * 1664525 + 1013904223;
        text[text_len++] = LETTERS[(state >> 24) % 62];
    }
    text[text_len] = '\0';
}

static void append(const char *string)
{
    while (*string != '\0')
        text[text_len++] = *string++;
    text[text_len] = '\0';
}

/* Adds the pieces of the text from this offset on to the search. */
static void remember_pieces(size_t from)
{
    for (; from + PIECE <= text_len; from += PIECE) {
        CHECK(piece_count < sizeof pieces / sizeof *pieces);
        for (size_t i = 0; i < PIECE; i++)
            pieces[piece_count][i] = (unsigned char)~text[from + i];
        begins_piece[(unsigned char)text[from]] = 1;
        piece_count++;
    }
}

/* The same for the base64 of Basic credentials, without the padding. */
static void remember_basic_pieces(const char *user, uint32_t number)
{
    char encoded[256];
    size_t len = 0;

    text_len = 0;
    append(user);
    append(":");
    append_secret(number);
    for (size_t i = 0; i + 3 <= text_len; i += 3) {
        unsigned bits = (unsigned char)text[i] << 16 | (unsigned char)text[i + 1] << 8 | (unsigned char)text[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            encoded[len++] = LETTERS[bits >> shift & 63];
    }
    memcpy(text, encoded, len);
    text_len = len;
    remember_pieces(12); /* after the part that depends on the name only */
    wipe(encoded, sizeof encoded);
    wipe(text, sizeof text);
}

static void begin_text(void)
{
    wipe(text, sizeof text);
    text_len = 0;
    text[0] = '\0';
}

/* Returns the number of places in a memory range that contain a piece. */
static int search(const unsigned char *from, const unsigned char *to, const char *mapping)
{
    int found = 0;

    for (const unsigned char *at = from; at + PIECE <= to; at++)
        for (size_t p = 0; begins_piece[*at] && p < piece_count; p++) {
            size_t i = 0;
            while (i < PIECE && (unsigned char)~at[i] == pieces[p][i])
                i++;
            if (i == PIECE) {
                fprintf(stderr, "piece %zu at %p in %s\n", p, (const void *)at, mapping);
                found++;
            }
        }
    return found;
}

/* Returns the end of the readable part of a mapping. Reading guard pages below a stack, which /proc/self/maps does not
 * distinguish from the stack, or pages after the end of a truncated file would raise a signal. */
static uintptr_t readable_until(int memory, uintptr_t from, uintptr_t to, uintptr_t page)
{
    char byte;

    while (from < to && pread(memory, &byte, 1, (off_t)from) == 1)
        from += page;
    return from;
}

/* Searches all readable memory of the process, in place: the search would find a copy, too. */
static int search_memory(void)
{
    static char maps[1 << 18];
    size_t len = 0;
    ssize_t got;
    int found = 0;

    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    int memory = open("/proc/self/mem", O_RDONLY);
    int file = open("/proc/self/maps", O_RDONLY);
    CHECK(file >= 0 && memory >= 0);
    while ((got = read(file, maps + len, sizeof maps - 1 - len)) > 0)
        len += (size_t)got;
    maps[len] = '\0';
    close(file);
    for (char *line = strtok(maps, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        unsigned long from, to;
        char rights[8];
        CHECK(sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3);
        if (rights[0] != 'r' || strstr(line, "[v") != NULL)
            continue;
        for (uintptr_t at = from; at < to; at += page) {
            uintptr_t end = readable_until(memory, at, to, page);
            found += search((const unsigned char *)at, (const unsigned char *)end, line);
            at = end;
        }
    }
    close(memory);
    return found;
}

static void write_file(const char *folder, const char *name)
{
    char path[512];

    snprintf(path, sizeof path, "%s%s", getenv("HOME"), folder);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s%s%s", getenv("HOME"), folder, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(file >= 0 && write(file, text, text_len) == (ssize_t)text_len);
    close(file);
    begin_text();
}

static mlflow_gateway *create(const char *uri)
{
    mlflow_gateway *gateway = NULL;
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create("r", uri, &gateway, &error));
    return gateway;
}

static void set_variable(const char *name)
{
    CHECK(setenv(name, text, 1) == 0);
    begin_text();
}

/* A secret in the environment is kept by the program, not the library. */
static void wipe_variable(const char *name)
{
    char *value = getenv(name);
    if (value != NULL)
        wipe(value, strlen(value));
    unsetenv(name);
}

static void set_option(mlflow_gateway *gateway, const char *name)
{
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, name, text, &error));
    begin_text();
}

/* Creates a handle that gets the secret from this source. */
static mlflow_gateway *prepare(const char *source, const char *uri, uint32_t number, const char *proxy)
{
    mlflow_gateway *gateway;

    begin_text();
    if (strcmp(source, "profile") == 0) {
        append("[p]\nhost = ");
        append(uri);
        append("\ntoken = ");
        append_secret(number);
        write_file("", "/.databrickscfg");
        return create("databricks://p");
    }
    if (strcmp(source, "file") == 0) {
        append("[mlflow]\nmlflow_tracking_username = me\nmlflow_tracking_password = ");
        append_secret(number);
        write_file("/.mlflow", "/credentials");
        return create(uri);
    }
    if (strcmp(source, "variable") == 0) {
        append_secret(number);
        set_variable("MLFLOW_TRACKING_TOKEN");
        gateway = create(uri);
        wipe_variable("MLFLOW_TRACKING_TOKEN");
        return gateway;
    }
    if (strcmp(source, "proxy variable") == 0) {
        append("http://user:");
        append_secret(number);
        append("@");
        append(proxy);
        set_variable("http_proxy");
        gateway = create(uri);
        wipe_variable("http_proxy");
        return gateway;
    }
    gateway = create(uri);
    if (strcmp(source, "proxy") == 0) {
        append("http://user:");
        append_secret(number);
        append("@");
        append(proxy);
        set_option(gateway, "proxy");
    } else if (strcmp(source, "header") == 0) {
        append("Bearer ");
        append_secret(number);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_header(gateway, "Authorization", text, &error));
        begin_text();
    } else if (strcmp(source, "token") == 0 || strcmp(source, "replaced token") == 0) {
        append_secret(number);
        set_option(gateway, "bearer_token");
    } else if (strcmp(source, "password") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "username", "me", &error));
        append_secret(number);
        set_option(gateway, "password");
    } else if (strcmp(source, "client") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "client_id", "me", &error));
        append_secret(number);
        set_option(gateway, "client_secret");
    } else {
        CHECK(strcmp(source, "header of the request") == 0);
    }
    return gateway;
}

/* Sends requests, streams, lists routes and gets an error. */
static void make_calls(mlflow_gateway *gateway, const char *source, uint32_t number)
{
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_response *response = NULL;
    mlflow_gateway_stream *stream = NULL;
    mlflow_gateway_routes *routes = NULL;
    mlflow_gateway_error *error = NULL;
    const mlflow_gateway_event *event;
    char *json = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_message(request, "user", "hi", 2, &error));
    if (strcmp(source, "header of the request") == 0) {
        append("Bearer ");
        append_secret(number);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_header(request, "Authorization", text, &error));
        begin_text();
    }
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_send(gateway, request, &response, &error));
        mlflow_gateway_response_destroy(response);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_stream_open(gateway, request, &stream, &error));
        while (mlflow_gateway_stream_next(stream, &event, NULL) == MLFLOW_GATEWAY_OK)
            ;
        mlflow_gateway_stream_destroy(stream);
    }
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_list_routes(gateway, &routes, &error));
    mlflow_gateway_routes_destroy(routes);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_identifying_params(gateway, &json, NULL, &error));
    mlflow_gateway_string_free(json);
    /* An error object may contain copies as well. */
    CHECK(mlflow_gateway_get_route(gateway, "none", &routes, &error) != MLFLOW_GATEWAY_OK);
    mlflow_gateway_error_destroy(error);
    if (strcmp(source, "replaced token") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "bearer_token", "another", &error));
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_send(gateway, request, &response, &error));
        mlflow_gateway_response_destroy(response);
    }
    mlflow_gateway_request_destroy(request);
}

int main(int argc, char **argv)
{
    CHECK(argc == 5);
    uint32_t number = (uint32_t)strtoul(argv[3], NULL, 10);

    begin_text();
    append_secret(number);
    remember_pieces(0);
    remember_basic_pieces("me", number);
    remember_basic_pieces("user", number);
    if (strcmp(argv[1], "client") == 0) {
        begin_text();
        append_secret(number + 1); /* the token that the server issues for it */
        remember_pieces(0);
    }
    begin_text();
    int before = search_memory();
    mlflow_gateway *gateway = prepare(argv[1], argv[2], number, argv[4]);
    make_calls(gateway, argv[1], number);
    fprintf(stderr, "-- with the handle\n");
    int alive = search_memory();
    mlflow_gateway_destroy(gateway);
    fprintf(stderr, "-- after its destruction\n");
    int after = search_memory();
    printf("%d %d %d\n", before, alive, after);
    return 0;
}

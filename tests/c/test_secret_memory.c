/*
 * Gives the library a secret, asks with it, takes all down, and looks for the secret in all of this process's memory.
 *
 * The program does not know the secret itself but scrambled: it makes it from a number when it is needed, and wipes it
 * then. What is found afterwards is the library's, or stood in what the library gave back to the system's allocator.
 *
 * usage: test_secret_memory WAY URI NUMBER PROXY
 * WAY is one of those below; a folder for files is $HOME. The server is one that takes anything.
 *   out: the places where pieces of the secret were found while the handle lived, and after it was destroyed
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

/* What is looked for: pieces of a text, each byte with all bits turned round. */
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

/* The letters that a server can make, too, from the same number. */
static void append_secret(uint32_t number)
{
    uint32_t state = number;

    for (int i = 0; i < SECRET_LENGTH; i++) {
        state = state * 1664525 + 1013904223;
        text[text_len++] = LETTERS[(state >> 24) % 62];
    }
    text[text_len] = '\0';
}

static void append(const char *words)
{
    while (*words != '\0')
        text[text_len++] = *words++;
    text[text_len] = '\0';
}

/* Remembers pieces of what was appended from here on. */
static void look_for(size_t from)
{
    for (; from + PIECE <= text_len; from += PIECE) {
        CHECK(piece_count < sizeof pieces / sizeof *pieces);
        for (size_t i = 0; i < PIECE; i++)
            pieces[piece_count][i] = (unsigned char)~text[from + i];
        begins_piece[(unsigned char)text[from]] = 1;
        piece_count++;
    }
}

/* "user:" and the secret as Basic credentials have it, without the end that is filled up. */
static void look_for_basic(const char *user, uint32_t number)
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
    look_for(12); /* behind what the name alone makes */
    wipe(encoded, sizeof encoded);
    wipe(text, sizeof text);
}

static void begin_text(void)
{
    wipe(text, sizeof text);
    text_len = 0;
    text[0] = '\0';
}

/* The places of one stretch of memory that hold a piece. */
static int search(const unsigned char *from, const unsigned char *to, const char *what)
{
    int found = 0;

    for (const unsigned char *at = from; at + PIECE <= to; at++)
        for (size_t p = 0; begins_piece[*at] && p < piece_count; p++) {
            size_t i = 0;
            while (i < PIECE && (unsigned char)~at[i] == pieces[p][i])
                i++;
            if (i == PIECE) {
                fprintf(stderr, "piece %zu at %p in %s\n", p, (const void *)at, what);
                found++;
            }
        }
    return found;
}

/* Where a stretch that can be read ends. Newer C libraries have guard pages below stacks that /proc/self/maps does not
 * tell from the stack; a file that was cut off has pages behind its end. To read one of either is a signal. */
static uintptr_t readable_until(int memory, uintptr_t from, uintptr_t to, uintptr_t page)
{
    char byte;

    while (from < to && pread(memory, &byte, 1, (off_t)from) == 1)
        from += page;
    return from;
}

/* All that can be read of the process. It is read where it is: a copy would be found, too. */
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

/* The environment is the program's own, and so is a secret in it. */
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

/* A handle that has the secret by this way. */
static mlflow_gateway *prepare(const char *way, const char *uri, uint32_t number, const char *proxy)
{
    mlflow_gateway *gateway;

    begin_text();
    if (strcmp(way, "profile") == 0) {
        append("[p]\nhost = ");
        append(uri);
        append("\ntoken = ");
        append_secret(number);
        write_file("", "/.databrickscfg");
        return create("databricks://p");
    }
    if (strcmp(way, "file") == 0) {
        append("[mlflow]\nmlflow_tracking_username = me\nmlflow_tracking_password = ");
        append_secret(number);
        write_file("/.mlflow", "/credentials");
        return create(uri);
    }
    if (strcmp(way, "variable") == 0) {
        append_secret(number);
        set_variable("MLFLOW_TRACKING_TOKEN");
        gateway = create(uri);
        wipe_variable("MLFLOW_TRACKING_TOKEN");
        return gateway;
    }
    if (strcmp(way, "proxy variable") == 0) {
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
    if (strcmp(way, "proxy") == 0) {
        append("http://user:");
        append_secret(number);
        append("@");
        append(proxy);
        set_option(gateway, "proxy");
    } else if (strcmp(way, "header") == 0) {
        append("Bearer ");
        append_secret(number);
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_header(gateway, "Authorization", text, &error));
        begin_text();
    } else if (strcmp(way, "token") == 0 || strcmp(way, "replaced token") == 0) {
        append_secret(number);
        set_option(gateway, "bearer_token");
    } else if (strcmp(way, "password") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "username", "me", &error));
        append_secret(number);
        set_option(gateway, "password");
    } else if (strcmp(way, "client") == 0) {
        CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_option(gateway, "client_id", "me", &error));
        append_secret(number);
        set_option(gateway, "client_secret");
    } else {
        CHECK(strcmp(way, "header of the request") == 0);
    }
    return gateway;
}

/* Asks in every way; what comes of it does not matter here. */
static void ask(mlflow_gateway *gateway, const char *way, uint32_t number)
{
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_response *response = NULL;
    mlflow_gateway_stream *stream = NULL;
    mlflow_gateway_routes *routes = NULL;
    mlflow_gateway_error *error = NULL;
    const mlflow_gateway_event *event;
    char *answer = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_add_message(request, "user", "hi", 2, &error));
    if (strcmp(way, "header of the request") == 0) {
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
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_identifying_params(gateway, &answer, NULL, &error));
    mlflow_gateway_string_free(answer);
    /* A refusal, for what an error keeps. */
    CHECK(mlflow_gateway_get_route(gateway, "none", &routes, &error) != MLFLOW_GATEWAY_OK);
    mlflow_gateway_error_destroy(error);
    if (strcmp(way, "replaced token") == 0) {
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
    look_for(0);
    look_for_basic("me", number);
    look_for_basic("user", number);
    if (strcmp(argv[1], "client") == 0) {
        begin_text();
        append_secret(number + 1); /* the token that the server gives for it */
        look_for(0);
    }
    begin_text();
    int before = search_memory();
    mlflow_gateway *gateway = prepare(argv[1], argv[2], number, argv[4]);
    ask(gateway, argv[1], number);
    fprintf(stderr, "-- the handle lives\n");
    int alive = search_memory();
    mlflow_gateway_destroy(gateway);
    fprintf(stderr, "-- it is destroyed\n");
    int after = search_memory();
    printf("%d %d %d\n", before, alive, after);
    return 0;
}

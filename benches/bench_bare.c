/* The lower limit: writes a request to a socket and reads the response by its Content-Length. Parses nothing else. */
#include "bench.h"
#include "process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
    int socket;
    char request[512];
    size_t length;
};

void *peer_open(const char *url, const char *ca_file)
{
    struct peer *peer = malloc(sizeof *peer);
    struct sockaddr_in address = { .sin_family = AF_INET };
    unsigned port;
    int on = 1;

    if (peer == NULL || ca_file != NULL || sscanf(url, "http://127.0.0.1:%u", &port) != 1)
        fail(url, "not of the form http://127.0.0.1:PORT");
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (peer->socket < 0 || connect(peer->socket, (struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(peer->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        fail(url, "cannot connect");
    peer->length = (size_t)snprintf(peer->request, sizeof peer->request,
                                    "POST " INVOCATIONS " HTTP/1.1\r\n"
                                    "Host: 127.0.0.1:%u\r\n"
                                    "Accept: application/json\r\n"
                                    "Content-Type: application/json\r\n"
                                    "Content-Length: %zu\r\n\r\n" BODY,
                                    port, strlen(BODY));
    return peer;
}

void peer_call(void *opened)
{
    static const char status[] = "HTTP/1.1 200 ", field[] = "\r\nContent-Length: ";
    struct peer *peer = opened;
    char response[4096];
    size_t have = 0, whole = 0;

    if (send(peer->socket, peer->request, peer->length, MSG_NOSIGNAL) != (ssize_t)peer->length)
        fail("send", "the request was not sent whole");
    while (whole == 0 || have < whole) {
        ssize_t got = recv(peer->socket, response + have, sizeof response - 1 - have, 0);
        if (got <= 0)
            fail("recv", "the connection closed before the end of the response");
        have += (size_t)got;
        response[have] = '\0';
        char *end = strstr(response, "\r\n\r\n");
        if (whole == 0 && end != NULL) {
            char *length = strstr(response, field);
            if (strncmp(response, status, strlen(status)) != 0 || length == NULL)
                fail("response", response);
            whole = (size_t)(end + 4 - response) + strtoul(length + strlen(field), NULL, 10);
        }
    }
}

void peer_close(void *opened)
{
    struct peer *peer = opened;

    close(peer->socket);
    free(peer);
}

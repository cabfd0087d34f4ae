/*
 * A name service that never returns for names that end in ".slow". Replaces getaddrinfo() with LD_PRELOAD.
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

typedef int look_up(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    look_up *next;
    size_t len = node == NULL ? 0 : strlen(node);

    if (len > 5 && strcmp(node + len - 5, ".slow") == 0) {
        sleep(3);
        return EAI_AGAIN;
    }
    *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
    return next(node, service, hints, found);
}

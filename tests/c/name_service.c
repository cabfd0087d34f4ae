/*
 * A name service for tests. Replaces getaddrinfo() of the C library with LD_PRELOAD.
 *
 * The environment variable NAME_SERVICE is the path of a file with one line per name. It is read at each look-up:
 *
 *     NAME ADDRESS [ADDRESS...]    the addresses, in this order
 *     NAME again                   EAI_AGAIN: the service is down
 *     NAME none                    EAI_NONAME: the name does not exist
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int look_up(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int resolve(look_up *next, char *addresses, const char *service, const struct addrinfo *hints,
                   struct addrinfo **found)
{
    struct addrinfo **end = found;
    int code = EAI_NONAME;

    for (char *word = strtok(addresses, " \n"); word != NULL; word = strtok(NULL, " \n")) {
        if (strcmp(word, "again") == 0)
            return EAI_AGAIN;
        if (strcmp(word, "none") == 0)
            return EAI_NONAME;
        code = next(word, service, hints, end);
        if (code != 0)
            return code;
        while (*end != NULL)
            end = &(*end)->ai_next;
    }
    return code;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    look_up *next;
    const char *path = getenv("NAME_SERVICE");
    FILE *file = path == NULL ? NULL : fopen(path, "r");
    char line[1024];

    *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        size_t len = strcspn(line, " ");

        if (node != NULL && strlen(node) == len && strncmp(line, node, len) == 0) {
            fclose(file);
            return resolve(next, line + len, service, hints, found);
        }
    }
    if (file != NULL)
        fclose(file);
    return next(node, service, hints, found);
}

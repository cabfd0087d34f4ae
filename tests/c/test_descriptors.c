/*
 * Programs started by other threads inherit no descriptor of the library: each is created with close-on-exec. They are
 * checked while a call, streams and calls with tokens wait.
 *
 * usage: test_descriptors URI [CA_FILE]
 *   A gateway of tests/support/commanded_gateway.py. The host of the URI is a name.
 */
#define _GNU_SOURCE

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "call_helpers.h"

static mlflow_gateway *gateway;
static mlflow_gateway_cancel_token *token;
static int sockets;

/* Replaces the function of the C library, except for calls within the C library. */
int socket(int domain, int type, int protocol)
{
    CHECK((type & SOCK_CLOEXEC) != 0);
    __atomic_add_fetch(&sockets, 1, __ATOMIC_RELAXED);
    return (int)syscall(SYS_socket, domain, type, protocol);
}

static void *wait_until_cancelled(void *unused)
{
    CHECK(send_with_token(gateway, "stall", token) == MLFLOW_GATEWAY_CANCELLED);
    return unused;
}

/* Returns the number of new descriptors. */
static int check_close_on_exec(const bool *before, int limit)
{
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;
    int count = 0;

    CHECK(folder != NULL);
    while ((entry = readdir(folder)) != NULL) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || fd == dirfd(folder) || (fd < limit && before[fd]))
            continue;
        count++;
        CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    }
    closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    enum { MOST = 64 };
    bool before[MOST];
    pthread_t thread;
    mlflow_gateway_stream *stream = NULL;

    CHECK(argc == 2 || argc == 3);
    for (int fd = 0; fd < MOST; fd++)
        before[fd] = fcntl(fd, F_GETFD) >= 0;
    gateway = make_handle(argv[1], argv[2]);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_cancel_token_create(&token, &error));
    check_echo(gateway, "echo");
    CHECK(check_close_on_exec(before, MOST) >= 1);
    mlflow_gateway_request *request = make_request("pieces", token);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_stream_open(gateway, request, &stream, &error));
    int of_stream = check_close_on_exec(before, MOST);
    CHECK(pthread_create(&thread, NULL, wait_until_cancelled, NULL) == 0);
    for (int ms = 0; check_close_on_exec(before, MOST) <= of_stream; ms++) {
        CHECK(ms < 20000);
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    }
    mlflow_gateway_cancel(token);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(sockets >= 2);
    mlflow_gateway_stream_destroy(stream);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_cancel_token_destroy(token);
    mlflow_gateway_destroy(gateway);
    CHECK(check_close_on_exec(before, MOST) == 0);
    return 0;
}

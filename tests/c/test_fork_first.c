/*
 * A fork during the first call of another thread: while it reads certificates, detects the dialect or connects. The
 * child must not wait for that thread, which does not exist in the child.
 *
 * usage: test_fork_first URI FORKS
 *   The gateway echoes the prompt.
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>

#include "call_helpers.h"
#include "child.h"

static void *make_first_call(void *gateway)
{
    check_echo(gateway, "echo the thread");
    return NULL;
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    int forks = atoi(argv[2]);
    for (int i = 0; i < forks; i++) {
        mlflow_gateway *gateway = make_handle(argv[1], NULL);
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, make_first_call, gateway) == 0);
        /* From immediately to after the end of the call. */
        nanosleep(&(struct timespec){ 0, 40 * 1000 * 1000 / forks * i }, NULL);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            check_echo(gateway, "echo the child");
            check_echo(gateway, "echo the child again");
            mlflow_gateway_destroy(gateway);
            _exit(0);
        }
        wait_for(child);
        CHECK(pthread_join(thread, NULL) == 0);
        check_echo(gateway, "echo the parent");
        mlflow_gateway_destroy(gateway);
    }
    return 0;
}

/*
 * A process forks while a thread makes the first call on a handle, at any moment of it: while it reads certificates,
 * asks the server what it speaks, opens the connection. The child does not wait for that thread, which it has not got.
 *
 * usage: test_fork_first URI FORKS, of a gateway that answers a question with the question
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>

#include "ask.h"
#include "child.h"

static void *ask_first(void *gateway)
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
        CHECK(pthread_create(&thread, NULL, ask_first, gateway) == 0);
        /* From at once to when it is over. */
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

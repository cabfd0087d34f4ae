/* Waiting for a forked child process, with a time limit. */
#ifndef CHILD_H
#define CHILD_H

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

/* Waits until the child exits with status 0. Kills a child that hangs, and fails. */
static inline void wait_for(pid_t child)
{
    const struct timespec pause = { 0, 1000 * 1000 };
    int status = 0;

    for (int i = 0; i < 30 * 1000; i++) {
        pid_t ended = waitpid(child, &status, WNOHANG);
        CHECK(ended >= 0);
        if (ended == child) {
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            return;
        }
        nanosleep(&pause, NULL);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    CHECK(!"the child exits in time");
}

#endif

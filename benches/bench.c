/*
 * The main program of each C peer: sends requests on one or more threads and prints the time taken.
 *
 * usage: PROGRAM URL CALLS [THREADS [CA_FILE]]
 * CALLS is the total of all threads. Each thread first makes 100 calls that are not measured. The main thread is one
 * of the threads, so a run with one thread starts none.
 */
#include "bench.h"
#include "process.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define WARM_UP 100

struct worker {
    pthread_t thread;
    void *peer;
};

static long calls_each;
static pthread_barrier_t warm, started, ended;

static void make_calls(void *peer, long calls)
{
    for (long i = 0; i < calls; i++)
        peer_call(peer);
}

static void *work(void *peer)
{
    make_calls(peer, WARM_UP);
    pthread_barrier_wait(&warm);
    pthread_barrier_wait(&started);
    make_calls(peer, calls_each);
    pthread_barrier_wait(&ended);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        fail("usage", "URL CALLS [THREADS [CA_FILE]]");
    unsigned count = argc > 3 ? (unsigned)atoi(argv[3]) : 1;
    struct worker *workers = calloc(count, sizeof *workers);
    if (count == 0 || workers == NULL)
        fail("THREADS", "not a number of threads");

    calls_each = atol(argv[2]) / (long)count;
    pthread_barrier_init(&warm, NULL, count);
    pthread_barrier_init(&started, NULL, count);
    pthread_barrier_init(&ended, NULL, count);
    for (unsigned i = 0; i < count; i++)
        workers[i].peer = peer_open(argv[1], argc > 4 ? argv[4] : NULL);
    for (unsigned i = 1; i < count; i++)
        if (pthread_create(&workers[i].thread, NULL, work, workers[i].peer) != 0)
            fail("pthread_create", "cannot start a thread");

    make_calls(workers[0].peer, WARM_UP);
    pthread_barrier_wait(&warm);
    double start = now(); /* the others wait for this thread at the next barrier */
    pthread_barrier_wait(&started);
    make_calls(workers[0].peer, calls_each);
    pthread_barrier_wait(&ended);
    double seconds = now() - start;

    for (unsigned i = 1; i < count; i++)
        pthread_join(workers[i].thread, NULL);
    for (unsigned i = 0; i < count; i++)
        peer_close(workers[i].peer);
    free(workers);
    printf("{\"seconds\": %.9f, \"calls\": %ld}\n", seconds, calls_each * (long)count);
    return 0;
}

/*
 * Measures leaks of many calls on one handle: resident memory and open files after some of the calls and after all.
 *
 * usage: bench_soak URL EARLY_CALLS ALL_CALLS
 */
#include "bench.h"
#include "process.h"

#include <stdio.h>
#include <stdlib.h>

struct state {
    long memory, files;
};

static struct state state(void)
{
    return (struct state){ resident_kib(), open_files() };
}

int main(int argc, char **argv)
{
    if (argc != 4)
        fail("usage", "bench_soak URL EARLY_CALLS ALL_CALLS");
    long early = atol(argv[2]), all = atol(argv[3]), i = 0;
    void *peer = peer_open(argv[1], NULL);

    state(); /* loads what the measurement itself needs */
    for (; i < early; i++)
        peer_call(peer);
    struct state before = state();
    for (; i < all; i++)
        peer_call(peer);
    struct state after = state();
    printf("{\"resident_kib\": [%ld, %ld], \"open_files\": [%ld, %ld]}\n",
           before.memory, after.memory, before.files, after.files);
    peer_close(peer);
    return 0;
}

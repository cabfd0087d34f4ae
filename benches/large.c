/*
 * The main program of each C peer for large responses: sends requests, prints the time taken and a summary of the last
 * response.
 *
 * usage: PROGRAM URL CALLS
 * One more call is made first and not measured.
 */
#include "large.h"
#include "process.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc != 3)
        fail("usage", "URL CALLS");
    void *peer = peer_open(argv[1]);
    long calls = atol(argv[2]);

    peer_call(peer);
    double start = now();
    for (long i = 0; i < calls; i++)
        peer_call(peer);
    double seconds = now() - start;

    printf("{\"seconds\": %.9f, \"calls\": %ld, \"peak_kib\": %ld", seconds, calls, peak_kib());
    peer_print_summary(peer);
    puts("}");
    peer_close(peer);
    return 0;
}

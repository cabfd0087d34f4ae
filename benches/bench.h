/* What the peers in C share. A peer implements the three functions peer_...; bench.c calls them and takes the time. */
#ifndef BENCH_H
#define BENCH_H

#define ROUTE "completions"
#define INVOCATIONS "/endpoints/" ROUTE "/invocations"
#define PROMPT "The capital of Finland is"
#define MAX_TOKENS 8
#define BODY "{\"prompt\":\"" PROMPT "\",\"max_tokens\":8,\"temperature\":0.0}"
#define TEXT " Helsinki, a city of about 690,000 people now."

/* Makes what one thread asks with. `ca_file` is NULL where the URL is an http:// one. Called by the first thread. */
void *peer_open(const char *url, const char *ca_file);

/* Asks once, and checks the answer. */
void peer_call(void *peer);

void peer_close(void *peer);

#endif

/* The interface of the C peers. Each peer implements the peer_ functions; bench.c calls them and measures the time. */
#ifndef BENCH_H
#define BENCH_H

#define ROUTE "completions"
#define INVOCATIONS "/endpoints/" ROUTE "/invocations"
#define PROMPT "The capital of Finland is"
#define MAX_TOKENS 8
#define BODY "{\"prompt\":\"" PROMPT "\",\"max_tokens\":8,\"temperature\":0.0}"
#define TEXT " Helsinki, a city of about 690,000 people now."

/* Creates the client of one thread. `ca_file` is NULL for an http:// URL. Called on the main thread. */
void *peer_open(const char *url, const char *ca_file);

/* Sends one request and checks the response. */
void peer_call(void *peer);

void peer_close(void *peer);

#endif

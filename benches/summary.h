/* Prints a summary of a response as members of a JSON object. large.py compares it with what the server sent. */
#ifndef SUMMARY_H
#define SUMMARY_H

#include <stddef.h>

void print_text_summary(const char *text, size_t length, long deltas, const char *finish_reason, long output_tokens);
void print_embeddings_summary(const float *values, size_t count, size_t dimension);

#endif

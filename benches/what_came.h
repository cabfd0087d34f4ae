/* Prints what came as members of a JSON object, which are compared with what the server sent. */
#ifndef WHAT_CAME_H
#define WHAT_CAME_H

#include <stddef.h>

void print_text(const char *text, size_t length, long deltas, const char *finish_reason, long output_tokens);
void print_vectors(const float *values, size_t count, size_t dimension);

#endif

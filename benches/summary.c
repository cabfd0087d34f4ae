#include "summary.h"

#include <stdio.h>

void print_text_summary(const char *text, size_t length, long deltas, const char *finish_reason, long output_tokens)
{
    unsigned long a = 1, b = 0; /* Adler-32 */

    for (size_t i = 0; i < length; i++) {
        a = (a + (unsigned char)text[i]) % 65521;
        b = (b + a) % 65521;
    }
    printf(", \"length\": %zu, \"checksum\": %lu, \"deltas\": %ld, \"finish_reason\": \"%s\", \"output_tokens\": %ld",
           length, b << 16 | a, deltas, finish_reason, output_tokens);
}

void print_embeddings_summary(const float *values, size_t count, size_t dimension)
{
    double sum = 0;

    for (size_t i = 0; i < count * dimension; i++)
        sum += (double)(i % 7 + 1) * (double)values[i]; /* weighted, to detect swapped values */
    printf(", \"count\": %zu, \"dimension\": %zu, \"sum\": %.9f", count, dimension, sum);
}

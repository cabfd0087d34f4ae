/*
 * Growing text, and the few JSON helpers of batch. If memory runs out, the program ends: everything that has arrived
 * is in the output already.
 */
#ifndef BATCH_TEXT_H
#define BATCH_TEXT_H

#include <stddef.h>

/* Text that grows. Initialize it with zeros, and free `data`. */
struct text {
    char *data;
    size_t len, room;
};

void *allocate(size_t size);
void *reallocate(void *memory, size_t size);

void text_append(struct text *text, const char *data, size_t len);
void text_append_string(struct text *text, const char *string);
void text_append_number(struct text *text, long long number);

/* Appends a JSON string, or null if it is not UTF-8 or NULL. */
void text_append_quoted(struct text *text, const char *data, size_t len);

/* Appends JSON on a single line. Anything else becomes a JSON string, or null. */
void text_append_json(struct text *text, const char *data, size_t len);

/* Reads a string or another value of a JSON document. Returns NULL if there is none of that kind. The caller frees it
 * with mlflow_gateway_string_free(). */
char *json_string(const char *json, size_t len, const char *pointer);
char *json_value(const char *json, size_t len, const char *pointer, int *kind, size_t *value_len);

#endif

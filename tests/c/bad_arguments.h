/* Invalid arguments, shared by the tests of argument checks. */
#ifndef BAD_ARGUMENTS_H
#define BAD_ARGUMENTS_H

#include "check.h"

#define OK MLFLOW_GATEWAY_OK
#define ARGUMENT MLFLOW_GATEWAY_INVALID_ARGUMENT
#define PARAM MLFLOW_GATEWAY_INVALID_PARAM

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Strings that are not UTF-8, each for a different reason. */
static const char *const NOT_UTF8[] = {
    "\xff",             /* not a UTF-8 byte */
    "a\x80",            /* a continuation byte without a lead byte */
    "\xc3",             /* a lead byte without a continuation byte */
    "\xc0\x80",         /* an over-long NUL */
    "\xed\xa0\x80",     /* a surrogate */
    "\xf4\x90\x80\x80", /* above U+10FFFF */
};
#define NOT_UTF8_COUNT COUNT(NOT_UTF8)

/* An invalid address: reading or writing it crashes. */
#define BAD_PTR ((void *)1)

/* Returns a string of `len` letters. Free it with free(). */
static inline char *make_long_string(size_t len)
{
    char *text = malloc(len + 1);
    CHECK(text != NULL);
    memset(text, 'a', len);
    text[len] = '\0';
    return text;
}

#endif

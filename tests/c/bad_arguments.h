/* What a caller can get wrong, for the programs that try it with every function. */
#ifndef BAD_ARGUMENTS_H
#define BAD_ARGUMENTS_H

#include "check.h"

#define OK MLFLOW_GATEWAY_OK
#define ARGUMENT MLFLOW_GATEWAY_INVALID_ARGUMENT
#define PARAM MLFLOW_GATEWAY_INVALID_PARAM

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Bytes that are not UTF-8, each for another reason. */
static const char *const NOT_UTF8[] = {
    "\xff",             /* never a byte of UTF-8 */
    "a\x80",            /* a continuation without a beginning */
    "\xc3",             /* a beginning without a continuation */
    "\xc0\x80",         /* an over-long NUL */
    "\xed\xa0\x80",     /* a surrogate */
    "\xf4\x90\x80\x80", /* behind the last character */
};
#define NOT_UTF8_COUNT COUNT(NOT_UTF8)

/* Where nothing is: whoever reads or writes there crashes. */
#define NOWHERE ((void *)1)

/* A text of this many letters; the caller frees it. */
static inline char *long_text(size_t len)
{
    char *text = malloc(len + 1);
    CHECK(text != NULL);
    memset(text, 'a', len);
    text[len] = '\0';
    return text;
}

#endif

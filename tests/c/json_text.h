/* Prints JSON strings. */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <stdio.h>
#include <string.h>

/* Prints a string that is valid UTF-8, or null. */
static inline void print_string_len(const char *text, size_t len)
{
    if (text == NULL) {
        printf("null");
        return;
    }
    putchar('"');
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte < 0x20 || byte == '"' || byte == '\\')
            printf("\\u%04x", byte);
        else
            putchar(byte);
    }
    putchar('"');
}

/* Writes the string without quotes to a buffer with room for six times its length. Returns the end. */
static inline char *write_string(char *to, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte < 0x20 || byte == '"' || byte == '\\')
            to += sprintf(to, "\\u%04x", byte);
        else
            *to++ = (char)byte;
    }
    return to;
}

static inline void print_string(const char *text)
{
    print_string_len(text, text == NULL ? 0 : strlen(text));
}

#endif

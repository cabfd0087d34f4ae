/* Texts as JSON. */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <stdio.h>
#include <string.h>

/* Prints a text; its bytes stay as they are, for they are UTF-8. */
static inline void print_text(const char *text, size_t len)
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

/* Writes it without quotes into memory that has room for six bytes for each of its; returns the end. */
static inline char *write_text(char *to, const char *text, size_t len)
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
    print_text(text, text == NULL ? 0 : strlen(text));
}

#endif

/* Numbers in messages. */
#include "messages.h"

#include <string.h>

void message_append_number(struct text *message, int64_t number)
{
    text_append(message, (const char *)&number, sizeof number);
}

int64_t message_read_number(const char **message)
{
    int64_t number;

    memcpy(&number, *message, sizeof number);
    *message += sizeof number;
    return number;
}

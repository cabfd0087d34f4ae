/* Reads, checks and counts the lines of the input. */
#include "input.h"

#include <stdlib.h>
#include <string.h>

#include "progress.h"

static int is_blank(const char *line, size_t len)
{
    while (len != 0 && strchr(" \t\r", line[len - 1]) != NULL)
        len--;
    return len == 0;
}

void input_reject(struct input *input, size_t line_number, const char *problem)
{
    report("line %zu: %s", line_number, problem);
    input->invalid_lines++;
}

/* Returns whether an item must be sent, else counts it. */
static int is_new(struct input *input, const struct item *item)
{
    struct id_entry *known = id_set_add(&input->ids, item->id, item->line);

    if (known == NULL)
        return 1;
    if (known->line == ID_OF_EARLIER_RUN) {
        known->line = item->line;
        input->earlier++;
        return 0;
    }
    text_append_string(&input->problem, "the id ");
    text_append_string(&input->problem, item->id);
    text_append_string(&input->problem, " is that of line ");
    text_append_number(&input->problem, (long long)known->line);
    text_append_string(&input->problem, ", too");
    input_reject(input, item->line, input->problem.data);
    return 0;
}

enum line_result input_next(struct input *input, const struct destination *destination, char **line, size_t *len,
                            struct item **item, mlflow_gateway_request **request)
{
    enum line_result result = lines_next(&input->reader, line, len);

    *item = NULL;
    *request = NULL;
    if (result == LINE_NOT_YET || result == LINE_END)
        return result;
    input->line_number++;
    if ((input->line_number - 1) % input->shards != input->shard || is_blank(*line, *len))
        return LINE_OK;
    input->problem.len = 0;
    *item = item_read(*line, *len, input->line_number, destination, request, &input->problem);
    if (*item == NULL) {
        input_reject(input, input->line_number, input->problem.data);
    } else if (!is_new(input, *item)) {
        item_destroy(*item);
        mlflow_gateway_request_destroy(*request);
        *item = NULL;
        *request = NULL;
    }
    return LINE_OK;
}

void input_destroy(struct input *input)
{
    id_set_destroy(&input->ids);
    free(input->reader.data);
    free(input->problem.data);
}

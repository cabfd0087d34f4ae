/*
 * What Go calls instead of the library itself: functions that read a whole object in one call from Go, and the log,
 * because no callback may run in Go.
 */
#ifndef MLFLOW_GO_GLUE_H
#define MLFLOW_GO_GLUE_H

#include "mlflow_ai_gateway.h"

/* The numbers of MLFLOW_GATEWAY_TOKENS_ and MLFLOW_GATEWAY_TIME_ are 1 to 6. */
enum { MLFLOW_GO_COUNTS = 6 };

typedef struct {
    int32_t status, http_status;
    const char *message, *gateway_code, *body;
    size_t body_len, attempts, retries;
    int64_t retry_after_ms;
    int is_retryable;
} mlflow_go_error;

typedef struct {
    const char *id, *model, *body;
    size_t candidates, body_len, attempts, retries;
    int64_t tokens[MLFLOW_GO_COUNTS], times_us[MLFLOW_GO_COUNTS];
    int32_t http_status;
} mlflow_go_response;

typedef struct {
    const char *text, *reasoning, *refusal, *role, *finish_reason, *message;
    size_t text_len, reasoning_len, refusal_len, message_len, tool_calls;
} mlflow_go_candidate;

typedef struct {
    const char *id, *name, *arguments;
    size_t arguments_len;
} mlflow_go_tool_call;

typedef struct {
    int32_t kind;
    size_t candidate, tool_call_index, text_len, raw_data_len;
    const char *text, *tool_call_id, *tool_call_name, *raw_name, *raw_data;
    int64_t tokens[MLFLOW_GO_COUNTS];
} mlflow_go_event;

/* A completion that was fetched. */
typedef struct {
    mlflow_gateway_completion *completion;
    uint64_t tag;
    int32_t kind;
} mlflow_go_fetched;

void mlflow_go_read_error(const mlflow_gateway_error *error, mlflow_go_error *to);
void mlflow_go_read_response(const mlflow_gateway_response *response, mlflow_go_response *to);
void mlflow_go_read_candidate(const mlflow_gateway_response *response, size_t candidate, mlflow_go_candidate *to);
void mlflow_go_read_tool_call(const mlflow_gateway_response *response, size_t candidate, size_t tool_call,
                              mlflow_go_tool_call *to);
void mlflow_go_read_event(const mlflow_gateway_event *event, mlflow_go_event *to);

/* Fetches the next event of a stream and reads it. */
mlflow_gateway_status mlflow_go_stream_next(mlflow_gateway_stream *stream, mlflow_go_event *to,
                                            mlflow_gateway_error **error);

/*
 * Sends a prompt with a cancel token, which may be NULL. `text` and `text_len` receive the text of the first candidate, and
 * `response` the response, which owns the text. A response without text is MLFLOW_GATEWAY_NO_TEXT.
 */
mlflow_gateway_status mlflow_go_complete(mlflow_gateway *gateway, mlflow_gateway_cancel_token *token, const char *prompt,
                                         size_t prompt_len, const char **text, size_t *text_len,
                                         mlflow_gateway_response **response, mlflow_gateway_error **error);

/*
 * Fetches the completions of a queue that can be fetched without waiting, at most `room`. `count` receives their
 * number. Returns MLFLOW_GATEWAY_OK if there may be more, or what mlflow_gateway_queue_next() returned.
 */
mlflow_gateway_status mlflow_go_queue_fetch(mlflow_gateway_queue *queue, mlflow_go_fetched *to, size_t room,
                                            size_t *count);

/* Duplicates a descriptor for Go, which closes it. Returns -1 with errno set if it fails. */
int mlflow_go_duplicate(int fd);

/* Log lines of a handle that wait for Go to fetch them. */
typedef struct mlflow_go_log mlflow_go_log;

typedef struct mlflow_go_line {
    struct mlflow_go_line *next;
    int32_t level;
    size_t len;
    const char *text;
} mlflow_go_line;

/* Returns NULL with errno set if it fails. */
mlflow_go_log *mlflow_go_log_create(void);
mlflow_gateway_status mlflow_go_log_attach(mlflow_go_log *log, mlflow_gateway *gateway, int32_t level,
                                           mlflow_gateway_error **error);

/* A descriptor that becomes readable when there are lines, or when the log was closed. */
int mlflow_go_log_fd(const mlflow_go_log *log);

/*
 * Returns all lines in their order, to be freed by mlflow_go_log_free_lines(). `lost` receives how many were discarded
 * since the last call because too many waited. `is_closed` receives 1 if no more can come.
 */
mlflow_go_line *mlflow_go_log_take(mlflow_go_log *log, size_t *lost, int *is_closed);
void mlflow_go_log_free_lines(mlflow_go_line *lines);

/* Releases the reference of mlflow_go_log_create(). The log is closed when the handle has released its own, too. */
void mlflow_go_log_release(mlflow_go_log *log);

/* Makes the descriptor readable. */
void mlflow_go_log_wake(const mlflow_go_log *log);

/* Frees a log that is closed, except its descriptor. */
void mlflow_go_log_destroy(mlflow_go_log *log);

#endif

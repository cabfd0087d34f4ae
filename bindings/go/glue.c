#define _GNU_SOURCE

#include "glue.h"

#include <fcntl.h>

void mlflow_go_read_error(const mlflow_gateway_error *error, mlflow_go_error *to)
{
    to->status = mlflow_gateway_error_status(error);
    to->http_status = mlflow_gateway_error_http_status(error);
    to->message = mlflow_gateway_error_message(error);
    to->gateway_code = mlflow_gateway_error_gateway_code(error);
    to->body = mlflow_gateway_error_body(error, &to->body_len);
    to->attempts = mlflow_gateway_error_attempts(error);
    to->retries = mlflow_gateway_error_retry_count(error);
    to->retry_after_ms = mlflow_gateway_error_retry_after_ms(error);
    to->is_retryable = mlflow_gateway_error_is_retryable(error);
}

void mlflow_go_read_response(const mlflow_gateway_response *response, mlflow_go_response *to)
{
    to->id = mlflow_gateway_response_id(response);
    to->model = mlflow_gateway_response_model(response);
    to->body = mlflow_gateway_response_body(response, &to->body_len);
    to->candidates = mlflow_gateway_response_candidate_count(response);
    to->attempts = mlflow_gateway_response_attempts(response);
    to->retries = mlflow_gateway_response_retry_count(response);
    to->http_status = mlflow_gateway_response_http_status(response);
    for (int kind = 1; kind <= MLFLOW_GO_COUNTS; kind++) {
        to->tokens[kind - 1] = mlflow_gateway_response_tokens(response, kind);
        to->times_us[kind - 1] = mlflow_gateway_response_time_us(response, kind);
    }
}

void mlflow_go_read_candidate(const mlflow_gateway_response *response, size_t candidate, mlflow_go_candidate *to)
{
    to->text = mlflow_gateway_response_text(response, candidate, &to->text_len);
    to->reasoning = mlflow_gateway_response_reasoning(response, candidate, &to->reasoning_len);
    to->refusal = mlflow_gateway_response_refusal(response, candidate, &to->refusal_len);
    to->role = mlflow_gateway_response_role(response, candidate);
    to->finish_reason = mlflow_gateway_response_finish_reason(response, candidate);
    to->message = mlflow_gateway_response_message_json(response, candidate, &to->message_len);
    to->tool_calls = mlflow_gateway_response_tool_call_count(response, candidate);
}

void mlflow_go_read_tool_call(const mlflow_gateway_response *response, size_t candidate, size_t tool_call,
                              mlflow_go_tool_call *to)
{
    to->id = mlflow_gateway_response_tool_call_id(response, candidate, tool_call);
    to->name = mlflow_gateway_response_tool_call_name(response, candidate, tool_call);
    to->arguments = mlflow_gateway_response_tool_call_arguments(response, candidate, tool_call, &to->arguments_len);
}

void mlflow_go_read_event(const mlflow_gateway_event *event, mlflow_go_event *to)
{
    to->kind = mlflow_gateway_event_kind(event);
    to->candidate = mlflow_gateway_event_candidate(event);
    to->text = mlflow_gateway_event_text(event, &to->text_len);
    to->tool_call_index = mlflow_gateway_event_tool_call_index(event);
    to->tool_call_id = mlflow_gateway_event_tool_call_id(event);
    to->tool_call_name = mlflow_gateway_event_tool_call_name(event);
    to->raw_name = mlflow_gateway_event_raw_name(event);
    to->raw_data = mlflow_gateway_event_raw_data(event, &to->raw_data_len);
    if (to->kind == MLFLOW_GATEWAY_EVENT_USAGE)
        for (int kind = 1; kind <= MLFLOW_GO_COUNTS; kind++)
            to->tokens[kind - 1] = mlflow_gateway_event_tokens(event, kind);
}

mlflow_gateway_status mlflow_go_stream_next(mlflow_gateway_stream *stream, mlflow_go_event *to,
                                            mlflow_gateway_error **error)
{
    const mlflow_gateway_event *event = NULL;
    mlflow_gateway_status status = mlflow_gateway_stream_next(stream, &event, error);

    if (status == MLFLOW_GATEWAY_OK)
        mlflow_go_read_event(event, to);
    return status;
}

mlflow_gateway_status mlflow_go_complete(mlflow_gateway *gateway, mlflow_gateway_cancel_token *token, const char *prompt,
                                         size_t prompt_len, const char **text, size_t *text_len,
                                         mlflow_gateway_response **response, mlflow_gateway_error **error)
{
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_status status = mlflow_gateway_request_create(&request, error);

    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_request_set_prompt(request, prompt, prompt_len, error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_request_set_option(request, "require_text", "true", error);
    if (status == MLFLOW_GATEWAY_OK && token != NULL)
        status = mlflow_gateway_request_set_cancel_token(request, token, error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_send(gateway, request, response, error);
    if (status == MLFLOW_GATEWAY_OK)
        *text = mlflow_gateway_response_text(*response, 0, text_len);
    mlflow_gateway_request_destroy(request);
    return status;
}

mlflow_gateway_status mlflow_go_queue_fetch(mlflow_gateway_queue *queue, mlflow_go_fetched *to, size_t room,
                                            size_t *count)
{
    mlflow_gateway_status status = MLFLOW_GATEWAY_OK;

    for (*count = 0; *count < room; ++*count) {
        mlflow_go_fetched *fetched = &to[*count];

        status = mlflow_gateway_queue_next(queue, 0, &fetched->completion, NULL);
        if (status != MLFLOW_GATEWAY_OK)
            break;
        fetched->tag = mlflow_gateway_completion_tag(fetched->completion);
        fetched->kind = mlflow_gateway_completion_kind(fetched->completion);
    }
    return status;
}

int mlflow_go_duplicate(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

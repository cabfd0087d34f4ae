#include "stream_ours.h"
#include "large.h"
#include "process.h"
#include "summary.h"

void chat_open(struct chat *chat, const char *url)
{
    mlflow_gateway_error *error = NULL;

    check(mlflow_gateway_create(CHAT_ROUTE, url, &chat->gateway, &error), &error);
    check(mlflow_gateway_request_create(&chat->request, &error), &error);
    check(mlflow_gateway_request_add_message(chat->request, "user", MESSAGE, MLFLOW_GATEWAY_NUL_TERMINATED, &error),
          &error);
}

void chat_close(struct chat *chat)
{
    mlflow_gateway_request_destroy(chat->request);
    mlflow_gateway_destroy(chat->gateway);
}

int is_text_event(const mlflow_gateway_event *event)
{
    size_t length = 0;

    return mlflow_gateway_event_kind(event) == MLFLOW_GATEWAY_EVENT_TEXT &&
           mlflow_gateway_event_candidate(event) == 0 && mlflow_gateway_event_text(event, &length) != NULL && length > 0;
}

void print_response_summary(const mlflow_gateway_response *response, long deltas)
{
    size_t length = 0;
    const char *text = mlflow_gateway_response_text(response, 0, &length);
    const char *finish_reason = mlflow_gateway_response_finish_reason(response, 0);

    if (text == NULL || finish_reason == NULL)
        fail("stream", "the response has no text or no finish reason");
    print_text_summary(text, length, deltas, finish_reason, (long)mlflow_gateway_response_tokens(response, MLFLOW_GATEWAY_TOKENS_OUTPUT));
}

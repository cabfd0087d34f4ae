/* Print the tool calls of a stream, and take the response out of it. */
#include <mlflow_ai_gateway.h>
#include <stdio.h>
#include <stdlib.h>

static mlflow_gateway_error *error;

/* Ends the program if a call failed. */
static void check(mlflow_gateway_status status)
{
    if (status != MLFLOW_GATEWAY_OK) {
        fprintf(stderr, "%s\n", mlflow_gateway_error_message(error));
        exit(1);
    }
}

static const char TOOLS[] =
    "[{\"type\": \"function\", \"function\": {\"name\": \"weather\","
    "\"description\": \"Weather of a city\", \"parameters\": {"
    "\"type\": \"object\","
    "\"properties\": {\"city\": {\"type\": \"string\"}}}}}]";

int main(void)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_stream *stream = NULL;
    const mlflow_gateway_event *event = NULL;
    mlflow_gateway_status status;

    check(mlflow_gateway_create("chat", NULL, &gateway, &error));
    check(mlflow_gateway_request_create(&request, &error));
    check(mlflow_gateway_request_set_param_json(
        request, "tools", TOOLS, MLFLOW_GATEWAY_NUL_TERMINATED, &error));
    check(mlflow_gateway_request_add_message(request, "user",
        "How warm is it in Paris?", MLFLOW_GATEWAY_NUL_TERMINATED,
        &error));
    check(mlflow_gateway_stream_open(gateway, request, &stream, &error));
    while ((status = mlflow_gateway_stream_next(
                stream, &event, &error)) == MLFLOW_GATEWAY_OK)
        if (mlflow_gateway_event_kind(event) ==
            MLFLOW_GATEWAY_EVENT_TOOL_CALL)
            printf("call %zu, %s %s: %s\n",
                mlflow_gateway_event_tool_call_index(event),
                mlflow_gateway_event_tool_call_name(event),
                mlflow_gateway_event_tool_call_id(event),
                mlflow_gateway_event_text(event, NULL));
    if (status != MLFLOW_GATEWAY_STREAM_END)
        check(status);

    mlflow_gateway_response *response =
        mlflow_gateway_stream_take_response(stream);
    mlflow_gateway_stream_destroy(stream);
    printf(
        "arguments: %s\n", mlflow_gateway_response_tool_call_arguments(
                               response, 0, 0, NULL));

    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return 0;
}

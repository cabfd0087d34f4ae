/* Let the model call a function of the program, and send it the result. */
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

static const size_t measure = MLFLOW_GATEWAY_NUL_TERMINATED;

static const char TOOLS[] =
    "[{\"type\": \"function\", \"function\": {\"name\": \"weather\","
    "\"description\": \"Weather of a city\", \"parameters\": {"
    "\"type\": \"object\","
    "\"properties\": {\"city\": {\"type\": \"string\"}}}}}]";

/* Appends the result of a tool call to the request. */
static void run_tool(mlflow_gateway_request *request,
    const mlflow_gateway_response *response, size_t call)
{
    size_t len = 0;
    char *city = NULL;
    const char *id =
        mlflow_gateway_response_tool_call_id(response, 0, call);
    const char *arguments = mlflow_gateway_response_tool_call_arguments(
        response, 0, call, &len);

    check(mlflow_gateway_json_get(
        arguments, len, "/city", NULL, &city, NULL, &error));
    printf("%s of %s\n",
        mlflow_gateway_response_tool_call_name(response, 0, call), city);
    mlflow_gateway_string_free(city);
    check(mlflow_gateway_request_add_tool_result(
        request, id, "21 degrees", measure, &error));
}

int main(void)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_response *response = NULL;

    check(mlflow_gateway_create("chat", NULL, &gateway, &error));
    check(mlflow_gateway_request_create(&request, &error));
    check(mlflow_gateway_request_set_param_json(
        request, "tools", TOOLS, measure, &error));
    check(mlflow_gateway_request_add_message(
        request, "user", "How warm is it in Paris?", measure, &error));
    check(mlflow_gateway_send(gateway, request, &response, &error));

    size_t count = mlflow_gateway_response_tool_call_count(response, 0);
    check(mlflow_gateway_request_add_response(
        request, response, 0, &error));
    for (size_t i = 0; i < count; i++)
        run_tool(request, response, i);
    mlflow_gateway_response_destroy(response);

    check(mlflow_gateway_send(gateway, request, &response, &error));
    puts(mlflow_gateway_response_text(response, 0, NULL));

    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
    return 0;
}

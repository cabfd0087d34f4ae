/* Create an endpoint in the Databricks workspace that DATABRICKS_HOST and DATABRICKS_TOKEN name, and delete it. */
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

static const char ROUTE[] =
    "{\"name\": \"gpt\", \"config\": {\"served_entities\": [{"
    "\"external_model\": {\"name\": \"gpt-4o\", \"provider\": "
    "\"openai\","
    "\"task\": \"llm/v1/chat\", \"openai_config\": {"
    "\"openai_api_key\": \"{{secrets/scope/key}}\"}}}]}}";

int main(void)
{
    mlflow_gateway *gateway = NULL;
    char *json = NULL;

    check(mlflow_gateway_create(NULL, "databricks", &gateway, &error));
    check(mlflow_gateway_create_route(
        gateway, ROUTE, &json, NULL, &error));
    puts(json);
    mlflow_gateway_string_free(json);
    check(mlflow_gateway_delete_route(gateway, "gpt", &error));

    mlflow_gateway_destroy(gateway);
    return 0;
}

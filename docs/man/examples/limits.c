/* Set and read the rate limits of an endpoint of the Databricks workspace that DATABRICKS_HOST and DATABRICKS_TOKEN name. */
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

int main(void)
{
    mlflow_gateway *gateway = NULL;
    const char *limits = "[{\"calls\": 10, \"key\": \"user\","
                         "\"renewal_period\": \"minute\"}]";
    char *json = NULL;

    check(mlflow_gateway_create("chat", "databricks", &gateway, &error));
    check(mlflow_gateway_set_limits(
        gateway, NULL, limits, NULL, NULL, &error));
    check(mlflow_gateway_get_limits(gateway, NULL, &json, NULL, &error));
    puts(json);

    mlflow_gateway_string_free(json);
    mlflow_gateway_destroy(gateway);
    return 0;
}

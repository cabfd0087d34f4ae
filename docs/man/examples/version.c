/* Print the version of the library, and the name of a status. */
#include <mlflow_ai_gateway.h>
#include <stdio.h>

int main(void)
{
    printf("compiled with %d, running with %d (%s)\n",
        MLFLOW_GATEWAY_VERSION_NUMBER,
        (int)mlflow_gateway_version_number(), mlflow_gateway_version());
    puts(mlflow_gateway_status_name(MLFLOW_GATEWAY_TIMEOUT));
    puts(mlflow_gateway_llm_type());
    return 0;
}

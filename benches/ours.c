#include "ours.h"
#include "process.h"

void check(mlflow_gateway_status status, mlflow_gateway_error **error)
{
    if (status != MLFLOW_GATEWAY_OK)
        fail(mlflow_gateway_status_name(status), mlflow_gateway_error_message(*error));
}

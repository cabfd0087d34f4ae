/* Shared by the peers that use this library. */
#ifndef OURS_H
#define OURS_H

#include <mlflow_ai_gateway.h>

/* Ends the program with the error message unless the status is OK. */
void check(mlflow_gateway_status status, mlflow_gateway_error **error);

#endif

/* What the peers share that use this library. */
#ifndef OURS_H
#define OURS_H

#include <mlflow_ai_gateway.h>

/* Ends the program with what the library says, if it says anything but "OK". */
void check(mlflow_gateway_status status, mlflow_gateway_error **error);

#endif

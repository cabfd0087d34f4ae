/* The header is self-contained and may be included twice, in C and in C++. */
#include <mlflow_ai_gateway.h>
#include <mlflow_ai_gateway.h>

int header_is_usable(void)
{
    return MLFLOW_GATEWAY_VERSION_NUMBER > 0;
}

// A C++ program links, and the handles fit smart pointers.
#include <mlflow_ai_gateway.h>

#include <cstring>
#include <memory>

int main()
{
    mlflow_gateway *made = nullptr;
    if (mlflow_gateway_create("completions", "http://127.0.0.1:1", &made, nullptr) != MLFLOW_GATEWAY_OK)
        return 1;
    std::unique_ptr<mlflow_gateway, decltype(&mlflow_gateway_destroy)> gateway(made, mlflow_gateway_destroy);

    mlflow_gateway_error *raised = nullptr;
    char *text = nullptr;
    mlflow_gateway_status status = mlflow_gateway_call(gateway.get(), "hello", &text, nullptr, &raised);
    std::unique_ptr<mlflow_gateway_error, decltype(&mlflow_gateway_error_destroy)> error(
        raised, mlflow_gateway_error_destroy);
    if (status != MLFLOW_GATEWAY_CONNECT_FAILED || mlflow_gateway_error_status(error.get()) != status)
        return 1;
    return std::strcmp(mlflow_gateway_status_name(status), "MLFLOW_GATEWAY_CONNECT_FAILED");
}

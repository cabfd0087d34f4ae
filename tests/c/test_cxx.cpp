// The API from C++: linking, handles in smart pointers, and a lambda as a callback.
//
// usage: test_cxx URI
//   The route "r" responds with "echo: " and the prompt.
#include <mlflow_ai_gateway.h>

#include <memory>
#include <string>

template <typename T, void (*destroy)(T *)>
struct Destroy {
    void operator()(T *object) const { destroy(object); }
};
template <typename T, void (*destroy)(T *)>
using Owned = std::unique_ptr<T, Destroy<T, destroy>>;

using Gateway = Owned<mlflow_gateway, mlflow_gateway_destroy>;
using Request = Owned<mlflow_gateway_request, mlflow_gateway_request_destroy>;
using Response = Owned<mlflow_gateway_response, mlflow_gateway_response_destroy>;
using Error = Owned<mlflow_gateway_error, mlflow_gateway_error_destroy>;

static Gateway create(const char *uri)
{
    mlflow_gateway *made = nullptr;
    mlflow_gateway_create("r", uri, &made, nullptr);
    return Gateway(made);
}

static bool refused_connection_is_reported()
{
    Gateway gateway = create("http://127.0.0.1:1");
    mlflow_gateway_error *raised = nullptr;
    char *text = nullptr;
    mlflow_gateway_status status = mlflow_gateway_call(gateway.get(), "hello", &text, nullptr, &raised);
    Error error(raised);
    return status == MLFLOW_GATEWAY_CONNECT_FAILED && mlflow_gateway_error_status(error.get()) == status &&
           mlflow_gateway_status_name(status) == std::string("MLFLOW_GATEWAY_CONNECT_FAILED");
}

static bool lambda_receives_events(const char *uri)
{
    const std::string prompt("a\0b", 3);
    Gateway gateway = create(uri);
    mlflow_gateway_request *made = nullptr;
    if (mlflow_gateway_request_create(&made, nullptr) != MLFLOW_GATEWAY_OK)
        return false;
    Request request(made);
    if (mlflow_gateway_request_set_prompt(request.get(), prompt.data(), prompt.size(), nullptr) != MLFLOW_GATEWAY_OK)
        return false;

    // A lambda without captures converts to a function pointer. Its state is passed as user_data.
    mlflow_gateway_on_event on_event = [](const mlflow_gateway_event *event, void *user_data) {
        std::size_t len = 0;
        const char *text = mlflow_gateway_event_text(event, &len);
        if (mlflow_gateway_event_kind(event) == MLFLOW_GATEWAY_EVENT_TEXT)
            static_cast<std::string *>(user_data)->append(text, len);
        return 0;
    };
    std::string streamed;
    mlflow_gateway_response *raw_response = nullptr;
    mlflow_gateway_status status =
        mlflow_gateway_stream_call(gateway.get(), request.get(), on_event, &streamed, &raw_response, nullptr);
    Response response(raw_response);
    return status == MLFLOW_GATEWAY_OK && streamed == "echo: " + prompt &&
           mlflow_gateway_response_candidate_count(response.get()) == 1;
}

int main(int argc, char **argv)
{
    return argc == 2 && refused_connection_is_reported() && lambda_receives_events(argv[1]) ? 0 : 1;
}

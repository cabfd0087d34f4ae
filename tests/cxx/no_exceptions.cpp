// A program without exceptions and run-time type information uses the try_ functions.
//
// usage: no_exceptions GATEWAY_URI
#include <mlflow_ai_gateway.hpp>

namespace gw = mlflow::gateway;

int main(int argc, char** argv)
{
    if (argc != 2)
        return 2;
    const gw::result<gw::handle> gateway = gw::handle::try_create("r", argv[1]);
    gw::result<gw::request> request = gw::request::try_create();
    if (!gateway || !request || !request->try_set_prompt("hello"))
        return 1;
    std::string text;
    const auto gather = [&text](const gw::event& event) {
        if (event.kind() == gw::event_kind::text)
            text += event.text();
    };
    if (!gateway->try_stream_call(*request, gather) || text != "echo: hello")
        return 1;
    const gw::result<std::string> refused = gateway->try_call(R"({"status": 403, "body": "no"})");
    return !refused && refused.error().status() == gw::status::forbidden ? 0 : 1;
}

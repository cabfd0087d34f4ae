// One program of objects compiled for several versions of C++: PART is 17, 20 or 23, and the last has main().
//
// usage: mixed GATEWAY_URI
#include <mlflow_ai_gateway.hpp>

#define JOIN(name, part) name##part
#define NAME(part) JOIN(call_, part)

bool call_17(const char* uri);
bool call_20(const char* uri);
bool call_23(const char* uri);

bool NAME(PART)(const char* uri)
{
    const auto gateway = mlflow::gateway::handle::try_create("r", uri);
    const auto text = gateway->try_call("hello");
    return text.has_value() && *text == "echo: hello" && !gateway->try_get_route("none").has_value();
}

#if PART == 23
int main(int argc, char** argv)
{
    return argc == 2 && call_17(argv[1]) && call_20(argv[1]) && call_23(argv[1]) ? 0 : 1;
}
#endif

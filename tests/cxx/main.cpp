// Runs every test case of the C++ header and prints its name. The first failure ends the program with status 1.
//
// usage: test_cxx GATEWAY_URI WORKSPACE_URI
#include "check.hpp"

#include <vector>

namespace {

struct test_case {
    const char* name;
    void (*run)();
};

std::vector<test_case>& cases()
{
    static std::vector<test_case> all;
    return all;
}

server_uris uris;

} // namespace

registered::registered(const char* name, void (*run)())
{
    cases().push_back({name, run});
}

const server_uris& servers()
{
    return uris;
}

int main(int argc, char** argv)
{
    if (argc != 3)
        return 2;
    uris = {argv[1], argv[2]};
    for (const test_case& each : cases()) {
        try {
            each.run();
        } catch (const std::exception& error) {
            fail(each.name, 0, error.what());
        }
        std::cout << each.name << std::endl;
    }
}

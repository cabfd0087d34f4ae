// What the tests of the C++ header share: test cases, checks, and the servers to call.
#ifndef CHECK_HPP
#define CHECK_HPP

#include <mlflow_ai_gateway.hpp>

#include <cstdlib>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

namespace gw = mlflow::gateway;

/// URIs of the servers that tests/test_cxx.py starts.
struct server_uris {
    std::string gateway;
    std::string workspace;
};

const server_uris& servers();

/// Registers a test case, which main() runs.
struct registered {
    registered(const char* name, void (*run)());
};

#define TEST(name)                                     \
    static void name();                                \
    static const registered name##_registered(#name, name); \
    static void name()

template <typename T>
std::string shown(const T& value)
{
    std::ostringstream text;
    text << std::boolalpha << value;
    return text.str();
}
template <typename T>
std::string shown(const std::optional<T>& value)
{
    return value ? shown(*value) : "nothing";
}
inline std::string shown(gw::status value)
{
    return std::string(gw::status_name(value));
}

[[noreturn]] inline void fail(const char* file, int line, const std::string& message)
{
    std::cerr << file << ':' << line << ": " << message << '\n';
    std::exit(1);
}

#define CHECK(condition) ((condition) ? void() : fail(__FILE__, __LINE__, "not true: " #condition))

#define CHECK_EQUAL(left, right) check_equal(__FILE__, __LINE__, #left, shown(left), shown(right))

inline void check_equal(const char* file, int line, const char* what, const std::string& left, const std::string& right)
{
    if (left != right)
        fail(file, line, std::string(what) + " is " + left + ", not " + right);
}

/// Returns the status of the error that `function` throws, or ok.
template <typename Function>
gw::status thrown_by(Function function)
{
    try {
        function();
    } catch (const gw::error& error) {
        return error.status();
    }
    return gw::status::ok;
}

/// Returns the status of a result.
template <typename T>
gw::status status_of(const gw::result<T>& outcome)
{
    return outcome.has_value() ? gw::status::ok : outcome.error().status();
}

/// A handle of the chat route, without pauses between retries.
inline gw::handle chat()
{
    gw::handle gateway("r", servers().gateway);
    gateway.set_option("retry_backoff_ms", "1");
    return gateway;
}

/// A request whose response is described by `reply`; see test_cxx.py.
inline gw::request prompt(std::string_view reply)
{
    gw::request request;
    request.set_prompt(reply);
    return request;
}

/// Sends the request with one more message, and returns a value of what the gateway received: "/body/..." or
/// "/headers/...".
inline std::optional<std::string> received(const gw::handle& gateway, gw::request request, std::string_view pointer)
{
    request.add_message("user", "show");
    const gw::response response = gateway.send(request);
    std::optional<gw::json_value> value = gw::json_get(response.text().value(), pointer);
    return value ? std::optional<std::string>(value->text) : std::nullopt;
}

#endif

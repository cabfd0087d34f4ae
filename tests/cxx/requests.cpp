// Handles and requests: the gateway receives the value of each setter.
#include "check.hpp"

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

using namespace std::string_literals;
using gw::status;

static const std::optional<std::string> nothing;

TEST(handle_is_created_moved_and_released)
{
    gw::handle gateway("r", servers().gateway);
    gw::handle other = std::move(gateway);
    CHECK(gateway.get() == nullptr && other.get() != nullptr);
    CHECK_EQUAL(status_of(gateway.try_set_option("max_retries", "0")), status::invalid_argument);
    mlflow_gateway* object = other.release();
    gateway = gw::handle::adopt(object);
    CHECK(gateway.get() == object && other.get() == nullptr);
    CHECK_EQUAL(thrown_by([] { gw::handle("r", "ftp://host"); }), status::invalid_uri);
    CHECK_EQUAL(status_of(gw::handle::try_create("r", "ftp://host")), status::invalid_uri);
    CHECK_EQUAL(status_of(gw::handle::try_create("r")), status::no_gateway_uri);
    CHECK_EQUAL(status_of(gw::handle::try_create("", servers().gateway)), status::invalid_argument);

    const char* absent = nullptr;
    CHECK_EQUAL(status_of(gw::handle::try_create(absent, absent)), status::no_gateway_uri);
    CHECK_EQUAL(status_of(gw::handle::try_create(nullptr, std::string_view("http://host"))), status::ok);

    gw::handle without_route(std::nullopt, servers().gateway);
    gw::request request = prompt("hello");
    request.set_route("r");
    CHECK_EQUAL(without_route.send(request).text(), "echo: hello");
}

TEST(nul_byte_in_a_name_is_refused)
{
    gw::handle gateway = chat();
    CHECK_EQUAL(status_of(gw::handle::try_create("r\0"s, servers().gateway)), status::invalid_argument);
    CHECK_EQUAL(status_of(gateway.try_set_header("X-A", "a\0b"s)), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { gateway.set_option("max_retries\0"s, "0"); }), status::invalid_argument);
    // Not unset: a string with a NUL byte is not mistaken for a shorter one.
    CHECK_EQUAL(received(gateway, gw::request(), "/headers/x-a"), nothing);
}

TEST(handle_settings)
{
    gw::handle gateway = chat();
    gateway.set_option("user_agent", "tests");
    CHECK_EQUAL(received(gateway, gw::request(), "/headers/user-agent")->substr(0, 6), "tests ");
    CHECK_EQUAL(thrown_by([&] { gateway.set_option("timeout_ms", "soon"); }), status::invalid_option_value);

    gateway.set_header("X-A", "b");
    CHECK_EQUAL(received(gateway, gw::request(), "/headers/x-a"), "b");
    gateway.set_header("X-A", std::nullopt);
    CHECK_EQUAL(received(gateway, gw::request(), "/headers/x-a"), nothing);

    gateway.set_param("temperature", 0.5);
    gateway.set_param("top_p", 0.25F);
    gateway.set_param("max_tokens", 7);
    gateway.set_param("seed", std::numeric_limits<std::int64_t>::min());
    gateway.set_param("top_k", std::size_t{3});
    gateway.set_param("logprobs", true);
    gateway.set_param("user", "me");
    gateway.set_param("safety", "you"s);
    gateway.set_param_json("response_format", R"({"type": "text"})");
    gateway.add_stop("END");
    gateway.add_stop("STOP");
    CHECK_EQUAL(received(gateway, gw::request(), "/body/temperature"), "0.5");
    CHECK_EQUAL(received(gateway, gw::request(), "/body/top_p"), "0.25");
    CHECK_EQUAL(received(gateway, gw::request(), "/body/max_tokens"), "7");
    CHECK_EQUAL(received(gateway, gw::request(), "/body/seed"), "-9223372036854775808");
    CHECK_EQUAL(received(gateway, gw::request(), "/body/top_k"), "3");
    CHECK_EQUAL(received(gateway, gw::request(), "/body/logprobs"), "true");
    CHECK_EQUAL(received(gateway, gw::request(), "/body/user"), "me");
    CHECK_EQUAL(received(gateway, gw::request(), "/body/safety"), "you");
    CHECK_EQUAL(received(gateway, gw::request(), "/body/response_format/type"), "text");
    CHECK_EQUAL(received(gateway, gw::request(), "/body/stop/1"), "STOP");
    CHECK(gateway.identifying_params().find("\"max_tokens\":7") != std::string::npos);
    gateway.unset_param("stop");
    CHECK_EQUAL(received(gateway, gw::request(), "/body/stop"), nothing);
}

TEST(handle_clone)
{
    gw::handle gateway = chat();
    gateway.set_header("X-A", "b");
    gw::handle clone = gateway.clone();
    gateway.set_header("X-A", "c");
    CHECK_EQUAL(received(clone, gw::request(), "/headers/x-a"), "b");
    clone.set_header("X-A", std::nullopt);
    CHECK_EQUAL(received(clone, gw::request(), "/headers/x-a"), nothing);
    CHECK_EQUAL(received(gateway, gw::request(), "/headers/x-a"), "c");
    gateway = clone.try_clone().value();
    CHECK_EQUAL(received(gateway, gw::request(), "/headers/x-a"), nothing);
}

TEST(handle_settings_that_fail)
{
    gw::handle gateway = chat();
    CHECK_EQUAL(thrown_by([&] { gateway.set_header("Host", "a"); }), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { gateway.set_param("messages", 1); }), status::invalid_param);
    const std::uint64_t too_large = std::numeric_limits<std::uint64_t>::max();
    CHECK_EQUAL(status_of(gateway.try_set_param("a", too_large)), status::invalid_param);
    const double infinite = std::numeric_limits<double>::infinity();
    CHECK_EQUAL(status_of(gateway.try_set_param("a", infinite)), status::invalid_param);
    CHECK_EQUAL(status_of(gateway.try_set_param("", true)), status::invalid_param);
    CHECK_EQUAL(status_of(gateway.try_set_param("", "text")), status::invalid_param);
    CHECK_EQUAL(thrown_by([&] { gateway.set_param_json("a", "{"); }), status::invalid_param);
    CHECK_EQUAL(thrown_by([&] { gateway.add_stop("\xff"); }), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { gateway.unset_param("\xff"); }), status::invalid_argument);
    gw::handle moved = std::move(gateway);
    gw::cancel_token token;
    CHECK_EQUAL(thrown_by([&] { gateway.set_cancel_token(&token); }), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { gateway.remove_log(); }), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { gateway.identifying_params(); }), status::invalid_argument);
}

TEST(request_content)
{
    const gw::handle gateway = chat();
    gw::request request;
    request.add_message("system", "be\0brief"s);
    request.add_message_json(R"({"role": "assistant", "content": "x"})");
    request.add_message("user", "look");
    request.add_text("at this");
    const std::vector<unsigned char> picture = {0x89, 0, 0xff};
    request.add_media("image/png", gw::as_bytes(picture));
    request.add_tool_result("call_1", "sunny");
    request.add_tool_result(std::nullopt, "rainy");
    CHECK_EQUAL(received(gateway, request.clone(), "/body/messages/0/content"), "be\0brief"s);
    CHECK_EQUAL(received(gateway, request.clone(), "/body/messages/1/role"), "assistant");
    CHECK_EQUAL(received(gateway, request.clone(), "/body/messages/2/content/1/text"), "at this");
    CHECK_EQUAL(received(gateway, request.clone(), "/body/messages/2/content/2/image_url/url"),
                "data:image/png;base64,iQD/");
    CHECK_EQUAL(received(gateway, request.clone(), "/body/messages/3/tool_call_id"), "call_1");
    CHECK_EQUAL(received(gateway, request.clone(), "/body/messages/4/tool_call_id"), nothing);
    CHECK_EQUAL(received(gateway, std::move(request), "/body/messages/4/content"), "rainy");

    CHECK_EQUAL(gateway.send(prompt("hello")).text(), "echo: hello");
    gw::request whole;
    whole.set_body_json(R"({"messages": [{"role": "user", "content": "whole"}]})");
    CHECK_EQUAL(gateway.send(whole).text(), "echo: whole");
}

TEST(request_continues_a_conversation)
{
    const gw::handle gateway = chat();
    gw::request request;
    request.add_message("user", "hello");
    request.add_response(gateway.send(request));
    CHECK_EQUAL(received(gateway, request.clone(), "/body/messages/1/content"), "echo: hello");
    request.add_message("user", "again");
    gw::stream stream = gateway.open_stream(request);
    while (stream.next()) {
    }
    request.add_response(stream.response(), 0);
    CHECK_EQUAL(received(gateway, std::move(request), "/body/messages/3/content"), "echo: again");
}

TEST(request_returns_tool_results)
{
    const gw::handle gateway = chat();
    gw::request request;
    request.add_message("user", "!tools");
    const gw::response response = gateway.send(request);
    request.add_response(response);
    for (const gw::tool_call call : response.candidates()[0].tool_calls())
        request.add_tool_result(call.id(), "sunny");
    CHECK_EQUAL(received(gateway, std::move(request), "/body/messages/3/tool_call_id"), "call_0_1");
}

TEST(request_settings)
{
    gw::handle gateway = chat();
    gateway.set_param("temperature", 0.5);
    gw::request request;
    request.set_param("max_tokens", 7);
    request.set_param("top_p", 0.25);
    request.set_param("logprobs", false);
    request.set_param("user", "a\0b"s);
    request.set_param_json("tools", "[]");
    request.add_stop("END");
    request.set_header("X-A", "b");
    request.set_option("max_retries", "0");
    CHECK_EQUAL(received(gateway, request.clone(), "/body/max_tokens"), "7");
    CHECK_EQUAL(received(gateway, request.clone(), "/body/top_p"), "0.25");
    CHECK_EQUAL(received(gateway, request.clone(), "/body/logprobs"), "false");
    CHECK_EQUAL(received(gateway, request.clone(), "/body/user"), "a\0b"s);
    CHECK_EQUAL(received(gateway, request.clone(), "/body/tools"), "[]");
    CHECK_EQUAL(received(gateway, request.clone(), "/body/stop/0"), "END");
    CHECK_EQUAL(received(gateway, request.clone(), "/body/temperature"), "0.5");
    CHECK_EQUAL(received(gateway, request.clone(), "/headers/x-a"), "b");
    request.omit_param("temperature");
    request.unset_param("top_p");
    request.set_header("X-A", std::nullopt);
    CHECK_EQUAL(received(gateway, request.clone(), "/body/temperature"), nothing);
    CHECK_EQUAL(received(gateway, request.clone(), "/body/top_p"), nothing);
    CHECK_EQUAL(received(gateway, std::move(request), "/headers/x-a"), nothing);
}

TEST(request_route_and_path)
{
    const gw::handle gateway = chat();
    gw::request request = prompt("hello");
    request.set_route("none");
    CHECK_EQUAL(status_of(gateway.try_send(request)), status::not_found);
    request.set_route(std::nullopt);
    CHECK_EQUAL(gateway.send(request).text(), "echo: hello");

    gw::request raw;
    raw.set_path(std::nullopt, "/raw?a=b");
    CHECK_EQUAL(gateway.send(raw).body(), R"(GET /raw?a=b )");
    raw.set_body_json(R"({ "x":1})");
    CHECK_EQUAL(gateway.send(raw).body(), R"(POST /raw?a=b { "x":1})");
    raw.set_path("PUT", "/raw");
    CHECK_EQUAL(gateway.send(raw).body(), R"(PUT /raw { "x":1})");
    raw.set_path(std::nullopt, std::nullopt);
    CHECK_EQUAL(status_of(raw.try_set_param("a", 1)), status::invalid_argument);
}

TEST(request_functions_that_fail)
{
    gw::request request;
    const gw::response_view no_response;
    CHECK_EQUAL(thrown_by([&] { request.set_route(""); }), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { request.set_path("CONNECT", "/a"); }), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { request.set_prompt("\xff"); }), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { request.add_message("", "a"); }), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { request.add_message_json("["); }), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { request.add_text("no message"); }), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { request.add_media("image/png", {}); }), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { request.add_response(no_response); }), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { request.add_tool_result("\xff", ""); }), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { request.add_input("\xff"); }), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { request.set_body_json("["); }), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { request.set_param("messages", 1); }), status::invalid_param);
    CHECK_EQUAL(thrown_by([&] { request.set_param_json("a", "{"); }), status::invalid_param);
    CHECK_EQUAL(thrown_by([&] { request.add_stop("\xff"); }), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { request.unset_param("\xff"); }), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { request.omit_param("messages"); }), status::invalid_param);
    CHECK_EQUAL(thrown_by([&] { request.set_option("proxy", "none"); }), status::unknown_option);
    CHECK_EQUAL(thrown_by([&] { request.set_header("Host", "a"); }), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { request.set_cancel_token(nullptr); }), status::ok);
    gw::request moved = std::move(request);
    CHECK_EQUAL(thrown_by([&] { request.clone(); }), status::invalid_argument);
    request = gw::request::adopt(moved.release());
    CHECK(request.get() != nullptr);
    CHECK_EQUAL(status_of(gw::request::try_create()), status::ok);
}

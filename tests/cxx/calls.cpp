// Whole responses, embeddings, routes, health, limits and JSON.
#include "check.hpp"

#include <algorithm>
#include <vector>

using gw::status;
using gw::token_kind;
using namespace std::chrono_literals;

TEST(call)
{
    const gw::handle gateway = chat();
    CHECK_EQUAL(gateway.call("hello"), "echo: hello");
    CHECK_EQUAL(*gateway.try_call("hello"), "echo: hello");
    CHECK_EQUAL(thrown_by([&] { gateway.call("!tools"); }), status::no_text);
    CHECK_EQUAL(thrown_by([&] { chat().send(gw::request()); }), status::invalid_argument);
}

TEST(response_values)
{
    const gw::handle gateway = chat();
    const gw::response response = gateway.send(prompt(R"({"headers": {"X-A": "b"}, "body": {"id": "i", "model": "m",
        "choices": [{"message": {"role": "assistant", "content": "hi", "reasoning_content": "why", "refusal": "no"},
                     "finish_reason": "stop"}, {"message": {"content": null}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 0}}})"));
    CHECK_EQUAL(response.candidates().size(), 2U);
    CHECK(!response.candidates().empty());
    const gw::candidate first = response.candidates()[0];
    CHECK_EQUAL(first.text(), "hi");
    CHECK_EQUAL(response.text(), "hi");
    CHECK_EQUAL(first.reasoning(), "why");
    CHECK_EQUAL(first.refusal(), "no");
    CHECK_EQUAL(first.role(), "assistant");
    CHECK_EQUAL(first.finish_reason(), "stop");
    CHECK(first.message_json()->find("reasoning_content") != std::string_view::npos);
    CHECK_EQUAL(response.candidates()[1].text(), std::optional<int>());
    CHECK_EQUAL(response.candidates()[9].text(), std::optional<int>());
    CHECK_EQUAL(response.candidates()[9].tool_calls().size(), 0U);
    std::size_t count = 0;
    for (const gw::candidate candidate : response.candidates())
        count += candidate.text() ? 1U : 2U;
    CHECK_EQUAL(count, 3U);
    CHECK_EQUAL(response.id(), "i");
    CHECK_EQUAL(response.model(), "m");
    CHECK_EQUAL(response.tokens(token_kind::input), 3);
    CHECK_EQUAL(response.tokens(token_kind::output), 0);
    CHECK_EQUAL(response.tokens(token_kind::total), std::optional<int>());
    CHECK(response.time(gw::time_kind::total) >= 1us);
    CHECK(!response.time(gw::time_kind::queued));
    CHECK_EQUAL(response.http_status(), 200);
    CHECK_EQUAL(response.header("x-a"), "b");
    CHECK_EQUAL(response.attempts(), 1U);
    CHECK(response.retry_reasons().empty());
    CHECK(response.body()->find("\"why\"") != std::string_view::npos);
}

TEST(response_is_moved_and_released)
{
    gw::response response = chat().send(prompt("one"));
    gw::response other = chat().send(prompt("two"));
    response = std::move(other);
    CHECK_EQUAL(response.text(), "echo: two");
    CHECK(other.get() == nullptr && !other.text());
    const gw::response_view view = response;
    CHECK_EQUAL(view.text(), "echo: two");
    mlflow_gateway_response* object = response.release();
    const gw::response adopted = gw::response::adopt(object);
    CHECK(adopted.get() == view.get());
    gw::response moved = chat().send(prompt("three"));
    const gw::response last(std::move(moved));
    CHECK_EQUAL(last.text(), "echo: three");
}

TEST(tool_calls)
{
    const gw::response response = chat().send(prompt("!tools"));
    const auto calls = response.candidates()[0].tool_calls();
    CHECK_EQUAL(calls.size(), 2U);
    CHECK_EQUAL(calls[1].id(), "call_0_1");
    CHECK_EQUAL(calls[1].name(), "tool");
    CHECK_EQUAL(calls[1].arguments(), R"({"city":"Oslo"})");
    CHECK_EQUAL(calls[2].arguments(), std::optional<int>());
    std::string cities;
    for (const gw::tool_call call : calls)
        cities += gw::json_get(*call.arguments(), "/city")->text + " ";
    CHECK_EQUAL(cities, "Paris Oslo ");
    auto place = calls.begin();
    CHECK(place++ == calls.begin() && place != calls.begin());
}

TEST(embeddings)
{
    const gw::handle gateway("e", servers().gateway);
    gw::request request;
    request.add_input("a");
    request.add_input("bcd");
    const gw::embeddings embeddings = gateway.embed(request);
    CHECK_EQUAL(embeddings.size(), 2U);
    CHECK(!embeddings.empty());
    CHECK_EQUAL(embeddings.dimension(), 2U);
    CHECK(embeddings.data().size() == 4 && embeddings.data()[2] == 3.0F);
    CHECK(embeddings[1].size() == 2 && embeddings[1][1] == 0.5F);
    float sum = 0;
    for (const gw::span<const float> embedding : embeddings)
        sum += embedding[0];
    CHECK(sum == 4);
    std::vector<float> copy(4);
    embeddings.copy_to(copy);
    CHECK(std::equal(copy.begin(), copy.end(), embeddings.data().begin()));
    std::vector<float> small(3);
    CHECK_EQUAL(status_of(embeddings.try_copy_to(small)), status::invalid_argument);
    CHECK_EQUAL(embeddings.tokens(token_kind::input), 2);
    CHECK_EQUAL(embeddings.tokens(token_kind::output), std::optional<int>());
    CHECK_EQUAL(embeddings.model(), "m");
    CHECK_EQUAL(thrown_by([&] { gateway.embed(gw::request()); }), status::invalid_argument);
    gw::result<gw::embeddings> again = gateway.try_embed(request);
    CHECK_EQUAL(gw::embeddings::adopt(again->release()).size(), 2U);
}

TEST(routes)
{
    const gw::handle gateway = chat();
    gw::routes routes = gateway.list_routes();
    CHECK_EQUAL(routes.size(), 2U);
    CHECK(!routes.empty());
    const gw::route first = routes[0];
    CHECK_EQUAL(first.name(), "r");
    CHECK_EQUAL(first.type(), "llm/v1/chat");
    CHECK_EQUAL(first.provider(), "openai");
    CHECK_EQUAL(first.model(), "gpt");
    CHECK(first.url()->find("/endpoints/r/invocations") != std::string_view::npos);
    CHECK(first.json()->find("\"gpt\"") != std::string_view::npos);
    CHECK_EQUAL(routes[1].provider(), std::optional<int>());
    CHECK_EQUAL(routes[2].name(), std::optional<int>());
    std::string names;
    for (const gw::route route : routes)
        names += *route.name();
    CHECK_EQUAL(names, "re");
    CHECK_EQUAL(gateway.get_route()[0].name(), "r");
    CHECK_EQUAL(gateway.get_route("e")[0].type(), "llm/v1/embeddings");
    CHECK_EQUAL(status_of(gateway.try_get_route("none")), status::not_found);
    CHECK_EQUAL(thrown_by([&] { gateway.get_route(""); }), status::invalid_argument);
    CHECK_EQUAL(gw::routes::adopt(routes.release()).size(), 2U);
    const gw::handle nowhere("r", "http://127.0.0.1:1");
    CHECK_EQUAL(thrown_by([&] { nowhere.list_routes(); }), status::connect_failed);
}

TEST(health)
{
    chat().health();
    const gw::handle nowhere("r", "http://127.0.0.1:1");
    CHECK_EQUAL(status_of(nowhere.try_health()), status::connect_failed);
}

TEST(limits_and_routes_of_a_workspace)
{
    gw::handle workspace("chat", servers().workspace);
    workspace.set_option("dialect", "databricks");
    workspace.set_option("bearer_token", "dapi-1234-personal-access");
    const auto limits = R"([{"calls": 10, "key": "user", "renewal_period": "minute"}])";
    CHECK_EQUAL(gw::json_get(workspace.set_limits(std::nullopt, limits), "/rate_limits/0/calls")->text, "10");
    CHECK(workspace.get_limits().find("minute") != std::string::npos);
    CHECK(workspace.get_limits("chat").find("minute") != std::string::npos);
    CHECK_EQUAL(thrown_by([&] { workspace.set_limits("chat", "{"); }), status::invalid_argument);
    CHECK_EQUAL(status_of(workspace.try_get_limits("none")), status::not_found);
    const std::string created = workspace.create_route(R"({"name": "new", "config": {}})");
    CHECK_EQUAL(gw::json_get(created, "/name")->text, "new");
    CHECK_EQUAL(thrown_by([&] { workspace.create_route("["); }), status::invalid_argument);
    workspace.delete_route("new");
    CHECK_EQUAL(status_of(workspace.try_delete_route("new")), status::not_found);
    CHECK_EQUAL(thrown_by([&] { chat().get_limits(); }), status::unsupported);
}

TEST(json)
{
    const std::string_view document = R"({"a": ["\u00e9", 1.50, null, true, {}]})";
    CHECK_EQUAL(gw::json_get(document, "/a/0")->text, "\xc3\xa9");
    CHECK(gw::json_get(document, "/a/0")->kind == gw::json_kind::string);
    CHECK_EQUAL(gw::json_get(document, "/a/1")->text, "1.50");
    CHECK(gw::json_get(document, "/a/1")->kind == gw::json_kind::number);
    CHECK(gw::json_get(document, "/a/2")->kind == gw::json_kind::null);
    CHECK(gw::json_get(document, "/a/3")->kind == gw::json_kind::boolean);
    CHECK(gw::json_get(document, "/a/4")->kind == gw::json_kind::object);
    CHECK(gw::json_get(document, "/a")->kind == gw::json_kind::array);
    CHECK(!gw::json_get(document, "/b"));
    CHECK_EQUAL(thrown_by([] { gw::json_get("{", ""); }), status::invalid_argument);
    CHECK_EQUAL(gw::json_count(document, "/a"), 5U);
    CHECK_EQUAL(gw::json_count(document, "/a/0"), std::optional<int>());
    CHECK_EQUAL(thrown_by([] { gw::json_count("{", ""); }), status::invalid_argument);
    CHECK_EQUAL(gw::json_quote("a\"b"), R"("a\"b")");
    CHECK_EQUAL(gw::json_quote({}), R"("")");
    CHECK_EQUAL(thrown_by([] { gw::json_quote("\xff"); }), status::invalid_argument);
}

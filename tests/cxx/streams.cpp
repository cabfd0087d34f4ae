// Streams, callbacks, cancellation and logging.
#include "check.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iterator>
#include <memory>
#include <thread>
#include <vector>

using gw::event_kind;
using gw::status;

static const char* const raw_events = R"({"headers": {"Content-Type": "text/event-stream"}, "body":
    "event: note\ndata: {\"x\": 1}\n\nevent: note\ndata: [1]\n\ndata: [DONE]\n\n"})";

struct stopped_by_test {};

TEST(stream_is_a_range)
{
    const gw::handle gateway = chat();
    gw::stream stream = gateway.open_stream(prompt("one two"));
    std::string text;
    std::string reason;
    for (const auto& event : stream) {
        CHECK_EQUAL(event.candidate(), 0U);
        if (event.kind() == event_kind::text)
            text += event.text();
        else if (event.kind() == event_kind::finish)
            reason = event.text();
        else if (event.kind() == event_kind::usage) {
            CHECK_EQUAL(event.tokens(gw::token_kind::input), 2);
            CHECK(event.text().empty());
        }
    }
    CHECK_EQUAL(text, "echo: one two");
    CHECK_EQUAL(reason, "stop");
    CHECK_EQUAL(stream.response().text(), "echo: one two");
    CHECK(!stream.next());
    const std::optional<gw::response> response = stream.take_response();
    CHECK_EQUAL(response->text(), "echo: one two");
    CHECK_EQUAL(response->body(), std::optional<int>());
    CHECK(!stream.take_response());
}

TEST(stream_with_algorithms)
{
    gw::stream stream = chat().open_stream(prompt("one two"));
    const auto texts = std::count_if(stream.begin(), stream.end(),
                                     [](const gw::event& event) { return event.kind() == event_kind::text; });
    CHECK_EQUAL(texts, 3);
    gw::stream other = chat().open_stream(prompt("one two"));
    gw::stream::iterator place = other.begin();
    CHECK(place->kind() == (*place).kind());
    place++;
    CHECK(place != other.end());
    CHECK_EQUAL(place->text(), "echo:");
    mlflow_gateway_stream* object = other.release();
    gw::stream adopted = gw::stream::adopt(object);
    CHECK_EQUAL(adopted.next()->text(), " one");
}

#if defined(__cpp_lib_concepts)
static_assert(std::input_iterator<gw::stream::iterator>);
static_assert(std::input_iterator<gw::routes::iterator>);
static_assert(std::input_iterator<gw::embeddings::iterator>);
static_assert(std::input_iterator<decltype(std::declval<gw::response>().candidates().begin())>);
static_assert(std::sentinel_for<gw::stream::iterator, gw::stream::iterator>);
#endif

TEST(stream_events_of_tool_calls)
{
    gw::stream stream = chat().open_stream(prompt("!tools"));
    std::string arguments[2];
    for (const auto& event : stream) {
        if (event.kind() != event_kind::tool_call)
            continue;
        CHECK_EQUAL(event.tool_call_id(), event.tool_call_index() == 0 ? "call_0_0" : "call_0_1");
        CHECK_EQUAL(event.tool_call_name(), "tool");
        CHECK(event.raw_data()->find("tool_calls") != std::string_view::npos);
        arguments[event.tool_call_index()] += event.text();
    }
    CHECK_EQUAL(arguments[1], R"({"city":"Oslo"})");
}

TEST(stream_of_raw_events)
{
    gw::request request;
    request.set_path("POST", "/reply");
    request.set_body_json(raw_events);
    gw::stream stream = chat().open_stream(request);
    const std::optional<gw::event> event = stream.next();
    CHECK(event->kind() == event_kind::other);
    CHECK_EQUAL(event->raw_name(), "note");
    CHECK_EQUAL(event->raw_data(), R"({"x": 1})");
    CHECK_EQUAL(event->tool_call_id(), std::optional<int>());
    CHECK_EQUAL(event->tokens(gw::token_kind::input), std::optional<int>());
    CHECK_EQUAL(mlflow_gateway_event_kind(event->get()), MLFLOW_GATEWAY_EVENT_OTHER);
}

TEST(broken_stream_throws_from_the_loop)
{
    gw::stream stream = chat().open_stream(prompt("broken one"));
    std::string text;
    CHECK_EQUAL(thrown_by([&] {
                    for (const auto& event : stream)
                        text += event.text();
                }),
                status::stream_truncated);
    CHECK_EQUAL(text, "echo: broken one");
    CHECK_EQUAL(stream.response().text(), "echo: broken one");
    CHECK_EQUAL(status_of(stream.try_next()), status::stream_truncated);
    CHECK_EQUAL(thrown_by([] { chat().open_stream(gw::request()); }), status::invalid_argument);
    CHECK_EQUAL(status_of(chat().try_open_stream(gw::request())), status::invalid_argument);
}

TEST(callback_receives_events)
{
    const gw::handle gateway = chat();
    std::string text;
    std::optional<gw::response> gathered;
    const auto owned = std::make_unique<std::string>("|"); // a callable that cannot be copied
    gateway.stream_call(
        prompt("one two"),
        [&text, mark = std::make_unique<std::string>(*owned)](const gw::event& event) {
            text += event.kind() == event_kind::text ? *mark : "";
            text += event.kind() == event_kind::text ? event.text() : "";
        },
        &gathered);
    CHECK_EQUAL(text, "|echo:| one| two");
    CHECK_EQUAL(gathered->text(), "echo: one two");
}

TEST(callback_stops_a_stream)
{
    const gw::handle gateway = chat();
    int events = 0;
    std::optional<gw::response> gathered;
    auto stop_at_three = [&events](const gw::event&) { return ++events < 3; };
    CHECK_EQUAL(status_of(gateway.try_stream_call(prompt("slow"), stop_at_three, &gathered)), status::cancelled);
    CHECK_EQUAL(events, 3);
    CHECK(gathered->text()->find("echo: slow") == 0);
    events = 0;
    CHECK_EQUAL(thrown_by([&] { gateway.stream_call(prompt("slow"), stop_at_three); }), status::cancelled);
}

TEST(callback_exception_is_thrown_again)
{
    const gw::handle gateway = chat();
    std::optional<gw::response> gathered;
    int events = 0;
    auto throwing = [&events](const gw::event&) {
        if (++events == 2)
            throw stopped_by_test();
    };
    bool caught = false;
    try {
        gateway.stream_call(prompt("slow"), throwing, &gathered);
    } catch (const stopped_by_test&) {
        caught = true;
    }
    CHECK(caught && events == 2);
    CHECK(gathered.has_value());
    caught = false;
    events = 0;
    try {
        static_cast<void>(gateway.try_stream_call(prompt("slow"), throwing));
    } catch (const stopped_by_test&) {
        caught = true;
    }
    CHECK(caught && events == 2);
    CHECK_EQUAL(gateway.call("hello"), "echo: hello");
}

TEST(log_callback_is_owned)
{
    auto lines = std::make_shared<std::vector<std::string>>();
    {
        gw::handle gateway = chat();
        gateway.set_log(gw::log_level::debug, [lines](gw::log_level level, std::string_view line) {
            lines->push_back((level == gw::log_level::info ? "info " : "debug ") + std::string(line));
        });
        CHECK_EQUAL(lines.use_count(), 2);
        gateway.call("hello");
        CHECK_EQUAL(lines->size(), 2U);
        CHECK(lines->back().find("info POST http") == 0);
        gateway.remove_log();
        CHECK_EQUAL(lines.use_count(), 1);
        gateway.call("hello");
        CHECK_EQUAL(lines->size(), 2U);
        gateway.set_log(gw::log_level::info, [lines](gw::log_level, std::string_view) {});
    }
    CHECK_EQUAL(lines.use_count(), 1);
}

TEST(log_callback_exception_is_discarded)
{
    gw::handle gateway = chat();
    int lines = 0;
    gateway.set_log(gw::log_level::info, [&lines](gw::log_level, std::string_view) {
        ++lines;
        throw stopped_by_test();
    });
    CHECK_EQUAL(gateway.call("hello"), "echo: hello");
    CHECK_EQUAL(lines, 1);
}

TEST(log_callback_that_is_refused_is_destroyed)
{
    gw::handle gateway = chat();
    auto owned = std::make_shared<int>(1);
    const auto unknown = static_cast<gw::log_level>(99);
    CHECK_EQUAL(status_of(gateway.try_set_log(unknown, [owned](gw::log_level, std::string_view) {})),
                status::invalid_argument);
    CHECK_EQUAL(owned.use_count(), 1);
    CHECK_EQUAL(status_of(gateway.try_remove_log()), status::ok);
}

TEST(cancel_token_ends_calls)
{
    gw::handle gateway = chat();
    gw::cancel_token token;
    CHECK(!token.is_cancelled());
    gateway.set_cancel_token(&token);
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        token.cancel();
    });
    CHECK_EQUAL(status_of(gateway.try_call("stall")), status::cancelled);
    other.join();
    CHECK(token.is_cancelled());
    token.reset();
    CHECK_EQUAL(gateway.call("hello"), "echo: hello");
    token.cancel();
    gateway.set_cancel_token(nullptr);
    CHECK_EQUAL(gateway.call("hello"), "echo: hello");

    gw::request request = prompt("hello");
    request.set_cancel_token(&token);
    CHECK_EQUAL(status_of(gateway.try_send(request)), status::cancelled);
    request.set_cancel_token(nullptr);
    CHECK_EQUAL(gateway.send(request).text(), "echo: hello");
    gw::cancel_token adopted = gw::cancel_token::adopt(token.release());
    CHECK(adopted.is_cancelled());
    CHECK_EQUAL(status_of(gw::cancel_token::try_create()), status::ok);
}

#if defined(__cpp_lib_jthread)
TEST(stop_token_ends_a_call)
{
    const gw::handle gateway = chat();
    std::atomic<bool> cancelled = false;
    std::jthread worker([&](std::stop_token stop) {
        gw::cancel_token token;
        gw::request request = prompt("stall");
        request.set_cancel_token(&token);
        const auto link = token.cancel_on(stop);
        cancelled = status_of(gateway.try_send(request)) == status::cancelled;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    worker.request_stop();
    worker.join();
    CHECK(cancelled);
}

TEST(stop_token_that_was_stopped_cancels_at_once)
{
    std::stop_source source;
    gw::cancel_token token;
    {
        const auto link = token.cancel_on(source.get_token());
        CHECK(!token.is_cancelled());
    }
    source.request_stop();
    CHECK(!token.is_cancelled()); // the link has ended
    const gw::stop_link link(source.get_token(), token.get());
    CHECK(token.is_cancelled());
}
#endif

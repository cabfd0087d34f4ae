// Queues and completions.
#include "check.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>

using gw::completion_kind;
using gw::count_kind;
using gw::status;
using gw::submit_as;
using namespace std::chrono_literals;

static bool is_readable(int fd, int timeout_ms)
{
    pollfd polled = {fd, POLLIN, 0};
    return poll(&polled, 1, timeout_ms) == 1;
}

static gw::request input(std::string_view text)
{
    gw::request request;
    request.set_route("e");
    request.add_input(text);
    return request;
}

TEST(queue_is_a_range)
{
    gw::queue queue(chat());
    for (std::uint64_t tag = 0; tag < 20; ++tag)
        CHECK(queue.submit(prompt("number " + std::to_string(tag)), submit_as::send, tag));
    queue.close();
    std::map<std::uint64_t, gw::response> responses;
    for (gw::completion& done : queue) {
        CHECK(done.kind() == completion_kind::done);
        CHECK_EQUAL(done.status(), status::ok);
        CHECK(!done.event() && !done.error_message() && !done.take_error());
        CHECK(done.response().time(gw::time_kind::queued) >= 0us);
        responses.emplace(done.tag(), done.take_response().value());
        CHECK(!done.take_response() && !done.response().get());
    }
    CHECK_EQUAL(responses.size(), 20U);
    CHECK_EQUAL(responses.at(7).text(), "echo: number 7");
    CHECK(!queue.next());
    CHECK(queue.begin() == queue.end());
}

TEST(queue_with_algorithms)
{
    gw::queue queue(chat());
    CHECK(queue.submit(prompt("one two"), submit_as::stream, 1));
    queue.close();
    const auto texts = std::count_if(queue.begin(), queue.end(), [](const gw::completion& each) {
        return each.kind() == completion_kind::event && each.event()->kind() == gw::event_kind::text;
    });
    CHECK_EQUAL(texts, 3);

    gw::queue other(chat());
    CHECK(other.submit(prompt("one two"), submit_as::stream, 2));
    gw::queue::iterator place = ++other.begin();
    const gw::queue::iterator first = place++;
    CHECK(first != place && place != other.end());
    // An iterator keeps the completion that it points to.
    CHECK_EQUAL(first->event()->text(), "echo:");
    CHECK_EQUAL((*place).event()->text(), " one");
    place = first;
    CHECK(place == first);
}

#if defined(__cpp_lib_concepts)
static_assert(std::input_iterator<gw::queue::iterator>);
static_assert(std::sentinel_for<gw::queue::iterator, gw::queue::iterator>);
#endif

TEST(queue_interleaves_streams)
{
    gw::queue queue = gw::queue::try_create(chat()).value();
    queue.set_option("max_in_flight", "2");
    CHECK(queue.submit(prompt("one two"), submit_as::stream, 1));
    CHECK(queue.submit(prompt("broken one"), submit_as::stream, 2));
    queue.close();
    std::string texts[3];
    status ends[3] = {};
    while (std::optional<gw::completion> each = queue.next()) {
        if (each->kind() == completion_kind::event) {
            CHECK_EQUAL(each->status(), status::ok);
            CHECK(!each->response().get() && each->embeddings().empty());
            texts[each->tag()] += each->event()->kind() == gw::event_kind::text ? each->event()->text() : "";
        } else {
            ends[each->tag()] = each->status();
            CHECK_EQUAL(each->response().text(), texts[each->tag()]);
        }
    }
    CHECK_EQUAL(texts[1], "echo: one two");
    CHECK_EQUAL(texts[2], "echo: broken one");
    CHECK_EQUAL(ends[1], status::ok);
    CHECK_EQUAL(ends[2], status::stream_truncated);
}

TEST(failed_request_has_an_error_to_throw)
{
    gw::queue queue(chat());
    CHECK(queue.submit(prompt(R"({"status": 403, "body": {"detail": "not you"}})"), submit_as::send, 1));
    gw::completion done = queue.next().value();
    CHECK_EQUAL(done.status(), status::forbidden);
    CHECK(done.error_message()->find("not you") != std::string_view::npos);
    std::optional<gw::error> error = done.take_error();
    CHECK(!done.error_message() && !done.take_error());
    CHECK(!done.take_response() && !done.take_embeddings());
    {
        // The error outlives its completion.
        const gw::completion ended = std::move(done);
    }
    CHECK_EQUAL(thrown_by([&error] { throw *error; }), status::forbidden);
    CHECK_EQUAL(error->http_status(), 403);
}

TEST(queue_sends_embeddings)
{
    gw::queue queue(chat());
    CHECK(queue.submit(input("abc"), submit_as::embed, 1));
    gw::completion done = queue.next().value();
    CHECK_EQUAL(done.embeddings().size(), 1U);
    CHECK_EQUAL(done.embeddings()[0][0], 3.0F);
    CHECK_EQUAL(mlflow_gateway_embeddings_count(done.embeddings().get()), 1U);
    const std::optional<gw::embeddings> embeddings = done.take_embeddings();
    CHECK_EQUAL(embeddings->dimension(), 2U);
    CHECK(done.embeddings().empty() && done.embeddings().begin() == done.embeddings().end());
}

TEST(queue_reports_pending_end_and_full)
{
    gw::queue queue(chat());
    queue.set_option("max_in_flight", "1");
    queue.set_option("max_queued", "1");
    CHECK_EQUAL(queue.count(count_kind::limit), 1U);
    CHECK_EQUAL(queue.next_for(1ms).status, status::pending);
    CHECK_EQUAL(queue.next_for(-1h).status, status::pending);
    CHECK(queue.submit(prompt("stall"), submit_as::send, 1));
    CHECK(queue.submit(prompt("hello"), submit_as::send, 2));
    CHECK(!queue.submit(prompt("hello"), submit_as::send, 3));
    CHECK(!*queue.try_submit(prompt("hello"), submit_as::send, 3));
    CHECK_EQUAL(queue.count(count_kind::waiting), 1U);
    CHECK_EQUAL(queue.count(count_kind::in_flight), 1U);
    CHECK_EQUAL(queue.count(count_kind::unfetched), 0U);
    CHECK_EQUAL(queue.cancel(3), 0U);
    CHECK_EQUAL(queue.cancel(1), 1U);
    queue.close();
    const gw::queue::fetched cancelled = queue.next_for(1min);
    CHECK_EQUAL(cancelled.status, status::ok);
    CHECK_EQUAL(cancelled.completion->tag(), 1U);
    CHECK_EQUAL(cancelled.completion->status(), status::cancelled);
    const gw::result<gw::queue::fetched> sent = queue.try_next_for(1min);
    CHECK_EQUAL(sent->completion->response().text(), "echo: hello");
    CHECK_EQUAL(queue.next_for(0s).status, status::queue_end);
    CHECK(!queue.try_next()->has_value());
}

TEST(queue_in_an_event_loop)
{
    gw::queue queue(chat());
    const int fd = queue.fd();
    CHECK_EQUAL(queue.try_fd().value(), fd);
    CHECK(!is_readable(fd, 0));
    for (std::uint64_t tag = 0; tag < 3; ++tag)
        CHECK(queue.submit(prompt("one two"), submit_as::stream, tag));
    queue.close();
    int done = 0;
    for (status last = status::pending; last == status::pending;) {
        CHECK(is_readable(fd, 60'000));
        for (gw::queue::fetched each = queue.next_for(0ms);; each = queue.next_for(0ms)) {
            last = each.status;
            if (!each.completion)
                break;
            done += each.completion->kind() == completion_kind::done;
        }
    }
    CHECK_EQUAL(done, 3);
    CHECK(is_readable(fd, 0));
}

TEST(queue_rejects_what_calls_reject)
{
    gw::queue queue(chat());
    CHECK_EQUAL(thrown_by([&] { static_cast<void>(queue.submit(gw::request(), submit_as::send, 1)); }),
                status::invalid_argument);
    CHECK_EQUAL(status_of(queue.try_submit(input("x"), submit_as::stream, 1)), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { queue.set_option("max_queued", "0"); }), status::invalid_option_value);
    CHECK_EQUAL(status_of(queue.try_set_option("max_retries", "0")), status::unknown_option);
    queue.close();
    CHECK_EQUAL(status_of(queue.try_submit(prompt("hello"), submit_as::send, 1)), status::invalid_argument);
}

TEST(queue_and_completion_that_were_moved_from_have_nothing)
{
    gw::queue queue(chat());
    CHECK(queue.submit(prompt("hello"), submit_as::send, 1));
    gw::queue owner = gw::queue::adopt(queue.release());
    CHECK_EQUAL(status_of(queue.try_next()), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { queue.next_for(1ms); }), status::invalid_argument);
    CHECK_EQUAL(status_of(queue.try_fd()), status::invalid_argument);
    CHECK_EQUAL(thrown_by([&] { queue.begin(); }), status::invalid_argument);
    CHECK_EQUAL(queue.count(count_kind::limit) + queue.cancel(1), 0U);
    gw::completion done = owner.next().value();
    const gw::completion moved = gw::completion::adopt(done.release());
    CHECK_EQUAL(moved.response().text(), "echo: hello");
    CHECK(!done.response().get() && !done.error_message() && done.tag() == 0);
}

TEST(queue_is_shared_by_threads)
{
    gw::queue queue(chat());
    queue.set_option("max_queued", "4");
    std::thread fetcher([&queue] {
        std::vector<std::uint64_t> tags;
        for (const gw::completion& done : queue)
            tags.push_back(done.tag());
        std::sort(tags.begin(), tags.end());
        for (std::uint64_t tag = 0; tag < 100; ++tag)
            CHECK_EQUAL(tags.at(tag), tag);
    });
    const gw::request request = prompt("hello");
    for (std::uint64_t tag = 0; tag < 100; ++tag)
        while (!queue.submit(request, submit_as::send, tag))
            std::this_thread::sleep_for(1ms);
    queue.close();
    fetcher.join();
}

TEST(log_callback_of_a_queue_runs_where_completions_are_fetched)
{
    std::vector<std::thread::id> threads;
    gw::handle gateway = chat();
    gateway.set_log(gw::log_level::info, [&threads](gw::log_level, std::string_view) {
        threads.push_back(std::this_thread::get_id());
        throw std::runtime_error("discarded");
    });
    gw::queue queue(gateway);
    CHECK(queue.submit(prompt("hello"), submit_as::send, 1));
    CHECK_EQUAL(queue.next()->response().text(), "echo: hello");
    CHECK(threads.size() == 1 && threads[0] == std::this_thread::get_id());
}

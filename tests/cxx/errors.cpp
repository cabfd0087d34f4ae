// Errors, results, version, names, and the small array type.
#include "check.hpp"

#include <memory>
#include <vector>

using namespace std::chrono_literals;
using namespace std::string_literals;

TEST(names_and_version)
{
    CHECK_EQUAL(gw::version(), mlflow_gateway_version());
    CHECK_EQUAL(gw::version_number(), MLFLOW_GATEWAY_VERSION_NUMBER);
    CHECK_EQUAL(gw::status_name(gw::status::timeout), "MLFLOW_GATEWAY_TIMEOUT");
    CHECK_EQUAL(gw::llm_type(), "mlflow-ai-gateway");
}

TEST(error_has_everything_of_the_response)
{
    const gw::handle gateway = chat();
    gw::request request = prompt(R"({"status": 429, "headers": {"Retry-After": "7", "x-request-id": "abc"},
                                     "body": {"error_code": "BUSY", "message": "slow down"}})");
    request.set_option("max_retries", "0");
    try {
        gateway.send(request);
        fail(__FILE__, __LINE__, "nothing was thrown");
    } catch (const std::runtime_error& caught) {
        const auto& error = dynamic_cast<const gw::error&>(caught);
        CHECK_EQUAL(error.status(), gw::status::rate_limited);
        CHECK_EQUAL(error.http_status(), 429);
        CHECK_EQUAL(error.gateway_code(), "BUSY");
        CHECK(error.is_retryable());
        CHECK(error.retry_after() == 7000ms);
        CHECK_EQUAL(error.attempts(), 1U);
        CHECK(error.retry_reasons().empty());
        CHECK_EQUAL(error.header("X-Request-Id"), "abc");
        CHECK_EQUAL(error.header("x-other"), std::optional<int>());
        CHECK_EQUAL(error.header("x-request-id\0"s), std::optional<int>());
        CHECK(error.body()->find("slow down") != std::string_view::npos);
        CHECK(std::string_view(error.what()).find("slow down") != std::string_view::npos);
        CHECK(error.what() == std::string_view(mlflow_gateway_error_message(error.get())));
    }
}

TEST(error_and_response_report_retries)
{
    const gw::handle gateway = chat();
    gw::request request = prompt(R"({"status": 503, "body": "no"})");
    request.set_option("max_retries", "2");
    const auto failed = gateway.try_send(request);
    CHECK_EQUAL(status_of(failed), gw::status::server_error);
    CHECK_EQUAL(failed.error().attempts(), 3U);
    CHECK_EQUAL(failed.error().retry_reasons().size(), 2U);
    CHECK_EQUAL(failed.error().retry_reasons()[0], "HTTP status 503");

    request.set_prompt(R"([{"status": 503, "body": "no"}, {"body": {"choices": [{"message": {"content": "hi"}}]}}])");
    const gw::response response = gateway.send(request);
    CHECK_EQUAL(response.text(), "hi");
    CHECK_EQUAL(response.attempts(), 2U);
    CHECK_EQUAL(response.retry_reasons().size(), 1U);
    CHECK_EQUAL(response.retry_reasons()[0], "HTTP status 503");
}

TEST(error_without_response)
{
    const gw::error error(gw::status::internal, "fault");
    CHECK_EQUAL(error.what(), "fault"s);
    CHECK_EQUAL(error.http_status(), 0);
    CHECK_EQUAL(error.gateway_code(), std::optional<int>());
    CHECK(!error.is_retryable());
    CHECK(!error.retry_after());
    CHECK_EQUAL(error.attempts(), 0U);
    CHECK(error.retry_reasons().empty());
    CHECK_EQUAL(error.header("a"), std::optional<int>());
    CHECK_EQUAL(error.body(), std::optional<int>());
    CHECK(error.get() == nullptr);
}

TEST(error_copies_outlive_the_original)
{
    std::optional<gw::error> copy;
    {
        mlflow_gateway_error* object = nullptr;
        mlflow_gateway* none = nullptr;
        CHECK(mlflow_gateway_create("r", "ftp://host", &none, &object) == MLFLOW_GATEWAY_INVALID_URI);
        const gw::error original = gw::error::adopt(object);
        copy = original;
    }
    CHECK_EQUAL(copy->status(), gw::status::invalid_uri);
    CHECK(std::string_view(copy->what()).find("ftp") != std::string_view::npos);
    CHECK(mlflow_gateway_error_status(copy->get()) == MLFLOW_GATEWAY_INVALID_URI);
}

#if defined(__cpp_lib_expected)
static_assert(std::is_same_v<gw::result<int>, std::expected<int, gw::error>>);
#endif

TEST(result_with_value)
{
    gw::result<std::string> text = gw::try_json_quote("a");
    CHECK(text && text.has_value());
    CHECK_EQUAL(*text, "\"a\"");
    CHECK_EQUAL(text->size(), 3U);
    CHECK_EQUAL(text.value(), "\"a\"");
    const gw::result<std::string>& constant = text;
    CHECK_EQUAL(*constant, "\"a\"");
    CHECK_EQUAL(constant->size(), 3U);
    CHECK_EQUAL(constant.value(), "\"a\"");
    CHECK_EQUAL(constant.value_or("b"), "\"a\"");
    CHECK_EQUAL(gw::try_json_quote("c").value(), "\"c\"");
    CHECK_EQUAL(gw::try_json_quote("d").value_or("e"), "\"d\"");
    gw::handle moved = *gw::handle::try_create("r", servers().gateway);
    CHECK(moved.get() != nullptr);

    gw::result<void> done = moved.try_set_option("max_retries", "0");
    CHECK(done && done.has_value());
    *done;
    done.value();
}

TEST(result_with_error)
{
    gw::result<std::string> text = gw::try_json_quote("\xff");
    CHECK(!text && !text.has_value());
    CHECK_EQUAL(text.error().status(), gw::status::invalid_argument);
    CHECK_EQUAL(static_cast<const gw::result<std::string>&>(text).error().status(), gw::status::invalid_argument);
    CHECK_EQUAL(text.value_or("otherwise"), "otherwise");
    bool thrown = false;
    try {
        static_cast<void>(text.value());
    } catch (const std::exception&) {
        thrown = true;
    }
    CHECK(thrown);

    gw::handle gateway = chat();
    gw::result<void> done = gateway.try_set_option("none", "0");
    CHECK(!done && !done.has_value());
    CHECK_EQUAL(done.error().status(), gw::status::unknown_option);
    CHECK_EQUAL(static_cast<const gw::result<void>&>(done).error().status(), gw::status::unknown_option);
    thrown = false;
    try {
        done.value();
    } catch (const std::exception&) {
        thrown = true;
    }
    CHECK(thrown);
}

TEST(span_refers_to_arrays_and_containers)
{
    std::vector<float> floats = {1, 2, 3};
    const gw::span<float> all(floats);
    all[1] = 5;
    CHECK(all.size() == 3 && floats[1] == 5 && all.data() == floats.data() && !all.empty());
    const gw::span<const float> constant(floats);
    CHECK(constant[1] == 5);
    CHECK(constant.end() - constant.begin() == 3);
    const unsigned char array[] = {1, 0, 255};
    const gw::span<const std::byte> bytes = gw::as_bytes(array);
    CHECK(bytes.size() == 3 && bytes[2] == std::byte{255});
    CHECK(gw::as_bytes(floats).size() == 3 * sizeof(float));
    CHECK(gw::span<float>().empty());
}

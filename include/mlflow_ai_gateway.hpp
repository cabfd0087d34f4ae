/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * mlflow_ai_gateway.hpp - call MLflow AI gateways, Databricks, and OpenAI-compatible servers from C++17 or later.
 *
 * Link with -lmlflow_ai_gateway. The shortest program:
 *
 *     #include <mlflow_ai_gateway.hpp>
 *     #include <iostream>
 *
 *     int main()
 *     {
 *         try {
 *             mlflow::gateway::handle gateway("completions", "http://127.0.0.1:5000");
 *             std::cout << gateway.call("The capital of France is") << '\n';
 *         } catch (const mlflow::gateway::error& error) {
 *             std::cerr << error.what() << '\n';
 *             return 1;
 *         }
 *     }
 *
 * This header wraps mlflow_ai_gateway.h, which describes parameters, options and statuses in full. A function here does
 * what the C function of the same name does. These rules apply to all of it:
 *
 * Ownership  A handle, request, response, stream, queue, completion, embeddings, routes or cancel_token owns its C
 *            object and destroys it. It can be moved, not copied. After a move, only assign to it or destroy it: its
 *            functions fail with status::invalid_argument, or return nothing. get() returns the C object, adopt() takes
 *            one over, and release() gives it up. Objects are independent: destroy them in any order.
 * Lifetimes  response_view, embeddings_view, candidate, tool_call, event and route are views, and so are each
 *            std::string_view and span that is returned. A view is valid as long as the object that it was read from;
 *            an event of a stream, and what is read from stream::response(), until the next event is fetched. A
 *            std::string that is returned is yours.
 * Errors     A function that can fail has two forms. The plain one throws an error. The one named try_... returns a
 *            result: std::expected<T, error> if the standard library has it, else a class with the same basic members.
 *            The try_ form throws only std::bad_alloc and exceptions of callbacks. In a program compiled with
 *            -fno-exceptions, the plain form calls std::abort() where it would throw.
 * Strings    Strings are UTF-8. The content of a request may contain NUL bytes. In any other string, a NUL byte is
 *            status::invalid_argument. Where C has NULL, there is std::nullopt, as an argument and as a result: a value
 *            that the gateway did not report differs from an empty one and from 0.
 * Threads    Threads may share any object. Moving, assigning and destroying one requires exclusive access. Only one
 *            thread at a time may fetch the events of a stream.
 * Callbacks  Any callable is a callback. A call that fetches events catches an exception of its callback, stops, and
 *            throws it again when the stream is closed. An exception of a log callback is discarded.
 */

#ifndef MLFLOW_AI_GATEWAY_HPP
#define MLFLOW_AI_GATEWAY_HPP

#include <mlflow_ai_gateway.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#if defined(__has_include)
#if __has_include(<version>)
#include <version>
#endif
#endif
#if defined(__cpp_lib_expected)
#include <expected>
#endif
#if defined(__cpp_lib_span)
#include <span>
#endif
#if defined(__cpp_lib_jthread)
#include <functional>
#include <stop_token>
#endif

namespace mlflow::gateway {

// Some signatures depend on the language version. Objects compiled for different versions link to one program, because
// the functions of each version have names of their own.
#if defined(__cpp_lib_expected)
inline namespace cxx23 {
#elif defined(__cpp_lib_span)
inline namespace cxx20 {
#else
inline namespace cxx17 {
#endif

// Numbers
// -------

/// Result of a call. Each means what the constant of the C header with this name means.
enum class status : std::int32_t {
    ok = MLFLOW_GATEWAY_OK,

    // error of the caller; nothing was sent
    invalid_argument = MLFLOW_GATEWAY_INVALID_ARGUMENT,
    invalid_uri = MLFLOW_GATEWAY_INVALID_URI,
    no_gateway_uri = MLFLOW_GATEWAY_NO_GATEWAY_URI,
    unknown_option = MLFLOW_GATEWAY_UNKNOWN_OPTION,
    invalid_option_value = MLFLOW_GATEWAY_INVALID_OPTION_VALUE,
    invalid_param = MLFLOW_GATEWAY_INVALID_PARAM,
    insecure_auth = MLFLOW_GATEWAY_INSECURE_AUTH,

    // transport
    resolve_failed = MLFLOW_GATEWAY_RESOLVE_FAILED,
    connect_failed = MLFLOW_GATEWAY_CONNECT_FAILED,
    tls_failed = MLFLOW_GATEWAY_TLS_FAILED,
    connection_lost = MLFLOW_GATEWAY_CONNECTION_LOST,
    timeout = MLFLOW_GATEWAY_TIMEOUT,
    cancelled = MLFLOW_GATEWAY_CANCELLED,
    proxy_failed = MLFLOW_GATEWAY_PROXY_FAILED,

    // refused by the gateway or the model provider
    bad_request = MLFLOW_GATEWAY_BAD_REQUEST,
    unauthorized = MLFLOW_GATEWAY_UNAUTHORIZED,
    forbidden = MLFLOW_GATEWAY_FORBIDDEN,
    not_found = MLFLOW_GATEWAY_NOT_FOUND,
    rate_limited = MLFLOW_GATEWAY_RATE_LIMITED,
    budget_exceeded = MLFLOW_GATEWAY_BUDGET_EXCEEDED,
    guardrail_blocked = MLFLOW_GATEWAY_GUARDRAIL_BLOCKED,
    server_error = MLFLOW_GATEWAY_SERVER_ERROR,
    http_error = MLFLOW_GATEWAY_HTTP_ERROR,
    unsupported = MLFLOW_GATEWAY_UNSUPPORTED,

    // invalid response
    bad_response = MLFLOW_GATEWAY_BAD_RESPONSE,
    no_candidates = MLFLOW_GATEWAY_NO_CANDIDATES,
    response_too_large = MLFLOW_GATEWAY_RESPONSE_TOO_LARGE,
    stream_truncated = MLFLOW_GATEWAY_STREAM_TRUNCATED,
    stream_error = MLFLOW_GATEWAY_STREAM_ERROR,
    no_text = MLFLOW_GATEWAY_NO_TEXT,

    // fault of this library
    panic = MLFLOW_GATEWAY_PANIC,
    out_of_memory = MLFLOW_GATEWAY_OUT_OF_MEMORY,
    internal = MLFLOW_GATEWAY_INTERNAL,

    // not failures; of these, functions of this header return pending and queue_end only, in queue::fetched
    stream_end = MLFLOW_GATEWAY_STREAM_END,
    pending = MLFLOW_GATEWAY_PENDING,
    queue_end = MLFLOW_GATEWAY_QUEUE_END,
    queue_full = MLFLOW_GATEWAY_QUEUE_FULL,
    no_value = MLFLOW_GATEWAY_NO_VALUE
};

/// A point of a call, for response_view::time().
enum class time_kind : std::int32_t {
    queued = MLFLOW_GATEWAY_TIME_QUEUED,
    connected = MLFLOW_GATEWAY_TIME_CONNECTED,
    first_byte = MLFLOW_GATEWAY_TIME_FIRST_BYTE,
    first_token = MLFLOW_GATEWAY_TIME_FIRST_TOKEN,
    first_text = MLFLOW_GATEWAY_TIME_FIRST_TEXT,
    total = MLFLOW_GATEWAY_TIME_TOTAL
};

/// A token count, for the functions named tokens().
enum class token_kind : std::int32_t {
    input = MLFLOW_GATEWAY_TOKENS_INPUT,
    output = MLFLOW_GATEWAY_TOKENS_OUTPUT,
    total = MLFLOW_GATEWAY_TOKENS_TOTAL,
    cached_input = MLFLOW_GATEWAY_TOKENS_CACHED_INPUT,
    reasoning = MLFLOW_GATEWAY_TOKENS_REASONING,
    cache_write = MLFLOW_GATEWAY_TOKENS_CACHE_WRITE
};

/// Kind of a JSON value.
enum class json_kind : std::int32_t {
    null = MLFLOW_GATEWAY_JSON_NULL,
    boolean = MLFLOW_GATEWAY_JSON_BOOL,
    number = MLFLOW_GATEWAY_JSON_NUMBER,
    string = MLFLOW_GATEWAY_JSON_STRING,
    array = MLFLOW_GATEWAY_JSON_ARRAY,
    object = MLFLOW_GATEWAY_JSON_OBJECT
};

/// Kind of an event. Ignore kinds that you do not know: a later library may have more.
enum class event_kind : std::int32_t {
    text = MLFLOW_GATEWAY_EVENT_TEXT,
    reasoning = MLFLOW_GATEWAY_EVENT_REASONING,
    refusal = MLFLOW_GATEWAY_EVENT_REFUSAL,
    tool_call = MLFLOW_GATEWAY_EVENT_TOOL_CALL,
    finish = MLFLOW_GATEWAY_EVENT_FINISH,
    usage = MLFLOW_GATEWAY_EVENT_USAGE,
    other = MLFLOW_GATEWAY_EVENT_OTHER
};

/// How a queue sends a request: as handle::send(), open_stream() or embed() would.
enum class submit_as : std::int32_t {
    send = MLFLOW_GATEWAY_SUBMIT_SEND,
    stream = MLFLOW_GATEWAY_SUBMIT_STREAM,
    embed = MLFLOW_GATEWAY_SUBMIT_EMBED
};

/// A count of a queue, for queue::count().
enum class count_kind : std::int32_t {
    waiting = MLFLOW_GATEWAY_QUEUE_COUNT_WAITING,
    in_flight = MLFLOW_GATEWAY_QUEUE_COUNT_IN_FLIGHT,
    unfetched = MLFLOW_GATEWAY_QUEUE_COUNT_UNFETCHED,
    limit = MLFLOW_GATEWAY_QUEUE_COUNT_LIMIT
};

/// Kind of a completion. Ignore kinds that you do not know: a later library may have more.
enum class completion_kind : std::int32_t {
    event = MLFLOW_GATEWAY_COMPLETION_EVENT,
    done = MLFLOW_GATEWAY_COMPLETION_DONE
};

/// Level of a log line. Each level includes those before it.
enum class log_level : std::int32_t {
    off = MLFLOW_GATEWAY_LOG_OFF,
    error = MLFLOW_GATEWAY_LOG_ERROR,
    info = MLFLOW_GATEWAY_LOG_INFO,
    debug = MLFLOW_GATEWAY_LOG_DEBUG
};

// Version and names
// -----------------

/// Return the version of the library at run time.
inline std::string_view version() noexcept
{
    return mlflow_gateway_version();
}

/// Return the version of the library at run time as a number, to compare with MLFLOW_GATEWAY_VERSION_NUMBER.
inline std::int32_t version_number() noexcept
{
    return mlflow_gateway_version_number();
}

/// Return the name of a status, for example "MLFLOW_GATEWAY_TIMEOUT".
inline std::string_view status_name(status value) noexcept
{
    return mlflow_gateway_status_name(static_cast<mlflow_gateway_status>(value));
}

/// Return "mlflow-ai-gateway", LangChain's name for this kind of model.
inline std::string_view llm_type() noexcept
{
    return mlflow_gateway_llm_type();
}

// Arrays
// ------

#if defined(__cpp_lib_span)
/// An array that belongs to another object.
template <typename T>
using span = std::span<T>;
#else
/// An array that belongs to another object: the part of C++20's std::span that this header needs.
template <typename T>
class span {
public:
    using element_type = T;
    using value_type = std::remove_cv_t<T>;
    using size_type = std::size_t;
    using iterator = T*;

    constexpr span() noexcept = default;

    constexpr span(T* data, std::size_t size) noexcept : data_(data), size_(size) {}

    /// Refer to a container that has data() and size(), or to an array.
    template <typename Container,
              typename Element = std::remove_pointer_t<decltype(std::data(std::declval<Container&>()))>,
              typename = std::enable_if_t<std::is_convertible_v<Element (*)[], T (*)[]>>>
    constexpr span(Container&& container) noexcept : data_(std::data(container)), size_(std::size(container))
    {
    }

    constexpr T* data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T* begin() const noexcept { return data_; }
    constexpr T* end() const noexcept { return data_ + size_; }
    constexpr T& operator[](std::size_t index) const { return data_[index]; }

private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};
#endif

/// Return the bytes of a container, for example of a std::vector<unsigned char>.
template <typename Container>
span<const std::byte> as_bytes(const Container& container) noexcept
{
    using element = std::remove_pointer_t<decltype(std::data(container))>;
    static_assert(std::is_trivially_copyable_v<element>, "the elements must be plain bytes or numbers");
    return {reinterpret_cast<const std::byte*>(std::data(container)), std::size(container) * sizeof(element)};
}

/// A string argument that may be absent. std::nullopt, nullptr and a null `const char*`, for example from
/// std::getenv(), mean that it is absent.
class optional_string {
public:
    optional_string(std::nullopt_t) noexcept {}
    optional_string(std::nullptr_t) noexcept {}
    optional_string(const char* text) noexcept : text_(text ? std::optional<std::string_view>(text) : std::nullopt) {}
    optional_string(const std::string& text) noexcept : text_(text) {}
    optional_string(std::string_view text) noexcept : text_(text) {}
    optional_string(std::optional<std::string_view> text) noexcept : text_(text) {}

    /// Return the string.
    std::optional<std::string_view> get() const noexcept { return text_; }

private:
    std::optional<std::string_view> text_ = std::nullopt;
};

namespace detail {

/// Lets std::unique_ptr destroy a C object.
template <auto Destroy>
struct deleter {
    template <typename T>
    void operator()(T* object) const noexcept
    {
        Destroy(object);
    }
};

/// Owns one C object: the base of all classes that do.
template <typename T, void (*Destroy)(T*)>
class owner {
public:
    /// Type of the C object.
    using c_type = T;

    owner(const owner&) = delete;
    owner& operator=(const owner&) = delete;

    /// Return the C object. This object still owns it.
    T* get() const noexcept { return object_.get(); }

    /// Give up the C object. The caller owns it.
    [[nodiscard]] T* release() noexcept { return object_.release(); }

protected:
    explicit owner(T* object) noexcept : object_(object) {}
    owner(owner&&) noexcept = default;
    owner& operator=(owner&&) noexcept = default;
    ~owner() = default;

private:
    std::unique_ptr<T, deleter<Destroy>> object_;
};

/// Owns one C object and reads like a view of it: the base of the classes that have views.
template <typename View, typename T, void (*Destroy)(T*)>
class owning_view : public View {
public:
    /// Type of the C object.
    using c_type = T;

    owning_view(const owning_view&) = delete;
    owning_view& operator=(const owning_view&) = delete;

    /// Give up the C object. The caller owns it.
    [[nodiscard]] T* release() noexcept
    {
        // The constructor received it as a pointer to a non-const object.
        auto* object = const_cast<T*>(this->get());
        view() = View();
        return object;
    }

protected:
    explicit owning_view(T* object) noexcept : View(object) {}
    owning_view(owning_view&& other) noexcept : View(other.release()) {}
    owning_view& operator=(owning_view&& other) noexcept
    {
        owning_view moved(std::move(other));
        std::swap(view(), moved.view());
        return *this;
    }
    ~owning_view() { Destroy(release()); }

private:
    View& view() noexcept { return *this; }
};

inline std::optional<std::string_view> optional_view(const char* text) noexcept
{
    return text ? std::optional<std::string_view>(text) : std::nullopt;
}

inline std::optional<std::string_view> optional_view(const char* text, std::size_t len) noexcept
{
    return text ? std::optional<std::string_view>(std::in_place, text, len) : std::nullopt;
}

/// C reports -1 for an unknown value.
template <typename T = std::int64_t>
std::optional<T> optional_number(std::int64_t number) noexcept
{
    return number < 0 ? std::nullopt : std::optional<T>(number);
}

/// A NUL-terminated copy of a string argument. It may be a secret, so it is wiped.
class c_string {
public:
    explicit c_string(std::optional<std::string_view> text)
        : is_null_(!text), text_(text.value_or(std::string_view()))
    {
    }
    c_string(const c_string&) = delete;
    c_string& operator=(const c_string&) = delete;

    ~c_string()
    {
        volatile char* bytes = text_.data();
        for (std::size_t index = 0; index < text_.size(); ++index)
            bytes[index] = '\0';
    }

    bool has_nul() const noexcept { return text_.find('\0') != std::string::npos; }

    operator const char*() const noexcept { return is_null_ ? nullptr : text_.c_str(); }

private:
    bool is_null_;
    std::string text_;
};

template <typename T>
std::optional<std::string_view> find_header(const char* (*find)(const T*, const char*), const T* object,
                                            std::string_view name)
{
    const c_string text(name);
    return text.has_nul() ? std::nullopt : optional_view(find(object, text));
}

/// Calls `element(index)` for each index from 0 on.
template <typename Element>
class index_iterator {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = std::invoke_result_t<const Element&, std::size_t>;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = value_type;

    index_iterator(Element element, std::size_t index) noexcept : element_(element), index_(index) {}

    value_type operator*() const noexcept { return element_(index_); }

    index_iterator& operator++() noexcept
    {
        ++index_;
        return *this;
    }

    index_iterator operator++(int) noexcept
    {
        index_iterator before = *this;
        ++index_;
        return before;
    }

    friend bool operator==(const index_iterator& left, const index_iterator& right) noexcept
    {
        return left.index_ == right.index_;
    }

    friend bool operator!=(const index_iterator& left, const index_iterator& right) noexcept
    {
        return !(left == right);
    }

private:
    Element element_;
    std::size_t index_;
};

} // namespace detail

/// A sequence of views, such as the candidates of a response. An index that does not exist gives an empty view,
/// whose functions return std::nullopt or 0.
template <typename Element>
class view_list {
public:
    using iterator = detail::index_iterator<Element>;
    using value_type = typename iterator::value_type;

    view_list(Element element, std::size_t size) noexcept : element_(element), size_(size) {}

    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    value_type operator[](std::size_t index) const noexcept { return element_(index); }
    iterator begin() const noexcept { return iterator(element_, 0); }
    iterator end() const noexcept { return iterator(element_, size_); }

private:
    Element element_;
    std::size_t size_;
};

// Errors
// ------

/// Why a call failed. what() is the error message, one line: what failed (method and URL), why, and what to do. Copies
/// share the C object. Strings read from an error are valid as long as one of its copies.
class error : public std::runtime_error {
public:
    /// Create an error without a response.
    error(gateway::status value, const std::string& message) : std::runtime_error(message), status_(value) {}

    /// Take over an error of the C functions.
    static error adopt(mlflow_gateway_error* object)
    {
        return error(std::shared_ptr<const mlflow_gateway_error>(object, mlflow_gateway_error_destroy));
    }

    /// Return the C object, or nullptr. This object still owns it.
    const mlflow_gateway_error* get() const noexcept { return object_.get(); }

    /// Return why the call failed.
    gateway::status status() const noexcept { return status_; }

    /// Return the HTTP status of the response, or 0 without a response.
    std::int32_t http_status() const noexcept { return mlflow_gateway_error_http_status(get()); }

    /// Return the error code of the gateway or the model provider.
    std::optional<std::string_view> gateway_code() const noexcept
    {
        return detail::optional_view(mlflow_gateway_error_gateway_code(get()));
    }

    /// Return whether the same request may succeed later.
    bool is_retryable() const noexcept { return mlflow_gateway_error_is_retryable(get()) != 0; }

    /// Return how long the gateway asks to wait.
    std::optional<std::chrono::milliseconds> retry_after() const noexcept
    {
        return detail::optional_number<std::chrono::milliseconds>(mlflow_gateway_error_retry_after_ms(get()));
    }

    /// Return how many times the request was sent, at least in part.
    std::size_t attempts() const noexcept { return mlflow_gateway_error_attempts(get()); }

    /// Return why each retry was made, for example "HTTP status 503".
    std::vector<std::string_view> retry_reasons() const
    {
        std::vector<std::string_view> reasons;
        for (std::size_t retry = 0; retry < mlflow_gateway_error_retry_count(get()); ++retry)
            reasons.emplace_back(mlflow_gateway_error_retry_reason(get(), retry));
        return reasons;
    }

    /// Return the first response header of that name (case-insensitive).
    std::optional<std::string_view> header(std::string_view name) const
    {
        return detail::find_header(mlflow_gateway_error_header, get(), name);
    }

    /// Return the body of the response, or the failed event of a stream. It may have any encoding.
    std::optional<std::string_view> body() const noexcept
    {
        std::size_t len = 0;
        const char* bytes = mlflow_gateway_error_body(get(), &len);
        return detail::optional_view(bytes, len);
    }

private:
    explicit error(std::shared_ptr<const mlflow_gateway_error> object)
        : std::runtime_error(mlflow_gateway_error_message(object.get())),
          status_(static_cast<gateway::status>(mlflow_gateway_error_status(object.get()))),
          object_(std::move(object))
    {
    }

    gateway::status status_;
    std::shared_ptr<const mlflow_gateway_error> object_ = nullptr;
};

namespace detail {

[[noreturn]] inline void raise(error&& failure)
{
#if defined(__cpp_exceptions)
    throw std::move(failure);
#else
    static_cast<void>(failure);
    std::abort();
#endif
}

} // namespace detail

#if defined(__cpp_lib_expected)
/// A value, or why there is none.
template <typename T>
using result = std::expected<T, error>;

namespace detail {
using failure = std::unexpected<error>;
} // namespace detail
#else
namespace detail {

struct failure {
    explicit failure(error&& value) : reason(std::move(value)) {}
    error reason;
};

} // namespace detail

/// A value, or why there is none: the part of C++23's std::expected that this header needs. value() throws the error
/// itself, not a std::bad_expected_access.
template <typename T>
class [[nodiscard]] result {
public:
    using value_type = T;
    using error_type = gateway::error;

    result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    result(detail::failure failure) : state_(std::in_place_index<1>, std::move(failure.reason)) {}

    bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    /// Return the value. There must be one.
    T& operator*() & noexcept { return *std::get_if<0>(&state_); }
    const T& operator*() const& noexcept { return *std::get_if<0>(&state_); }
    T&& operator*() && noexcept { return std::move(*std::get_if<0>(&state_)); }
    T* operator->() noexcept { return std::get_if<0>(&state_); }
    const T* operator->() const noexcept { return std::get_if<0>(&state_); }

    /// Return the value, or throw the error.
    T& value() &
    {
        check();
        return **this;
    }
    const T& value() const&
    {
        check();
        return **this;
    }
    T&& value() &&
    {
        check();
        return *std::move(*this);
    }

    /// Return the value, or `otherwise` if there is none.
    template <typename U>
    T value_or(U&& otherwise) &&
    {
        return has_value() ? *std::move(*this) : static_cast<T>(std::forward<U>(otherwise));
    }
    template <typename U>
    T value_or(U&& otherwise) const&
    {
        return has_value() ? **this : static_cast<T>(std::forward<U>(otherwise));
    }

    /// Return the error. There must be one.
    gateway::error& error() noexcept { return *std::get_if<1>(&state_); }
    const gateway::error& error() const noexcept { return *std::get_if<1>(&state_); }

private:
    void check() const
    {
        if (!has_value())
            detail::raise(gateway::error(error()));
    }

    std::variant<T, gateway::error> state_;
};

/// Success, or why a call failed.
template <>
class [[nodiscard]] result<void> {
public:
    using value_type = void;
    using error_type = gateway::error;

    result() noexcept = default;
    result(detail::failure failure) : error_(std::move(failure.reason)) {}

    bool has_value() const noexcept { return !error_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }
    void operator*() const noexcept {}

    /// Throw the error, if there is one.
    void value() const
    {
        if (error_)
            detail::raise(gateway::error(*error_));
    }

    /// Return the error. There must be one.
    gateway::error& error() noexcept { return *error_; }
    const gateway::error& error() const noexcept { return *error_; }

private:
    std::optional<gateway::error> error_ = std::nullopt;
};
#endif

namespace detail {

/// Makes the throwing form of a function from its try_ form.
template <typename T>
T unwrap(result<T>&& outcome)
{
    if (!outcome.has_value())
        raise(std::move(outcome.error()));
    return *std::move(outcome);
}

/// Prepares an argument: copies a string with a NUL terminator, and passes any other argument on.
inline c_string prepare(std::string_view text)
{
    return c_string(text);
}
inline c_string prepare(optional_string text)
{
    return c_string(text.get());
}
template <typename T>
T prepare(T argument)
{
    return argument;
}

inline bool has_nul(const c_string& text)
{
    return text.has_nul();
}
template <typename T>
bool has_nul(const T&)
{
    return false;
}

template <typename Function, typename... Arguments>
result<status> call_prepared(Function function, const Arguments&... arguments)
{
    if ((has_nul(arguments) || ...))
        return failure(error(status::invalid_argument,
                             "a string argument contains a NUL byte, which this function does not accept; remove it"));
    mlflow_gateway_error* raised = nullptr;
    const mlflow_gateway_status returned = function(arguments..., &raised);
    if (raised != nullptr)
        return failure(error::adopt(raised));
    return static_cast<status>(returned);
}

/// Calls a C function that can fail, and adds its last argument, the error.
template <typename Function, typename... Arguments>
result<status> call(Function function, Arguments... arguments)
{
    return call_prepared(function, prepare(arguments)...);
}

/// Calls a C function without an output.
template <typename Function, typename... Arguments>
result<void> run(Function function, Arguments... arguments)
{
    result<status> outcome = call(function, arguments...);
    if (!outcome.has_value())
        return failure(std::move(outcome.error()));
    return {};
}

/// Calls a C function whose output is an object.
template <typename Owner, typename Function, typename... Arguments>
result<Owner> create(Function function, Arguments... arguments)
{
    typename Owner::c_type* object = nullptr;
    result<status> outcome = call(function, arguments..., &object);
    if (!outcome.has_value())
        return failure(std::move(outcome.error()));
    return Owner::adopt(object);
}

/// Copies a string that a C function returned, and frees it.
inline std::string take(char* text, std::size_t len)
{
    const std::unique_ptr<char, deleter<mlflow_gateway_string_free>> owned(text);
    return text ? std::string(text, len) : std::string();
}

/// Calls a C function whose output is a string.
template <typename Function, typename... Arguments>
result<std::string> create_string(Function function, Arguments... arguments)
{
    char* text = nullptr;
    std::size_t len = 0;
    result<status> outcome = call(function, arguments..., &text, &len);
    if (!outcome.has_value())
        return failure(std::move(outcome.error()));
    return take(text, len);
}

} // namespace detail

// Cancellation
// ------------

#if defined(__cpp_lib_jthread)
/// Connects a std::stop_token to a cancel token as long as it lives. It must not outlive the cancel token.
class stop_link {
public:
    stop_link(std::stop_token stop, mlflow_gateway_cancel_token* token)
        : callback_(std::move(stop), [token] { mlflow_gateway_cancel(token); })
    {
    }

private:
    std::stop_callback<std::function<void()>> callback_;
};
#endif

/// A cancel token. Cancels every call it is attached to, running or started before it is reset.
class cancel_token : public detail::owner<mlflow_gateway_cancel_token, mlflow_gateway_cancel_token_destroy> {
public:
    cancel_token() : cancel_token(detail::unwrap(try_create())) {}
    [[nodiscard]] static result<cancel_token> try_create()
    {
        return detail::create<cancel_token>(mlflow_gateway_cancel_token_create);
    }

    /// Take over a C object.
    static cancel_token adopt(mlflow_gateway_cancel_token* object) noexcept { return cancel_token(object); }

    /// Cancel all calls that have this token. Any thread and any signal handler may call it.
    void cancel() noexcept { mlflow_gateway_cancel(get()); }

    /// Return whether the token is cancelled. Any signal handler may call it.
    bool is_cancelled() const noexcept { return mlflow_gateway_cancel_token_is_cancelled(get()) != 0; }

    /// Reset a cancelled token, after the cancelled calls have returned.
    void reset() noexcept { mlflow_gateway_cancel_token_reset(get()); }

#if defined(__cpp_lib_jthread)
    /// Cancel when `stop` is stopped, or at once if it was. Keep the result for the time of the call:
    ///
    ///     cancel_token token;
    ///     request.set_cancel_token(&token);
    ///     auto link = token.cancel_on(stop);
    ///     response response = gateway.send(request);
    [[nodiscard]] stop_link cancel_on(std::stop_token stop) { return stop_link(std::move(stop), get()); }
#endif

private:
    explicit cancel_token(mlflow_gateway_cancel_token* object) noexcept : owner(object) {}
};

// Responses
// ---------

/// A tool call of a candidate. A view of the response.
class tool_call {
public:
    tool_call(const mlflow_gateway_response* response, std::size_t candidate, std::size_t index) noexcept
        : response_(response), candidate_(candidate), index_(index)
    {
    }

    /// Return the id, to be passed to request::add_tool_result().
    std::optional<std::string_view> id() const noexcept
    {
        return detail::optional_view(mlflow_gateway_response_tool_call_id(response_, candidate_, index_));
    }

    /// Return the name of the tool.
    std::optional<std::string_view> name() const noexcept
    {
        return detail::optional_view(mlflow_gateway_response_tool_call_name(response_, candidate_, index_));
    }

    /// Return the arguments as the model wrote them: JSON, but not necessarily valid. "{}" if there are none.
    std::optional<std::string_view> arguments() const noexcept
    {
        std::size_t len = 0;
        const char* json = mlflow_gateway_response_tool_call_arguments(response_, candidate_, index_, &len);
        return detail::optional_view(json, len);
    }

private:
    const mlflow_gateway_response* response_;
    std::size_t candidate_;
    std::size_t index_;
};

namespace detail {

struct tool_call_at {
    const mlflow_gateway_response* response;
    std::size_t candidate;
    tool_call operator()(std::size_t index) const noexcept { return {response, candidate, index}; }
};

} // namespace detail

/// One of the alternative replies of a response. A view of the response.
class candidate {
public:
    candidate(const mlflow_gateway_response* response, std::size_t index) noexcept
        : response_(response), index_(index)
    {
    }

    /// Return the text. std::nullopt if there is none, for example if there are only tool calls.
    std::optional<std::string_view> text() const noexcept { return read(mlflow_gateway_response_text); }

    /// Return the reasoning.
    std::optional<std::string_view> reasoning() const noexcept { return read(mlflow_gateway_response_reasoning); }

    /// Return the refusal.
    std::optional<std::string_view> refusal() const noexcept { return read(mlflow_gateway_response_refusal); }

    /// Return the role, "assistant".
    std::optional<std::string_view> role() const noexcept
    {
        return detail::optional_view(mlflow_gateway_response_role(response_, index_));
    }

    /// Return the finish reason: "stop", "length", "tool_calls", "content_filter" or another one.
    std::optional<std::string_view> finish_reason() const noexcept
    {
        return detail::optional_view(mlflow_gateway_response_finish_reason(response_, index_));
    }

    /// Return the tool calls.
    view_list<detail::tool_call_at> tool_calls() const noexcept
    {
        return {{response_, index_}, mlflow_gateway_response_tool_call_count(response_, index_)};
    }

    /// Return the message as a JSON object, for request::add_message_json().
    std::optional<std::string_view> message_json() const noexcept { return read(mlflow_gateway_response_message_json); }

private:
    using reader = const char* (*)(const mlflow_gateway_response*, std::size_t, std::size_t*);

    std::optional<std::string_view> read(reader function) const noexcept
    {
        std::size_t len = 0;
        const char* text = function(response_, index_, &len);
        return detail::optional_view(text, len);
    }

    const mlflow_gateway_response* response_;
    std::size_t index_;
};

namespace detail {

struct candidate_at {
    const mlflow_gateway_response* response;
    gateway::candidate operator()(std::size_t index) const noexcept { return {response, index}; }
};

} // namespace detail

/// A response that another object owns.
class response_view {
public:
    explicit response_view(const mlflow_gateway_response* object = nullptr) noexcept : object_(object) {}

    /// Return the C object.
    const mlflow_gateway_response* get() const noexcept { return object_; }

    /// Return the candidates (parameter "n").
    view_list<detail::candidate_at> candidates() const noexcept
    {
        return {{object_}, mlflow_gateway_response_candidate_count(object_)};
    }

    /// Return the text of the first candidate.
    std::optional<std::string_view> text() const noexcept { return candidates()[0].text(); }

    /// Return the id of the response.
    std::optional<std::string_view> id() const noexcept
    {
        return detail::optional_view(mlflow_gateway_response_id(object_));
    }

    /// Return the name of the model.
    std::optional<std::string_view> model() const noexcept
    {
        return detail::optional_view(mlflow_gateway_response_model(object_));
    }

    /// Return a token count.
    std::optional<std::int64_t> tokens(token_kind kind) const noexcept
    {
        return detail::optional_number(mlflow_gateway_response_tokens(object_, static_cast<std::int32_t>(kind)));
    }

    /// Return the time from the start of the call to a point of its last attempt.
    std::optional<std::chrono::microseconds> time(time_kind kind) const noexcept
    {
        return detail::optional_number<std::chrono::microseconds>(
            mlflow_gateway_response_time_us(object_, static_cast<std::int32_t>(kind)));
    }

    /// Return the HTTP status, 200 to 299.
    std::int32_t http_status() const noexcept { return mlflow_gateway_response_http_status(object_); }

    /// Return the first response header of that name (case-insensitive).
    std::optional<std::string_view> header(std::string_view name) const
    {
        return detail::find_header(mlflow_gateway_response_header, object_, name);
    }

    /// Return how many times the request was sent.
    std::size_t attempts() const noexcept { return mlflow_gateway_response_attempts(object_); }

    /// Return why each retry was made, for example "HTTP status 503".
    std::vector<std::string_view> retry_reasons() const
    {
        std::vector<std::string_view> reasons;
        for (std::size_t retry = 0; retry < mlflow_gateway_response_retry_count(object_); ++retry)
            reasons.emplace_back(mlflow_gateway_response_retry_reason(object_, retry));
        return reasons;
    }

    /// Return the body as received. It may have any encoding. std::nullopt for a stream.
    std::optional<std::string_view> body() const noexcept
    {
        std::size_t len = 0;
        const char* bytes = mlflow_gateway_response_body(object_, &len);
        return detail::optional_view(bytes, len);
    }

private:
    const mlflow_gateway_response* object_;
};

/// A response: one or more candidates. It reads like a response_view.
class response : public detail::owning_view<response_view, mlflow_gateway_response, mlflow_gateway_response_destroy> {
public:
    /// Take over a C object.
    static response adopt(mlflow_gateway_response* object) noexcept { return response(object); }

private:
    explicit response(mlflow_gateway_response* object) noexcept : owning_view(object) {}
};

// Requests
// --------

namespace detail {

/// Passes a parameter on to `as_bool`, `as_int`, `as_double` or `as_string`, by its type.
template <typename T, typename AsBool, typename AsInt, typename AsDouble, typename AsString>
result<void> set_param(const T& value, AsBool as_bool, AsInt as_int, AsDouble as_double, AsString as_string)
{
    if constexpr (std::is_same_v<T, bool>) {
        return as_bool(value ? 1 : 0);
    } else if constexpr (std::is_integral_v<T>) {
        if constexpr (std::is_unsigned_v<T> && sizeof(T) >= sizeof(std::int64_t))
            if (value > static_cast<T>(std::numeric_limits<std::int64_t>::max()))
                return failure(error(status::invalid_param,
                                     "the value of an integer parameter is greater than 9223372036854775807"));
        return as_int(static_cast<std::int64_t>(value));
    } else if constexpr (std::is_floating_point_v<T>) {
        return as_double(static_cast<double>(value));
    } else {
        static_assert(std::is_convertible_v<const T&, std::string_view>,
                      "a parameter is a bool, an integer, a floating-point number or a string; "
                      "use set_param_json() for other values");
        return as_string(std::string_view(value));
    }
}

} // namespace detail

/// A request: a prompt, messages, inputs or a body, with its own settings. Send it as often as needed.
class request : public detail::owner<mlflow_gateway_request, mlflow_gateway_request_destroy> {
public:
    /// Create an empty request. Give it either a prompt, messages, inputs or a body.
    request() : request(detail::unwrap(try_create())) {}
    [[nodiscard]] static result<request> try_create()
    {
        return detail::create<request>(mlflow_gateway_request_create);
    }

    /// Take over a C object.
    static request adopt(mlflow_gateway_request* object) noexcept { return request(object); }

    /// Clone a request in constant time, to give each call its own cancel token, headers or options.
    request clone() const { return detail::unwrap(try_clone()); }
    [[nodiscard]] result<request> try_clone() const
    {
        return detail::create<request>(mlflow_gateway_request_clone, get());
    }

    /// Set the route of this request, in place of the handle's, or remove it with std::nullopt.
    void set_route(optional_string route) { detail::unwrap(try_set_route(route)); }
    [[nodiscard]] result<void> try_set_route(optional_string route)
    {
        return detail::run(mlflow_gateway_request_set_route, get(), route);
    }

    /// Turn the request into a raw request to any path below the gateway URI. `method` is an HTTP method; std::nullopt
    /// means POST with a body, else GET. A `path` of std::nullopt removes the path.
    void set_path(optional_string method, optional_string path)
    {
        detail::unwrap(try_set_path(method, path));
    }
    [[nodiscard]] result<void> try_set_path(optional_string method, optional_string path)
    {
        return detail::run(mlflow_gateway_request_set_path, get(), method, path);
    }

    /// Set or replace the prompt.
    void set_prompt(std::string_view prompt) { detail::unwrap(try_set_prompt(prompt)); }
    [[nodiscard]] result<void> try_set_prompt(std::string_view prompt)
    {
        return detail::run(mlflow_gateway_request_set_prompt, get(), prompt.data(), prompt.size());
    }

    /// Append a message. `role` is "system", "user", "assistant", or another role that the model knows.
    void add_message(std::string_view role, std::string_view content)
    {
        detail::unwrap(try_add_message(role, content));
    }
    [[nodiscard]] result<void> try_add_message(std::string_view role, std::string_view content)
    {
        return detail::run(mlflow_gateway_request_add_message, get(), role, content.data(), content.size());
    }

    /// Append a message given as a JSON object, which is sent as it is.
    void add_message_json(std::string_view json) { detail::unwrap(try_add_message_json(json)); }
    [[nodiscard]] result<void> try_add_message_json(std::string_view json)
    {
        return detail::run(mlflow_gateway_request_add_message_json, get(), json.data(), json.size());
    }

    /// Append a text part to the last message, which must be the user's.
    void add_text(std::string_view text) { detail::unwrap(try_add_text(text)); }
    [[nodiscard]] result<void> try_add_text(std::string_view text)
    {
        return detail::run(mlflow_gateway_request_add_text, get(), text.data(), text.size());
    }

    /// Append an image or a recording to the last message, which must be the user's. `media_type` is "image/..." or
    /// "audio/...". `bytes` is the content of the file; as_bytes() gives the bytes of a container.
    void add_media(std::string_view media_type, span<const std::byte> bytes)
    {
        detail::unwrap(try_add_media(media_type, bytes));
    }
    [[nodiscard]] result<void> try_add_media(std::string_view media_type, span<const std::byte> bytes)
    {
        return detail::run(mlflow_gateway_request_add_media, get(), media_type, bytes.data(), bytes.size());
    }

    /// Append the message of a candidate, to continue the conversation. After tool calls, append their results, too.
    void add_response(const response_view& response, std::size_t candidate = 0)
    {
        detail::unwrap(try_add_response(response, candidate));
    }
    [[nodiscard]] result<void> try_add_response(const response_view& response, std::size_t candidate = 0)
    {
        return detail::run(mlflow_gateway_request_add_response, get(), response.get(), candidate);
    }

    /// Append the result of a tool call. `tool_call_id` is tool_call::id(); std::nullopt leaves the field out.
    void add_tool_result(optional_string tool_call_id, std::string_view content)
    {
        detail::unwrap(try_add_tool_result(tool_call_id, content));
    }
    [[nodiscard]] result<void> try_add_tool_result(optional_string tool_call_id, std::string_view content)
    {
        return detail::run(mlflow_gateway_request_add_tool_result, get(), tool_call_id, content.data(), content.size());
    }

    /// Append an input for handle::embed().
    void add_input(std::string_view input) { detail::unwrap(try_add_input(input)); }
    [[nodiscard]] result<void> try_add_input(std::string_view input)
    {
        return detail::run(mlflow_gateway_request_add_input, get(), input.data(), input.size());
    }

    /// Set or replace the whole body, a JSON object. The body of a raw request is sent byte for byte.
    void set_body_json(std::string_view json) { detail::unwrap(try_set_body_json(json)); }
    [[nodiscard]] result<void> try_set_body_json(std::string_view json)
    {
        return detail::run(mlflow_gateway_request_set_body_json, get(), json.data(), json.size());
    }

    /// Set a parameter of the model for this request, in place of the handle's. `value` is a bool, an integer, a
    /// floating-point number or a string.
    template <typename T>
    void set_param(std::string_view name, const T& value)
    {
        detail::unwrap(try_set_param(name, value));
    }
    template <typename T>
    [[nodiscard]] result<void> try_set_param(std::string_view name, const T& value)
    {
        return detail::set_param(
            value,
            [&](int boolean) { return detail::run(mlflow_gateway_request_set_param_bool, get(), name, boolean); },
            [&](std::int64_t number) { return detail::run(mlflow_gateway_request_set_param_int, get(), name, number); },
            [&](double number) { return detail::run(mlflow_gateway_request_set_param_double, get(), name, number); },
            [&](std::string_view text) {
                return detail::run(mlflow_gateway_request_set_param_string, get(), name, text.data(), text.size());
            });
    }

    /// Set a parameter to any JSON value, for example "tools" to a list of tools.
    void set_param_json(std::string_view name, std::string_view json)
    {
        detail::unwrap(try_set_param_json(name, json));
    }
    [[nodiscard]] result<void> try_set_param_json(std::string_view name, std::string_view json)
    {
        return detail::run(mlflow_gateway_request_set_param_json, get(), name, json.data(), json.size());
    }

    /// Append a string to this request's list "stop", which replaces the handle's list.
    void add_stop(std::string_view stop) { detail::unwrap(try_add_stop(stop)); }
    [[nodiscard]] result<void> try_add_stop(std::string_view stop)
    {
        return detail::run(mlflow_gateway_request_add_stop, get(), stop.data(), stop.size());
    }

    /// Unset this request's parameter and end its omission, so that the handle's applies.
    void unset_param(std::string_view name) { detail::unwrap(try_unset_param(name)); }
    [[nodiscard]] result<void> try_unset_param(std::string_view name)
    {
        return detail::run(mlflow_gateway_request_unset_param, get(), name);
    }

    /// Leave a parameter out of this request even if the handle sets it.
    void omit_param(std::string_view name) { detail::unwrap(try_omit_param(name)); }
    [[nodiscard]] result<void> try_omit_param(std::string_view name)
    {
        return detail::run(mlflow_gateway_request_omit_param, get(), name);
    }

    /// Set an option for this request, in place of the handle's.
    void set_option(std::string_view name, std::string_view value) { detail::unwrap(try_set_option(name, value)); }
    [[nodiscard]] result<void> try_set_option(std::string_view name, std::string_view value)
    {
        return detail::run(mlflow_gateway_request_set_option, get(), name, value);
    }

    /// Set a header for this request, in place of the handle's, or unset it with std::nullopt.
    void set_header(std::string_view name, optional_string value)
    {
        detail::unwrap(try_set_header(name, value));
    }
    [[nodiscard]] result<void> try_set_header(std::string_view name, optional_string value)
    {
        return detail::run(mlflow_gateway_request_set_header, get(), name, value);
    }

    /// Set the cancel token of this request, or remove it with nullptr. The handle's token applies in addition.
    void set_cancel_token(cancel_token* token) { detail::unwrap(try_set_cancel_token(token)); }
    [[nodiscard]] result<void> try_set_cancel_token(cancel_token* token)
    {
        return detail::run(mlflow_gateway_request_set_cancel_token, get(), token ? token->get() : nullptr);
    }

private:
    explicit request(mlflow_gateway_request* object) noexcept : owner(object) {}
};

// Streaming
// ---------

/// One event of a stream. A view, valid until the next event is fetched or the callback returns. The event of a
/// completion is valid as long as the completion.
class event {
public:
    explicit event(const mlflow_gateway_event* object) noexcept : object_(object) {}

    /// Return the C object.
    const mlflow_gateway_event* get() const noexcept { return object_; }

    /// Return the kind. Ignore kinds that you do not know.
    event_kind kind() const noexcept { return static_cast<event_kind>(mlflow_gateway_event_kind(object_)); }

    /// Return the index of the candidate.
    std::size_t candidate() const noexcept { return mlflow_gateway_event_candidate(object_); }

    /// Return a fragment of text, reasoning, refusal or the arguments of a tool call, or the finish reason. Empty for
    /// other kinds.
    std::string_view text() const noexcept
    {
        std::size_t len = 0;
        const char* text = mlflow_gateway_event_text(object_, &len);
        return text ? std::string_view(text, len) : std::string_view();
    }

    /// Return the index of the tool call, as in the gathered response.
    std::size_t tool_call_index() const noexcept { return mlflow_gateway_event_tool_call_index(object_); }

    /// Return the id of the tool call.
    std::optional<std::string_view> tool_call_id() const noexcept
    {
        return detail::optional_view(mlflow_gateway_event_tool_call_id(object_));
    }

    /// Return the name of the tool.
    std::optional<std::string_view> tool_call_name() const noexcept
    {
        return detail::optional_view(mlflow_gateway_event_tool_call_name(object_));
    }

    /// Return a token count of an event of the kind usage.
    std::optional<std::int64_t> tokens(token_kind kind) const noexcept
    {
        return detail::optional_number(mlflow_gateway_event_tokens(object_, static_cast<std::int32_t>(kind)));
    }

    /// Return the name of the server-sent event.
    std::optional<std::string_view> raw_name() const noexcept
    {
        return detail::optional_view(mlflow_gateway_event_raw_name(object_));
    }

    /// Return the data of the server-sent event.
    std::optional<std::string_view> raw_data() const noexcept
    {
        std::size_t len = 0;
        const char* data = mlflow_gateway_event_raw_data(object_, &len);
        return detail::optional_view(data, len);
    }

private:
    const mlflow_gateway_event* object_;
};

/// A response that arrives as a sequence of events. It is an input range:
///
///     for (const auto& event : stream)
///         std::cout << event.text();
///
/// The loop ends normally only if the response is complete; otherwise it throws. The destructor of a stream that is not
/// complete closes the connection, so that the gateway stops, too.
class stream : public detail::owner<mlflow_gateway_stream, mlflow_gateway_stream_destroy> {
public:
    class iterator;

    /// Take over a C object.
    static stream adopt(mlflow_gateway_stream* object) noexcept { return stream(object); }

    /// Wait for the next event. std::nullopt means that the response is complete.
    std::optional<event> next() { return detail::unwrap(try_next()); }
    [[nodiscard]] result<std::optional<event>> try_next()
    {
        const mlflow_gateway_event* object = nullptr;
        result<status> outcome = detail::call(mlflow_gateway_stream_next, get(), &object);
        if (!outcome.has_value())
            return detail::failure(std::move(outcome.error()));
        return *outcome == status::stream_end ? std::nullopt : std::optional<event>(object);
    }

    /// Fetch the next event, and begin to iterate with it.
    iterator begin();
    iterator end() const noexcept;

    /// Return what was gathered so far. It stays readable when the stream has failed.
    response_view response() const noexcept { return response_view(mlflow_gateway_stream_response(get())); }

    /// End the stream and return what was gathered. std::nullopt if it was taken already.
    std::optional<gateway::response> take_response()
    {
        mlflow_gateway_response* object = mlflow_gateway_stream_take_response(get());
        return object ? std::optional<gateway::response>(gateway::response::adopt(object)) : std::nullopt;
    }

private:
    explicit stream(mlflow_gateway_stream* object) noexcept : owner(object) {}
};

/// Fetches the events of a stream. The stream must not be moved or destroyed in between.
class stream::iterator {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = event;
    using difference_type = std::ptrdiff_t;
    using pointer = const event*;
    using reference = const event&;

    iterator() noexcept = default;
    explicit iterator(stream& source) : source_(&source) { fetch(); }

    const event& operator*() const noexcept { return event_; }
    const event* operator->() const noexcept { return &event_; }

    iterator& operator++()
    {
        fetch();
        return *this;
    }
    iterator operator++(int)
    {
        iterator before = *this;
        fetch();
        return before;
    }

    friend bool operator==(const iterator& left, const iterator& right) noexcept
    {
        return left.event_.get() == right.event_.get();
    }
    friend bool operator!=(const iterator& left, const iterator& right) noexcept { return !(left == right); }

private:
    void fetch() { event_ = source_->next().value_or(event(nullptr)); }

    stream* source_ = nullptr;
    event event_ = event(nullptr);
};

inline stream::iterator stream::begin()
{
    return iterator(*this);
}

inline stream::iterator stream::end() const noexcept
{
    return iterator();
}

// Embeddings
// ----------

namespace detail {

struct embedding_at {
    const mlflow_gateway_embeddings* embeddings;
    span<const float> operator()(std::size_t index) const noexcept
    {
        const std::size_t dimension = mlflow_gateway_embeddings_dimension(embeddings);
        return {mlflow_gateway_embeddings_data(embeddings) + index * dimension, dimension};
    }
};

} // namespace detail

/// Embeddings that another object owns, one for each input, each a span of floats. They are an input range.
class embeddings_view {
public:
    using iterator = detail::index_iterator<detail::embedding_at>;

    explicit embeddings_view(const mlflow_gateway_embeddings* object = nullptr) noexcept : object_(object) {}

    /// Return the C object.
    const mlflow_gateway_embeddings* get() const noexcept { return object_; }

    /// Return the number of embeddings.
    std::size_t size() const noexcept { return mlflow_gateway_embeddings_count(get()); }
    bool empty() const noexcept { return size() == 0; }

    /// Return the number of floats of each embedding.
    std::size_t dimension() const noexcept { return mlflow_gateway_embeddings_dimension(get()); }

    /// Return one embedding. `index` must be less than size().
    span<const float> operator[](std::size_t index) const noexcept { return detail::embedding_at{get()}(index); }
    iterator begin() const noexcept { return iterator({get()}, 0); }
    iterator end() const noexcept { return iterator({get()}, size()); }

    /// Return all floats, contiguous, in input order.
    span<const float> data() const noexcept { return {mlflow_gateway_embeddings_data(get()), size() * dimension()}; }

    /// Copy all floats to an array that has room for size() times dimension().
    void copy_to(span<float> to) const { detail::unwrap(try_copy_to(to)); }
    [[nodiscard]] result<void> try_copy_to(span<float> to) const
    {
        return detail::run(mlflow_gateway_embeddings_copy_to, get(), to.data(), to.size());
    }

    /// Return a token count.
    std::optional<std::int64_t> tokens(token_kind kind) const noexcept
    {
        return detail::optional_number(mlflow_gateway_embeddings_tokens(get(), static_cast<std::int32_t>(kind)));
    }

    /// Return the name of the model.
    std::optional<std::string_view> model() const noexcept
    {
        return detail::optional_view(mlflow_gateway_embeddings_model(get()));
    }

private:
    const mlflow_gateway_embeddings* object_;
};

/// Embeddings. They read like an embeddings_view.
class embeddings
    : public detail::owning_view<embeddings_view, mlflow_gateway_embeddings, mlflow_gateway_embeddings_destroy> {
public:
    /// Take over a C object.
    static embeddings adopt(mlflow_gateway_embeddings* object) noexcept { return embeddings(object); }

private:
    explicit embeddings(mlflow_gateway_embeddings* object) noexcept : owning_view(object) {}
};

// Routes
// ------

/// One route of a gateway. A view of the routes.
class route {
public:
    route(const mlflow_gateway_routes* routes, std::size_t index) noexcept : routes_(routes), index_(index) {}

    /// Return the name.
    std::optional<std::string_view> name() const noexcept { return read(mlflow_gateway_routes_name); }

    /// Return the type: "llm/v1/completions", "llm/v1/chat", "llm/v1/embeddings" or another one.
    std::optional<std::string_view> type() const noexcept { return read(mlflow_gateway_routes_type); }

    /// Return the model provider.
    std::optional<std::string_view> provider() const noexcept { return read(mlflow_gateway_routes_provider); }

    /// Return the model.
    std::optional<std::string_view> model() const noexcept { return read(mlflow_gateway_routes_model); }

    /// Return the URL to which requests for the route are sent, as the gateway reports it.
    std::optional<std::string_view> url() const noexcept { return read(mlflow_gateway_routes_url); }

    /// Return all that the gateway reports of the route, as it wrote it.
    std::optional<std::string_view> json() const noexcept
    {
        std::size_t len = 0;
        const char* json = mlflow_gateway_routes_json(routes_, index_, &len);
        return detail::optional_view(json, len);
    }

private:
    using reader = const char* (*)(const mlflow_gateway_routes*, std::size_t);

    std::optional<std::string_view> read(reader function) const noexcept
    {
        return detail::optional_view(function(routes_, index_));
    }

    const mlflow_gateway_routes* routes_;
    std::size_t index_;
};

namespace detail {

struct route_at {
    const mlflow_gateway_routes* routes;
    route operator()(std::size_t index) const noexcept { return {routes, index}; }
};

} // namespace detail

/// Routes of a gateway. They are an input range.
class routes : public detail::owner<mlflow_gateway_routes, mlflow_gateway_routes_destroy> {
public:
    using iterator = detail::index_iterator<detail::route_at>;

    /// Take over a C object.
    static routes adopt(mlflow_gateway_routes* object) noexcept { return routes(object); }

    /// Return the number of routes.
    std::size_t size() const noexcept { return mlflow_gateway_routes_count(get()); }
    bool empty() const noexcept { return size() == 0; }

    /// Return one route. The functions of one that does not exist return std::nullopt.
    route operator[](std::size_t index) const noexcept { return {get(), index}; }
    iterator begin() const noexcept { return iterator({get()}, 0); }
    iterator end() const noexcept { return iterator({get()}, size()); }

private:
    explicit routes(mlflow_gateway_routes* object) noexcept : owner(object) {}
};

// JSON
// ----

/// A value of a JSON document: a string unescaped, anything else as written.
struct json_value {
    json_kind kind;
    std::string text;
};

/// Read a value from a JSON document. `pointer` is a JSON pointer (RFC 6901), for example "/choices/0/message"; "" is
/// the whole document. Returns std::nullopt if there is no such value.
[[nodiscard]] inline result<std::optional<json_value>> try_json_get(std::string_view json, std::string_view pointer)
{
    std::int32_t kind = 0;
    char* text = nullptr;
    std::size_t len = 0;
    result<status> outcome =
        detail::call(mlflow_gateway_json_get, json.data(), json.size(), pointer, &kind, &text, &len);
    if (!outcome.has_value())
        return detail::failure(std::move(outcome.error()));
    if (*outcome == status::no_value)
        return std::optional<json_value>();
    return std::optional<json_value>(json_value{static_cast<json_kind>(kind), detail::take(text, len)});
}
inline std::optional<json_value> json_get(std::string_view json, std::string_view pointer)
{
    return detail::unwrap(try_json_get(json, pointer));
}

/// Count the elements of an array or the members of an object. Returns std::nullopt if there is neither at `pointer`.
[[nodiscard]] inline result<std::optional<std::size_t>> try_json_count(std::string_view json, std::string_view pointer)
{
    std::size_t count = 0;
    result<status> outcome = detail::call(mlflow_gateway_json_count, json.data(), json.size(), pointer, &count);
    if (!outcome.has_value())
        return detail::failure(std::move(outcome.error()));
    return *outcome == status::no_value ? std::nullopt : std::optional<std::size_t>(count);
}
inline std::optional<std::size_t> json_count(std::string_view json, std::string_view pointer)
{
    return detail::unwrap(try_json_count(json, pointer));
}

/// Write a string as JSON, with quotes and escapes.
[[nodiscard]] inline result<std::string> try_json_quote(std::string_view text)
{
    return detail::create_string(mlflow_gateway_json_quote, text.data(), text.size());
}
inline std::string json_quote(std::string_view text)
{
    return detail::unwrap(try_json_quote(text));
}

// Handles
// -------

namespace detail {

/// Calls `function`. Keeps its exception in `thrown`, and returns false then.
template <typename Function>
bool guard(std::exception_ptr& thrown, Function function)
{
#if defined(__cpp_exceptions)
    try {
        return function();
    } catch (...) {
        thrown = std::current_exception();
        return false;
    }
#else
    static_cast<void>(thrown);
    return function();
#endif
}

/// Passes events from the C function to a callable.
template <typename Callback>
class event_receiver {
public:
    explicit event_receiver(Callback& callback) noexcept : callback_(callback) {}

    static int receive(const mlflow_gateway_event* object, void* user_data)
    {
        auto& self = *static_cast<event_receiver*>(user_data);
        const bool proceed = guard(self.thrown_, [&] {
            using returned = std::invoke_result_t<Callback&, const event&>;
            if constexpr (std::is_void_v<returned>) {
                self.callback_(event(object));
                return true;
            } else {
                static_assert(std::is_same_v<returned, bool>,
                              "the callback returns nothing, or true to continue and false to stop");
                return self.callback_(event(object));
            }
        });
        return proceed ? 0 : 1;
    }

    /// Throws the exception of the callable again.
    void rethrow() const
    {
        if (thrown_)
            std::rethrow_exception(thrown_);
    }

private:
    Callback& callback_;
    std::exception_ptr thrown_ = nullptr;
};

/// Passes log lines from the library to a callable.
template <typename Callback>
struct log_receiver {
    static void receive(std::int32_t level, const char* line, std::size_t len, void* user_data)
    {
        std::exception_ptr discarded = nullptr;
        guard(discarded, [&] {
            (*static_cast<Callback*>(user_data))(static_cast<log_level>(level), std::string_view(line, len));
            return true;
        });
    }

    static void destroy(void* user_data) { delete static_cast<Callback*>(user_data); }
};

} // namespace detail

/// One gateway, its settings, and its connections.
class handle : public detail::owner<mlflow_gateway, mlflow_gateway_destroy> {
public:
    /// Create a handle. Nothing is sent before the first call. If `route` is std::nullopt, each request names its own.
    /// If `gateway_uri` is std::nullopt, it is read from the environment, for example from MLFLOW_GATEWAY_URI.
    explicit handle(optional_string route, optional_string gateway_uri = std::nullopt)
        : handle(detail::unwrap(try_create(route, gateway_uri)))
    {
    }
    [[nodiscard]] static result<handle> try_create(optional_string route,
                                                   optional_string gateway_uri = std::nullopt)
    {
        return detail::create<handle>(mlflow_gateway_create, route, gateway_uri);
    }

    /// Clone the handle. The clone has its settings, and from then on its own. Both use the same connections.
    handle clone() const { return detail::unwrap(try_clone()); }
    [[nodiscard]] result<handle> try_clone() const { return detail::create<handle>(mlflow_gateway_clone, get()); }

    /// Take over a C object.
    static handle adopt(mlflow_gateway* object) noexcept { return handle(object, adopted()); }

    // Settings of all later calls

    /// Set an option. The C header lists all of them.
    void set_option(std::string_view name, std::string_view value) { detail::unwrap(try_set_option(name, value)); }
    [[nodiscard]] result<void> try_set_option(std::string_view name, std::string_view value)
    {
        return detail::run(mlflow_gateway_set_option, get(), name, value);
    }

    /// Set a header that every request carries, or remove it with std::nullopt.
    void set_header(std::string_view name, optional_string value)
    {
        detail::unwrap(try_set_header(name, value));
    }
    [[nodiscard]] result<void> try_set_header(std::string_view name, optional_string value)
    {
        return detail::run(mlflow_gateway_set_header, get(), name, value);
    }

    /// Set the cancel token, or remove it with nullptr. The token of a request applies in addition.
    void set_cancel_token(cancel_token* token) { detail::unwrap(try_set_cancel_token(token)); }
    [[nodiscard]] result<void> try_set_cancel_token(cancel_token* token)
    {
        return detail::run(mlflow_gateway_set_cancel_token, get(), token ? token->get() : nullptr);
    }

    /// Set a parameter of the model, for example "temperature" to 0.5. `value` is a bool, an integer, a floating-point
    /// number or a string.
    template <typename T>
    void set_param(std::string_view name, const T& value)
    {
        detail::unwrap(try_set_param(name, value));
    }
    template <typename T>
    [[nodiscard]] result<void> try_set_param(std::string_view name, const T& value)
    {
        return detail::set_param(
            value,
            [&](int boolean) { return detail::run(mlflow_gateway_set_param_bool, get(), name, boolean); },
            [&](std::int64_t number) { return detail::run(mlflow_gateway_set_param_int, get(), name, number); },
            [&](double number) { return detail::run(mlflow_gateway_set_param_double, get(), name, number); },
            [&](std::string_view text) { return detail::run(mlflow_gateway_set_param_string, get(), name, text); });
    }

    /// Set a parameter to any JSON value, for example "response_format" to R"({"type": "json_object"})".
    void set_param_json(std::string_view name, std::string_view json)
    {
        detail::unwrap(try_set_param_json(name, json));
    }
    [[nodiscard]] result<void> try_set_param_json(std::string_view name, std::string_view json)
    {
        return detail::run(mlflow_gateway_set_param_json, get(), name, json);
    }

    /// Append a string to the parameter "stop". The model stops before it would write one of these strings.
    void add_stop(std::string_view stop) { detail::unwrap(try_add_stop(stop)); }
    [[nodiscard]] result<void> try_add_stop(std::string_view stop)
    {
        return detail::run(mlflow_gateway_add_stop, get(), stop);
    }

    /// Unset a parameter.
    void unset_param(std::string_view name) { detail::unwrap(try_unset_param(name)); }
    [[nodiscard]] result<void> try_unset_param(std::string_view name)
    {
        return detail::run(mlflow_gateway_unset_param, get(), name);
    }

    /// Install a log callback, called as `on_log(log_level, std::string_view)` once per HTTP attempt, concurrently if
    /// several threads are in calls. The handle owns the callback and destroys it when no call uses it any more.
    template <typename Callback>
    void set_log(log_level level, Callback&& on_log)
    {
        detail::unwrap(try_set_log(level, std::forward<Callback>(on_log)));
    }
    template <typename Callback>
    [[nodiscard]] result<void> try_set_log(log_level level, Callback&& on_log)
    {
        using receiver = detail::log_receiver<std::decay_t<Callback>>;
        auto owned = std::make_unique<std::decay_t<Callback>>(std::forward<Callback>(on_log));
        result<void> outcome =
            detail::run(mlflow_gateway_set_log, get(), static_cast<std::int32_t>(level), &receiver::receive,
                        static_cast<void*>(owned.get()), &receiver::destroy);
        if (outcome.has_value())
            static_cast<void>(owned.release());
        return outcome;
    }

    /// Remove the log callback.
    void remove_log() { detail::unwrap(try_remove_log()); }
    [[nodiscard]] result<void> try_remove_log()
    {
        return detail::run(mlflow_gateway_set_log, get(), MLFLOW_GATEWAY_LOG_OFF, nullptr, nullptr, nullptr);
    }

    /// Return a JSON object that identifies the configured model, without headers and credentials.
    std::string identifying_params() const { return detail::unwrap(try_identifying_params()); }
    [[nodiscard]] result<std::string> try_identifying_params() const
    {
        return detail::create_string(mlflow_gateway_identifying_params, get());
    }

    // Calls

    /// Send a prompt and return the text of the first candidate. A response without text is status::no_text.
    std::string call(std::string_view prompt) const { return detail::unwrap(try_call(prompt)); }
    [[nodiscard]] result<std::string> try_call(std::string_view prompt) const
    {
        return detail::create_string(mlflow_gateway_call, get(), prompt);
    }

    /// Send a request and wait for the whole response.
    response send(const request& request) const { return detail::unwrap(try_send(request)); }
    [[nodiscard]] result<response> try_send(const request& request) const
    {
        return detail::create<response>(mlflow_gateway_send, get(), request.get());
    }

    /// Send a request and wait until the response begins.
    stream open_stream(const request& request) const { return detail::unwrap(try_open_stream(request)); }
    [[nodiscard]] result<stream> try_open_stream(const request& request) const
    {
        return detail::create<stream>(mlflow_gateway_stream_open, get(), request.get());
    }

    /// Send a request and call `on_event(const event&)` for each event. The callback returns nothing, or true to
    /// continue and false to stop, which is status::cancelled. Both forms throw an exception of the callback again.
    /// `gathered` receives what was gathered, also on failure if the stream had begun.
    template <typename Callback>
    void stream_call(const request& request, Callback&& on_event, std::optional<response>* gathered = nullptr) const
    {
        detail::unwrap(try_stream_call(request, on_event, gathered));
    }
    template <typename Callback>
    [[nodiscard]] result<void> try_stream_call(const request& request, Callback&& on_event,
                                               std::optional<response>* gathered = nullptr) const
    {
        using receiver = detail::event_receiver<std::remove_reference_t<Callback>>;
        receiver events(on_event);
        mlflow_gateway_response* object = nullptr;
        result<void> outcome = detail::run(mlflow_gateway_stream_call, get(), request.get(), &receiver::receive,
                                           static_cast<void*>(&events), gathered ? &object : nullptr);
        if (object)
            gathered->emplace(response::adopt(object));
        events.rethrow();
        return outcome;
    }

    /// Create embeddings of all inputs of a request, in batches of embed_batch_size.
    embeddings embed(const request& request) const { return detail::unwrap(try_embed(request)); }
    [[nodiscard]] result<embeddings> try_embed(const request& request) const
    {
        return detail::create<embeddings>(mlflow_gateway_embed, get(), request.get());
    }

    // Routes, health and limits. A name of std::nullopt means the handle's route.

    /// List the routes of the gateway.
    routes list_routes() const { return detail::unwrap(try_list_routes()); }
    [[nodiscard]] result<routes> try_list_routes() const
    {
        return detail::create<routes>(mlflow_gateway_list_routes, get());
    }

    /// Look up one route. Returns a list with this route.
    routes get_route(optional_string name = std::nullopt) const
    {
        return detail::unwrap(try_get_route(name));
    }
    [[nodiscard]] result<routes> try_get_route(optional_string name = std::nullopt) const
    {
        return detail::create<routes>(mlflow_gateway_get_route, get(), name);
    }

    /// Check the health of the gateway.
    void health() const { detail::unwrap(try_health()); }
    [[nodiscard]] result<void> try_health() const { return detail::run(mlflow_gateway_health, get()); }

    /// Get the rate limits of a route, as the server's JSON.
    std::string get_limits(optional_string name = std::nullopt) const
    {
        return detail::unwrap(try_get_limits(name));
    }
    [[nodiscard]] result<std::string> try_get_limits(optional_string name = std::nullopt) const
    {
        return detail::create_string(mlflow_gateway_get_limits, get(), name);
    }

    /// Replace the rate limits of a route by a JSON array. Returns the server's JSON.
    std::string set_limits(optional_string name, std::string_view limits_json) const
    {
        return detail::unwrap(try_set_limits(name, limits_json));
    }
    [[nodiscard]] result<std::string> try_set_limits(optional_string name, std::string_view limits_json) const
    {
        return detail::create_string(mlflow_gateway_set_limits, get(), name, limits_json);
    }

    /// Create a route from a JSON object as the server documents it. Returns the server's JSON.
    std::string create_route(std::string_view route_json) const { return detail::unwrap(try_create_route(route_json)); }
    [[nodiscard]] result<std::string> try_create_route(std::string_view route_json) const
    {
        return detail::create_string(mlflow_gateway_create_route, get(), route_json);
    }

    /// Delete a route.
    void delete_route(std::string_view name) const { detail::unwrap(try_delete_route(name)); }
    [[nodiscard]] result<void> try_delete_route(std::string_view name) const
    {
        return detail::run(mlflow_gateway_delete_route, get(), name);
    }

private:
    struct adopted {};

    handle(mlflow_gateway* object, adopted) noexcept : owner(object) {}
};

// Queues
// ------

/// An event of a stream of a queue, or the end of a request.
class completion : public detail::owner<mlflow_gateway_completion, mlflow_gateway_completion_destroy> {
public:
    /// Take over a C object.
    static completion adopt(mlflow_gateway_completion* object) noexcept { return completion(object); }

    /// Return the kind. Ignore kinds that you do not know.
    completion_kind kind() const noexcept
    {
        return static_cast<completion_kind>(mlflow_gateway_completion_kind(get()));
    }

    /// Return the tag that the request was submitted with.
    std::uint64_t tag() const noexcept { return mlflow_gateway_completion_tag(get()); }

    /// Return the status of the request: ok for an event, or if the response or stream is complete; else why it failed.
    gateway::status status() const noexcept
    {
        return static_cast<gateway::status>(mlflow_gateway_completion_status(get()));
    }

    /// Return the event of a completion of the kind event. Destroy the completion soon: a stream is read only while
    /// fewer than max_events of its events, and less than 256 KiB of them, exist.
    std::optional<gateway::event> event() const noexcept
    {
        const mlflow_gateway_event* object = mlflow_gateway_completion_event(get());
        return object ? std::optional<gateway::event>(object) : std::nullopt;
    }

    /// Return the response of a completion of the kind done. That of a stream is what was gathered, also on failure. If
    /// there is none, the functions of the view return std::nullopt or 0.
    response_view response() const noexcept { return response_view(mlflow_gateway_completion_response(get())); }

    /// Return the embeddings of a completion of the kind done. If there are none, the view is empty.
    embeddings_view embeddings() const noexcept
    {
        return embeddings_view(mlflow_gateway_completion_embeddings(get()));
    }

    /// Return the message of the error of a completion of the kind done. take_error() returns the error itself.
    std::optional<std::string_view> error_message() const noexcept
    {
        const mlflow_gateway_error* object = mlflow_gateway_completion_error(get());
        return detail::optional_view(object ? mlflow_gateway_error_message(object) : nullptr);
    }

    /// Take the response out. std::nullopt if there is none, or if it was taken.
    std::optional<gateway::response> take_response()
    {
        return taken<gateway::response>(mlflow_gateway_completion_take_response(get()));
    }

    /// Take the embeddings out. std::nullopt if there are none, or if they were taken.
    std::optional<gateway::embeddings> take_embeddings()
    {
        return taken<gateway::embeddings>(mlflow_gateway_completion_take_embeddings(get()));
    }

    /// Take the error out, for example to throw it. std::nullopt if there is none, or if it was taken.
    std::optional<error> take_error() { return taken<error>(mlflow_gateway_completion_take_error(get())); }

private:
    explicit completion(mlflow_gateway_completion* object) noexcept : owner(object) {}

    template <typename T, typename Object>
    static std::optional<T> taken(Object* object)
    {
        return object ? std::optional<T>(T::adopt(object)) : std::nullopt;
    }
};

/// A queue, which sends many requests at once, on threads of its own. It is an input range of completions:
///
///     gw::queue queue(gateway);
///     for (std::uint64_t tag = 0; tag < requests.size(); ++tag)
///         if (!queue.submit(requests[tag], gw::submit_as::send, tag))
///             break; // more than max_queued: fetch completions first
///     queue.close();
///     for (const gw::completion& done : queue)
///         std::cout << done.response().text().value_or(done.error_message().value_or("no text")) << '\n';
///
/// Without close(), the loop would wait forever for another completion. The loop does not throw if a request fails: see
/// completion::status(). In the child of a fork(), only destroy a queue.
class queue : public detail::owner<mlflow_gateway_queue, mlflow_gateway_queue_destroy> {
public:
    class iterator;

    /// Result of next_for().
    struct fetched {
        /// ok, pending (none arrived in time) or queue_end (the queue is closed and all completions were fetched).
        gateway::status status;

        /// There is one if the status is ok.
        std::optional<gateway::completion> completion;
    };

    /// Create a queue.
    explicit queue(const handle& gateway) : queue(detail::unwrap(try_create(gateway))) {}
    [[nodiscard]] static result<queue> try_create(const handle& gateway)
    {
        return detail::create<queue>(mlflow_gateway_queue_create, gateway.get());
    }

    /// Take over a C object.
    static queue adopt(mlflow_gateway_queue* object) noexcept { return queue(object); }

    /// Set an option of the queue. The C header lists all of them.
    void set_option(std::string_view name, std::string_view value) { detail::unwrap(try_set_option(name, value)); }
    [[nodiscard]] result<void> try_set_option(std::string_view name, std::string_view value)
    {
        return detail::run(mlflow_gateway_queue_set_option, get(), name, value);
    }

    /// Submit a copy of a request. It does not wait. Returns false if max_queued requests wait: fetch completions, then
    /// submit it again. `tag` is any number. Each completion of the request has it.
    [[nodiscard]] bool submit(const request& request, submit_as how, std::uint64_t tag)
    {
        return detail::unwrap(try_submit(request, how, tag));
    }
    [[nodiscard]] result<bool> try_submit(const request& request, submit_as how, std::uint64_t tag)
    {
        result<status> outcome = detail::call(mlflow_gateway_queue_submit, get(), request.get(),
                                              static_cast<std::int32_t>(how), tag);
        if (!outcome.has_value())
            return detail::failure(std::move(outcome.error()));
        return *outcome == status::ok;
    }

    /// Wait for the next completion. std::nullopt means that the queue is closed and all completions were fetched.
    std::optional<completion> next() { return detail::unwrap(try_next()); }
    [[nodiscard]] result<std::optional<completion>> try_next()
    {
        result<fetched> outcome = fetch(-1);
        if (!outcome.has_value())
            return detail::failure(std::move(outcome.error()));
        return std::move(outcome->completion);
    }

    /// Wait for the next completion, at most as long as `timeout`. With 0 it does not wait.
    fetched next_for(std::chrono::milliseconds timeout) { return detail::unwrap(try_next_for(timeout)); }
    [[nodiscard]] result<fetched> try_next_for(std::chrono::milliseconds timeout)
    {
        return fetch(timeout.count() < 0 ? 0 : timeout.count());
    }

    /// Fetch the next completion, and begin to iterate with it.
    iterator begin();
    iterator end() const noexcept;

    /// Return a descriptor for an event loop. It is readable exactly while next() would not wait. Never read, write or
    /// close it. When it is readable, call next_for() with 0 until the status is not ok.
    int fd() { return detail::unwrap(try_fd()); }
    [[nodiscard]] result<int> try_fd()
    {
        int descriptor = -1;
        result<status> outcome = detail::call(mlflow_gateway_queue_fd, get(), &descriptor);
        if (!outcome.has_value())
            return detail::failure(std::move(outcome.error()));
        return descriptor;
    }

    /// Return a count.
    std::size_t count(count_kind kind) const noexcept
    {
        return mlflow_gateway_queue_count(get(), static_cast<std::int32_t>(kind));
    }

    /// Cancel all unfinished requests of a tag, and return their number.
    std::size_t cancel(std::uint64_t tag) noexcept { return mlflow_gateway_queue_cancel(get(), tag); }

    /// Close the queue: it accepts no more requests. The range ends when all completions were fetched.
    void close() noexcept { mlflow_gateway_queue_close(get()); }

private:
    explicit queue(mlflow_gateway_queue* object) noexcept : owner(object) {}

    result<fetched> fetch(std::int64_t timeout_ms)
    {
        mlflow_gateway_completion* object = nullptr;
        result<status> outcome = detail::call(mlflow_gateway_queue_next, get(), timeout_ms, &object);
        if (!outcome.has_value())
            return detail::failure(std::move(outcome.error()));
        fetched found{*outcome, std::nullopt};
        if (object)
            found.completion.emplace(completion::adopt(object));
        return found;
    }
};

/// Fetches the completions of a queue. It owns the one that it points to, together with its copies. The queue must not
/// be moved or destroyed in between.
class queue::iterator {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = completion;
    using difference_type = std::ptrdiff_t;
    using pointer = completion*;
    using reference = completion&;

    iterator() noexcept = default;
    explicit iterator(queue& source) : source_(&source) { fetch(); }
    iterator(const iterator&) = default;
    iterator& operator=(const iterator&) = default;

    completion& operator*() const noexcept { return *completion_; }
    completion* operator->() const noexcept { return completion_.get(); }

    iterator& operator++()
    {
        fetch();
        return *this;
    }
    iterator operator++(int)
    {
        iterator before = *this;
        fetch();
        return before;
    }

    friend bool operator==(const iterator& left, const iterator& right) noexcept
    {
        return left.completion_ == right.completion_;
    }
    friend bool operator!=(const iterator& left, const iterator& right) noexcept { return !(left == right); }

private:
    void fetch()
    {
        // An event is destroyed before the next one is awaited, so that its stream is read.
        completion_.reset();
        if (std::optional<completion> next = source_->next())
            completion_ = std::make_shared<completion>(*std::move(next));
    }

    queue* source_ = nullptr;
    std::shared_ptr<completion> completion_ = nullptr;
};

inline queue::iterator queue::begin()
{
    return iterator(*this);
}

inline queue::iterator queue::end() const noexcept
{
    return iterator();
}

} // inline namespace

} // namespace mlflow::gateway

#endif // MLFLOW_AI_GATEWAY_HPP

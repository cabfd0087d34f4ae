/*
 * Every function of the simple API with NULL, empty, too long and non-UTF-8 arguments in every position. They are
 * rejected before anything is sent, so no server is needed.
 *
 * usage: test_arguments URI
 *   The port of the URI refuses connections.
 */
#include <math.h>

#include "bad_arguments.h"

static const char *uri;

static mlflow_gateway *create(void)
{
    mlflow_gateway *gateway = NULL;
    CHECK_STATUS(OK, mlflow_gateway_create("r", uri, &gateway, &error));
    CHECK(gateway != NULL);
    return gateway;
}

static void create_rejects_invalid_arguments(void)
{
    mlflow_gateway *const untouched = (mlflow_gateway *)&uri;
    mlflow_gateway *gateway = untouched;
    char *text;

    CHECK_STATUS(ARGUMENT, mlflow_gateway_create("", uri, &gateway, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_create("gateway:/", uri, &gateway, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_create(NULL, uri, NULL, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_INVALID_URI, mlflow_gateway_create(NULL, "", &gateway, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_create(".", uri, &gateway, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_create("..", uri, &gateway, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_create("r", uri, NULL, &error));
    for (size_t i = 0; i < NOT_UTF8_COUNT; i++) {
        CHECK_STATUS(ARGUMENT, mlflow_gateway_create(NOT_UTF8[i], uri, &gateway, &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_create("r", NOT_UTF8[i], &gateway, &error));
    }
    text = make_long_string(257);
    CHECK_STATUS(ARGUMENT, mlflow_gateway_create(text, uri, &gateway, &error));
    free(text);
    text = make_long_string(1024 * 1024);
    memcpy(text, "http://", 7);
    CHECK_STATUS(MLFLOW_GATEWAY_INVALID_URI, mlflow_gateway_create("r", text, &gateway, &error));
    free(text);
    CHECK_STATUS(MLFLOW_GATEWAY_INVALID_URI, mlflow_gateway_create("r", "", &gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_INVALID_URI, mlflow_gateway_create("r", "127.0.0.1:5000", &gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_INVALID_URI, mlflow_gateway_create("r", "ftp://127.0.0.1", &gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_INVALID_URI, mlflow_gateway_create("r", "http://u:p@127.0.0.1", &gateway, &error));
    CHECK(gateway == untouched);

    /* The error pointer is optional everywhere. */
    CHECK(mlflow_gateway_create(NULL, NULL, NULL, NULL) == ARGUMENT);

    CHECK_STATUS(ARGUMENT, mlflow_gateway_clone(NULL, &gateway, &error));
    CHECK(gateway == untouched);
    CHECK(mlflow_gateway_clone(NULL, NULL, NULL) == ARGUMENT);

    text = make_long_string(256);
    CHECK_STATUS(OK, mlflow_gateway_create(text, uri, &gateway, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_clone(gateway, NULL, &error));
    mlflow_gateway_destroy(gateway);
    free(text);
    CHECK_STATUS(OK, mlflow_gateway_create("\xc3\xa9 /?%", uri, &gateway, &error));
    mlflow_gateway_destroy(gateway);
}

/* The error names the functions that set a route. Nothing is sent. */
static void calls_without_a_route_fail(void)
{
    static const char CREATE[] = "mlflow_gateway_create()", SET_ROUTE[] = "mlflow_gateway_request_set_route()";
    mlflow_gateway_error *error = NULL;
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_response *response = NULL;
    mlflow_gateway_stream *stream = NULL;
    mlflow_gateway_embeddings *embeddings = NULL;
    mlflow_gateway_routes *routes = NULL;
    char *text = NULL;

    CHECK_STATUS(OK, mlflow_gateway_create(NULL, uri, &gateway, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_input(request, "x", 1, &error));
    CHECK(mlflow_gateway_call(gateway, "x", &text, NULL, &error) == ARGUMENT);
    CHECK(strstr(mlflow_gateway_error_message(error), CREATE) != NULL);
    mlflow_gateway_error_destroy(error);
    CHECK(mlflow_gateway_embed(gateway, request, &embeddings, &error) == ARGUMENT);
    CHECK(strstr(mlflow_gateway_error_message(error), SET_ROUTE) != NULL);
    CHECK(strstr(mlflow_gateway_error_message(error), CREATE) != NULL);
    CHECK(mlflow_gateway_error_attempts(error) == 0);
    mlflow_gateway_error_destroy(error);
    CHECK_STATUS(OK, mlflow_gateway_request_set_route(request, "r", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_CONNECT_FAILED, mlflow_gateway_embed(gateway, request, &embeddings, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_route(request, NULL, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_embed(gateway, request, &embeddings, &error));
    mlflow_gateway_request_destroy(request);
    CHECK_STATUS(OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_prompt(request, "x", 1, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_send(gateway, request, &response, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_stream_open(gateway, request, &stream, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_get_route(gateway, NULL, &routes, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_get_limits(gateway, NULL, &text, NULL, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_limits(gateway, NULL, "[]", &text, NULL, &error));
    CHECK_STATUS(OK, mlflow_gateway_identifying_params(gateway, &text, NULL, &error));
    CHECK(strstr(text, "\"route\"") == NULL && strstr(text, "\"gateway_uri\"") != NULL);
    mlflow_gateway_string_free(text);
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_destroy(gateway);
}

/* The parameter setters, as one type. */
static mlflow_gateway_status set_double(mlflow_gateway *g, const char *name, mlflow_gateway_error **error)
{
    return mlflow_gateway_set_param_double(g, name, 0.5, error);
}
static mlflow_gateway_status set_int(mlflow_gateway *g, const char *name, mlflow_gateway_error **error)
{
    return mlflow_gateway_set_param_int(g, name, 1, error);
}
static mlflow_gateway_status set_bool(mlflow_gateway *g, const char *name, mlflow_gateway_error **error)
{
    return mlflow_gateway_set_param_bool(g, name, true, error);
}
static mlflow_gateway_status set_string(mlflow_gateway *g, const char *name, mlflow_gateway_error **error)
{
    return mlflow_gateway_set_param_string(g, name, "x", error);
}
static mlflow_gateway_status set_json(mlflow_gateway *g, const char *name, mlflow_gateway_error **error)
{
    return mlflow_gateway_set_param_json(g, name, "[]", error);
}

static void invalid_parameter_names_are_rejected(mlflow_gateway *gateway)
{
    static mlflow_gateway_status (*const SETTERS[])(mlflow_gateway *, const char *, mlflow_gateway_error **) = {
        set_double, set_int, set_bool, set_string, set_json,
    };
    static const char *const RESERVED[] = { "", "prompt", "messages", "input", "text", "stream" };

    for (size_t s = 0; s < sizeof SETTERS / sizeof *SETTERS; s++) {
        CHECK_STATUS(ARGUMENT, SETTERS[s](NULL, "top_p", &error));
        CHECK_STATUS(ARGUMENT, SETTERS[s](gateway, NULL, &error));
        CHECK(SETTERS[s](NULL, NULL, NULL) == ARGUMENT);
        for (size_t i = 0; i < NOT_UTF8_COUNT; i++)
            CHECK_STATUS(ARGUMENT, SETTERS[s](gateway, NOT_UTF8[i], &error));
        for (size_t i = 0; i < sizeof RESERVED / sizeof *RESERVED; i++)
            CHECK_STATUS(PARAM, SETTERS[s](gateway, RESERVED[i], &error));
        char *text = make_long_string(257);
        CHECK_STATUS(PARAM, SETTERS[s](gateway, text, &error));
        text[256] = '\0';
        CHECK_STATUS(OK, SETTERS[s](gateway, text, &error));
        CHECK_STATUS(OK, mlflow_gateway_unset_param(gateway, text, &error));
        free(text);
        CHECK_STATUS(OK, SETTERS[s](gateway, "\xc3\xa9", &error));
        CHECK_STATUS(OK, mlflow_gateway_unset_param(gateway, "\xc3\xa9", &error));
    }
}

static void invalid_parameter_values_are_rejected(mlflow_gateway *gateway)
{
    CHECK_STATUS(PARAM, mlflow_gateway_set_param_double(gateway, "top_p", NAN, &error));
    CHECK_STATUS(PARAM, mlflow_gateway_set_param_double(gateway, "top_p", INFINITY, &error));
    CHECK_STATUS(PARAM, mlflow_gateway_set_param_double(gateway, "top_p", -INFINITY, &error));
    CHECK_STATUS(OK, mlflow_gateway_set_param_double(gateway, "top_p", 5e-324, &error));
    CHECK_STATUS(OK, mlflow_gateway_set_param_double(gateway, "top_p", -1.7976931348623157e308, &error));
    CHECK_STATUS(OK, mlflow_gateway_set_param_int(gateway, "top_p", INT64_MIN, &error));
    CHECK_STATUS(OK, mlflow_gateway_set_param_int(gateway, "top_p", INT64_MAX, &error));

    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_param_string(gateway, "top_p", NULL, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_param_json(gateway, "top_p", NULL, &error));
    for (size_t i = 0; i < NOT_UTF8_COUNT; i++) {
        CHECK_STATUS(ARGUMENT, mlflow_gateway_set_param_string(gateway, "top_p", NOT_UTF8[i], &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_set_param_json(gateway, "top_p", NOT_UTF8[i], &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_add_stop(gateway, NOT_UTF8[i], &error));
    }
    CHECK_STATUS(OK, mlflow_gateway_set_param_string(gateway, "top_p", "", &error));
    CHECK_STATUS(PARAM, mlflow_gateway_set_param_json(gateway, "top_p", "", &error));
    CHECK_STATUS(PARAM, mlflow_gateway_set_param_json(gateway, "top_p", "{", &error));
    CHECK_STATUS(PARAM, mlflow_gateway_set_param_json(gateway, "top_p", "1, \"model\": 2", &error));

    char *text = make_long_string(4 * 1024 * 1024);
    CHECK_STATUS(OK, mlflow_gateway_set_param_string(gateway, "top_p", text, &error));
    CHECK_STATUS(PARAM, mlflow_gateway_set_param_json(gateway, "top_p", text, &error));
    memset(text, '[', 100000);
    text[100000] = '\0';
    CHECK_STATUS(PARAM, mlflow_gateway_set_param_json(gateway, "top_p", text, &error));
    free(text);

    CHECK_STATUS(ARGUMENT, mlflow_gateway_add_stop(NULL, "x", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_add_stop(gateway, NULL, &error));
    CHECK(mlflow_gateway_add_stop(NULL, NULL, NULL) == ARGUMENT);
    CHECK_STATUS(OK, mlflow_gateway_add_stop(gateway, "", &error));
    CHECK_STATUS(OK, mlflow_gateway_set_param_int(gateway, "stop", 1, &error));
    CHECK_STATUS(PARAM, mlflow_gateway_add_stop(gateway, "x", &error));

    CHECK_STATUS(ARGUMENT, mlflow_gateway_unset_param(NULL, "stop", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_unset_param(gateway, NULL, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_unset_param(gateway, NOT_UTF8[0], &error));
    CHECK(mlflow_gateway_unset_param(NULL, NULL, NULL) == ARGUMENT);
    CHECK_STATUS(OK, mlflow_gateway_unset_param(gateway, "", &error));
    CHECK_STATUS(OK, mlflow_gateway_unset_param(gateway, "stop", &error));
    CHECK_STATUS(OK, mlflow_gateway_unset_param(gateway, "top_p", &error));
}

static void invalid_options_are_rejected(mlflow_gateway *gateway)
{
    char *text = make_long_string(1024 * 1024);

    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_option(NULL, "timeout_ms", "1", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_option(gateway, NULL, "1", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_option(gateway, "timeout_ms", NULL, &error));
    CHECK(mlflow_gateway_set_option(NULL, NULL, NULL, NULL) == ARGUMENT);
    CHECK_STATUS(MLFLOW_GATEWAY_UNKNOWN_OPTION, mlflow_gateway_set_option(gateway, "", "1", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_UNKNOWN_OPTION, mlflow_gateway_set_option(gateway, "TIMEOUT_MS", "1", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_UNKNOWN_OPTION, mlflow_gateway_set_option(gateway, text, "1", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_INVALID_OPTION_VALUE, mlflow_gateway_set_option(gateway, "timeout_ms", "", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_INVALID_OPTION_VALUE, mlflow_gateway_set_option(gateway, "timeout_ms", "0", &error));
    CHECK_STATUS(MLFLOW_GATEWAY_INVALID_OPTION_VALUE, mlflow_gateway_set_option(gateway, "timeout_ms", text, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_INVALID_OPTION_VALUE, mlflow_gateway_set_option(gateway, "dialect", "latin", &error));
    for (size_t i = 0; i < NOT_UTF8_COUNT; i++) {
        CHECK_STATUS(ARGUMENT, mlflow_gateway_set_option(gateway, NOT_UTF8[i], "1", &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_set_option(gateway, "timeout_ms", NOT_UTF8[i], &error));
    }
    CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, "timeout_ms", "5000", &error));
    CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, "dialect", "gateway", &error));
    CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, "dialect", "deployments", &error));
    CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, "dialect", "tracking", &error));
    CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, "dialect", "databricks", &error));
    CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, "dialect", "auto", &error));
    free(text);
}

/* The last valid and the first invalid value at both ends of each range. */
static void number_options_have_limits(mlflow_gateway *gateway)
{
    static const struct {
        const char *name, *allowed[2], *refused[2];
    } OPTIONS[] = {
        { "timeout_ms", { "1", "86400000" }, { "0", "86400001" } },
        { "connect_timeout_ms", { "0", "86400000" }, { "-1", "86400001" } },
        { "first_byte_timeout_ms", { "0", "86400000" }, { "-1", "86400001" } },
        { "idle_timeout_ms", { "0", "86400000" }, { "-1", "86400001" } },
        { "max_retries", { "0", "10" }, { "-1", "11" } },
        { "retry_backoff_ms", { "1", "60000" }, { "0", "60001" } },
        { "retry_max_backoff_ms", { "1", "600000" }, { "0", "600001" } },
        { "retry_read_timeouts", { "true", "false" }, { "1", "False" } },
        { "retry_policy", { "mlflow", "careful" }, { "MLflow", "" } },
        { "max_redirects", { "0", "10" }, { "-1", "11" } },
        { "max_response_bytes", { "1024", "1099511627776" }, { "1023", "1099511627777" } },
        { "max_header_bytes", { "1024", "65536" }, { "1023", "65537" } },
        { "max_event_bytes", { "1024", "1073741824" }, { "1023", "1073741825" } },
        { "max_gathered_bytes", { "1024", "1099511627776" }, { "1023", "1099511627777" } },
        { "max_connections", { "0", "65536" }, { "-1", "65537" } },
    };

    for (size_t i = 0; i < COUNT(OPTIONS); i++) {
        const char *name = OPTIONS[i].name;
        CHECK_STATUS(ARGUMENT, mlflow_gateway_set_option(NULL, name, OPTIONS[i].allowed[0], &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_set_option(gateway, name, NULL, &error));
        for (size_t n = 0; n < NOT_UTF8_COUNT; n++)
            CHECK_STATUS(ARGUMENT, mlflow_gateway_set_option(gateway, name, NOT_UTF8[n], &error));
        for (size_t j = 0; j < 2; j++) {
            CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, name, OPTIONS[i].allowed[j], &error));
            CHECK_STATUS(MLFLOW_GATEWAY_INVALID_OPTION_VALUE,
                         mlflow_gateway_set_option(gateway, name, OPTIONS[i].refused[j], &error));
        }
    }
    /* The following calls must not wait. */
    CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, "max_retries", "0", &error));
}

/* Options whose values become headers or URLs. */
static void invalid_credentials_and_proxies_are_rejected(mlflow_gateway *gateway)
{
    static const char *const TEXTS[] = { "bearer_token", "username",  "password",  "client_id",
                                         "client_secret", "workspace", "user_agent" };
    static const char *const WRONG[][2] = {
        { "username", "with:colon" },
        { "auth_header", "" },
        { "auth_header", "Cookie" },
        { "auth_header", "Authorization " },
        { "allow_insecure_auth", "" },
        { "allow_insecure_auth", "yes" },
        { "allow_insecure_auth", "TRUE" },
        { "proxy", "gopher://127.0.0.1:1" },
        { "proxy", "socks5://127.0.0.1:1" },
        { "proxy", "http://" },
        { "proxy", "http://127.0.0.1:99999" },
        { "proxy", "http://127.0.0.1\r\nX-A: b" },
    };
    char *text = make_long_string(1024 * 1024);

    for (size_t i = 0; i < COUNT(TEXTS); i++) {
        CHECK_STATUS(ARGUMENT, mlflow_gateway_set_option(NULL, TEXTS[i], "x", &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_set_option(gateway, TEXTS[i], NULL, &error));
        for (size_t n = 0; n < NOT_UTF8_COUNT; n++)
            CHECK_STATUS(ARGUMENT, mlflow_gateway_set_option(gateway, TEXTS[i], NOT_UTF8[n], &error));
        CHECK_STATUS(MLFLOW_GATEWAY_INVALID_OPTION_VALUE,
                     mlflow_gateway_set_option(gateway, TEXTS[i], "a\r\nX-A: b", &error));
        CHECK_STATUS(MLFLOW_GATEWAY_INVALID_OPTION_VALUE,
                     mlflow_gateway_set_option(gateway, TEXTS[i], "\x7f", &error));
        CHECK_STATUS(MLFLOW_GATEWAY_INVALID_OPTION_VALUE, mlflow_gateway_set_option(gateway, TEXTS[i], text, &error));
        CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, TEXTS[i], "x", &error));
        CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, TEXTS[i], "", &error));
    }
    for (size_t i = 0; i < COUNT(WRONG); i++)
        CHECK_STATUS(MLFLOW_GATEWAY_INVALID_OPTION_VALUE,
                     mlflow_gateway_set_option(gateway, WRONG[i][0], WRONG[i][1], &error));
    CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, "auth_header", "X-MLflow-Authorization", &error));
    CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, "auth_header", "Authorization", &error));
    CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, "allow_insecure_auth", "true", &error));
    CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, "allow_insecure_auth", "false", &error));
    CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, "proxy", "http://u:p@127.0.0.1:1", &error));
    CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, "proxy", "none", &error));
    CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, "proxy", "", &error));
    free(text);
}

static void invalid_headers_are_rejected(mlflow_gateway *gateway)
{
    char *text = make_long_string(1024 * 1024);

    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_header(NULL, "X-A", "1", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_header(gateway, NULL, "1", &error));
    CHECK(mlflow_gateway_set_header(NULL, NULL, NULL, NULL) == ARGUMENT);
    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_header(gateway, "", "1", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_header(gateway, "X A", "1", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_header(gateway, "X-A:", "1", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_header(gateway, "Content-Length", "1", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_header(gateway, "X-A", "1\r\nX-B: 2", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_header(gateway, "X-A", text, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_header(gateway, text, "1", &error));
    for (size_t i = 0; i < NOT_UTF8_COUNT; i++) {
        CHECK_STATUS(ARGUMENT, mlflow_gateway_set_header(gateway, NOT_UTF8[i], "1", &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_set_header(gateway, "X-A", NOT_UTF8[i], &error));
    }
    CHECK_STATUS(OK, mlflow_gateway_set_header(gateway, "X-A", "", &error));
    CHECK_STATUS(OK, mlflow_gateway_set_header(gateway, "X-A", "\xc3\xa9", &error));
    CHECK_STATUS(OK, mlflow_gateway_set_header(gateway, "x-a", NULL, &error));
    CHECK_STATUS(OK, mlflow_gateway_set_header(gateway, "x-a", NULL, &error));
    free(text);
}

static void call_rejects_invalid_prompts(mlflow_gateway *gateway)
{
    char *const untouched = (char *)&uri;
    char *text = untouched;
    size_t len = 42;

    CHECK_STATUS(ARGUMENT, mlflow_gateway_call(NULL, "x", &text, &len, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_call(gateway, NULL, &text, &len, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_call(gateway, "x", NULL, &len, &error));
    for (size_t i = 0; i < NOT_UTF8_COUNT; i++)
        CHECK_STATUS(ARGUMENT, mlflow_gateway_call(gateway, NOT_UTF8[i], &text, &len, &error));
    CHECK(mlflow_gateway_call(NULL, NULL, NULL, NULL, NULL) == ARGUMENT);

    /* Valid prompts fail only because the port refuses connections. */
    CHECK_STATUS(MLFLOW_GATEWAY_CONNECT_FAILED, mlflow_gateway_call(gateway, "", &text, &len, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_CONNECT_FAILED, mlflow_gateway_call(gateway, "x", &text, NULL, &error));
    CHECK(mlflow_gateway_call(gateway, "x", &text, NULL, NULL) == MLFLOW_GATEWAY_CONNECT_FAILED);
    char *prompt = make_long_string(8 * 1024 * 1024);
    CHECK_STATUS(MLFLOW_GATEWAY_CONNECT_FAILED, mlflow_gateway_call(gateway, prompt, &text, &len, &error));
    free(prompt);
    CHECK(text == untouched && len == 42);
}

static mlflow_gateway_cancel_token *create_token(void)
{
    mlflow_gateway_cancel_token *token = NULL;
    CHECK_STATUS(OK, mlflow_gateway_cancel_token_create(&token, &error));
    CHECK(token != NULL && !mlflow_gateway_cancel_token_is_cancelled(token));
    return token;
}

/* Checks the status of all calls on a handle. */
static void check_calls(mlflow_gateway *gateway, mlflow_gateway_status expected)
{
    char *text = (char *)&uri;
    mlflow_gateway_routes *routes = NULL;
    mlflow_gateway_error *error = NULL;

    CHECK_STATUS(expected, mlflow_gateway_call(gateway, "x", &text, NULL, &error));
    CHECK_STATUS(expected, mlflow_gateway_list_routes(gateway, &routes, &error));
    CHECK_STATUS(expected, mlflow_gateway_health(gateway, &error));
    CHECK(mlflow_gateway_call(gateway, "x", &text, NULL, NULL) == expected);
    CHECK(mlflow_gateway_call(gateway, "x", &text, NULL, &error) == expected);
    CHECK(mlflow_gateway_error_attempts(error) == 0 && mlflow_gateway_error_retry_count(error) == 0);
    mlflow_gateway_error_destroy(error);
    CHECK(text == (char *)&uri && routes == NULL);
}

static void cancelled_tokens_end_all_calls_until_reset(mlflow_gateway *gateway)
{
    const mlflow_gateway_status NOT_CANCELLED = MLFLOW_GATEWAY_CONNECT_FAILED;

    mlflow_gateway_cancel(NULL);
    mlflow_gateway_cancel_token_reset(NULL);
    mlflow_gateway_cancel_token_destroy(NULL);
    CHECK(!mlflow_gateway_cancel_token_is_cancelled(NULL));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_cancel_token_create(NULL, &error));
    CHECK(mlflow_gateway_cancel_token_create(NULL, NULL) == ARGUMENT);
    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_cancel_token(NULL, NULL, &error));
    CHECK(mlflow_gateway_set_cancel_token(NULL, NULL, NULL) == ARGUMENT);

    mlflow_gateway_cancel_token *token = create_token(), *other = create_token();
    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_cancel_token(NULL, token, &error));
    CHECK_STATUS(OK, mlflow_gateway_set_cancel_token(gateway, NULL, &error));
    check_calls(gateway, NOT_CANCELLED);

    /* A token stays cancelled until it is reset. Other tokens are not affected. */
    CHECK_STATUS(OK, mlflow_gateway_set_cancel_token(gateway, token, &error));
    check_calls(gateway, NOT_CANCELLED);
    for (int i = 0; i < 2; i++) {
        mlflow_gateway_cancel(token);
        CHECK(mlflow_gateway_cancel_token_is_cancelled(token) && !mlflow_gateway_cancel_token_is_cancelled(other));
        check_calls(gateway, MLFLOW_GATEWAY_CANCELLED);
    }
    CHECK_STATUS(OK, mlflow_gateway_set_cancel_token(gateway, other, &error));
    check_calls(gateway, NOT_CANCELLED);
    CHECK_STATUS(OK, mlflow_gateway_set_cancel_token(gateway, token, &error));
    check_calls(gateway, MLFLOW_GATEWAY_CANCELLED);
    for (int i = 0; i < 2; i++) {
        mlflow_gateway_cancel_token_reset(token);
        CHECK(!mlflow_gateway_cancel_token_is_cancelled(token));
        check_calls(gateway, NOT_CANCELLED);
    }

    /* The handle keeps a destroyed token in its last state. */
    mlflow_gateway_cancel_token_destroy(token);
    check_calls(gateway, NOT_CANCELLED);
    mlflow_gateway_cancel(other);
    CHECK_STATUS(OK, mlflow_gateway_set_cancel_token(gateway, other, &error));
    mlflow_gateway_cancel_token_destroy(other);
    check_calls(gateway, MLFLOW_GATEWAY_CANCELLED);
    CHECK_STATUS(OK, mlflow_gateway_set_cancel_token(gateway, NULL, &error));
    check_calls(gateway, NOT_CANCELLED);

    /* One token for two handles outlives the first one. */
    mlflow_gateway *second = create();
    token = create_token();
    CHECK_STATUS(OK, mlflow_gateway_set_cancel_token(gateway, token, &error));
    CHECK_STATUS(OK, mlflow_gateway_set_cancel_token(second, token, &error));
    mlflow_gateway_cancel(token);
    check_calls(gateway, MLFLOW_GATEWAY_CANCELLED);
    check_calls(second, MLFLOW_GATEWAY_CANCELLED);
    mlflow_gateway_destroy(second);
    mlflow_gateway_cancel_token_reset(token);
    check_calls(gateway, NOT_CANCELLED);
    CHECK_STATUS(OK, mlflow_gateway_set_cancel_token(gateway, NULL, &error));
    mlflow_gateway_cancel_token_destroy(token);
}

static void identifying_params_are_the_parameters_of_the_handle(mlflow_gateway *gateway)
{
    char expected[512];
    char *json = NULL;
    size_t len = 0;

    CHECK_STATUS(ARGUMENT, mlflow_gateway_identifying_params(NULL, &json, &len, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_identifying_params(gateway, NULL, &len, &error));
    CHECK(mlflow_gateway_identifying_params(NULL, NULL, NULL, NULL) == ARGUMENT);

    CHECK_STATUS(OK, mlflow_gateway_set_param_double(gateway, "temperature", 0.7, &error));
    CHECK_STATUS(OK, mlflow_gateway_set_param_int(gateway, "candidate_count", 2, &error));
    /* Any number except 0 is true. */
    CHECK_STATUS(OK, mlflow_gateway_set_param_bool(gateway, "echo", -2, &error));
    CHECK_STATUS(OK, mlflow_gateway_set_param_bool(gateway, "logprobs", 0, &error));
    CHECK_STATUS(OK, mlflow_gateway_add_stop(gateway, "\n", &error));
    CHECK_STATUS(OK, mlflow_gateway_add_stop(gateway, "\"", &error));
    CHECK_STATUS(OK, mlflow_gateway_set_header(gateway, "Authorization", "Bearer secret", &error));
    CHECK_STATUS(OK, mlflow_gateway_identifying_params(gateway, &json, &len, &error));
    snprintf(expected, sizeof expected,
             "{\"gateway_uri\":\"%s\",\"route\":\"r\",\"temperature\":0.7,\"candidate_count\":2,"
             "\"echo\":true,\"logprobs\":false,\"stop\":[\"\\n\",\"\\\"\"]}", uri);
    CHECK(strcmp(json, expected) == 0);
    CHECK(strlen(json) == len);
    mlflow_gateway_string_free(json);
    CHECK_STATUS(OK, mlflow_gateway_identifying_params(gateway, &json, NULL, &error));
    mlflow_gateway_string_free(json);
}

static void error_accessors_accept_null(void)
{
    size_t len = 42;

    CHECK(mlflow_gateway_error_status(NULL) == OK);
    CHECK(strcmp(mlflow_gateway_error_message(NULL), "") == 0);
    CHECK(mlflow_gateway_error_http_status(NULL) == 0);
    CHECK(mlflow_gateway_error_gateway_code(NULL) == NULL);
    CHECK(mlflow_gateway_error_retry_after_ms(NULL) == -1);
    CHECK(mlflow_gateway_error_attempts(NULL) == 0);
    CHECK(mlflow_gateway_error_retry_count(NULL) == 0);
    CHECK(mlflow_gateway_error_retry_reason(NULL, 0) == NULL);
    CHECK(mlflow_gateway_error_retry_reason(NULL, SIZE_MAX) == NULL);
    CHECK(mlflow_gateway_error_is_retryable(NULL) == 0);
    CHECK(mlflow_gateway_error_header(NULL, NULL) == NULL);
    CHECK(mlflow_gateway_error_header(NULL, "Date") == NULL);
    CHECK(mlflow_gateway_error_body(NULL, NULL) == NULL);
    CHECK(mlflow_gateway_error_body(NULL, &len) == NULL && len == 0);

    mlflow_gateway_error *error = NULL;
    CHECK(mlflow_gateway_create(NULL, uri, NULL, &error) == ARGUMENT);
    CHECK(strcmp(mlflow_gateway_error_message(error), "the argument gateway is NULL") == 0);
    CHECK(mlflow_gateway_error_http_status(error) == 0);
    CHECK(mlflow_gateway_error_gateway_code(error) == NULL);
    CHECK(mlflow_gateway_error_retry_after_ms(error) == -1);
    CHECK(mlflow_gateway_error_attempts(error) == 0);
    CHECK(mlflow_gateway_error_retry_count(error) == 0);
    CHECK(mlflow_gateway_error_retry_reason(error, 0) == NULL);
    CHECK(mlflow_gateway_error_retry_reason(error, SIZE_MAX) == NULL);
    CHECK(mlflow_gateway_error_is_retryable(error) == 0);
    CHECK(mlflow_gateway_error_header(error, NULL) == NULL);
    CHECK(mlflow_gateway_error_header(error, "Date") == NULL);
    CHECK(mlflow_gateway_error_body(error, &len) == NULL && len == 0);
    mlflow_gateway_error_destroy(error);
}

static void error_has_a_reason_for_each_retry(void)
{
    mlflow_gateway *gateway = create();
    mlflow_gateway_error *error = NULL;
    char *text = NULL;

    CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, "max_retries", "2", &error));
    CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, "retry_backoff_ms", "1", &error));
    CHECK(mlflow_gateway_call(gateway, "x", &text, NULL, &error) == MLFLOW_GATEWAY_CONNECT_FAILED);
    CHECK(mlflow_gateway_error_retry_count(error) == 2);
    for (size_t i = 0; i < 2; i++)
        CHECK(strstr(mlflow_gateway_error_retry_reason(error, i), "refused") != NULL);
    CHECK(mlflow_gateway_error_retry_reason(error, 2) == NULL);
    CHECK(mlflow_gateway_error_retry_reason(error, SIZE_MAX) == NULL);
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_destroy(gateway);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    uri = argv[1];

    mlflow_gateway_destroy(NULL);
    mlflow_gateway_string_free(NULL);
    mlflow_gateway_error_destroy(NULL);

    create_rejects_invalid_arguments();
    calls_without_a_route_fail();
    error_accessors_accept_null();
    error_has_a_reason_for_each_retry();
    mlflow_gateway *gateway = create();
    invalid_parameter_names_are_rejected(gateway);
    invalid_parameter_values_are_rejected(gateway);
    invalid_options_are_rejected(gateway);
    number_options_have_limits(gateway);
    invalid_credentials_and_proxies_are_rejected(gateway);
    invalid_headers_are_rejected(gateway);
    call_rejects_invalid_prompts(gateway);
    cancelled_tokens_end_all_calls_until_reset(gateway);
    identifying_params_are_the_parameters_of_the_handle(gateway);
    mlflow_gateway_destroy(gateway);
    return 0;
}

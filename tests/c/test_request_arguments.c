/*
 * Every function that changes a request, with invalid arguments in every position: they are rejected and leave the
 * request unchanged. Valid ones, including limits, are sent and must arrive unchanged.
 *
 * usage: test_request_arguments URI
 *   The chat route "r" responds with the request body as its text.
 */
#include <math.h>

#include "bad_arguments.h"

#define NUL_TERMINATED MLFLOW_GATEWAY_NUL_TERMINATED
#define UNKNOWN MLFLOW_GATEWAY_UNKNOWN_OPTION
#define OPTION_VALUE MLFLOW_GATEWAY_INVALID_OPTION_VALUE
#define LONG (4 * 1024 * 1024)
#define DEEP 100000

static mlflow_gateway *gateway;

static mlflow_gateway_request *create(void)
{
    mlflow_gateway_request *request = NULL;
    CHECK_STATUS(OK, mlflow_gateway_request_create(&request, &error));
    CHECK(request != NULL);
    return request;
}

/* Checks the body that the request is sent with. */
#define CHECK_SENT(expected, request) check_sent(__LINE__, expected, request)
static void check_sent(int line, const char *expected, mlflow_gateway_request *request)
{
    mlflow_gateway_response *response = NULL;
    size_t len = 0;

    CHECK_STATUS(OK, mlflow_gateway_send(gateway, request, &response, &error));
    const char *sent = mlflow_gateway_response_text(response, 0, &len);
    if (sent == NULL || strcmp(sent, expected) != 0 || len != strlen(expected)) {
        fprintf(stderr, "%s:%d: sent %.200s, expected %.200s\n", __FILE__, line, sent, expected);
        exit(1);
    }
    mlflow_gateway_response_destroy(response);
}

/* Checks that a request has no content and no parameters: sending it fails, and it accepts a body. Destroys it. */
static void check_empty(mlflow_gateway_request *request)
{
    mlflow_gateway_response *response = NULL;

    CHECK_STATUS(ARGUMENT, mlflow_gateway_send(gateway, request, &response, &error));
    CHECK(response == NULL);
    CHECK_STATUS(OK, mlflow_gateway_request_set_body_json(request, "{}", 2, &error));
    CHECK_SENT("{}", request);
    mlflow_gateway_request_destroy(request);
}

static void create_rejects_null(void)
{
    mlflow_gateway_error *error = BAD_PTR;
    mlflow_gateway_request *request = NULL;

    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_create(NULL, &error));
    CHECK(mlflow_gateway_request_create(NULL, NULL) == ARGUMENT);

    /* The old value of the error pointer is never read, and only overwritten by an error. */
    CHECK(mlflow_gateway_request_create(&request, &error) == OK && error == BAD_PTR);
    CHECK(mlflow_gateway_request_create(NULL, &error) == ARGUMENT && error != BAD_PTR);
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_request_destroy(request);

    CHECK(mlflow_gateway_request_create(&request, NULL) == OK);
    check_empty(request);
    mlflow_gateway_request_destroy(NULL);
}

static void route_names_are_validated(void)
{
    static const char *const WRONG[] = { "", ".", "..", "gateway:/", "gateway:/." };
    mlflow_gateway_request *request = create();
    mlflow_gateway_response *response = NULL;
    char *text;

    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_route(NULL, "r", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_route(NULL, NULL, &error));
    CHECK(mlflow_gateway_request_set_route(NULL, NULL, NULL) == ARGUMENT);
    CHECK(mlflow_gateway_request_set_route(request, "nowhere", NULL) == OK);
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++)
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_route(request, WRONG[i], &error));
    for (size_t i = 0; i < NOT_UTF8_COUNT; i++)
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_route(request, NOT_UTF8[i], &error));
    text = make_long_string(257);
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_route(request, text, &error));
    text[256] = '\0';
    CHECK_STATUS(OK, mlflow_gateway_request_set_route(request, text, &error));
    free(text);

    /* NULL restores the route of the handle. A route is not content: the request is still empty. */
    CHECK_STATUS(OK, mlflow_gateway_request_set_route(request, "gateway:/\xc3\xa9 /?%", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_send(gateway, request, &response, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_route(request, NULL, &error));
    check_empty(request);
}

/* The functions with a string and its length, as one type. */
typedef mlflow_gateway_status string_setter(mlflow_gateway_request *, const char *, size_t, mlflow_gateway_error **);

static mlflow_gateway_status add_content(mlflow_gateway_request *r, const char *text, size_t len,
                                         mlflow_gateway_error **error)
{
    return mlflow_gateway_request_add_message(r, "user", text, len, error);
}
static mlflow_gateway_status set_string(mlflow_gateway_request *r, const char *text, size_t len,
                                        mlflow_gateway_error **error)
{
    return mlflow_gateway_request_set_param_string(r, "user", text, len, error);
}
static mlflow_gateway_status set_json(mlflow_gateway_request *r, const char *text, size_t len,
                                      mlflow_gateway_error **error)
{
    return mlflow_gateway_request_set_param_json(r, "user", text, len, error);
}

static mlflow_gateway_status add_tool_result(mlflow_gateway_request *r, const char *text, size_t len,
                                        mlflow_gateway_error **error)
{
    return mlflow_gateway_request_add_tool_result(r, NULL, text, len, error);
}
/* Adds a message first, because adding a part to a request without a message always fails. */
static mlflow_gateway_status add_text(mlflow_gateway_request *r, const char *text, size_t len,
                                      mlflow_gateway_error **error)
{
    mlflow_gateway_request *clone = NULL;
    CHECK(r == NULL || mlflow_gateway_request_clone(r, &clone, NULL) == OK);
    CHECK(r == NULL || mlflow_gateway_request_add_message(clone, "user", "", 0, NULL) == OK);
    mlflow_gateway_status status = mlflow_gateway_request_add_text(clone, text, len, error);
    mlflow_gateway_request_destroy(clone);
    return status;
}

static const struct string_argument {
    string_setter *set;
    const char *good;
    mlflow_gateway_status not_json; /* the status for strings that are not JSON */
    bool is_object;                 /* whether the JSON must be an object */
} STRING_ARGUMENTS[] = {
    { mlflow_gateway_request_set_prompt, "x", OK, false },
    { mlflow_gateway_request_add_input, "x", OK, false },
    { add_tool_result, "x", OK, false },
    { add_text, "x", OK, false },
    { mlflow_gateway_request_add_stop, "x", OK, false },
    { mlflow_gateway_request_add_message_json, "{}", ARGUMENT, true },
    { mlflow_gateway_request_set_body_json, "{}", ARGUMENT, true },
    { add_content, "x", OK, false },
    { set_string, "x", OK, false },
    { set_json, "1", PARAM, false },
};

static void invalid_strings_are_rejected(const struct string_argument *text)
{
    mlflow_gateway_request *request = create();

    CHECK_STATUS(ARGUMENT, text->set(NULL, text->good, NUL_TERMINATED, &error));
    CHECK_STATUS(ARGUMENT, text->set(NULL, text->good, 1, &error));
    CHECK_STATUS(ARGUMENT, text->set(request, NULL, NUL_TERMINATED, &error));
    CHECK_STATUS(ARGUMENT, text->set(request, NULL, 1, &error));
    CHECK(text->set(NULL, NULL, 0, NULL) == ARGUMENT);

    /* Impossible lengths are rejected without reading. The second one is -2 converted to a length. */
    CHECK_STATUS(ARGUMENT, text->set(request, BAD_PTR, SIZE_MAX / 2 + 1, &error));
    CHECK_STATUS(ARGUMENT, text->set(request, BAD_PTR, SIZE_MAX - 1, &error));

    for (size_t i = 0; i < NOT_UTF8_COUNT; i++) {
        size_t len = strlen(NOT_UTF8[i]);
        /* In a block of its own, so that memory checkers detect reading past its end. */
        char *exact = malloc(len);
        CHECK(exact != NULL);
        memcpy(exact, NOT_UTF8[i], len);
        CHECK_STATUS(ARGUMENT, text->set(request, NOT_UTF8[i], NUL_TERMINATED, &error));
        CHECK_STATUS(ARGUMENT, text->set(request, exact, len, &error));
        free(exact);
    }
    CHECK_STATUS(ARGUMENT, text->set(request, "\xc3\xa9", 1, &error));
    CHECK_STATUS(ARGUMENT, text->set(request, "{}\0\xff", 4, &error));
    check_empty(request);

    /* The length ends the string. The bytes after it are ignored. */
    request = create();
    size_t len = strlen(text->good);
    char *exact = malloc(len);
    CHECK(exact != NULL);
    memcpy(exact, text->good, len);
    CHECK_STATUS(OK, text->set(request, exact, len, &error));
    free(exact);
    CHECK(text->set(request, text->good, NUL_TERMINATED, NULL) == OK);
    CHECK_STATUS(text->not_json, text->set(request, BAD_PTR, 0, &error));
    /* Go passes its empty string like this. */
    CHECK_STATUS(text->not_json, text->set(request, NULL, 0, &error));
    CHECK_STATUS(text->not_json, text->set(request, "{}\0{}", 5, &error));
    mlflow_gateway_request_destroy(request);
}

static void invalid_json_is_rejected(const struct string_argument *text)
{
    static const char *const NOT_JSON[] = {
        "", " ", "{", "}", "{}x", "{} {}", "{\"a\":}", "{\"a\":1,}", "{'a':1}", "{a:1}", "{\"a\":NaN}", "{\"a\":01}",
        "{\"a\":\"\n\"}", "{\"a\":\"\\x\"}", "{\"a\":1", "nul", "True", "x", "\xef\xbb\xbf{}", "// a\n{}",
        "{\"a\":Infinity}", "{\"a\":-}", "{\"a\":1.}", "{\"a\":.5}", "{\"a\":+1}", "{\"a\":-01}", "{\"a\":1e}",
        "{\"a\":0x1}", "{\"a\":1_0}", "{\"a\":[1 2]}",
        "{\"a\":[1,]}", "{\"a\":\"\t\"}", "{\"a\":\"\x01\"}", "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\'\"}", "{\"a\" 1}", "{\"a\"}", "{,}", "{\"a\":1 \"b\":2}", "\xc2\xa0{}", "{}\x0c", "{\"a\":\"",
    };
    static const char *const NO_OBJECT[] = { "null", "true", "1", "\"{}\"", "[]", "[{}]" };
    mlflow_gateway_request *request = create();

    for (size_t i = 0; i < COUNT(NOT_JSON); i++) {
        CHECK_STATUS(text->not_json, text->set(request, NOT_JSON[i], NUL_TERMINATED, &error));
        CHECK_STATUS(text->not_json, text->set(request, NOT_JSON[i], strlen(NOT_JSON[i]), &error));
    }
    for (size_t i = 0; text->is_object && i < COUNT(NO_OBJECT); i++)
        CHECK_STATUS(ARGUMENT, text->set(request, NO_OBJECT[i], NUL_TERMINATED, &error));

    /* Nested too deeply for a recursive parser, and never closed. */
    char *deep = make_long_string(DEEP);
    memset(deep, '[', DEEP);
    CHECK_STATUS(text->not_json, text->set(request, deep, DEEP, &error));
    memcpy(deep, "{\"a\":", 5);
    CHECK_STATUS(text->not_json, text->set(request, deep, NUL_TERMINATED, &error));
    free(deep);
    check_empty(request);
}

/* Unusual but valid strings arrive unchanged. */
static void unusual_strings_are_sent_unchanged(void)
{
    char nul_inside[] = { 'a', '\0', 'b' };
    mlflow_gateway_request *request = create();

    CHECK_STATUS(OK, mlflow_gateway_request_set_prompt(request, nul_inside, sizeof nul_inside, &error));
    memset(nul_inside, 'z', sizeof nul_inside); /* it was copied */
    CHECK_SENT("{\"messages\":[{\"role\":\"user\",\"content\":\"a\\u0000b\"}]}", request);
    CHECK_STATUS(OK, mlflow_gateway_request_set_prompt(request, "c\0d", NUL_TERMINATED, &error));
    CHECK_SENT("{\"messages\":[{\"role\":\"user\",\"content\":\"c\"}]}", request);
    CHECK_STATUS(OK, mlflow_gateway_request_set_prompt(request, "", 0, &error));
    CHECK_SENT("{\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}", request);
    CHECK_STATUS(OK, mlflow_gateway_request_set_prompt(request, "d", 1, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_prompt(request, NULL, 0, &error));
    CHECK_SENT("{\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}", request);
    mlflow_gateway_request_destroy(request);

    request = create();
    CHECK_STATUS(OK, mlflow_gateway_request_add_message(request, "\xc3\xa9", "\0", 1, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_message_json(request, " {\"a\" : [1 , 2]}\n]", 17, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_param_string(request, "user", "\0\0", 2, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_param_json(request, "top_p", " null ", NUL_TERMINATED, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_stop(request, "", 0, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_stop(request, "e\0", 2, &error));
    CHECK_SENT("{\"messages\":[{\"role\":\"\xc3\xa9\",\"content\":\"\\u0000\"},{\"a\" : [1 , 2]}],"
               "\"user\":\"\\u0000\\u0000\",\"top_p\":null,\"stop\":[\"\",\"e\\u0000\"]}", request);
    mlflow_gateway_request_destroy(request);
}

/* Returns DEEP nested JSON arrays between two strings. */
static char *deep_json(const char *before, const char *after)
{
    size_t len = strlen(before);
    char *json = make_long_string(len + 2 * DEEP + strlen(after));

    memcpy(json, before, len);
    memset(json + len, '[', DEEP);
    memset(json + len + DEEP, ']', DEEP);
    strcpy(json + len + 2 * DEEP, after);
    return json;
}

static void deeply_nested_json_is_sent(void)
{
    char *list = deep_json("", "");
    char *object = deep_json("{\"a\":", "}");
    char *expected = deep_json("{\"messages\":[{\"a\":", "}],\"top_p\":1}");
    mlflow_gateway_request *request = create();

    CHECK_STATUS(OK, mlflow_gateway_request_set_param_int(request, "top_p", 1, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_message_json(request, list, NUL_TERMINATED, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_message_json(request, object, NUL_TERMINATED, &error));
    CHECK_SENT(expected, request);
    CHECK_STATUS(OK, mlflow_gateway_request_set_param_json(request, "stop", list, NUL_TERMINATED, &error));
    CHECK_STATUS(PARAM, mlflow_gateway_request_add_stop(request, "x", 1, &error));
    mlflow_gateway_request_destroy(request);

    request = create();
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_body_json(request, list, NUL_TERMINATED, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_body_json(request, object, NUL_TERMINATED, &error));
    CHECK_SENT(object, request);
    mlflow_gateway_request_destroy(request);
    free(list);
    free(object);
    free(expected);
}

static void long_strings_are_sent(void)
{
    char *text = make_long_string(LONG);
    char *json = make_long_string(LONG);
    mlflow_gateway_request *request = create();
    mlflow_gateway_response *response = NULL;
    size_t len = 0;

    /* The same length for all, so that only the JSON around the string differs. */
    memcpy(json, "{\"a\":\"", 6);
    memcpy(json + LONG - 2, "\"}", 2);
    CHECK_STATUS(OK, mlflow_gateway_request_add_message(request, "user", text, LONG, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_message(request, text, "x", 1, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_message_json(request, json, NUL_TERMINATED, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_param_string(request, "user", text, NUL_TERMINATED, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_param_json(request, "tools", json, LONG, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_stop(request, text, LONG, &error));
    CHECK_STATUS(PARAM, mlflow_gateway_request_set_param_json(request, "tools", text, LONG, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_message_json(request, text, LONG, &error));
    CHECK_STATUS(OK, mlflow_gateway_send(gateway, request, &response, &error));
    const char *frame = "{\"messages\":[{\"role\":\"user\",\"content\":\"\"},{\"role\":\"\",\"content\":\"x\"},],"
                        "\"user\":\"\",\"tools\":,\"stop\":[\"\"]}";
    CHECK(mlflow_gateway_response_text(response, 0, &len) != NULL && len == 6 * (size_t)LONG + strlen(frame));
    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(request);

    request = create();
    CHECK_STATUS(OK, mlflow_gateway_request_set_prompt(request, text, LONG, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_prompt(request, "x", 1, &error));
    CHECK_SENT("{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", request);
    mlflow_gateway_request_destroy(request);

    request = create();
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_body_json(request, text, LONG, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_body_json(request, json, LONG, &error));
    CHECK_SENT(json, request);
    mlflow_gateway_request_destroy(request);

    request = create();
    CHECK_STATUS(OK, mlflow_gateway_request_add_input(request, text, LONG, &error));
    mlflow_gateway_request_destroy(request);
    free(text);
    free(json);
}

static void invalid_roles_are_rejected(void)
{
    mlflow_gateway_request *request = create();

    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_message(request, NULL, "x", 1, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_message(request, "", "x", 1, &error));
    for (size_t i = 0; i < NOT_UTF8_COUNT; i++)
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_message(request, NOT_UTF8[i], "x", 1, &error));
    CHECK(mlflow_gateway_request_add_message(NULL, NULL, NULL, 0, NULL) == ARGUMENT);
    check_empty(request);
}

/* The functions with a parameter name, as one type. */
typedef mlflow_gateway_status name_setter(mlflow_gateway_request *, const char *, mlflow_gateway_error **);

static mlflow_gateway_status omit_param(mlflow_gateway_request *r, const char *name, mlflow_gateway_error **error)
{
    return mlflow_gateway_request_omit_param(r, name, error);
}
static mlflow_gateway_status set_param_double(mlflow_gateway_request *r, const char *name, mlflow_gateway_error **error)
{
    return mlflow_gateway_request_set_param_double(r, name, 0.5, error);
}
static mlflow_gateway_status set_param_int(mlflow_gateway_request *r, const char *name, mlflow_gateway_error **error)
{
    return mlflow_gateway_request_set_param_int(r, name, 1, error);
}
static mlflow_gateway_status set_param_bool(mlflow_gateway_request *r, const char *name, mlflow_gateway_error **error)
{
    return mlflow_gateway_request_set_param_bool(r, name, true, error);
}
static mlflow_gateway_status set_param_string(mlflow_gateway_request *r, const char *name, mlflow_gateway_error **error)
{
    return mlflow_gateway_request_set_param_string(r, name, "x", 1, error);
}
static mlflow_gateway_status set_param_json(mlflow_gateway_request *r, const char *name, mlflow_gateway_error **error)
{
    return mlflow_gateway_request_set_param_json(r, name, "[]", 2, error);
}

static name_setter *const NAME_SETTERS[] = {
    set_param_double, set_param_int, set_param_bool, set_param_string, set_param_json, omit_param,
};

static void invalid_parameter_names_are_rejected(void)
{
    static const char *const RESERVED[] = { "", "prompt", "messages", "input", "text", "stream" };
    mlflow_gateway_request *request = create();
    char *name = make_long_string(257);

    for (size_t s = 0; s < COUNT(NAME_SETTERS); s++) {
        CHECK_STATUS(ARGUMENT, NAME_SETTERS[s](NULL, "top_p", &error));
        CHECK_STATUS(ARGUMENT, NAME_SETTERS[s](request, NULL, &error));
        CHECK(NAME_SETTERS[s](NULL, NULL, NULL) == ARGUMENT);
        for (size_t i = 0; i < NOT_UTF8_COUNT; i++)
            CHECK_STATUS(ARGUMENT, NAME_SETTERS[s](request, NOT_UTF8[i], &error));
        for (size_t i = 0; i < COUNT(RESERVED); i++)
            CHECK_STATUS(PARAM, NAME_SETTERS[s](request, RESERVED[i], &error));
        CHECK_STATUS(PARAM, NAME_SETTERS[s](request, name, &error));
        CHECK_STATUS(OK, NAME_SETTERS[s](request, name + 1, &error));
        CHECK_STATUS(OK, mlflow_gateway_request_unset_param(request, name + 1, &error));
        CHECK_STATUS(OK, NAME_SETTERS[s](request, "\xc3\xa9", &error));
        CHECK_STATUS(OK, mlflow_gateway_request_unset_param(request, "\xc3\xa9", &error));
        CHECK_STATUS(OK, NAME_SETTERS[s](request, "n", &error));
        CHECK_STATUS(OK, mlflow_gateway_request_unset_param(request, "candidate_count", &error));
    }
    free(name);

    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_unset_param(NULL, "top_p", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_unset_param(request, NULL, &error));
    for (size_t i = 0; i < NOT_UTF8_COUNT; i++)
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_unset_param(request, NOT_UTF8[i], &error));
    CHECK(mlflow_gateway_request_unset_param(NULL, NULL, NULL) == ARGUMENT);
    CHECK_STATUS(OK, mlflow_gateway_request_unset_param(request, "", &error));
    CHECK_STATUS(OK, mlflow_gateway_request_unset_param(request, "prompt", &error));
    check_empty(request);
}

static void invalid_parameter_values_are_rejected(void)
{
    mlflow_gateway_request *request = create();

    CHECK_STATUS(PARAM, mlflow_gateway_request_set_param_double(request, "top_p", NAN, &error));
    CHECK_STATUS(PARAM, mlflow_gateway_request_set_param_double(request, "top_p", INFINITY, &error));
    CHECK_STATUS(PARAM, mlflow_gateway_request_set_param_double(request, "top_p", -INFINITY, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_param_double(request, "a", 5e-324, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_param_double(request, "b", -1.7976931348623157e308, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_param_double(request, "c", 0, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_param_int(request, "d", INT64_MIN, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_param_int(request, "e", INT64_MAX, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_param_bool(request, "f", false, &error));

    /* A rejected value keeps the previous one. */
    CHECK_STATUS(PARAM, mlflow_gateway_request_set_param_double(request, "c", NAN, &error));
    CHECK_STATUS(PARAM, mlflow_gateway_request_set_param_json(request, "d", "{", 1, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_param_string(request, "e", "\xff", 1, &error));

    /* A stop sequence can only be added to an array of strings. */
    CHECK_STATUS(OK, mlflow_gateway_request_set_param_json(request, "stop", "[1]", 3, &error));
    CHECK_STATUS(PARAM, mlflow_gateway_request_add_stop(request, "x", 1, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_prompt(request, "x", 1, &error));
    CHECK_SENT("{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"a\":5e-324,\"b\":-1.7976931348623157e+308,"
               "\"c\":0.0,\"d\":-9223372036854775808,\"e\":9223372036854775807,\"f\":false,\"stop\":[1]}", request);
    mlflow_gateway_request_destroy(request);
}

/* A second kind of content is rejected, and the first one stays. */
static void only_one_kind_of_content_is_allowed(void)
{
    enum { PROMPT, MESSAGE, MESSAGE_JSON, INPUT, BODY, KINDS };
    static string_setter *const ADD[KINDS] = {
        mlflow_gateway_request_set_prompt, add_content, mlflow_gateway_request_add_message_json,
        mlflow_gateway_request_add_input, mlflow_gateway_request_set_body_json,
    };
    static const char *const SENT[KINDS] = {
        "{\"messages\":[{\"role\":\"user\",\"content\":\"{}\"}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"{}\"}]}",
        "{\"messages\":[{}]}",
        NULL,
        "{}",
    };

    for (int first = 0; first < KINDS; first++) {
        mlflow_gateway_request *request = create();
        CHECK_STATUS(OK, ADD[first](request, "{}", 2, &error));
        for (int second = 0; second < KINDS; second++) {
            bool both_messages = (first == MESSAGE && second == MESSAGE_JSON) ||
                                 (first == MESSAGE_JSON && second == MESSAGE);
            if (second != first && !both_messages)
                CHECK_STATUS(ARGUMENT, ADD[second](request, "{\"a\":1}", 7, &error));
        }
        if (first == INPUT) {
            /* The route does not support embeddings. A request without inputs would fail before. */
            mlflow_gateway_embeddings *embeddings = NULL;
            CHECK_STATUS(MLFLOW_GATEWAY_UNSUPPORTED, mlflow_gateway_embed(gateway, request, &embeddings, &error));
        } else {
            CHECK_SENT(SENT[first], request);
        }
        mlflow_gateway_request_destroy(request);
    }
}

/* A body contains its own parameters. */
static void body_excludes_parameters(void)
{
    mlflow_gateway_request *request = create();

    for (size_t s = 0; s < COUNT(NAME_SETTERS); s++) {
        CHECK_STATUS(OK, NAME_SETTERS[s](request, "top_p", &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_body_json(request, "{}", 2, &error));
        CHECK_STATUS(OK, mlflow_gateway_request_unset_param(request, "top_p", &error));
    }
    CHECK_STATUS(OK, mlflow_gateway_request_add_stop(request, "x", 1, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_body_json(request, "{}", 2, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_unset_param(request, "stop", &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_body_json(request, "{\"stream\":true,\"b\" : 1}", NUL_TERMINATED,
                                                          &error));
    for (size_t s = 0; s < COUNT(NAME_SETTERS); s++)
        CHECK_STATUS(ARGUMENT, NAME_SETTERS[s](request, "top_p", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_stop(request, "x", 1, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_unset_param(request, "b", &error));

    /* The parameters of the handle are not added either. */
    CHECK_STATUS(OK, mlflow_gateway_set_param_int(gateway, "max_tokens", 7, &error));
    CHECK_SENT("{\"b\":1}", request);
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_body_json(request, "[]", 2, &error));
    CHECK_SENT("{\"b\":1}", request);
    CHECK_STATUS(OK, mlflow_gateway_request_set_body_json(request, "{\"c\":2}", 7, &error));
    CHECK_SENT("{\"c\":2}", request);
    CHECK_STATUS(OK, mlflow_gateway_unset_param(gateway, "max_tokens", &error));
    mlflow_gateway_request_destroy(request);
}

static void clone_is_independent(void)
{
    mlflow_gateway_request *request = create(), *clone = NULL, *second = NULL;

    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_clone(NULL, &clone, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_clone(request, NULL, &error));
    CHECK(mlflow_gateway_request_clone(NULL, NULL, NULL) == ARGUMENT && clone == NULL);

    /* Changes of one of them do not affect the others. */
    CHECK_STATUS(OK, mlflow_gateway_request_add_message(request, "user", "a", 1, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_param_int(request, "top_p", 1, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_clone(request, &clone, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_clone(clone, &second, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_text(clone, "b", 1, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_omit_param(clone, "top_p", &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_message(second, "user", "c", 1, &error));
    CHECK_SENT("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"top_p\":1}", request);
    CHECK_STATUS(OK, mlflow_gateway_request_set_param_int(request, "top_p", 2, &error));
    mlflow_gateway_request_destroy(request);
    CHECK_SENT("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
               "{\"type\":\"text\",\"text\":\"b\"}]}]}", clone);
    mlflow_gateway_request_destroy(clone);
    CHECK_SENT("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"c\"}],"
               "\"top_p\":1}", second);
    mlflow_gateway_request_destroy(second);
}

static void parts_need_a_user_message_and_a_known_type(void)
{
    static const char *const WRONG_TYPES[] = { "", "image", "image/", "/png", "video/mp4", "text/plain", "image/a b",
                                               "image/png;x=1", "image/\"", "image/png\r\n", "image/p/ng", "\xc3\xa9/x" };
    mlflow_gateway_request *request = create();
    char *type = make_long_string(300);
    unsigned char byte = 0xff;

    /* There is no message to add a part to. */
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_text(request, "x", 1, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_text(request, "", 0, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_media(request, "image/png", &byte, 1, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_message(request, "user", "a", 1, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_message(request, "assistant", "b", 1, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_text(request, "x", 1, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_media(request, "image/png", &byte, 1, &error));
    mlflow_gateway_request_destroy(request);

    request = create();
    CHECK_STATUS(OK, mlflow_gateway_request_set_prompt(request, "x", 1, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_media(request, "image/png", &byte, 1, &error));
    mlflow_gateway_request_destroy(request);

    request = create();
    CHECK_STATUS(OK, mlflow_gateway_request_add_message(request, "user", "a", 1, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_media(NULL, "image/png", &byte, 1, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_media(request, NULL, &byte, 1, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_media(request, "image/png", NULL, 1, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_media(request, "image/png", NULL, 0, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_media(request, "image/png", &byte, 0, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_media(request, "image/png", BAD_PTR, NUL_TERMINATED, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_media(request, "image/png", BAD_PTR, SIZE_MAX / 2 + 1, &error));
    CHECK(mlflow_gateway_request_add_media(NULL, NULL, NULL, 0, NULL) == ARGUMENT);
    for (size_t i = 0; i < NOT_UTF8_COUNT; i++)
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_media(request, NOT_UTF8[i], &byte, 1, &error));
    for (size_t i = 0; i < COUNT(WRONG_TYPES); i++)
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_media(request, WRONG_TYPES[i], &byte, 1, &error));
    memcpy(type, "image/", 6);
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_media(request, type, &byte, 1, &error));
    CHECK_SENT("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}", request);
    CHECK_STATUS(OK, mlflow_gateway_request_add_text(request, "", 0, &error));
    CHECK_SENT("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}", request);
    CHECK_STATUS(OK, mlflow_gateway_request_add_media(request, "Image/PNG", &byte, 1, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_text(request, "\0", 1, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_media(request, "audio/x-wav", &byte, 1, &error));
    CHECK_SENT("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
               "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,/w==\"}},"
               "{\"type\":\"text\",\"text\":\"\\u0000\"},"
               "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"/w==\",\"format\":\"wav\"}}]}]}", request);
    mlflow_gateway_request_destroy(request);
    free(type);
}

static void tool_results_need_an_id_or_null(void)
{
    mlflow_gateway_request *request = create();

    for (size_t i = 0; i < NOT_UTF8_COUNT; i++)
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_tool_result(request, NOT_UTF8[i], "x", 1, &error));
    CHECK(mlflow_gateway_request_add_tool_result(NULL, NULL, NULL, 0, NULL) == ARGUMENT);
    CHECK_STATUS(OK, mlflow_gateway_request_add_tool_result(request, NULL, NULL, 0, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_tool_result(request, "", "x", 1, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_tool_result(request, "c\"", "{\"a\": 1}", NUL_TERMINATED, &error));
    CHECK_SENT("{\"messages\":[{\"role\":\"tool\",\"content\":\"\"},"
               "{\"role\":\"tool\",\"tool_call_id\":\"\",\"content\":\"x\"},"
               "{\"role\":\"tool\",\"tool_call_id\":\"c\\\"\",\"content\":\"{\\\"a\\\": 1}\"}]}", request);
    mlflow_gateway_request_destroy(request);
}

static void response_candidates_can_be_added(void)
{
    mlflow_gateway_request *request = create();
    mlflow_gateway_response *response = NULL, *raw = NULL;

    CHECK_STATUS(OK, mlflow_gateway_request_set_prompt(request, "x", 1, &error));
    CHECK_STATUS(OK, mlflow_gateway_send(gateway, request, &response, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_response(request, response, 0, &error));
    mlflow_gateway_request_destroy(request);

    request = create();
    CHECK_STATUS(OK, mlflow_gateway_request_set_path(request, "POST", "/raw", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_response(request, response, 0, &error));
    CHECK_STATUS(OK, mlflow_gateway_send(gateway, request, &raw, &error));
    mlflow_gateway_request_destroy(request);

    request = create();
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_response(NULL, response, 0, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_response(request, NULL, 0, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_response(request, response, 1, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_response(request, response, SIZE_MAX, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_response(request, raw, 0, &error));
    CHECK(mlflow_gateway_request_add_response(NULL, NULL, 0, NULL) == ARGUMENT);
    CHECK(mlflow_gateway_response_candidate_count(raw) == 0);
    CHECK_STATUS(OK, mlflow_gateway_request_add_response(request, response, 0, &error));
    mlflow_gateway_response_destroy(response);
    mlflow_gateway_response_destroy(raw);
    CHECK_SENT("{\"messages\":[{\"role\": \"assistant\", \"content\": "
               "\"{\\\"messages\\\":[{\\\"role\\\":\\\"user\\\",\\\"content\\\":\\\"x\\\"}]}\"}]}", request);
    mlflow_gateway_request_destroy(request);
}

/* Both names of the number of candidates are the same parameter. */
static void last_parameter_call_takes_precedence(void)
{
    mlflow_gateway_request *request = create();

    CHECK_STATUS(OK, mlflow_gateway_set_param_int(gateway, "n", 2, &error));
    CHECK_STATUS(OK, mlflow_gateway_add_stop(gateway, "a", &error));
    CHECK_STATUS(OK, mlflow_gateway_request_add_message_json(request, "{}", 2, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_omit_param(request, "candidate_count", &error));
    CHECK_STATUS(OK, mlflow_gateway_request_omit_param(request, "stop", &error));
    CHECK_STATUS(OK, mlflow_gateway_request_omit_param(request, "never_set", &error));
    CHECK_SENT("{\"messages\":[{}]}", request);
    CHECK_STATUS(OK, mlflow_gateway_request_add_stop(request, "b", 1, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_unset_param(request, "n", &error));
    CHECK_SENT("{\"messages\":[{}],\"n\":2,\"stop\":[\"b\"]}", request);
    CHECK_STATUS(OK, mlflow_gateway_request_omit_param(request, "n", &error));
    CHECK_STATUS(OK, mlflow_gateway_request_omit_param(request, "stop", &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_param_int(request, "n", 3, &error));
    CHECK_SENT("{\"messages\":[{}],\"n\":3}", request);
    CHECK_STATUS(OK, mlflow_gateway_unset_param(gateway, "n", &error));
    CHECK_STATUS(OK, mlflow_gateway_unset_param(gateway, "stop", &error));
    mlflow_gateway_request_destroy(request);
}

static void invalid_paths_and_methods_are_rejected(void)
{
    static const char *const METHODS[] = { "", " ", "A B", "GET ", "GET\r\n", "G\xc3\xa9", "a/b", "CONNECT", "connect" };
    static const char *const PATHS[] = {
        "", " ", "a", "a/b", "?a", "http://127.0.0.1/", "/#", "/a#b", "/..", "/../a", "/a/../b", "/a/..?x", "/%2e%2E/a",
        "/.%2e", "/a%2F..%2fb", "/a%5c..", "/a\\b", "/a b", "/a\r\nX: y", "/a\t", "/\xc3\xa9", "/%", "/%4", "/%4g", "/\x7f",
    };
    static string_setter *const CONTENT[] = {
        mlflow_gateway_request_set_prompt, mlflow_gateway_request_add_message_json, mlflow_gateway_request_add_input,
        add_content, add_tool_result,
    };
    mlflow_gateway_request *request = create();
    mlflow_gateway_embeddings *embeddings = NULL;
    char *text = make_long_string(8 * 1024 + 1);

    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_path(NULL, "GET", "/", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_path(NULL, NULL, NULL, &error));
    CHECK(mlflow_gateway_request_set_path(NULL, NULL, NULL, NULL) == ARGUMENT);
    for (size_t i = 0; i < NOT_UTF8_COUNT; i++) {
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_path(request, NOT_UTF8[i], "/", &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_path(request, "GET", NOT_UTF8[i], &error));
    }
    for (size_t i = 0; i < COUNT(METHODS); i++)
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_path(request, METHODS[i], "/", &error));
    for (size_t i = 0; i < COUNT(PATHS); i++)
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_path(request, NULL, PATHS[i], &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_path(request, text, "/", &error));
    text[0] = '/';
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_path(request, NULL, text, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_path(request, NULL, NULL, &error));
    check_empty(request);

    /* A path allows only a body as content, in either order. */
    for (size_t i = 0; i < COUNT(CONTENT); i++) {
        request = create();
        CHECK_STATUS(OK, CONTENT[i](request, "{}", 2, &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_path(request, NULL, "/", &error));
        mlflow_gateway_request_destroy(request);
        request = create();
        CHECK_STATUS(OK, mlflow_gateway_request_set_path(request, NULL, "/", &error));
        CHECK_STATUS(ARGUMENT, CONTENT[i](request, "{}", 2, &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_text(request, "x", 1, &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_media(request, "image/png", "x", 1, &error));
        CHECK_STATUS(OK, mlflow_gateway_request_set_path(request, NULL, NULL, &error));
        CHECK_STATUS(OK, CONTENT[i](request, "{}", 2, &error));
        mlflow_gateway_request_destroy(request);
    }
    for (size_t s = 0; s < COUNT(NAME_SETTERS); s++) {
        request = create();
        CHECK_STATUS(OK, NAME_SETTERS[s](request, "top_p", &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_path(request, NULL, "/", &error));
        CHECK_STATUS(OK, mlflow_gateway_request_unset_param(request, "top_p", &error));
        CHECK_STATUS(OK, mlflow_gateway_request_set_path(request, NULL, "/", &error));
        CHECK_STATUS(ARGUMENT, NAME_SETTERS[s](request, "top_p", &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_add_stop(request, "x", 1, &error));
        mlflow_gateway_request_destroy(request);
    }

    /* The route and the parameters of the handle are not sent. The body is sent unchanged. */
    request = create();
    CHECK_STATUS(OK, mlflow_gateway_set_param_int(gateway, "max_tokens", 7, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_body_json(request, " {\"stream\" : true} ", NUL_TERMINATED, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_path(request, NULL, "/any?a=b", &error));
    CHECK_SENT(" {\"stream\" : true} ", request);
    CHECK_STATUS(ARGUMENT, mlflow_gateway_embed(gateway, request, &embeddings, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_path(request, "x", NULL, &error));
    CHECK_SENT("{}", request);
    CHECK_STATUS(OK, mlflow_gateway_unset_param(gateway, "max_tokens", &error));
    mlflow_gateway_request_destroy(request);
    free(text);
}

static void invalid_options_are_rejected(void)
{
    /* The last valid and the first invalid value at both ends of each range. */
    static const struct {
        const char *name, *allowed[2], *refused[2];
    } OPTIONS[] = {
        { "timeout_ms", { "1", "86400000" }, { "0", "86400001" } },
        { "connect_timeout_ms", { "0", "86400000" }, { "00x", "86400001" } },
        { "first_byte_timeout_ms", { "0", "86400000" }, { "none", "86400001" } },
        { "idle_timeout_ms", { "0", "86400000" }, { "0ms", "86400001" } },
        { "max_retries", { "0", "10" }, { "none", "11" } },
        { "retry_backoff_ms", { "1", "60000" }, { "0", "60001" } },
        { "retry_max_backoff_ms", { "1", "600000" }, { "0", "600001" } },
        { "retry_read_timeouts", { "true", "false" }, { "0", "TRUE" } },
        { "retry_policy", { "mlflow", "careful" }, { "none", "Careful" } },
        { "max_redirects", { "0", "10" }, { "none", "11" } },
        { "max_response_bytes", { "1024", "1099511627776" }, { "1023", "1099511627777" } },
        { "max_header_bytes", { "1024", "65536" }, { "1023", "65537" } },
        { "max_gathered_bytes", { "1024", "1099511627776" }, { "1023", "1099511627777" } },
        { "max_event_bytes", { "1024", "1073741824" }, { "1023", "1073741825" } },
        { "gather_stream", { "true", "false" }, { "1", "TRUE" } },
        { "require_text", { "true", "false" }, { "1", "TRUE" } },
        { "embed_batch_size", { "1", "100000" }, { "0", "100001" } },
        { "embed_concurrency", { "1", "64" }, { "0", "65" } },
    };
    static const char *const OF_THE_HANDLE[][2] = {
        { "dialect", "auto" },       { "max_connections", "64" }, { "ca_file", "" },
        { "client_cert_file", "" },  { "client_key_file", "" },   { "insecure_tls", "false" },
    };
    static const char *const NO_VALUES[] = { "", " ", " 1", "1 ", "+1", "-1", "1.5", "1e3", "0x10", "1s",
                                             "99999999999999999999999", "\xc3\xa9" };
    mlflow_gateway_request *request = create();
    char *text = make_long_string(LONG);

    for (size_t i = 0; i < COUNT(OPTIONS); i++) {
        const char *name = OPTIONS[i].name;
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_option(NULL, name, "1", &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_option(request, name, NULL, &error));
        for (size_t j = 0; j < NOT_UTF8_COUNT; j++)
            CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_option(request, name, NOT_UTF8[j], &error));
        for (size_t j = 0; j < COUNT(NO_VALUES); j++)
            CHECK_STATUS(OPTION_VALUE, mlflow_gateway_request_set_option(request, name, NO_VALUES[j], &error));
        CHECK_STATUS(OPTION_VALUE, mlflow_gateway_request_set_option(request, name, text, &error));
        for (size_t j = 0; j < 2; j++) {
            CHECK_STATUS(OK, mlflow_gateway_request_set_option(request, name, OPTIONS[i].allowed[j], &error));
            CHECK_STATUS(OPTION_VALUE,
                         mlflow_gateway_request_set_option(request, name, OPTIONS[i].refused[j], &error));
        }
    }
    for (size_t i = 0; i < COUNT(OF_THE_HANDLE); i++) {
        const char *name = OF_THE_HANDLE[i][0], *value = OF_THE_HANDLE[i][1];
        CHECK_STATUS(OK, mlflow_gateway_set_option(gateway, name, value, &error));
        CHECK_STATUS(UNKNOWN, mlflow_gateway_request_set_option(request, name, value, &error));
        CHECK_STATUS(UNKNOWN, mlflow_gateway_request_set_option(request, name, "no value", &error));
    }
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_option(request, NULL, "1", &error));
    CHECK(mlflow_gateway_request_set_option(NULL, NULL, NULL, NULL) == ARGUMENT);
    CHECK_STATUS(UNKNOWN, mlflow_gateway_request_set_option(request, "", "1", &error));
    CHECK_STATUS(UNKNOWN, mlflow_gateway_request_set_option(request, "TIMEOUT_MS", "1", &error));
    CHECK_STATUS(UNKNOWN, mlflow_gateway_request_set_option(request, "timeout_ms ", "1", &error));
    CHECK_STATUS(UNKNOWN, mlflow_gateway_request_set_option(request, text, "1", &error));
    for (size_t i = 0; i < NOT_UTF8_COUNT; i++)
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_option(request, NOT_UTF8[i], "1", &error));
    free(text);

    /* Options are not content: the request is still empty. */
    check_empty(request);
}

static mlflow_gateway_status send_x(mlflow_gateway_request *request, mlflow_gateway_error **error)
{
    mlflow_gateway_response *response = NULL;
    mlflow_gateway_status status = mlflow_gateway_send(gateway, request, &response, error);

    CHECK((response != NULL) == (status == OK));
    mlflow_gateway_response_destroy(response);
    return status;
}

static void tokens_of_the_request_and_the_handle_both_apply(void)
{
    const mlflow_gateway_status CANCELLED = MLFLOW_GATEWAY_CANCELLED;
    mlflow_gateway_request *request = create(), *empty = create();
    mlflow_gateway_cancel_token *own = NULL, *handles = NULL;
    mlflow_gateway_stream *stream = NULL;

    CHECK_STATUS(OK, mlflow_gateway_cancel_token_create(&own, &error));
    CHECK_STATUS(OK, mlflow_gateway_cancel_token_create(&handles, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_cancel_token(NULL, NULL, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_cancel_token(NULL, own, &error));
    CHECK(mlflow_gateway_request_set_cancel_token(NULL, NULL, NULL) == ARGUMENT);
    CHECK_STATUS(OK, mlflow_gateway_request_set_cancel_token(request, NULL, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_prompt(request, "x", 1, &error));
    CHECK_STATUS(OK, send_x(request, &error));

    CHECK_STATUS(OK, mlflow_gateway_request_set_cancel_token(request, own, &error));
    CHECK_STATUS(OK, mlflow_gateway_set_cancel_token(gateway, handles, &error));
    CHECK_STATUS(OK, send_x(request, &error));
    mlflow_gateway_cancel(handles);
    CHECK_STATUS(CANCELLED, send_x(request, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_cancel_token(request, NULL, &error));
    CHECK_STATUS(CANCELLED, send_x(request, &error));
    mlflow_gateway_cancel_token_reset(handles);
    CHECK_STATUS(OK, send_x(request, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_cancel_token(request, own, &error));
    mlflow_gateway_cancel(own);
    CHECK_STATUS(CANCELLED, send_x(request, &error));
    CHECK_STATUS(CANCELLED, mlflow_gateway_stream_open(gateway, request, &stream, &error));
    CHECK(stream == NULL);
    CHECK_STATUS(OK, mlflow_gateway_set_cancel_token(gateway, NULL, &error));
    CHECK_STATUS(CANCELLED, send_x(request, &error));

    /* The request keeps a destroyed token. */
    mlflow_gateway_cancel_token_destroy(own);
    CHECK_STATUS(CANCELLED, send_x(request, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_cancel_token(request, handles, &error));
    mlflow_gateway_cancel_token_destroy(handles);
    CHECK_STATUS(OK, send_x(request, &error));
    mlflow_gateway_request_destroy(request);

    /* A token is not content. */
    CHECK_STATUS(OK, mlflow_gateway_cancel_token_create(&own, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_cancel_token(empty, own, &error));
    check_empty(empty);
    mlflow_gateway_cancel_token_destroy(own);
}

static void invalid_headers_are_rejected(void)
{
    mlflow_gateway_request *request = create();
    char *text = make_long_string(1024 * 1024);
    char name[8];

    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_header(NULL, "X-A", "1", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_header(request, NULL, "1", &error));
    CHECK(mlflow_gateway_request_set_header(NULL, NULL, NULL, NULL) == ARGUMENT);
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_header(request, "", "1", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_header(request, "X A", "1", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_header(request, "X-A:", "1", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_header(request, "\xc3\xa9", "1", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_header(request, "content-LENGTH", "1", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_header(request, "Accept-Encoding", NULL, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_header(request, "X-A", "1\r\nX-B: 2", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_header(request, "X-A", "\x7f", &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_header(request, "X-A", text, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_header(request, text, "1", &error));
    for (size_t i = 0; i < NOT_UTF8_COUNT; i++) {
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_header(request, NOT_UTF8[i], "1", &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_header(request, "X-A", NOT_UTF8[i], &error));
    }
    text[8 * 1024 + 1] = '\0';
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_header(request, "X-A", text, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_header(request, "X-A", text + 1, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_header(request, "x-a", NULL, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_header(request, "x-a", NULL, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_header(request, "X-A", "", &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_header(request, "X-A", "\xc3\xa9", &error));
    for (int i = 1; i < 100; i++) {
        snprintf(name, sizeof name, "X-%d", i);
        CHECK_STATUS(OK, mlflow_gateway_request_set_header(request, name, "1", &error));
    }
    CHECK_STATUS(ARGUMENT, mlflow_gateway_request_set_header(request, "X-100", "1", &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_header(request, "X-99", "2", &error));
    mlflow_gateway_request_destroy(request);
    free(text);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    CHECK_STATUS(OK, mlflow_gateway_create("r", argv[1], &gateway, &error));

    create_rejects_null();
    route_names_are_validated();
    for (size_t i = 0; i < COUNT(STRING_ARGUMENTS); i++) {
        invalid_strings_are_rejected(&STRING_ARGUMENTS[i]);
        if (STRING_ARGUMENTS[i].not_json != OK)
            invalid_json_is_rejected(&STRING_ARGUMENTS[i]);
    }
    unusual_strings_are_sent_unchanged();
    deeply_nested_json_is_sent();
    long_strings_are_sent();
    invalid_roles_are_rejected();
    invalid_parameter_names_are_rejected();
    invalid_parameter_values_are_rejected();
    only_one_kind_of_content_is_allowed();
    body_excludes_parameters();
    clone_is_independent();
    parts_need_a_user_message_and_a_known_type();
    tool_results_need_an_id_or_null();
    response_candidates_can_be_added();
    last_parameter_call_takes_precedence();
    invalid_paths_and_methods_are_rejected();
    invalid_options_are_rejected();
    tokens_of_the_request_and_the_handle_both_apply();
    invalid_headers_are_rejected();
    mlflow_gateway_destroy(gateway);
    return 0;
}

/*
 * The functions for routes, limits and the log with invalid arguments in every position; and the accessors of routes,
 * with indices out of range and after the handle is destroyed.
 *
 * usage: test_route_arguments REFUSING FULL EMPTY
 *   The URIs of a port that refuses connections, of a gateway with the routes "r" (all fields) and "bare" (only name
 *   and type), and of a gateway without routes.
 */
#include "bad_arguments.h"

#define REFUSED MLFLOW_GATEWAY_CONNECT_FAILED

static char *const UNTOUCHED = BAD_PTR;

/* The functions with a route name, as one type. They check that a failed call leaves its outputs untouched. */
typedef mlflow_gateway_status route_function(mlflow_gateway *, const char *, mlflow_gateway_error **);

static mlflow_gateway_status get_route(mlflow_gateway *gateway, const char *name, mlflow_gateway_error **error)
{
    mlflow_gateway_routes *routes = BAD_PTR;
    mlflow_gateway_status status = mlflow_gateway_get_route(gateway, name, &routes, error);
    CHECK(routes == BAD_PTR);
    return status;
}
static mlflow_gateway_status get_limits(mlflow_gateway *gateway, const char *name, mlflow_gateway_error **error)
{
    char *json = UNTOUCHED;
    size_t len = 42;
    mlflow_gateway_status status = mlflow_gateway_get_limits(gateway, name, &json, &len, error);
    CHECK(json == UNTOUCHED && len == 42);
    return status;
}
static mlflow_gateway_status set_limits(mlflow_gateway *gateway, const char *name, mlflow_gateway_error **error)
{
    char *json = UNTOUCHED;
    size_t len = 42;
    mlflow_gateway_status status = mlflow_gateway_set_limits(gateway, name, "[]", &json, &len, error);
    CHECK(json == UNTOUCHED && len == 42);
    return status;
}

static const struct {
    route_function *call;
    mlflow_gateway_status without_name;
} ROUTE_FUNCTIONS[] = {
    { get_route, REFUSED },
    { get_limits, REFUSED },
    { set_limits, REFUSED },
    { mlflow_gateway_delete_route, ARGUMENT },
};

static void invalid_route_names_are_rejected(mlflow_gateway *gateway)
{
    char *text = make_long_string(257);

    for (size_t i = 0; i < COUNT(ROUTE_FUNCTIONS); i++) {
        route_function *call = ROUTE_FUNCTIONS[i].call;
        CHECK_STATUS(ARGUMENT, call(NULL, "r", &error));
        CHECK_STATUS(ARGUMENT, call(NULL, NULL, &error));
        CHECK(call(NULL, NULL, NULL) == ARGUMENT);
        CHECK_STATUS(ARGUMENT, call(gateway, "", &error));
        CHECK_STATUS(ARGUMENT, call(gateway, ".", &error));
        CHECK_STATUS(ARGUMENT, call(gateway, "..", &error));
        CHECK_STATUS(ARGUMENT, call(gateway, text, &error));
        for (size_t n = 0; n < NOT_UTF8_COUNT; n++)
            CHECK_STATUS(ARGUMENT, call(gateway, NOT_UTF8[n], &error));
        CHECK_STATUS(ROUTE_FUNCTIONS[i].without_name, call(gateway, NULL, &error));
        CHECK(call(gateway, NULL, NULL) == ROUTE_FUNCTIONS[i].without_name);
        CHECK_STATUS(REFUSED, call(gateway, "\xc3\xa9 /?%", &error));
        CHECK(call(gateway, "r", NULL) == REFUSED);
        text[256] = '\0';
        CHECK_STATUS(REFUSED, call(gateway, text, &error));
        text[256] = 'a';
    }
    free(text);
}

static void null_outputs_are_rejected(mlflow_gateway *gateway)
{
    mlflow_gateway_routes *routes = BAD_PTR;
    char *json = UNTOUCHED;
    size_t len = 42;

    CHECK_STATUS(ARGUMENT, mlflow_gateway_list_routes(NULL, &routes, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_list_routes(gateway, NULL, &error));
    CHECK(mlflow_gateway_list_routes(NULL, NULL, NULL) == ARGUMENT);
    CHECK_STATUS(REFUSED, mlflow_gateway_list_routes(gateway, &routes, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_get_route(gateway, "r", NULL, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_get_route(gateway, NULL, NULL, &error));
    CHECK(mlflow_gateway_get_route(NULL, NULL, NULL, NULL) == ARGUMENT);
    CHECK(routes == BAD_PTR);

    CHECK_STATUS(ARGUMENT, mlflow_gateway_health(NULL, &error));
    CHECK(mlflow_gateway_health(NULL, NULL) == ARGUMENT);
    CHECK_STATUS(REFUSED, mlflow_gateway_health(gateway, &error));

    CHECK_STATUS(ARGUMENT, mlflow_gateway_get_limits(gateway, "r", NULL, NULL, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_get_limits(gateway, "r", NULL, &len, &error));
    CHECK_STATUS(REFUSED, mlflow_gateway_get_limits(gateway, "r", &json, NULL, &error));
    /* The response of a change is optional. */
    CHECK_STATUS(REFUSED, mlflow_gateway_set_limits(gateway, "r", "[]", NULL, NULL, &error));
    CHECK_STATUS(REFUSED, mlflow_gateway_set_limits(gateway, "r", "[]", &json, NULL, &error));
    CHECK_STATUS(REFUSED, mlflow_gateway_set_limits(gateway, "r", "[]", NULL, &len, &error));
    CHECK_STATUS(REFUSED, mlflow_gateway_create_route(gateway, "{}", NULL, NULL, &error));
    CHECK_STATUS(REFUSED, mlflow_gateway_create_route(gateway, "{}", &json, NULL, &error));
    CHECK_STATUS(REFUSED, mlflow_gateway_create_route(gateway, "{}", NULL, &len, &error));
    CHECK(mlflow_gateway_get_limits(NULL, NULL, NULL, NULL, NULL) == ARGUMENT);
    CHECK(mlflow_gateway_set_limits(NULL, NULL, NULL, NULL, NULL, NULL) == ARGUMENT);
    CHECK(mlflow_gateway_create_route(NULL, NULL, NULL, NULL, NULL) == ARGUMENT);
    CHECK(mlflow_gateway_delete_route(NULL, NULL, NULL) == ARGUMENT);
    CHECK(json == UNTOUCHED && len == 42);
}

static void invalid_json_bodies_are_rejected(mlflow_gateway *gateway)
{
    static const char *const NEITHER[] = { "", " ", "[", "{", "[] x", "{} {}", "[1,]", "null", "1", "\"[]\"", "{1:2}" };
    char *json = UNTOUCHED, *deep = make_long_string(200000);
    size_t len = 42;

    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_limits(NULL, "r", "[]", &json, &len, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_limits(gateway, "r", NULL, &json, &len, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_limits(gateway, "r", "{}", &json, &len, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_create_route(NULL, "{}", &json, &len, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_create_route(gateway, NULL, &json, &len, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_create_route(gateway, "[]", &json, &len, &error));
    for (size_t i = 0; i < COUNT(NEITHER); i++) {
        CHECK_STATUS(ARGUMENT, mlflow_gateway_set_limits(gateway, "r", NEITHER[i], &json, &len, &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_create_route(gateway, NEITHER[i], &json, &len, &error));
    }
    for (size_t i = 0; i < NOT_UTF8_COUNT; i++) {
        CHECK_STATUS(ARGUMENT, mlflow_gateway_set_limits(gateway, "r", NOT_UTF8[i], &json, &len, &error));
        CHECK_STATUS(ARGUMENT, mlflow_gateway_create_route(gateway, NOT_UTF8[i], &json, &len, &error));
    }
    memset(deep, '[', 200000);
    CHECK_STATUS(ARGUMENT, mlflow_gateway_set_limits(gateway, "r", deep, &json, &len, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_create_route(gateway, deep, &json, &len, &error));
    free(deep);
    CHECK_STATUS(REFUSED, mlflow_gateway_set_limits(gateway, NULL, " [{\"calls\": 1}] ", &json, &len, &error));
    CHECK_STATUS(REFUSED, mlflow_gateway_create_route(gateway, " {\"name\": \"\xc3\xa9\"} ", &json, &len, &error));
    CHECK(json == UNTOUCHED && len == 42);
}

static int lines;

static void count_lines(int32_t level, const char *line, size_t len, void *user_data)
{
    CHECK(level >= MLFLOW_GATEWAY_LOG_ERROR && level <= MLFLOW_GATEWAY_LOG_DEBUG);
    CHECK(user_data == NULL && line[len] == '\0');
    lines++;
}

static int destroyed;

static void count_destroyed(void *user_data)
{
    CHECK(user_data == BAD_PTR || user_data == NULL);
    destroyed++;
}

static void log_data_is_destroyed_once(mlflow_gateway *gateway)
{
    static const int32_t WRONG[] = { -1, MLFLOW_GATEWAY_LOG_DEBUG + 1, INT32_MIN, INT32_MAX };

    CHECK_STATUS(ARGUMENT,
                 mlflow_gateway_set_log(NULL, MLFLOW_GATEWAY_LOG_INFO, count_lines, NULL, count_destroyed, &error));
    CHECK(mlflow_gateway_set_log(NULL, MLFLOW_GATEWAY_LOG_INFO, NULL, NULL, NULL, NULL) == ARGUMENT);
    CHECK_STATUS(OK, mlflow_gateway_set_log(gateway, MLFLOW_GATEWAY_LOG_DEBUG, count_lines, NULL, NULL, &error));
    for (size_t i = 0; i < COUNT(WRONG); i++) {
        CHECK_STATUS(ARGUMENT, mlflow_gateway_set_log(gateway, WRONG[i], NULL, NULL, count_destroyed, &error));
        CHECK_STATUS(ARGUMENT,
                     mlflow_gateway_set_log(gateway, WRONG[i], count_lines, BAD_PTR, count_destroyed, &error));
    }
    CHECK_STATUS(REFUSED, mlflow_gateway_health(gateway, &error));
    CHECK(lines > 0 && destroyed == 0);
    lines = 0;
    CHECK_STATUS(OK, mlflow_gateway_set_log(gateway, MLFLOW_GATEWAY_LOG_DEBUG, NULL, BAD_PTR, NULL, &error));
    CHECK_STATUS(REFUSED, mlflow_gateway_health(gateway, &error));
    CHECK_STATUS(OK, mlflow_gateway_set_log(gateway, MLFLOW_GATEWAY_LOG_OFF, count_lines, BAD_PTR, NULL, &error));
    CHECK_STATUS(REFUSED, mlflow_gateway_health(gateway, &error));
    CHECK(lines == 0);

    /* Removing the log destroys the data. */
    CHECK_STATUS(OK,
                 mlflow_gateway_set_log(gateway, MLFLOW_GATEWAY_LOG_OFF, count_lines, BAD_PTR, count_destroyed,
                                        &error));
    CHECK(destroyed == 1);
    CHECK(mlflow_gateway_set_log(gateway, MLFLOW_GATEWAY_LOG_DEBUG, NULL, NULL, count_destroyed, NULL) == OK);
    CHECK(destroyed == 2);
}

/* Checks that there is no route at an index, or in NULL. */
static void check_no_route(const mlflow_gateway_routes *routes, size_t route)
{
    size_t len = 42;

    CHECK(mlflow_gateway_routes_name(routes, route) == NULL);
    CHECK(mlflow_gateway_routes_type(routes, route) == NULL);
    CHECK(mlflow_gateway_routes_provider(routes, route) == NULL);
    CHECK(mlflow_gateway_routes_model(routes, route) == NULL);
    CHECK(mlflow_gateway_routes_url(routes, route) == NULL);
    CHECK(mlflow_gateway_routes_json(routes, route, NULL) == NULL);
    CHECK(mlflow_gateway_routes_json(routes, route, &len) == NULL && len == 0);
}

static void check_route(const mlflow_gateway_routes *routes, size_t route, const char *uri, const char *name,
                        bool is_full)
{
    char url[400];
    size_t len = 42;

    snprintf(url, sizeof url, "%s/endpoints/%s/invocations", uri, name);
    CHECK(strcmp(mlflow_gateway_routes_name(routes, route), name) == 0);
    CHECK(strcmp(mlflow_gateway_routes_url(routes, route), url) == 0);
    const char *json = mlflow_gateway_routes_json(routes, route, &len);
    CHECK(json != NULL && strlen(json) == len && strstr(json, name) != NULL);
    CHECK(mlflow_gateway_routes_json(routes, route, NULL) == json);
    CHECK(strcmp(mlflow_gateway_routes_type(routes, route), "llm/v1/chat") == 0);
    if (!is_full) {
        CHECK(mlflow_gateway_routes_provider(routes, route) == NULL);
        CHECK(mlflow_gateway_routes_model(routes, route) == NULL);
    } else {
        CHECK(strcmp(mlflow_gateway_routes_provider(routes, route), "openai") == 0);
        CHECK(strcmp(mlflow_gateway_routes_model(routes, route), "gpt") == 0);
    }
}

static void routes_outlive_the_handle(const char *full, const char *empty)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_routes *all = NULL, *one = NULL, *none = NULL;

    CHECK(mlflow_gateway_routes_count(NULL) == 0);
    check_no_route(NULL, 0);
    check_no_route(NULL, SIZE_MAX);

    CHECK_STATUS(OK, mlflow_gateway_create("r", full, &gateway, &error));
    CHECK_STATUS(OK, mlflow_gateway_list_routes(gateway, &all, &error));
    CHECK_STATUS(OK, mlflow_gateway_get_route(gateway, NULL, &one, &error));
    mlflow_gateway_destroy(gateway);
    CHECK_STATUS(OK, mlflow_gateway_create("r", empty, &gateway, &error));
    CHECK_STATUS(OK, mlflow_gateway_list_routes(gateway, &none, &error));
    mlflow_gateway_destroy(gateway);

    CHECK(mlflow_gateway_routes_count(all) == 2);
    check_route(all, 0, full, "r", true);
    check_route(all, 1, full, "bare", false);
    CHECK(mlflow_gateway_routes_count(one) == 1);
    check_route(one, 0, full, "r", true);
    CHECK(mlflow_gateway_routes_count(none) == 0);
    check_no_route(all, 2);
    check_no_route(one, 1);
    check_no_route(none, 0);
    check_no_route(all, SIZE_MAX);
    mlflow_gateway_routes_destroy(all);
    mlflow_gateway_routes_destroy(one);
    mlflow_gateway_routes_destroy(none);
}

int main(int argc, char **argv)
{
    mlflow_gateway *gateway = NULL;

    CHECK(argc == 4);
    mlflow_gateway_routes_destroy(NULL);
    CHECK_STATUS(OK, mlflow_gateway_create("r", argv[1], &gateway, &error));
    invalid_route_names_are_rejected(gateway);
    null_outputs_are_rejected(gateway);
    invalid_json_bodies_are_rejected(gateway);
    log_data_is_destroyed_once(gateway);
    mlflow_gateway_destroy(gateway);
    routes_outlive_the_handle(argv[2], argv[3]);
    return 0;
}

/*
 * The clone of a handle has settings of its own, and shares connections and what is known about the gateway.
 *
 * usage: test_clone URI
 *   A gateway of tests/support/commanded_gateway.py. All calls fit on one connection.
 */
#define _POSIX_C_SOURCE 200112L

#include "call_helpers.h"

static int lines, destroyed;

static void count_line(int32_t level, const char *line, size_t len, void *user_data)
{
    (void)level, (void)line, (void)len, (void)user_data;
    lines++;
}

static void count_destroyed(void *user_data)
{
    (void)user_data;
    destroyed++;
}

static mlflow_gateway *clone_of(mlflow_gateway *gateway)
{
    mlflow_gateway *clone = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_clone(gateway, &clone, &error));
    CHECK(clone != NULL && clone != gateway);
    return clone;
}

static bool has_param(mlflow_gateway *gateway)
{
    char *params = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_identifying_params(gateway, &params, NULL, &error));
    bool has = strstr(params, "top_k") != NULL;
    mlflow_gateway_string_free(params);
    return has;
}

static void settings_are_those_of_the_moment(const char *uri)
{
    mlflow_gateway *gateway = make_handle(uri, NULL);

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_param_int(gateway, "top_k", 1, &error));
    mlflow_gateway *clone = clone_of(gateway);
    CHECK(has_param(clone));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_unset_param(gateway, "top_k", &error));
    CHECK(has_param(clone) && !has_param(gateway));
    mlflow_gateway_destroy(clone);
    mlflow_gateway_destroy(gateway);
}

static void each_can_be_cancelled_alone(mlflow_gateway *gateway)
{
    mlflow_gateway *clone = clone_of(gateway);
    mlflow_gateway_cancel_token *token = NULL;
    mlflow_gateway_routes *routes = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_cancel_token_create(&token, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_cancel_token(clone, token, &error));
    mlflow_gateway *second = clone_of(clone);
    mlflow_gateway_cancel(token);
    CHECK_STATUS(MLFLOW_GATEWAY_CANCELLED, mlflow_gateway_list_routes(clone, &routes, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_CANCELLED, mlflow_gateway_health(second, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_list_routes(gateway, &routes, &error));
    CHECK(mlflow_gateway_routes_count(routes) == 3);
    mlflow_gateway_routes_destroy(routes);
    mlflow_gateway_destroy(clone);
    mlflow_gateway_destroy(second);
    mlflow_gateway_cancel_token_destroy(token);
}

static void clone_outlives_its_original(const char *uri)
{
    CHECK(setenv("MLFLOW_GATEWAY_URI", uri, 1) == 0);
    mlflow_gateway *gateway = make_handle(NULL, NULL);
    CHECK(unsetenv("MLFLOW_GATEWAY_URI") == 0);
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_set_log(gateway, MLFLOW_GATEWAY_LOG_INFO, count_line, NULL, count_destroyed, &error));
    check_echo(gateway, "one");
    CHECK(lines == 1);
    mlflow_gateway *clone = clone_of(gateway);
    mlflow_gateway_destroy(gateway);
    check_echo(clone, "two");
    CHECK(lines == 2 && destroyed == 0);
    each_can_be_cancelled_alone(clone);
    mlflow_gateway_destroy(clone);
    CHECK(destroyed == 1);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    settings_are_those_of_the_moment(argv[1]);
    clone_outlives_its_original(argv[1]);
    return 0;
}

/* Check the health of a gateway, list its routes, and look up one of them. */
#include <mlflow_ai_gateway.h>
#include <stdio.h>
#include <stdlib.h>

static mlflow_gateway_error *error;

/* Ends the program if a call failed. */
static void check(mlflow_gateway_status status)
{
    if (status != MLFLOW_GATEWAY_OK) {
        fprintf(stderr, "%s\n", mlflow_gateway_error_message(error));
        exit(1);
    }
}

static const char *or_unknown(const char *text)
{
    return text != NULL ? text : "unknown";
}

static void print_route(const mlflow_gateway_routes *routes, size_t i)
{
    printf("%s: type %s, provider %s, model %s, URL %s\n",
        mlflow_gateway_routes_name(routes, i),
        or_unknown(mlflow_gateway_routes_type(routes, i)),
        or_unknown(mlflow_gateway_routes_provider(routes, i)),
        or_unknown(mlflow_gateway_routes_model(routes, i)),
        or_unknown(mlflow_gateway_routes_url(routes, i)));
}

int main(void)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_routes *routes = NULL;

    check(mlflow_gateway_create(NULL, NULL, &gateway, &error));
    check(mlflow_gateway_health(gateway, &error));
    check(mlflow_gateway_list_routes(gateway, &routes, &error));
    for (size_t i = 0; i < mlflow_gateway_routes_count(routes); i++)
        print_route(routes, i);
    mlflow_gateway_routes_destroy(routes);

    check(mlflow_gateway_get_route(gateway, "chat", &routes, &error));
    puts(mlflow_gateway_routes_json(routes, 0, NULL));

    mlflow_gateway_routes_destroy(routes);
    mlflow_gateway_destroy(gateway);
    return 0;
}

/*
 * routes - list the routes of a gateway, with their types, model providers, models and URLs.
 *
 * Only the table is written to standard output. Errors, and with -v all HTTP requests, are written to standard error.
 */
#define _POSIX_C_SOURCE 200809L

#include <getopt.h>
#include <mlflow_ai_gateway.h>
#include <stdio.h>

enum exit_code { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define SYNOPSIS "usage: routes [-v] [URI]\n"

static const char HELP[] =
    SYNOPSIS
    "\n"
    "List the routes of a gateway: name, type, model provider, model and URL.\n"
    "A dash means that the gateway does not report the value.\n"
    "\n"
    "  -v          log every HTTP request to standard error\n"
    "  -h, --help  show this help\n"
    "  URI         gateway URI; default: $MLFLOW_GATEWAY_URI,\n"
    "              $MLFLOW_DEPLOYMENTS_TARGET or $MLFLOW_TRACKING_URI\n"
    "\n"
    "exit status: 0 success, 1 failure, 2 usage error\n";

static const struct option LONG_OPTIONS[] = { { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };

/* Prints a usage error. `message` is NULL if getopt_long() has printed one. */
static enum exit_code usage_error(const char *message)
{
    if (message != NULL)
        fprintf(stderr, "routes: %s\n", message);
    fputs(SYNOPSIS "Try 'routes --help' for more information.\n", stderr);
    return EXIT_USAGE;
}

static void print_log_line(int32_t level, const char *line, size_t len, void *user_data)
{
    (void)level;
    (void)len;
    fprintf(user_data, "routes: %s\n", line);
}

static const char *or_dash(const char *text)
{
    return text == NULL ? "-" : text;
}

static void print_table(const mlflow_gateway_routes *routes)
{
    for (size_t i = 0; i < mlflow_gateway_routes_count(routes); i++)
        printf("%-24s %-20s %-12s %-24s %s\n", mlflow_gateway_routes_name(routes, i),
               or_dash(mlflow_gateway_routes_type(routes, i)), or_dash(mlflow_gateway_routes_provider(routes, i)),
               or_dash(mlflow_gateway_routes_model(routes, i)), mlflow_gateway_routes_url(routes, i));
}

int main(int argc, char **argv)
{
    mlflow_gateway *gateway = NULL;
    mlflow_gateway_routes *routes = NULL;
    mlflow_gateway_error *error = NULL;
    int32_t level = MLFLOW_GATEWAY_LOG_OFF;
    int option;

    while ((option = getopt_long(argc, argv, "+vh", LONG_OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'v': level = MLFLOW_GATEWAY_LOG_DEBUG; break;
        case 'h': return fputs(HELP, stdout) == EOF ? EXIT_FAILED : EXIT_OK;
        default: return usage_error(NULL);
        }
    }
    if (argc > optind + 1)
        return usage_error("more than one URI given");

    /* The route is NULL: a list of routes needs none. */
    mlflow_gateway_status status = mlflow_gateway_create(NULL, argv[optind], &gateway, &error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_set_log(gateway, level, print_log_line, stderr, NULL, &error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_list_routes(gateway, &routes, &error);

    if (status == MLFLOW_GATEWAY_OK)
        print_table(routes);
    else
        fprintf(stderr, "routes: %s\n", mlflow_gateway_error_message(error));
    mlflow_gateway_routes_destroy(routes);
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_destroy(gateway);
    return status == MLFLOW_GATEWAY_OK && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

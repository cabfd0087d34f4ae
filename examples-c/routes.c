/*
 * routes - what a gateway has: its routes, what each is for, and the model behind it.
 *
 * The table goes to standard output and nothing else does; what went wrong, and with -v what goes on, goes to standard
 * error.
 */
#define _POSIX_C_SOURCE 200809L

#include <mlflow_ai_gateway.h>
#include <stdio.h>
#include <unistd.h>

enum exit_code { EXIT_LISTED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const char USAGE[] =
    "usage: routes [-v] [URI]\n"
    "\n"
    "  -v   also says what is asked of the gateway, and what comes back\n"
    "  URI  the gateway's; without it, the environment variable MLFLOW_GATEWAY_URI\n"
    "       or MLFLOW_DEPLOYMENTS_TARGET says it\n"
    "\n"
    "exit status: 0 listed, 1 it could not be, 2 wrong use\n";

static void print_line(int32_t level, const char *line, size_t len, void *user_data)
{
    (void)level;
    (void)len;
    fprintf(user_data, "routes: %s\n", line);
}

/* What the gateway does not tell is a dash. */
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

    for (int option; (option = getopt(argc, argv, "v")) != -1;) {
        if (option != 'v') {
            fputs(USAGE, stderr);
            return EXIT_USAGE;
        }
        level = MLFLOW_GATEWAY_LOG_DEBUG;
    }
    if (argc > optind + 1) {
        fputs(USAGE, stderr);
        return EXIT_USAGE;
    }

    /* A handle is one route's, but the list needs none: any name will do. */
    mlflow_gateway_status status = mlflow_gateway_create("any", argv[optind], &gateway, &error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_set_log(gateway, level, print_line, stderr, NULL, &error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_list_routes(gateway, &routes, &error);

    if (status == MLFLOW_GATEWAY_OK)
        print_table(routes);
    else
        fprintf(stderr, "routes: %s\n", mlflow_gateway_error_message(error));
    mlflow_gateway_routes_destroy(routes);
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_destroy(gateway);
    return status == MLFLOW_GATEWAY_OK && fflush(stdout) == 0 ? EXIT_LISTED : EXIT_FAILED;
}

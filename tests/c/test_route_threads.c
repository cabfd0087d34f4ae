/*
 * Threads send requests to several routes with one handle at the same time. The type of each route is requested once.
 *
 * usage: test_route_threads URI ROUTES
 *   The gateway has the chat routes "chat-0", "chat-1" ...
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>

#include "check.h"

#define THREADS 16

static mlflow_gateway *gateway;
static pthread_barrier_t start;
static int routes;

static void *send_to_route(void *number)
{
    char route[32], expected[64];
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_response *response = NULL;

    sprintf(route, "chat-%d", *(int *)number % routes);
    sprintf(expected, "%s: hi", route);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_create(&request, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_route(request, route, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_prompt(request, "hi", 2, &error));
    pthread_barrier_wait(&start);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_send(gateway, request, &response, &error));
    CHECK(strcmp(mlflow_gateway_response_text(response, 0, NULL), expected) == 0);
    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(request);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];

    CHECK(argc == 3);
    routes = atoi(argv[2]);
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_create(NULL, argv[1], &gateway, &error));
    CHECK(pthread_barrier_init(&start, NULL, THREADS) == 0);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, send_to_route, &numbers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    mlflow_gateway_destroy(gateway);
    return 0;
}

/*
 * Measures the first call: loads the library, creates a handle and makes one call.
 *
 * usage: bench_start LIBRARY URL
 * Prints the seconds taken and the growth of resident memory in KiB.
 */
#include "bench.h"
#include "process.h"

#include <dlfcn.h>
#include <mlflow_ai_gateway.h>
#include <stdio.h>
#include <string.h>

typedef mlflow_gateway_status create_function(const char *, const char *, mlflow_gateway **, mlflow_gateway_error **);
typedef mlflow_gateway_status call_function(mlflow_gateway *, const char *, char **, size_t *, mlflow_gateway_error **);

int main(int argc, char **argv)
{
    create_function *create;
    call_function *call;
    mlflow_gateway *gateway = NULL;
    char *text = NULL;

    if (argc != 3)
        fail("usage", "bench_start LIBRARY URL");
    long resident = resident_kib();
    double start = now();
    void *library = dlopen(argv[1], RTLD_NOW);
    if (library == NULL)
        fail(argv[1], dlerror());
    *(void **)&create = dlsym(library, "mlflow_gateway_create");
    *(void **)&call = dlsym(library, "mlflow_gateway_call");
    if (create == NULL || call == NULL)
        fail(argv[1], "functions are missing");
    if (create(ROUTE, argv[2], &gateway, NULL) != MLFLOW_GATEWAY_OK ||
        call(gateway, PROMPT, &text, NULL, NULL) != MLFLOW_GATEWAY_OK || strcmp(text, TEXT) != 0)
        fail("first call", "failed or returned the wrong text");
    double seconds = now() - start;

    printf("{\"seconds\": %.9f, \"resident_kib\": %ld}\n", seconds, resident_kib() - resident);
    return 0;
}

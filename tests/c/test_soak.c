/*
 * Measures leaks of many calls on one handle: resident memory and descriptors after some of the calls and after all.
 *
 * usage: test_soak URI EARLY_CALLS ALL_CALLS
 *   The gateway echoes the prompt.
 *   out: EARLY_KIB KIB EARLY_DESCRIPTORS DESCRIPTORS
 */
#define _POSIX_C_SOURCE 200809L

#include "call_helpers.h"
#include "process_state.h"

struct state {
    long kib, descriptors;
};

static struct state state(void)
{
    return (struct state){ resident_kib(), count_open_descriptors() };
}

int main(int argc, char **argv)
{
    char prompt[64];

    CHECK(argc == 4);
    long early = atol(argv[2]), all = atol(argv[3]), i = 0;
    mlflow_gateway *gateway = make_handle(argv[1], NULL);

    state(); /* loads what the measurement itself needs */
    for (; i < early; i++) {
        snprintf(prompt, sizeof prompt, "echo %ld", i);
        check_echo(gateway, prompt);
    }
    struct state before = state();
    for (; i < all; i++) {
        snprintf(prompt, sizeof prompt, "echo %ld", i);
        check_echo(gateway, prompt);
    }
    struct state after = state();
    printf("%ld %ld %ld %ld\n", before.kib, after.kib, before.descriptors, after.descriptors);
    mlflow_gateway_destroy(gateway);
    return 0;
}

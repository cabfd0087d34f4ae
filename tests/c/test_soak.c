/*
 * What many calls on one handle leave behind: the resident memory and the descriptors after some and after all of them.
 *
 * usage: test_soak URI EARLY_CALLS ALL_CALLS, of a gateway that answers a question with the question
 *   out: EARLY_KIB KIB EARLY_DESCRIPTORS DESCRIPTORS
 */
#define _POSIX_C_SOURCE 200809L

#include "ask.h"
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

    state(); /* what asking for it loads into memory is there from now on */
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

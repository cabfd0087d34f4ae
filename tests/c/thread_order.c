/*
 * Tells ThreadSanitizer what it does not see by itself. Each program of that build is linked with this.
 *
 * Who drops a reference to what is shared (Rust's Arc) counts down and releases what it did; who drops the last one
 * then acquires what all the others did, by a fence. ThreadSanitizer knows no fences. (Rust's standard library does
 * without one where it is itself built for ThreadSanitizer, for which its sources would have to be there.) So here
 * whoever counts down acquires as well. That is the only order that is added, and no report is suppressed.
 */
#include <stdint.h>

/* The C++ memory orders as ThreadSanitizer numbers them. */
enum { RELEASE = 3, ACQUIRE_AND_RELEASE = 4 };

#ifdef __cplusplus
extern "C" {
#endif

uint64_t __real___tsan_atomic64_fetch_sub(volatile uint64_t *at, uint64_t by, int order);
uint64_t __wrap___tsan_atomic64_fetch_sub(volatile uint64_t *at, uint64_t by, int order);

uint64_t __wrap___tsan_atomic64_fetch_sub(volatile uint64_t *at, uint64_t by, int order)
{
    return __real___tsan_atomic64_fetch_sub(at, by, order == RELEASE ? ACQUIRE_AND_RELEASE : order);
}

#ifdef __cplusplus
}
#endif

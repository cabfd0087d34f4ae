/*
 * Adds a memory order that ThreadSanitizer does not detect. Linked to each program of the ThreadSanitizer build.
 *
 * Dropping a reference of Rust's Arc decrements the count with release order; dropping the last one then acquires with
 * a fence. ThreadSanitizer does not support fences. (Rust's standard library avoids the fence if it is itself built for
 * ThreadSanitizer, which needs its sources.) So the decrement acquires as well here. This is the only order that is
 * added, and no report is suppressed.
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

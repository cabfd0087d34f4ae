/*
 * Cancels an ask while it is under way, by a thread or by a signal's handler, and tells how long the ask went on then.
 */
#ifndef CANCELLING_H
#define CANCELLING_H

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "check.h"
#include "clock.h"

#define MOST_TOKENS 64

static struct {
    /* The last one is the one that is cancelled. Those that were destroyed are NULL. */
    mlflow_gateway_cancel_token *tokens[MOST_TOKENS];
    size_t count;
    /* Milliseconds after the next ask has begun; -1: not at all. */
    long cancel_after, signal_after, destroy_after;
    bool is_under_way;
    pthread_t asker, canceller;
    pthread_mutex_t lock;
    pthread_cond_t is_over;
    bool has_returned;
    /* When it was cancelled; 0: it was not. The handler runs on the asking thread, or before that one waits for us. */
    volatile int64_t cancelled_at;
    volatile sig_atomic_t changed_errno;
} cancelling = { .cancel_after = -1, .signal_after = -1, .destroy_after = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

static mlflow_gateway_cancel_token **current_token(void)
{
    CHECK(cancelling.count > 0);
    return &cancelling.tokens[cancelling.count - 1];
}

static mlflow_gateway_cancel_token *new_token(void)
{
    CHECK(cancelling.count < MOST_TOKENS);
    CHECK_STATUS(MLFLOW_GATEWAY_OK,
                 mlflow_gateway_cancel_token_create(&cancelling.tokens[cancelling.count], &error));
    cancelling.count++;
    CHECK(!mlflow_gateway_cancel_token_is_cancelled(*current_token()));
    return *current_token();
}

static void destroy_token(void)
{
    mlflow_gateway_cancel_token_destroy(*current_token());
    *current_token() = NULL;
}

static void destroy_tokens(void)
{
    while (cancelling.count > 0)
        mlflow_gateway_cancel_token_destroy(cancelling.tokens[--cancelling.count]);
}

static void cancel_now(void)
{
    cancelling.cancelled_at = now_us();
    mlflow_gateway_cancel(*current_token());
}

static void cancel_by_signal(int number)
{
    int kept = errno;

    (void)number;
    errno = EDOM;
    cancel_now();
    cancelling.changed_errno = errno != EDOM;
    errno = kept;
}

/* Waits for that time, or until the ask has returned; false then. To be called with the lock. */
static bool wait_until(int64_t at_us)
{
    struct timespec until = { .tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000 };
    int result = 0;

    while (!cancelling.has_returned && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&cancelling.is_over, &cancelling.lock, &until);
    return !cancelling.has_returned;
}

static void *cancel_in_time(void *began)
{
    int64_t start = *(int64_t *)began;

    pthread_mutex_lock(&cancelling.lock);
    if (cancelling.cancel_after >= 0 && wait_until(start + cancelling.cancel_after * 1000))
        cancel_now();
    if (cancelling.signal_after >= 0 && wait_until(start + cancelling.signal_after * 1000))
        CHECK(pthread_kill(cancelling.asker, SIGUSR1) == 0);
    if (cancelling.destroy_after >= 0 && wait_until(start + cancelling.destroy_after * 1000))
        destroy_token();
    pthread_mutex_unlock(&cancelling.lock);
    return NULL;
}

/* The ask begins at this time, on this thread. */
static void begin_cancelling(int64_t *began)
{
    struct sigaction action = { .sa_handler = cancel_by_signal, .sa_flags = SA_RESTART };
    pthread_condattr_t by_this_clock;

    cancelling.cancelled_at = 0;
    if (cancelling.cancel_after < 0 && cancelling.signal_after < 0 && cancelling.destroy_after < 0)
        return;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    pthread_condattr_init(&by_this_clock);
    pthread_condattr_setclock(&by_this_clock, CLOCK_MONOTONIC);
    pthread_cond_init(&cancelling.is_over, &by_this_clock);
    cancelling.asker = pthread_self();
    cancelling.has_returned = false;
    cancelling.is_under_way = true;
    CHECK(pthread_create(&cancelling.canceller, NULL, cancel_in_time, began) == 0);
}

/* The ask has returned at this time. Returns how many microseconds before that it was cancelled; -1 if it was not. */
static int64_t end_cancelling(int64_t ended)
{
    if (!cancelling.is_under_way)
        return -1;
    pthread_mutex_lock(&cancelling.lock);
    cancelling.has_returned = true;
    pthread_cond_signal(&cancelling.is_over);
    pthread_mutex_unlock(&cancelling.lock);
    CHECK(pthread_join(cancelling.canceller, NULL) == 0);
    pthread_cond_destroy(&cancelling.is_over);
    cancelling.is_under_way = false;
    cancelling.cancel_after = cancelling.signal_after = cancelling.destroy_after = -1;
    CHECK(!cancelling.changed_errno);
    return cancelling.cancelled_at == 0 ? -1 : ended - cancelling.cancelled_at;
}

#endif

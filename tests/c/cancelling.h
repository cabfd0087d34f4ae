/*
 * Cancels a call in progress from another thread or from a signal handler, and measures how long the call takes to
 * return.
 */
#ifndef CANCELLING_H
#define CANCELLING_H

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "check.h"
#include "clock.h"

#define MAX_TOKENS 64

static struct {
    /* Commands apply to the last token. A destroyed token is NULL. */
    mlflow_gateway_cancel_token *tokens[MAX_TOKENS];
    size_t count;
    /* Milliseconds after the start of the next call; -1 for never. */
    long cancel_after, signal_after, destroy_after;
    bool is_active;
    pthread_t caller, canceller;
    pthread_mutex_t lock;
    pthread_cond_t returned;
    bool has_returned;
    /* Time of the cancellation, or 0. Written by the signal handler on the calling thread, or before it joins. */
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
    CHECK(cancelling.count < MAX_TOKENS);
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

/* Waits until this time. Returns false if the call has returned before. The lock must be held. */
static bool wait_until(int64_t at_us)
{
    struct timespec until = { .tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000 };
    int result = 0;

    while (!cancelling.has_returned && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&cancelling.returned, &cancelling.lock, &until);
    return !cancelling.has_returned;
}

static void *run_canceller(void *started_at)
{
    int64_t start = *(int64_t *)started_at;

    pthread_mutex_lock(&cancelling.lock);
    if (cancelling.cancel_after >= 0 && wait_until(start + cancelling.cancel_after * 1000))
        cancel_now();
    if (cancelling.signal_after >= 0 && wait_until(start + cancelling.signal_after * 1000))
        CHECK(pthread_kill(cancelling.caller, SIGUSR1) == 0);
    if (cancelling.destroy_after >= 0 && wait_until(start + cancelling.destroy_after * 1000))
        destroy_token();
    pthread_mutex_unlock(&cancelling.lock);
    return NULL;
}

/* Starts the canceller thread of a call that begins at this time on this thread. */
static void start_cancelling(int64_t *started_at)
{
    struct sigaction action = { .sa_handler = cancel_by_signal, .sa_flags = SA_RESTART };
    pthread_condattr_t attributes;

    cancelling.cancelled_at = 0;
    if (cancelling.cancel_after < 0 && cancelling.signal_after < 0 && cancelling.destroy_after < 0)
        return;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&cancelling.returned, &attributes);
    cancelling.caller = pthread_self();
    cancelling.has_returned = false;
    cancelling.is_active = true;
    CHECK(pthread_create(&cancelling.canceller, NULL, run_canceller, started_at) == 0);
}

/* Ends the canceller thread. Returns the microseconds between the cancellation and `ended`; -1 if there was none. */
static int64_t end_cancelling(int64_t ended)
{
    if (!cancelling.is_active)
        return -1;
    pthread_mutex_lock(&cancelling.lock);
    cancelling.has_returned = true;
    pthread_cond_signal(&cancelling.returned);
    pthread_mutex_unlock(&cancelling.lock);
    CHECK(pthread_join(cancelling.canceller, NULL) == 0);
    pthread_cond_destroy(&cancelling.returned);
    cancelling.is_active = false;
    cancelling.cancel_after = cancelling.signal_after = cancelling.destroy_after = -1;
    CHECK(!cancelling.changed_errno);
    return cancelling.cancelled_at == 0 ? -1 : ended - cancelling.cancelled_at;
}

#endif

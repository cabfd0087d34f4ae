/*
 * The calling thread receives a signal every half millisecond: all calls have the same results as without signals, and
 * deadlines are met. The library does not change the signal handlers and masks of the program.
 *
 * usage: test_signals URI SILENT_URI RESTARTS [CA_FILE]
 *   URI is a gateway of tests/obeying_gateway.py. SILENT_URI never accepts a connection. RESTARTS is 1 to install the
 *   handler with SA_RESTART, or else 0.
 */
#define _XOPEN_SOURCE 700

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "call_helpers.h"
#include "clock.h"

#define LAST_SIGNAL 64
#define WAIT_MS "200"
#define MAX_LATE_MS 50
#define TRIES 5

static const char *ca_file;
static volatile sig_atomic_t signals;

struct signal_state {
    struct sigaction actions[LAST_SIGNAL + 1];
    sigset_t mask;
};

static void count_signal(int number)
{
    (void)number;
    signals++;
}

static struct signal_state get_signal_state(void)
{
    struct signal_state now;

    memset(&now, 0, sizeof now);
    for (int i = 1; i <= LAST_SIGNAL; i++)
        sigaction(i, NULL, &now.actions[i]);
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &now.mask) == 0);
    return now;
}

static void check_signal_state(const struct signal_state *before)
{
    struct signal_state now = get_signal_state();

    for (int i = 1; i <= LAST_SIGNAL; i++) {
        CHECK(now.actions[i].sa_handler == before->actions[i].sa_handler);
        CHECK(now.actions[i].sa_flags == before->actions[i].sa_flags);
        CHECK(sigismember(&now.mask, i) == sigismember(&before->mask, i));
    }
}

static void start_signals(long microseconds)
{
    const struct itimerval every = { { 0, microseconds }, { 0, microseconds } };
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
}

static void call_with_long_prompt(mlflow_gateway *gateway)
{
    size_t len = 2000 * 1000;
    char *prompt = malloc(len + 1);

    CHECK(prompt != NULL);
    memset(prompt, 'x', len);
    memcpy(prompt, "echo ", 5);
    prompt[len] = '\0';
    check_echo(gateway, prompt);
    free(prompt);
}

static void read_stream(mlflow_gateway *gateway, const char *prompt)
{
    mlflow_gateway_request *request = make_request(prompt, NULL);
    mlflow_gateway_stream *stream = NULL;
    mlflow_gateway_status status;
    const mlflow_gateway_event *event;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_stream_open(gateway, request, &stream, &error));
    while ((status = mlflow_gateway_stream_next(stream, &event, NULL)) == MLFLOW_GATEWAY_OK)
        ;
    CHECK(status == MLFLOW_GATEWAY_STREAM_END);
    CHECK(strcmp(mlflow_gateway_response_text(mlflow_gateway_stream_response(stream), 0, NULL), prompt) == 0);
    mlflow_gateway_stream_destroy(stream);
    mlflow_gateway_request_destroy(request);
}

static void make_all_calls(mlflow_gateway *gateway)
{
    mlflow_gateway_routes *routes = NULL;

    check_echo(gateway, "echo");
    check_echo(gateway, "later");
    read_stream(gateway, "pieces of a stream");
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_health(gateway, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_get_route(gateway, NULL, &routes, &error));
    mlflow_gateway_routes_destroy(routes);
}

/* Returns by how many milliseconds the call exceeded its timeout of WAIT_MS. */
static long late_ms(mlflow_gateway *gateway, const char *prompt, const char *option, bool is_stream)
{
    mlflow_gateway_request *request = make_request(prompt, NULL);
    mlflow_gateway_response *response = NULL;
    mlflow_gateway_stream *stream = NULL;
    mlflow_gateway_status status;
    const mlflow_gateway_event *event;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_option(request, option, WAIT_MS, &error));
    int64_t start = now_us();
    if (is_stream) {
        status = mlflow_gateway_stream_open(gateway, request, &stream, NULL);
        while (status == MLFLOW_GATEWAY_OK)
            status = mlflow_gateway_stream_next(stream, &event, NULL);
    } else {
        status = mlflow_gateway_send(gateway, request, &response, NULL);
    }
    long took = (long)((now_us() - start) / 1000);
    CHECK(status == MLFLOW_GATEWAY_TIMEOUT);
    CHECK(took >= atol(WAIT_MS));
    mlflow_gateway_stream_destroy(stream);
    mlflow_gateway_request_destroy(request);
    return took - atol(WAIT_MS);
}

/*
 * Checks the timeout of this option. On a busy machine the thread may not run for a while, so it fails only if all
 * tries are late.
 */
static void check_timeout(mlflow_gateway *gateway, const char *prompt, const char *option, bool is_stream)
{
    long late = MAX_LATE_MS + 1;

    for (int i = 0; i < TRIES && late > MAX_LATE_MS; i++)
        late = late_ms(gateway, prompt, option, is_stream);
    if (late > MAX_LATE_MS) {
        fprintf(stderr, "\"%s\", %s: %ld ms late\n", prompt, option, late);
        exit(1);
    }
}

static void wait_for_retry(mlflow_gateway *gateway)
{
    mlflow_gateway_request *request = make_request("once 429", NULL);
    mlflow_gateway_response *response = NULL;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_request_set_option(request, "max_retries", "1", &error));
    int64_t start = now_us();
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_send(gateway, request, &response, &error));
    CHECK(now_us() - start >= 1000 * 1000);
    CHECK(mlflow_gateway_response_attempts(response) == 2);
    mlflow_gateway_response_destroy(response);
    mlflow_gateway_request_destroy(request);
}

static void check_all(const char *uri, const char *silent_uri, mlflow_gateway_cancel_token *token)
{
    mlflow_gateway *gateway = make_handle(uri, ca_file), *silent = make_handle(silent_uri, ca_file);
    int before = signals;

    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_cancel_token(gateway, token, &error));
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_set_cancel_token(silent, token, &error));
    start_signals(500);
    for (int i = 0; i < 10; i++)
        make_all_calls(gateway);
    call_with_long_prompt(gateway);
    check_timeout(gateway, "stall", "timeout_ms", false);
    check_timeout(gateway, "stall", "timeout_ms", true);
    check_timeout(gateway, "stall", "first_byte_timeout_ms", false);
    check_timeout(gateway, "half", "idle_timeout_ms", true);
    check_timeout(silent, "echo", "timeout_ms", false);
    check_timeout(silent, "echo", "connect_timeout_ms", false);
    wait_for_retry(gateway);
    start_signals(0);
    CHECK(signals > before + 1000);
    mlflow_gateway_destroy(silent);
    mlflow_gateway_destroy(gateway);
}

int main(int argc, char **argv)
{
    struct sigaction action = { .sa_handler = count_signal };
    mlflow_gateway_cancel_token *token = NULL;

    CHECK(argc == 4 || argc == 5);
    ca_file = argv[4];
    action.sa_flags = argv[3][0] == '1' ? SA_RESTART : 0;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    struct signal_state before = get_signal_state();

    check_all(argv[1], argv[2], NULL);
    /* A call with a cancel token waits differently. */
    CHECK_STATUS(MLFLOW_GATEWAY_OK, mlflow_gateway_cancel_token_create(&token, &error));
    check_all(argv[1], argv[2], token);
    mlflow_gateway_cancel_token_destroy(token);
    check_signal_state(&before);
    return 0;
}

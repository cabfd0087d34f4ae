/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * mlflow_ai_gateway.h - ask an MLflow AI Gateway from C.
 *
 * Link with -lmlflow_ai_gateway. The shortest program:
 *
 *     mlflow_gateway *gateway = NULL;
 *     mlflow_gateway_error *error = NULL;
 *     char *text = NULL;
 *
 *     if (mlflow_gateway_create("completions", "http://127.0.0.1:5000", &gateway, &error) != MLFLOW_GATEWAY_OK ||
 *         mlflow_gateway_call(gateway, "The capital of France is", &text, NULL, &error) != MLFLOW_GATEWAY_OK)
 *         fprintf(stderr, "%s\n", mlflow_gateway_error_message(error));
 *     else
 *         puts(text);
 *     mlflow_gateway_string_free(text);
 *     mlflow_gateway_error_destroy(error);
 *     mlflow_gateway_destroy(gateway);
 *
 * These rules hold for every function:
 *
 * Objects    are opaque. A function makes one and says so, its ..._destroy function destroys it. All ..._destroy
 *            functions and mlflow_gateway_string_free() accept NULL and do nothing then. Every object stays valid when
 *            others are destroyed that it was made from.
 * Failure    is an mlflow_gateway_status from 1 to 99. MLFLOW_GATEWAY_OK and those from 100 on are not failures. The last
 *            argument, `error`, may be NULL; else it receives an error object on failure, which the caller destroys
 *            with mlflow_gateway_error_destroy(). What `error` points to is never read and, on success, never
 *            written: set it to NULL before the first call, and to NULL again after destroying an error. There is no
 *            "last error" elsewhere.
 * Outputs    are written on success only; but mlflow_gateway_stream_call() may write `response` on failure, too.
 * NULL       for a pointer that must be there is MLFLOW_GATEWAY_INVALID_ARGUMENT, never a crash. So is a text that
 *            is not UTF-8. Functions that return no status take NULL for an object, and an index or a name that is
 *            not there, and then return NULL, 0, or what they say; a length that they write is then 0.
 * Texts in   are UTF-8 and are copied before the function returns. Where a length follows, they are as long as it
 *            says, and may hold NUL bytes; with MLFLOW_GATEWAY_NUL_TERMINATED as the length, and where none follows,
 *            they are NUL-terminated. NULL with the length 0 is the empty text; with any other length NULL is refused.
 *            (As a size_t, -1 is MLFLOW_GATEWAY_NUL_TERMINATED, so look at a computed length before.)
 * Texts out  are UTF-8. A `char *` belongs to the caller, who frees it with mlflow_gateway_string_free() and with
 *            nothing else. A `const char *` belongs to the object that it was asked of, and lives as long. Both are
 *            NUL-terminated; one that holds a NUL byte itself ends there for those who do not look at its length.
 * Indexes    are counted from 0.
 * Threads    may share any object, for calls and settings alike: a call uses the settings as they stood when it began.
 *            Calls on one handle do not wait for each other, but for what they share: the question to the server which
 *            dialect it speaks, asked once, and the token of an OAuth client (option client_id) while it is fetched.
 *            Only the ..._destroy functions need the object for themselves, and what a stream has gathered is read
 *            while no other thread fetches from that stream.
 *            pthread_cancel() on a thread that is inside a call takes effect after the call. A callback is inside a
 *            call: it must neither enable cancellation nor call pthread_exit().
 * Time       is bounded: each call has a deadline of 5 minutes (option timeout_ms), or of an hour for a stream that has
 *            begun (stream_timeout_ms); parts of it have shorter ones. mlflow_gateway_cancel() ends calls at once, also
 *            from a signal handler.
 * Callbacks  run on the thread that made the call, and nowhere else. They may call any function of this library, but
 *            not destroy what the call that runs them works on.
 * Process    This library installs no signal handler, raises no SIGPIPE, prints nothing and keeps no state outside its
 *            objects. It starts threads only to look up a host name, and to ask for several batches of vectors at
 *            once (option embed_concurrency); they end with that, and take no signals. A look-up cannot be interrupted:
 *            where a call did not wait for its end, the library stays in memory after dlclose().
 *            After a fork(), parent and child may both go on with a handle, whatever other threads of the parent did
 *            with it at that moment; they share no connection. Only a request that was being changed just then is
 *            empty in the child, and a stream goes on in the parent alone. Faults of the library's own come back as
 *            MLFLOW_GATEWAY_PANIC. Who closes all descriptors of the process, as daemons do, destroys its objects
 *            before.
 * Memory     that an answer needs and the system does not give is MLFLOW_GATEWAY_OUT_OF_MEMORY. Only where it does not
 *            even give the small pieces that every call needs, the process is aborted.
 */

#ifndef MLFLOW_AI_GATEWAY_H
#define MLFLOW_AI_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The version of this header. mlflow_gateway_version() tells the version of the library that runs. */
#define MLFLOW_GATEWAY_VERSION_MAJOR 0
#define MLFLOW_GATEWAY_VERSION_MINOR 1
#define MLFLOW_GATEWAY_VERSION_PATCH 0

/* The version as one number: the major part times 1000000, the minor part times 1000, and the patch. */
#define MLFLOW_GATEWAY_VERSION_NUMBER \
    (MLFLOW_GATEWAY_VERSION_MAJOR * 1000000 + MLFLOW_GATEWAY_VERSION_MINOR * 1000 + \
     MLFLOW_GATEWAY_VERSION_PATCH)

/* Whether this header is of that version or a later one, for #if. */
#define MLFLOW_GATEWAY_AT_LEAST(major, minor, patch) \
    (MLFLOW_GATEWAY_VERSION_NUMBER >= (major) * 1000000 + (minor) * 1000 + (patch))

/* As the length of a text that is passed in: it is NUL-terminated, and is to be measured. */
#define MLFLOW_GATEWAY_NUL_TERMINATED SIZE_MAX

#ifdef __cplusplus
extern "C" {
#endif

/* Points of time in a call
 * ------------------------ */

/**
 * The time that a request waited in a queue before the call began.
 */
#define MLFLOW_GATEWAY_TIME_QUEUED 1

/**
 * The connection was ready: the idle one that was used, or a new one, with TLS and through the proxy.
 */
#define MLFLOW_GATEWAY_TIME_CONNECTED 2

/**
 * The first byte of the response came.
 */
#define MLFLOW_GATEWAY_TIME_FIRST_BYTE 3

/**
 * The first event of a stream came that is a text, reasoning, a refusal or a tool call.
 */
#define MLFLOW_GATEWAY_TIME_FIRST_TOKEN 4

/**
 * The first event of a stream came that is a text.
 */
#define MLFLOW_GATEWAY_TIME_FIRST_TEXT 5

/**
 * The response was complete, or the stream failed.
 */
#define MLFLOW_GATEWAY_TIME_TOTAL 6

/* Kinds of JSON values
 * -------------------- */

/**
 * `null`.
 */
#define MLFLOW_GATEWAY_JSON_NULL 1

/**
 * `true` or `false`.
 */
#define MLFLOW_GATEWAY_JSON_BOOL 2

/**
 * A number.
 */
#define MLFLOW_GATEWAY_JSON_NUMBER 3

/**
 * A string.
 */
#define MLFLOW_GATEWAY_JSON_STRING 4

/**
 * An array.
 */
#define MLFLOW_GATEWAY_JSON_ARRAY 5

/**
 * An object.
 */
#define MLFLOW_GATEWAY_JSON_OBJECT 6

/* Kinds of tokens
 * --------------- */

/**
 * Tokens of the input.
 */
#define MLFLOW_GATEWAY_TOKENS_INPUT 1

/**
 * Tokens of the output.
 */
#define MLFLOW_GATEWAY_TOKENS_OUTPUT 2

/**
 * Tokens of input and output, as reported: this library computes no sums.
 */
#define MLFLOW_GATEWAY_TOKENS_TOTAL 3

/**
 * Tokens of the input that the model provider read from its cache. Whether _INPUT includes them depends on the
 * provider.
 */
#define MLFLOW_GATEWAY_TOKENS_CACHED_INPUT 4

/**
 * Tokens of the output that the model spent on reasoning.
 */
#define MLFLOW_GATEWAY_TOKENS_REASONING 5

/**
 * Tokens of the input that the model provider wrote to its cache.
 */
#define MLFLOW_GATEWAY_TOKENS_CACHE_WRITE 6

/* Kinds of events
 * --------------- */

/**
 * A part of the text of a candidate: mlflow_gateway_event_text().
 */
#define MLFLOW_GATEWAY_EVENT_TEXT 1

/**
 * A part of what the model writes before its answer, if the gateway shows it: mlflow_gateway_event_text().
 */
#define MLFLOW_GATEWAY_EVENT_REASONING 2

/**
 * A part of the words in which the model refuses to answer: mlflow_gateway_event_text().
 */
#define MLFLOW_GATEWAY_EVENT_REFUSAL 3

/**
 * A part of a tool call: mlflow_gateway_event_tool_call_index(), _id() and _name() say which, and
 * mlflow_gateway_event_text() is a part of its arguments, which may be empty.
 */
#define MLFLOW_GATEWAY_EVENT_TOOL_CALL 4

/**
 * A candidate is complete: mlflow_gateway_event_text() is the finish reason.
 */
#define MLFLOW_GATEWAY_EVENT_FINISH 5

/**
 * How many tokens the response took: mlflow_gateway_event_tokens().
 */
#define MLFLOW_GATEWAY_EVENT_USAGE 6

/**
 * Data that gives no other event: mlflow_gateway_event_raw_data().
 */
#define MLFLOW_GATEWAY_EVENT_OTHER 7

/* Types
 * ----- */

/**
 * One route of one gateway, with its settings and its connections. Any number of threads may use it at once.
 */
typedef struct mlflow_gateway mlflow_gateway;

/**
 * Cancels the calls that have it: those that run, and those that begin before it is reset.
 */
typedef struct mlflow_gateway_cancel_token mlflow_gateway_cancel_token;

/**
 * Vectors. They never change, so that any number of threads may read them.
 */
typedef struct mlflow_gateway_embeddings mlflow_gateway_embeddings;

/**
 * Why a function failed. It belongs to the caller, who destroys it with mlflow_gateway_error_destroy().
 */
typedef struct mlflow_gateway_error mlflow_gateway_error;

/**
 * A part of a response as it comes. An event that mlflow_gateway_stream_next() returns lives until the next call of
 * a function that changes the stream, an event of a callback until the callback returns. All strings of an event
 * live as long.
 */
typedef struct mlflow_gateway_event mlflow_gateway_event;

/**
 * What to ask: a prompt, messages, inputs or a whole body, with settings of its own beside the handle's. It can be
 * sent as often as one likes and by any number of threads at once.
 */
typedef struct mlflow_gateway_request mlflow_gateway_request;

/**
 * What came of a request: the texts, and what is known of them. It never changes, except that of a stream, so that
 * any number of threads may read it.
 */
typedef struct mlflow_gateway_response mlflow_gateway_response;

/**
 * Routes of a gateway, as it described them. They never change, so that any number of threads may read them.
 */
typedef struct mlflow_gateway_routes mlflow_gateway_routes;

/**
 * A response that comes in events, as the model makes it.
 */
typedef struct mlflow_gateway_stream mlflow_gateway_stream;

/**
 * What a function came to: `MLFLOW_GATEWAY_OK`, or the reason why not.
 */
typedef int32_t mlflow_gateway_status;

/**
 * How much is logged, and what a line is about: one of the MLFLOW_GATEWAY_LOG_ numbers.
 */
typedef int32_t mlflow_gateway_log_level;

/**
 * Takes a line: `line` is `len` bytes of UTF-8, NUL-terminated, without a line break, which live until the callback
 * returns; `level` is one of MLFLOW_GATEWAY_LOG_ERROR, _INFO and _DEBUG; `user_data` is what was given to
 * mlflow_gateway_set_log(). It must return: neither longjmp() nor a C++ exception may pass through this library.
 */
typedef void (*mlflow_gateway_on_log)(mlflow_gateway_log_level level,
                                      const char *line,
                                      size_t len,
                                      void *user_data);

/**
 * Take an event, which lives until the callback returns. `user_data` is what was given to
 * mlflow_gateway_stream_call(). Return 0 to go on; any other number stops the response. The callback runs on the
 * thread that made the call, and must return to it: neither longjmp() nor a C++ exception may pass through this
 * library.
 */
typedef int (*mlflow_gateway_on_event)(const mlflow_gateway_event *event, void *user_data);

/* Levels of the log
 * ----------------- */

/**
 * No lines.
 */
#define MLFLOW_GATEWAY_LOG_OFF 0

/**
 * A line for each attempt of a question, or of a change, that failed. (What goes wrong in an answer after its head has
 * come is in the error alone.)
 */
#define MLFLOW_GATEWAY_LOG_ERROR 1

/**
 * And for each that succeeded.
 */
#define MLFLOW_GATEWAY_LOG_INFO 2

/**
 * And for what is asked beside them: what the server speaks, lists of routes, its health, and tokens.
 */
#define MLFLOW_GATEWAY_LOG_DEBUG 3

/* Status numbers: they never change, and none is ever used again
 * -------------------------------------------------------------- */

/**
 * It worked.
 */
#define MLFLOW_GATEWAY_OK 0

/* 1 to 19: the caller's mistake; nothing was sent
 * ----------------------------------------------- */

/**
 * A pointer is NULL where it may not be, a text is not UTF-8, not JSON or too long, a name is not allowed, a block has
 * too little room, or a request holds nothing, or another kind of content than the function needs.
 */
#define MLFLOW_GATEWAY_INVALID_ARGUMENT 1

/**
 * The gateway URI is not an http:// or https:// URI, nor a databricks one, or holds credentials or a query.
 */
#define MLFLOW_GATEWAY_INVALID_URI 2

/**
 * No gateway URI was passed, and no environment variable names one; or no workspace of Databricks is named.
 */
#define MLFLOW_GATEWAY_NO_GATEWAY_URI 3

/**
 * There is no option of that name.
 */
#define MLFLOW_GATEWAY_UNKNOWN_OPTION 4

/**
 * The option does not take that value; the message says which it takes.
 */
#define MLFLOW_GATEWAY_INVALID_OPTION_VALUE 5

/**
 * The parameter's name is not allowed, its value is not JSON or not a finite number, or "stop" is not a list of texts.
 */
#define MLFLOW_GATEWAY_INVALID_PARAM 6

/**
 * Credentials would go unencrypted to another machine; the option allow_insecure_auth allows that.
 */
#define MLFLOW_GATEWAY_INSECURE_AUTH 8

/* 20 to 39: the way to the gateway
 * -------------------------------- */

/**
 * The host name has no address.
 */
#define MLFLOW_GATEWAY_RESOLVE_FAILED 20

/**
 * No connection: refused, unreachable, or no route there.
 */
#define MLFLOW_GATEWAY_CONNECT_FAILED 21

/**
 * No TLS connection: a certificate that is not trusted, or a server that does not speak TLS.
 */
#define MLFLOW_GATEWAY_TLS_FAILED 22

/**
 * The connection broke before the answer was complete.
 */
#define MLFLOW_GATEWAY_CONNECTION_LOST 23

/**
 * A time was over that the call may take: the message names the option, timeout_ms or one of a part of the call.
 */
#define MLFLOW_GATEWAY_TIMEOUT 24

/**
 * mlflow_gateway_cancel() ended the call, or a callback stopped the answer.
 */
#define MLFLOW_GATEWAY_CANCELLED 25

/**
 * The proxy could not be used, or refused.
 */
#define MLFLOW_GATEWAY_PROXY_FAILED 26

/* 40 to 59: the gateway, or the model provider behind it, said no
 * --------------------------------------------------------------- */

/**
 * HTTP 400 or 422: the gateway does not accept the prompt or a parameter.
 */
#define MLFLOW_GATEWAY_BAD_REQUEST 40

/**
 * HTTP 401: no credentials, or wrong ones.
 */
#define MLFLOW_GATEWAY_UNAUTHORIZED 41

/**
 * HTTP 403: the credentials do not allow this.
 */
#define MLFLOW_GATEWAY_FORBIDDEN 42

/**
 * HTTP 404 or 405: no such route, or no MLflow gateway at that URI. The message names the routes that there are.
 */
#define MLFLOW_GATEWAY_NOT_FOUND 43

/**
 * HTTP 429: too many calls.
 */
#define MLFLOW_GATEWAY_RATE_LIMITED 44

/**
 * HTTP 429 because the gateway's budget is used up: calling again does not help.
 */
#define MLFLOW_GATEWAY_BUDGET_EXCEEDED 45

/**
 * HTTP 400 because a guardrail of the gateway stopped the question or the answer.
 */
#define MLFLOW_GATEWAY_GUARDRAIL_BLOCKED 46

/**
 * HTTP 500 to 599, but 501: the gateway or the model provider has a fault.
 */
#define MLFLOW_GATEWAY_SERVER_ERROR 47

/**
 * Any other HTTP status that is no success, redirects included.
 */
#define MLFLOW_GATEWAY_HTTP_ERROR 48

/**
 * This gateway or this route cannot do that. The gateway said so, for example by HTTP 501; or the kind of the gateway
 * or of the route is known, and nothing was sent.
 */
#define MLFLOW_GATEWAY_UNSUPPORTED 49

/* 60 to 79: the gateway said yes, but its answer is wrong
 * ------------------------------------------------------- */

/**
 * The answer is not JSON (a web page, a cut text), or JSON that is no gateway's answer.
 */
#define MLFLOW_GATEWAY_BAD_RESPONSE 60

/**
 * The response has no candidate.
 */
#define MLFLOW_GATEWAY_NO_CANDIDATES 61

/**
 * More came than may: an answer is longer than max_response_bytes, its head than max_header_bytes, an event of a stream
 * than max_event_bytes, or all that is gathered of it than max_gathered_bytes.
 */
#define MLFLOW_GATEWAY_RESPONSE_TOO_LARGE 62

/**
 * The stream ended before the answer did: the connection broke, or it was closed without a word of the end.
 */
#define MLFLOW_GATEWAY_STREAM_TRUNCATED 63

/**
 * The gateway said in the middle of the stream that it failed. If it said why, the status may be RATE_LIMITED,
 * BUDGET_EXCEEDED or GUARDRAIL_BLOCKED instead.
 */
#define MLFLOW_GATEWAY_STREAM_ERROR 64

/**
 * Only mlflow_gateway_call() returns it: the first candidate has no text. The message says what it has instead, for
 * example a refusal or tool calls. mlflow_gateway_error_body() returns the response.
 */
#define MLFLOW_GATEWAY_NO_TEXT 65

/* 80 to 99: this library
 * ---------------------- */

/**
 * A fault in this library, which was caught. The handle can be used further.
 */
#define MLFLOW_GATEWAY_PANIC 80

/**
 * No memory for the result.
 */
#define MLFLOW_GATEWAY_OUT_OF_MEMORY 81

/**
 * Another fault in this library.
 */
#define MLFLOW_GATEWAY_INTERNAL 82

/* 100 to 119: no failure, and no error object
 * ------------------------------------------- */

/**
 * The stream is over and the answer complete.
 */
#define MLFLOW_GATEWAY_STREAM_END 100

/**
 * The JSON document has no such value.
 */
#define MLFLOW_GATEWAY_NO_VALUE 104

/* The simple path: one route, one prompt
 * -------------------------------------- */

/**
 * Makes a handle for one route of one gateway. Nothing is sent before the first call, so that a gateway that is not
 * there is found out only then.
 *
 * `route` is the name of a route (MLflow 2.5 to 2.8) or endpoint (2.9 and later): 1 to 256 bytes.
 * `gateway_uri` is one of these; if it is NULL, the environment variable MLFLOW_GATEWAY_URI says it, or else
 * MLFLOW_DEPLOYMENTS_TARGET:
 *   - an http:// or https:// URI without credentials, for example "http://127.0.0.1:5000", and if the gateway is
 *     mounted below a path, with that path;
 *   - "databricks", for the workspace that the environment variables DATABRICKS_HOST and DATABRICKS_TOKEN, or
 *     DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET, name. Where none of them is set, it is that of the profile
 *     DEFAULT in the file DATABRICKS_CONFIG_FILE, or else $HOME/.databrickscfg (host, token, client_id,
 *     client_secret); where DATABRICKS_CONFIG_PROFILE names a profile, that one says what no variable says, but its
 *     credentials only for its own host;
 *   - "databricks://PROFILE", for the workspace of that profile, whatever the variables say.
 *
 * The environment is read here and not again, but for the machine's own certificates; mlflow_gateway_set_option() lists
 * its variables.
 * `gateway` receives the handle, which the caller destroys with mlflow_gateway_destroy().
 *
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _INVALID_URI, _NO_GATEWAY_URI, or _INVALID_OPTION_VALUE (a variable or
 * a file of credentials in the environment that cannot be used; the message names it).
 */
mlflow_gateway_status mlflow_gateway_create(const char *route,
                                            const char *gateway_uri,
                                            mlflow_gateway **gateway,
                                            mlflow_gateway_error **error);

/**
 * Sets a parameter of the model to a number with a fraction, for all calls on this handle that begin afterwards. Only
 * parameters that were set are sent; 0 is sent like any other number.
 *
 * `name` is the parameter's name as MLflow documents it, for example "temperature": 1 to 256 bytes. "candidate_count"
 * and "n" are one parameter, and each gateway gets it under the name that it knows. "prompt", "messages", "input",
 * "text" and "stream" are not parameters; the call writes them itself. Any other name is sent as it is, and the
 * gateway decides whether it knows it.
 * `value` is any number but NaN and the infinities.
 *
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT or _INVALID_PARAM.
 */
mlflow_gateway_status mlflow_gateway_set_param_double(mlflow_gateway *gateway,
                                                      const char *name,
                                                      double value,
                                                      mlflow_gateway_error **error);

/**
 * Sets a parameter of the model to an integer, for example "max_tokens". Otherwise as
 * mlflow_gateway_set_param_double().
 */
mlflow_gateway_status mlflow_gateway_set_param_int(mlflow_gateway *gateway,
                                                   const char *name,
                                                   int64_t value,
                                                   mlflow_gateway_error **error);

/**
 * Sets a parameter of the model to true or false, for example "logprobs". Otherwise as
 * mlflow_gateway_set_param_double().
 */
mlflow_gateway_status mlflow_gateway_set_param_bool(mlflow_gateway *gateway,
                                                    const char *name,
                                                    bool value,
                                                    mlflow_gateway_error **error);

/**
 * Sets a parameter of the model to a text, for example "user". `value` is copied. Otherwise as
 * mlflow_gateway_set_param_double().
 */
mlflow_gateway_status mlflow_gateway_set_param_string(mlflow_gateway *gateway,
                                                      const char *name,
                                                      const char *value,
                                                      mlflow_gateway_error **error);

/**
 * Sets a parameter of the model to any JSON value, for example "response_format" to "{\"type\": \"json_object\"}".
 * `json` is checked and copied. Otherwise as mlflow_gateway_set_param_double().
 */
mlflow_gateway_status mlflow_gateway_set_param_json(mlflow_gateway *gateway,
                                                    const char *name,
                                                    const char *json,
                                                    mlflow_gateway_error **error);

/**
 * Adds a text to the parameter "stop", a list: the model ends its answer before it would write one of them. `stop` is
 * copied. mlflow_gateway_unset_param() with the name "stop" empties the list.
 *
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, or _INVALID_PARAM if "stop" was set to something else than a list of
 * strings before.
 */
mlflow_gateway_status mlflow_gateway_add_stop(mlflow_gateway *gateway,
                                              const char *stop,
                                              mlflow_gateway_error **error);

/**
 * Takes a parameter back, so that it is no longer sent and the gateway's own default holds. A parameter that was not
 * set is no mistake.
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
 */
mlflow_gateway_status mlflow_gateway_unset_param(mlflow_gateway *gateway,
                                                 const char *name,
                                                 mlflow_gateway_error **error);

/**
 * Sets an option of this library, for all calls on this handle that begin afterwards. Values are texts.
 *
 *   name                 values                              default
 *                        meaning; environment variables, of which the first that is set counts
 *
 *   timeout_ms           integer, 1 to 86400000              300000
 *                        milliseconds that a whole call may take, with all attempts and the time between them;
 *                        $MLFLOW_DEPLOYMENT_PREDICT_TOTAL_TIMEOUT, $MLFLOW_DEPLOYMENT_PREDICT_TIMEOUT,
 *                        $MLFLOW_HTTP_REQUEST_TIMEOUT, in seconds; for calls that ask no model (routes, health, limits)
 *                        $MLFLOW_DEPLOYMENT_CLIENT_HTTP_REQUEST_TIMEOUT takes precedence over these
 *   connect_timeout_ms   integer, 0 to 86400000              10000
 *                        milliseconds until a connection can be used: finding the host, connecting, the proxy, TLS;
 *                        0, here and in the next two: no separate limit; only timeout_ms or stream_timeout_ms applies
 *   first_byte_timeout_ms  integer, 0 to 86400000            0
 *                        milliseconds from the end of the question to the beginning of the answer, which a model
 *                        that is not asked for a stream gives only when it is ready
 *   idle_timeout_ms      integer, 0 to 86400000              120000
 *                        milliseconds between two events of a stream. Comments and empty events do not count, nor
 *                        does the time between two calls of mlflow_gateway_stream_next(). The first event may take
 *                        as long as timeout_ms allows
 *   stream_timeout_ms    integer, 1 to 86400000              3600000
 *                        milliseconds that a whole stream may take once its first event has come, counted from the
 *                        beginning of the call; timeout_ms no longer applies then
 *   max_retries          integer, 0 to 10                    3, or 7 as mlflow does it
 *                        how often a request is repeated, at most: each one for itself, as there are the question
 *                        which dialect the server speaks, the question of the call, and that for an OAuth token;
 *                        $MLFLOW_HTTP_REQUEST_MAX_RETRIES
 *   retry_policy         careful, mlflow                     careful
 *                        careful repeats what was refused or was not sent, see below; mlflow does what MLflow's own
 *                        client does: after any failure before the answer, and HTTP status 429, 500, 502, 503, or 413
 *                        with Retry-After; the first time at once, then after 2, 4, 8 ... times the seconds of
 *                        $MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR (2), with up to $MLFLOW_HTTP_REQUEST_BACKOFF_JITTER (1)
 *                        more, 120 at most; or, unless $MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER is false, after as
 *                        many as Retry-After says
 *   retry_backoff_ms     integer, 1 to 60000                 500
 *                        the first retry is made after a random time from 0 to so many milliseconds, the second
 *                        after one from 0 to twice as many, and so on; but not before the answer's Retry-After
 *   retry_max_backoff_ms  integer, 1 to 600000               8000
 *                        the longest of these random times; a longer Retry-After is waited for all the same
 *   retry_read_timeouts  boolean, true or false              false
 *                        retry also when first_byte_timeout_ms expired, or the connection broke before the response:
 *                        the model may then process the request twice, and both may be paid for
 *   max_redirects        integer, 0 to 10                    0
 *                        how often a redirect is followed, but never to another scheme, host or port: HTTP status 307
 *                        and 308, and 301 and 302 where nothing is sent; to a whole URL, or a path that begins with /,
 *                        any path of that server, with the credentials
 *   dialect              auto, deployments, gateway,         auto, or databricks for a databricks URI
 *                        tracking, databricks
 *                        what the gateway speaks: gateway is MLflow 2.5 to 2.8; deployments is 2.9 to 2.22, and 3.x
 *                        with "mlflow gateway start"; tracking is 3.x with "mlflow server"; databricks is Databricks'
 *                        serving endpoints; auto asks the server once
 *   max_connections      integer, 0 to 65536                 64
 *                        connections that are kept open between calls, at most; calls beyond that open one and close
 *                        it
 *   keep_alive_ms        integer, 0 to 86400000              60000
 *                        milliseconds that an idle connection is kept, at most: a second less than the "timeout" of
 *                        the server's Keep-Alive header, where there is one. No connection is kept after HTTP status
 *                        500 to 599, "Connection: close" or HTTP/1.0
 *   bearer_token         text                                ""
 *                        sent as "Bearer ..."; $MLFLOW_TRACKING_TOKEN, for databricks URIs $DATABRICKS_TOKEN or
 *                        "token" in the profile
 *   username, password   text                                ""
 *                        sent together as "Basic ...", before a bearer_token; $MLFLOW_TRACKING_USERNAME and
 *                        $MLFLOW_TRACKING_PASSWORD, or the file $HOME/.mlflow/credentials; not for databricks URIs
 *   client_id,           text                                ""
 *   client_secret        an OAuth client of Databricks, which gets tokens by them, shortly before the last one ends or
 *                        when the server refuses it, and once for all threads; after username and bearer_token; for
 *                        databricks URIs $DATABRICKS_CLIENT_ID and $DATABRICKS_CLIENT_SECRET, or those in the profile
 *   auth_header          Authorization,                      Authorization
 *                        X-MLflow-Authorization
 *                        the header in which credentials are sent; MLflow's tracking server takes both, so that a proxy
 *                        before it can have the first
 *   allow_insecure_auth  boolean, true or false              false
 *                        send credentials also over http:// to another machine: those of these options, and headers
 *                        whose names hold "auth", "cookie", "credential", "key", "password", "secret" or "token"
 *   workspace            text                                ""
 *                        sent as the header X-MLFLOW-WORKSPACE; $MLFLOW_WORKSPACE, not for databricks URIs
 *   proxy                http:// or https:// URL, none       ""
 *                        the proxy to go through, which may be given as http://user:password@host:port; none is none
 *                        at all; "" is what the environment says: $https_proxy and $HTTPS_PROXY for an https://
 *                        gateway, $http_proxy and $HTTP_PROXY for an http:// one, else $all_proxy and $ALL_PROXY,
 *                        but none for those in $no_proxy or $NO_PROXY: names, with all names below them, addresses,
 *                        networks (10.0.0.0/8), each perhaps with a port, or *. $HTTP_PROXY is ignored if
 *                        $REQUEST_METHOD is set: in a CGI program it holds a header of the client's request
 *   ca_file              path of a PEM file, or of a folder  ""
 *                        of such files
 *                        certificates to trust instead of the machine's own: those of authorities, or the server's
 *                        own, whoever signed it, whose name and validity are still checked;
 *                        $MLFLOW_TRACKING_SERVER_CERT_PATH, $REQUESTS_CA_BUNDLE, $CURL_CA_BUNDLE
 *   client_cert_file     path of a PEM file                  ""
 *                        certificate to show to the server, with those that lead to its root; the file may hold the
 *                        key as well; $MLFLOW_TRACKING_CLIENT_CERT_PATH
 *   client_key_file      path of a PEM file                  ""
 *                        the private key of that certificate
 *   insecure_tls         boolean, true or false              false
 *                        accept any certificate, and so any server in the middle; not together with ca_file;
 *                        $MLFLOW_TRACKING_INSECURE_TLS (true, 1, false, 0)
 *   user_agent           text                                ""
 *                        what your program is called, put before "mlflow-ai-gateway/" and the version
 *   gather_stream        boolean, true or false              true
 *                        keep the texts and calls of tools of a stream until its end; with false calls of tools are
 *                        lost, and a stream needs memory for a few events, however long it is
 *   max_response_bytes   integer, 1024 to 1099511627776      268435456
 *                        the longest answer, but for streams; lists of routes may have 16 MiB at most
 *   max_header_bytes     integer, 1024 to 65536              16384
 *                        the longest head of an answer: its status line and headers
 *   max_event_bytes      integer, 1024 to 1073741824         16777216
 *                        the longest event of a stream
 *   max_gathered_bytes   integer, 1024 to 1099511627776      268435456
 *                        as much as a stream may bring while gather_stream is true: its texts and calls of tools
 *   embed_batch_size     integer, 1 to 100000                20
 *                        inputs that are sent in one request for vectors
 *   embed_concurrency    integer, 1 to 64                    1
 *                        such requests that are under way at once, each on a thread: the caller's, and others that end
 *                        with the call
 *
 * The environment and the files of credentials are read by mlflow_gateway_create(), once; what is set here goes before
 * it, and who sets one kind of credentials (a token, a name and password, an OAuth client) does not get another kind
 * from there. The variables about TLS are read for https:// gateways only, and one that is set but empty counts as not
 * set. Spaces, line breaks and quotes around a URI, a host, a token, a client id or secret and the name of a profile in
 * the environment are ignored. If a file of certificates that a variable names cannot be used, calls return
 * _INVALID_OPTION_VALUE until an option takes its place. A value of "" takes a text, a file or a credential back, also
 * one that came from the environment.
 * Files of certificates are read and checked by this function. To replace a client's certificate, set it first and then
 * its key.
 * The machine's own certificates are read when a connection first needs them, from where OpenSSL has them or where
 * $SSL_CERT_FILE and $SSL_CERT_DIR say. An http:// gateway is asked through a proxy by its whole URL, an https:// one
 * through a tunnel (CONNECT).
 *
 * Memory that held credentials is wiped when they are replaced or the handle is destroyed. Not wiped are CPU registers;
 * what the dynamic loader saves of them to the stack when a function is bound at its first call (link the program with
 * -Wl,-z,now to have all functions bound when it starts); and the TLS library's own copies of parts of a token that was
 * received over TLS.
 *
 * Careful retries follow HTTP status 429 (but not a budget that is used up), 500, 502 and 503, and any failure before
 * the request was sent, except those that last: a host name that does not exist, a certificate that is not trusted, a
 * proxy's refusal. A retry can cost money: a provider may have billed the request that ended in status 500 or 502. Set
 * max_retries to 0 to send each request once. What changes the gateway is repeated only after 429, 503, and if it was
 * not sent; mlflow_gateway_health() never. No retry begins that would end after timeout_ms, and none once a stream has
 * begun.
 * In addition, a request is sent once more on a new connection if it was sent on an idle connection that broke before
 * the first byte of a response, within 250 milliseconds or two round trips: the server had closed that connection as
 * idle, and most likely has not read the request. This does not count against max_retries, but in the number of
 * attempts. Requests that change the gateway are not sent on idle connections.
 * Compressed responses are not asked for ("Accept-Encoding: identity"), and a compressed success is
 * MLFLOW_GATEWAY_BAD_RESPONSE. A response may have 1,000 header fields at most.
 *
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _UNKNOWN_OPTION or _INVALID_OPTION_VALUE.
 */
mlflow_gateway_status mlflow_gateway_set_option(mlflow_gateway *gateway,
                                                const char *name,
                                                const char *value,
                                                mlflow_gateway_error **error);

/**
 * Set the cancel token of this handle: it cancels calls on this handle that begin afterwards. The request's token, if
 * it has one, cancels them as well. NULL as `token` removes the handle's. Where it was cancelled already, they return
 * MLFLOW_GATEWAY_CANCELLED and send nothing. The handle keeps what it needs of it.
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
 */
mlflow_gateway_status mlflow_gateway_set_cancel_token(mlflow_gateway *gateway,
                                                      mlflow_gateway_cancel_token *token,
                                                      mlflow_gateway_error **error);

/**
 * Sets a header that every request carries, for all calls on this handle that begin afterwards: for example
 * "X-Team" to "search". Credentials are better given as options; a header that is set goes before those. Its value is
 * treated as a secret: the library does not put it into a message, and masks it there (if it has 6 bytes or more)
 * where a gateway repeats it.
 *
 * `name` is the header's name, without regard to case. Those that frame the message (Host, Content-Length,
 * Content-Type and the like) are refused, and so are Accept-Encoding and Proxy-Authorization (see the option proxy). At
 * most 100 can be set.
 * `value` is up to 8 KiB of UTF-8 without control characters, and is copied; NULL takes the header back.
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
 */
mlflow_gateway_status mlflow_gateway_set_header(mlflow_gateway *gateway,
                                                const char *name,
                                                const char *value,
                                                mlflow_gateway_error **error);

/**
 * Asks the gateway and waits for the answer. The route may be one for completions or for chats; to a chat route the
 * prompt is sent as one message of the user. The first call also asks the server which dialect it speaks, once for
 * the handle. Calls on one handle run side by side and each uses the settings as they stood when it began.
 *
 * `prompt` is a text of any length, even an empty one.
 * `text` receives the text of the first candidate, NUL-terminated UTF-8, which the caller frees with
 * mlflow_gateway_string_free().
 * `text_len` receives its length in bytes without the NUL, which tells whether the text itself holds NUL bytes; it may
 * be NULL.
 *
 * A response without a text is not an empty text: the function returns _NO_TEXT if the candidate's content is null, or
 * is empty beside a refusal, tool calls, reasoning, images or the finish reason "content_filter".
 *
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _INSECURE_AUTH, or any status from 20 to 99. No call lasts longer than
 * the option timeout_ms says.
 */
mlflow_gateway_status mlflow_gateway_call(mlflow_gateway *gateway,
                                          const char *prompt,
                                          char **text,
                                          size_t *text_len,
                                          mlflow_gateway_error **error);

/**
 * Returns what identifies this configured model: a JSON object with "gateway_uri", "route" and the parameters that
 * are set, under the names that they were set by. No headers and no credentials are in it.
 *
 * `json` receives the text, which the caller frees with mlflow_gateway_string_free().
 * `json_len` receives its length in bytes without the NUL; it may be NULL.
 *
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _OUT_OF_MEMORY or _INTERNAL.
 */
mlflow_gateway_status mlflow_gateway_identifying_params(mlflow_gateway *gateway,
                                                        char **json,
                                                        size_t *json_len,
                                                        mlflow_gateway_error **error);

/**
 * Returns "mlflow-ai-gateway", the name by which LangChain's users know this kind of model (`_llm_type`). The text
 * lives for ever and is not to be freed.
 */
const char *mlflow_gateway_llm_type(void);

/**
 * Destroys a handle and closes its connections. NULL is allowed and does nothing. No thread may be in a call on the
 * handle, and none may use it afterwards.
 */
void mlflow_gateway_destroy(mlflow_gateway *gateway);

/**
 * Frees a text that a function of this library gave to the caller. NULL is allowed and does nothing.
 */
void mlflow_gateway_string_free(char *text);

/* What goes on
 * ------------ */

/**
 * Sets who is told of each attempt to send something, for all calls on this handle that begin afterwards: one line
 * with the method, the URL, the HTTP status or what went wrong, the time that it took and, where the same was asked
 * again, why. Credentials are not in it, and are masked where a gateway repeats them.
 *
 * `level` says how much, from MLFLOW_GATEWAY_LOG_OFF to MLFLOW_GATEWAY_LOG_DEBUG.
 * `on_log` is called on the thread that makes the call, before the call returns, and when no other thread waits for
 * this one; where several threads make calls on
 * this handle, on each of them, at the same time. It may call any function of this library. NULL ends the log.
 * `user_data` is given to the callback as it is; it may be NULL. It must live until the log is ended or the handle
 * destroyed, and all calls that began before that have returned.
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT (a level that there is not).
 */
mlflow_gateway_status mlflow_gateway_set_log(mlflow_gateway *gateway,
                                             mlflow_gateway_log_level level,
                                             mlflow_gateway_on_log on_log,
                                             void *user_data,
                                             mlflow_gateway_error **error);

/* The full path: a request ...
 * ---------------------------- */

/**
 * Makes an empty request. It belongs to no gateway, and can be sent to any. It gets either a prompt, or messages, or
 * inputs, or a whole body; a second kind is refused with MLFLOW_GATEWAY_INVALID_ARGUMENT. A call works on the request
 * as it stood when the call began, so that it can be changed meanwhile. Messages and inputs are only added: what is to
 * be asked without some of them is another request.
 *
 * `request` receives it; the caller destroys it with mlflow_gateway_request_destroy().
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
 */
mlflow_gateway_status mlflow_gateway_request_create(mlflow_gateway_request **request,
                                                    mlflow_gateway_error **error);

/**
 * Clone a request, in constant time: both share what they have until one of them is changed. So a binding can clone a
 * request for each call, and give each clone a cancel token, headers and options of its own at little cost.
 *
 * `clone` receives the copy; the caller destroys it with mlflow_gateway_request_destroy().
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
 */
mlflow_gateway_status mlflow_gateway_request_clone(const mlflow_gateway_request *request,
                                                   mlflow_gateway_request **clone,
                                                   mlflow_gateway_error **error);

/**
 * Make the request a raw one: it is sent to `path` below the gateway URI, and its response is returned as it is. A raw
 * request reaches whatever the gateway and the providers behind it have, for example "/gateway/openai/v1/responses",
 * "/gateway/anthropic/v1/messages" or "/gateway/gemini/v1beta/models/NAME:generateContent".
 *
 * It has the handle's authentication, headers, options, retries, deadlines, cancellation and connections, and nothing
 * else. The handle's route and parameters are not sent. The request may have a body, set by
 * mlflow_gateway_request_set_body_json() and sent byte for byte; a route, a prompt, messages, inputs or parameters are
 * _INVALID_ARGUMENT, and so is mlflow_gateway_embed(). Any response with a status of success is accepted. If its body
 * has OpenAI's chat shape, the accessors of the response read it; otherwise mlflow_gateway_response_candidate_count()
 * is 0.
 *
 * GET and HEAD are retried after any loss of a connection too. POST is retried as mlflow_gateway_send() does it for
 * other requests. Other methods are retried only if the server has not processed the request.
 *
 * `method` is case-sensitive, for example "POST"; NULL means POST if the request has a body, else GET. "CONNECT" is
 * _INVALID_ARGUMENT.
 * `path` begins with "/" and is percent-encoded. It may have a query, and has neither a fragment nor a segment "..".
 * The query appears in no error message and no log. NULL removes the path, and ignores `method`.
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
 */
mlflow_gateway_status mlflow_gateway_request_set_path(mlflow_gateway_request *request,
                                                      const char *method,
                                                      const char *path,
                                                      mlflow_gateway_error **error);

/**
 * Sets the prompt, or replaces it. To a chat route it is sent as one message of the user.
 *
 * `prompt` is `prompt_len` bytes of UTF-8, which may hold NUL bytes, or with MLFLOW_GATEWAY_NUL_TERMINATED as its
 * length a NUL-terminated text. It is copied. So are all texts of requests.
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
 */
mlflow_gateway_status mlflow_gateway_request_set_prompt(mlflow_gateway_request *request,
                                                        const char *prompt,
                                                        size_t prompt_len,
                                                        mlflow_gateway_error **error);

/**
 * Adds a message to those that are there, for a chat route.
 *
 * `role` says who speaks: "system", "user" or "assistant". Any other name but "" is sent as it is.
 * `content` is the text, `content_len` bytes of UTF-8 or MLFLOW_GATEWAY_NUL_TERMINATED.
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
 */
mlflow_gateway_status mlflow_gateway_request_add_message(mlflow_gateway_request *request,
                                                         const char *role,
                                                         const char *content,
                                                         size_t content_len,
                                                         mlflow_gateway_error **error);

/**
 * Adds a message that is more than a text: an image, a recording, the calls of tools that the model asked for, or what
 * a tool answered, for example
 * "{\"role\": \"tool\", \"tool_call_id\": \"call_1\", \"content\": \"21\"}".
 *
 * `json` is a JSON object, `json_len` bytes of UTF-8 or MLFLOW_GATEWAY_NUL_TERMINATED. It is checked for being one, and
 * sent as it is.
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
 */
mlflow_gateway_status mlflow_gateway_request_add_message_json(mlflow_gateway_request *request,
                                                              const char *json,
                                                              size_t json_len,
                                                              mlflow_gateway_error **error);

/**
 * Add a text to the last message, which must be the user's: the message's content becomes an array of parts. The parts
 * keep the order of the calls; the content that the message was added with comes first. An empty text adds no part.
 *
 * `text` is `text_len` bytes of UTF-8 or MLFLOW_GATEWAY_NUL_TERMINATED.
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
 */
mlflow_gateway_status mlflow_gateway_request_add_text(mlflow_gateway_request *request,
                                                      const char *text,
                                                      size_t text_len,
                                                      mlflow_gateway_error **error);

/**
 * Add an image or a recording to the last message, which must be the user's. It becomes the next part of the message's
 * content; see mlflow_gateway_request_add_text().
 *
 * `media_type` decides the form: "image/..." is sent as OpenAI's "image_url" with a data URL, "audio/..." as
 * "input_audio" with its format, for example "wav" or "mp3". Any other type is _INVALID_ARGUMENT. Which types are
 * understood depends on the model.
 * `bytes` is the content of the file, `bytes_len` bytes, at least one. It is copied, as base64.
 *
 *     mlflow_gateway_request_add_message(request, "user", "What is this?", MLFLOW_GATEWAY_NUL_TERMINATED, &error);
 *     mlflow_gateway_request_add_media(request, "image/png", png, png_len, &error);
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
 */
mlflow_gateway_status mlflow_gateway_request_add_media(mlflow_gateway_request *request,
                                                       const char *media_type,
                                                       const void *bytes,
                                                       size_t bytes_len,
                                                       mlflow_gateway_error **error);

/**
 * Add the message of a candidate of a response, so that the model continues from it: after tool calls, their results
 * follow (mlflow_gateway_request_add_tool_result()). The message is sent as it came, with its reasoning and with the
 * fields that only the provider knows, such as "thought_signature"; only empty arguments of a tool call become "{}".
 *
 * `response` is whole, or that of a stream (mlflow_gateway_stream_response()), as far as it was gathered. It is copied.
 * `candidate` is counted from 0.
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT: also if there is no such candidate, if nothing of it was gathered
 * (the option gather_stream), or if the body of a raw request's response does not have OpenAI's chat shape.
 */
mlflow_gateway_status mlflow_gateway_request_add_response(mlflow_gateway_request *request,
                                                          const mlflow_gateway_response *response,
                                                          size_t candidate,
                                                          mlflow_gateway_error **error);

/**
 * Add the result of a tool call, as a message of the role "tool" after the response that asked for it.
 *
 * `tool_call_id` is what mlflow_gateway_response_tool_call_id() returned. NULL leaves the field out: some models give
 * their tool calls no ids.
 * `content` is what the tool returned, a text of `content_len` bytes of UTF-8 or MLFLOW_GATEWAY_NUL_TERMINATED.
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
 */
mlflow_gateway_status mlflow_gateway_request_add_tool_result(mlflow_gateway_request *request,
                                                             const char *tool_call_id,
                                                             const char *content,
                                                             size_t content_len,
                                                             mlflow_gateway_error **error);

/**
 * Adds a text for mlflow_gateway_embed() to make a vector of.
 *
 * `input` is `input_len` bytes of UTF-8 or MLFLOW_GATEWAY_NUL_TERMINATED.
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
 */
mlflow_gateway_status mlflow_gateway_request_add_input(mlflow_gateway_request *request,
                                                       const char *input,
                                                       size_t input_len,
                                                       mlflow_gateway_error **error);

/**
 * Sets the whole body, or replaces it, for what no other function can say. Its fields are sent in their order and with
 * their values as they are written, and nothing is added: neither parameters of the request, which are refused with
 * MLFLOW_GATEWAY_INVALID_ARGUMENT, nor the handle's. Only the field "stream" is left out, and written by the functions
 * that stream. The body of a raw request (mlflow_gateway_request_set_path()) is sent byte for byte.
 *
 * `json` is a JSON object, `json_len` bytes of UTF-8 or MLFLOW_GATEWAY_NUL_TERMINATED.
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
 */
mlflow_gateway_status mlflow_gateway_request_set_body_json(mlflow_gateway_request *request,
                                                           const char *json,
                                                           size_t json_len,
                                                           mlflow_gateway_error **error);

/**
 * Sets a parameter of the model to a number with a fraction, for this request, in place of the handle's. Names and
 * values are as in mlflow_gateway_set_param_double().
 *
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT or _INVALID_PARAM.
 */
mlflow_gateway_status mlflow_gateway_request_set_param_double(mlflow_gateway_request *request,
                                                              const char *name,
                                                              double value,
                                                              mlflow_gateway_error **error);

/**
 * Sets a parameter of the model to an integer. Otherwise as mlflow_gateway_request_set_param_double().
 */
mlflow_gateway_status mlflow_gateway_request_set_param_int(mlflow_gateway_request *request,
                                                           const char *name,
                                                           int64_t value,
                                                           mlflow_gateway_error **error);

/**
 * Sets a parameter of the model to true or false. Otherwise as mlflow_gateway_request_set_param_double().
 */
mlflow_gateway_status mlflow_gateway_request_set_param_bool(mlflow_gateway_request *request,
                                                            const char *name,
                                                            bool value,
                                                            mlflow_gateway_error **error);

/**
 * Sets a parameter of the model to a text, `value_len` bytes of UTF-8 or MLFLOW_GATEWAY_NUL_TERMINATED. An example is
 * "input_type", by which Cohere's vectors of questions ("search_query") differ from those of documents
 * ("search_document"). Otherwise as mlflow_gateway_request_set_param_double().
 */
mlflow_gateway_status mlflow_gateway_request_set_param_string(mlflow_gateway_request *request,
                                                              const char *name,
                                                              const char *value,
                                                              size_t value_len,
                                                              mlflow_gateway_error **error);

/**
 * Sets a parameter of the model to any JSON value, `json_len` bytes of UTF-8 or MLFLOW_GATEWAY_NUL_TERMINATED: for
 * example "tools" to a list of the tools that the model may ask for, or "response_format" to
 * "{\"type\": \"json_object\"}". Otherwise as mlflow_gateway_request_set_param_double().
 */
mlflow_gateway_status mlflow_gateway_request_set_param_json(mlflow_gateway_request *request,
                                                            const char *name,
                                                            const char *json,
                                                            size_t json_len,
                                                            mlflow_gateway_error **error);

/**
 * Adds a text to the request's own list of texts before which the answer ends (the parameter "stop"). A request that
 * has such a list is sent with it, and the handle's is not. `stop` is `stop_len` bytes of UTF-8 or
 * MLFLOW_GATEWAY_NUL_TERMINATED.
 *
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT or _INVALID_PARAM.
 */
mlflow_gateway_status mlflow_gateway_request_add_stop(mlflow_gateway_request *request,
                                                      const char *stop,
                                                      size_t stop_len,
                                                      mlflow_gateway_error **error);

/**
 * Unset the request's own parameter, and end its omission, so that the handle's applies, if it has one. Unsetting one
 * that was never set is not an error.
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
 */
mlflow_gateway_status mlflow_gateway_request_unset_param(mlflow_gateway_request *request,
                                                         const char *name,
                                                         mlflow_gateway_error **error);

/**
 * Leave a parameter out of this request, even if the handle sets it: some models refuse "temperature", for example. The
 * last call wins: setting the parameter ends the omission, mlflow_gateway_request_add_stop() that of "stop", and
 * mlflow_gateway_request_unset_param() that of any. "n" and "candidate_count" are one parameter.
 *
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT or _INVALID_PARAM.
 */
mlflow_gateway_status mlflow_gateway_request_omit_param(mlflow_gateway_request *request,
                                                        const char *name,
                                                        mlflow_gateway_error **error);

/**
 * Sets an option for this request, in place of the handle's: gather_stream, or one of those whose names end with
 * "timeout_ms" or begin with "embed_", "retry_", or "max_" (but for max_connections). mlflow_gateway_set_option() says
 * what they mean. The others are the handle's alone, and MLFLOW_GATEWAY_UNKNOWN_OPTION here.
 *
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _UNKNOWN_OPTION or _INVALID_OPTION_VALUE.
 */
mlflow_gateway_status mlflow_gateway_request_set_option(mlflow_gateway_request *request,
                                                        const char *name,
                                                        const char *value,
                                                        mlflow_gateway_error **error);

/**
 * Sets a header for this request, in place of the handle's; NULL as `value` takes the request's own back. Otherwise as
 * mlflow_gateway_set_header().
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
 */
mlflow_gateway_status mlflow_gateway_request_set_header(mlflow_gateway_request *request,
                                                        const char *name,
                                                        const char *value,
                                                        mlflow_gateway_error **error);

/**
 * Set the cancel token of this request: it cancels calls with this request that begin afterwards. The handle's token,
 * if it has one, cancels them as well. NULL as `token` removes the request's own. The request keeps what it needs of
 * the token.
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
 */
mlflow_gateway_status mlflow_gateway_request_set_cancel_token(mlflow_gateway_request *request,
                                                              mlflow_gateway_cancel_token *token,
                                                              mlflow_gateway_error **error);

/**
 * Destroys a request. NULL is allowed and does nothing. Streams that it opened go on.
 */
void mlflow_gateway_request_destroy(mlflow_gateway_request *request);

/* ... and what came of it
 * ----------------------- */

/**
 * Sends a request and waits for the whole answer.
 *
 * `request` holds a prompt, messages or a whole body. A prompt may be sent to any route that gives text; messages
 * need a chat route.
 * `response` receives what came back; the caller destroys it with mlflow_gateway_response_destroy().
 *
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _UNSUPPORTED (a route that is not for this), or any status from 20
 * to 99. An answer without text, in which the model only asks for tools to be called, is a success here.
 */
mlflow_gateway_status mlflow_gateway_send(mlflow_gateway *gateway,
                                          const mlflow_gateway_request *request,
                                          mlflow_gateway_response **response,
                                          mlflow_gateway_error **error);

/**
 * Returns how many candidates the answer has, as many as the parameter "n" (or "candidate_count") asked for, if the
 * gateway obeys it; 0 if `response` is NULL. The functions below count candidates from 0, and return for one that is
 * not there what they return for NULL.
 */
size_t mlflow_gateway_response_candidate_count(const mlflow_gateway_response *response);

/**
 * Returns the text of a candidate, NUL-terminated UTF-8, and writes its length in bytes without the NUL to `len`,
 * which may be NULL. NULL, and a length of 0, if the model gave no text, for example because it asks for tools to
 * be called. The text belongs to the response and lives as long. So do all texts below.
 */
const char *mlflow_gateway_response_text(const mlflow_gateway_response *response,
                                         size_t candidate,
                                         size_t *len);

/**
 * Return what the model wrote before its answer, if the gateway shows it, and write its length in bytes without the
 * NUL to `len`, which may be NULL. Return NULL, and a length of 0, if there is none.
 */
const char *mlflow_gateway_response_reasoning(const mlflow_gateway_response *response,
                                              size_t candidate,
                                              size_t *len);

/**
 * Return the words in which the model refuses to answer, and write their length in bytes without the NUL to `len`,
 * which may be NULL. Return NULL, and a length of 0, if it does not refuse, or refuses in its text.
 */
const char *mlflow_gateway_response_refusal(const mlflow_gateway_response *response,
                                            size_t candidate,
                                            size_t *len);

/**
 * Returns who speaks in a candidate, "assistant"; NULL if the gateway does not say, as for a completion.
 */
const char *mlflow_gateway_response_role(const mlflow_gateway_response *response,
                                         size_t candidate);

/**
 * Returns why a candidate ends where it ends: "stop", "length" (the parameter "max_tokens"), "tool_calls", or another
 * word of the model provider's; NULL if the gateway does not say.
 */
const char *mlflow_gateway_response_finish_reason(const mlflow_gateway_response *response,
                                                  size_t candidate);

/**
 * Returns how many tools the model wants to be called in a candidate. The functions below count them from 0. (MLflow
 * 2.10 to 2.22 leave the calls out of streams: the finish reason is "tool_calls" and there are none. Without a stream
 * they are there.)
 */
size_t mlflow_gateway_response_tool_call_count(const mlflow_gateway_response *response,
                                               size_t candidate);

/**
 * Returns the id of a call, which the message with the tool's answer has to repeat as "tool_call_id"; NULL if the
 * gateway gives none.
 */
const char *mlflow_gateway_response_tool_call_id(const mlflow_gateway_response *response,
                                                 size_t candidate,
                                                 size_t tool_call);

/**
 * Returns the name of the tool to be called; NULL if the gateway gives none.
 */
const char *mlflow_gateway_response_tool_call_name(const mlflow_gateway_response *response,
                                                   size_t candidate,
                                                   size_t tool_call);

/**
 * Returns the arguments of a tool call: JSON as the model wrote it, which may be invalid; "{}" if it wrote none.
 * Writes the length in bytes to `len`, which may be NULL.
 */
const char *mlflow_gateway_response_tool_call_arguments(const mlflow_gateway_response *response,
                                                        size_t candidate,
                                                        size_t tool_call,
                                                        size_t *len);

/**
 * Return the message of a candidate as a JSON object, to be stored, or to be added to the next request with
 * mlflow_gateway_request_add_message_json(), before the results of the tool calls. Write its length in bytes to
 * `len`, which may be NULL.
 *
 * Of a whole response it is the message as it came, fields that only the model provider understands included, such
 * as "thought_signature". Of a completion it is a message of the assistant with the text. Of a stream it is written
 * from what was gathered; if a stream brings an additional field of a tool call several times, the last value that
 * is not null counts. Arguments of tool calls that are null or empty become "{}", since MLflow does not accept an
 * empty string.
 *
 * Returns NULL if nothing was gathered, or if there is no memory for the message.
 */
const char *mlflow_gateway_response_message_json(const mlflow_gateway_response *response,
                                                 size_t candidate,
                                                 size_t *len);

/**
 * Return the id that the gateway gives the response, for its logs; NULL if it gives none.
 */
const char *mlflow_gateway_response_id(const mlflow_gateway_response *response);

/**
 * Returns the name of the model that answered; NULL if the gateway does not say.
 */
const char *mlflow_gateway_response_model(const mlflow_gateway_response *response);

/**
 * Return how many tokens of a kind MLFLOW_GATEWAY_TOKENS_... the response took, usually of all candidates together;
 * -1 if the gateway does not report them (0 is a real count), or if `response` is NULL.
 */
int64_t mlflow_gateway_response_tokens(const mlflow_gateway_response *response,
                                       int32_t kind);

/**
 * Returns the HTTP status of the answer, 200 to 299; 0 if `response` is NULL.
 */
int32_t mlflow_gateway_response_http_status(const mlflow_gateway_response *response);

/**
 * Returns the value of a header of the answer, the first one of that name, without regard to case; NULL if there is
 * none, or if `name` is NULL or not UTF-8. Bytes of the value that are not UTF-8 are replaced by U+FFFD.
 */
const char *mlflow_gateway_response_header(const mlflow_gateway_response *response,
                                           const char *name);

/**
 * Returns how many times the request was sent until the response came, retries and the one repetition after the
 * loss of an idle connection included; 0 if `response` is NULL.
 */
uint32_t mlflow_gateway_response_attempts(const mlflow_gateway_response *response);

/**
 * Returns how often something was asked again until the answer came, whether it could be sent or not: after a
 * failure, in another dialect, with another token, or where the server sent it on. 0 if `response` is NULL.
 */
size_t mlflow_gateway_response_retry_count(const mlflow_gateway_response *response);

/**
 * Returns why it was asked again the first (`retry` 0), second ... time, in a few words: for example "HTTP status
 * 503". NULL if it was not, or `response` is NULL.
 */
const char *mlflow_gateway_response_retry_reason(const mlflow_gateway_response *response,
                                                 size_t retry);

/**
 * Return how many microseconds after the beginning of the call the response reached a point, one of the
 * MLFLOW_GATEWAY_TIME_... numbers: _CONNECTED <= _FIRST_BYTE <= _FIRST_TOKEN <= _FIRST_TEXT <= _TOTAL. If the
 * request was retried, these are the times of the last attempt. Return -1 if the time is not known: if it was not
 * reached, or the response was not a stream and has no _FIRST_TOKEN and _FIRST_TEXT, or if `response` is NULL.
 */
int64_t mlflow_gateway_response_time_us(const mlflow_gateway_response *response,
                                        int32_t kind);

/**
 * Return the body of the response as it came, and write its length in bytes to `len`, which may be NULL. It may be of
 * any encoding and contain NUL bytes; a NUL byte follows it. Returns NULL, and a length of 0, for a stream.
 */
const char *mlflow_gateway_response_body(const mlflow_gateway_response *response,
                                         size_t *len);

/**
 * Destroys a response and the texts that belong to it. NULL is allowed and does nothing. Not for the one that
 * mlflow_gateway_stream_response() returns: that belongs to its stream.
 */
void mlflow_gateway_response_destroy(mlflow_gateway_response *response);

/* JSON
 * ---- */

/**
 * Read a value from a JSON document, for example from the body of a response or the arguments of a tool call:
 *
 *     char *city = NULL;
 *     int32_t kind;
 *     if (mlflow_gateway_json_get(arguments, len, "/city", &kind, &city, NULL, &error) == MLFLOW_GATEWAY_OK &&
 *         kind == MLFLOW_GATEWAY_JSON_STRING)
 *         puts(city);
 *     mlflow_gateway_string_free(city);
 *
 * `json` is the document: `json_len` bytes of UTF-8, or NUL-terminated with MLFLOW_GATEWAY_NUL_TERMINATED as the
 * length. All of it must be valid JSON. Nesting is not limited and takes no stack.
 * `pointer` is a JSON pointer (RFC 6901): "/choices/0/message" is the member "message" of the first element of the
 * member "choices"; "" is the whole document; "~1" and "~0" in a name stand for "/" and "~". If an object has several
 * members of one name, the last one counts.
 * `kind` receives one of the MLFLOW_GATEWAY_JSON_ numbers. It may be NULL.
 * `text` receives the value: what a string says, without quotes and escapes; any other value as it is written in the
 * document. Half of a surrogate pair becomes U+FFFD. A string may contain NUL bytes; use the length. The caller frees it
 * with mlflow_gateway_string_free(). It may be NULL.
 * `text_len` receives the length of the text in bytes without the NUL. It may be NULL.
 *
 * Returns MLFLOW_GATEWAY_OK; _NO_VALUE, without an error object, if the document has no such value;
 * _INVALID_ARGUMENT, also if `json` is not JSON (the message names the offset of the first wrong byte) or `pointer` is
 * not a JSON pointer; or _OUT_OF_MEMORY.
 */
mlflow_gateway_status mlflow_gateway_json_get(const char *json,
                                              size_t json_len,
                                              const char *pointer,
                                              int32_t *kind,
                                              char **text,
                                              size_t *text_len,
                                              mlflow_gateway_error **error);

/**
 * Count the elements of an array, or the members of an object, in a JSON document. Members of one name count once.
 *
 * `json`, `json_len` and `pointer` are as for mlflow_gateway_json_get().
 * `count` receives the number.
 *
 * Returns MLFLOW_GATEWAY_OK; _NO_VALUE, without an error object, if the document has no array and no object there; or
 * what mlflow_gateway_json_get() returns on failure.
 */
mlflow_gateway_status mlflow_gateway_json_count(const char *json,
                                                size_t json_len,
                                                const char *pointer,
                                                size_t *count,
                                                mlflow_gateway_error **error);

/**
 * Write a string as JSON, with quotes and escapes, for programs that put JSON together themselves.
 *
 * `text` is `text_len` bytes of UTF-8, or NUL-terminated with MLFLOW_GATEWAY_NUL_TERMINATED as the length.
 * `json` receives the JSON string. The caller frees it with mlflow_gateway_string_free().
 * `json_len` receives its length in bytes without the NUL. It may be NULL.
 *
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT or _OUT_OF_MEMORY.
 */
mlflow_gateway_status mlflow_gateway_json_quote(const char *text,
                                                size_t text_len,
                                                char **json,
                                                size_t *json_len,
                                                mlflow_gateway_error **error);

/* Streaming: events, fetched one by one or handed to a callback
 * ------------------------------------------------------------- */

/**
 * Send a request, and wait only until the response begins. Fetch its events with mlflow_gateway_stream_next(). A
 * gateway that answers as a whole, although a stream was requested, gives the same kinds of events. The option
 * timeout_ms applies until the first event, then idle_timeout_ms and stream_timeout_ms.
 *
 * `request` holds a prompt, messages or a whole body, as for mlflow_gateway_send().
 * `stream` receives the stream; destroy it with mlflow_gateway_stream_destroy().
 *
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _UNSUPPORTED (a route that is not for this, or a gateway of MLflow
 * 2.5 to 2.8, which cannot stream), or any status from 20 to 99.
 */
mlflow_gateway_status mlflow_gateway_stream_open(mlflow_gateway *gateway,
                                                 const mlflow_gateway_request *request,
                                                 mlflow_gateway_stream **stream,
                                                 mlflow_gateway_error **error);

/**
 * Wait for the next event.
 *
 * `event` receives it. The event belongs to the stream, and lives until the next call of this function, of
 * mlflow_gateway_stream_take_response() or of mlflow_gateway_stream_destroy(), whichever thread makes it.
 *
 * Call this function from one thread at a time. To end a stream from another thread, cancel it, wait until this
 * function has returned, and destroy the stream.
 * A stream that was opened before a fork() goes on in the parent, and is _INVALID_ARGUMENT in the child.
 *
 * Returns MLFLOW_GATEWAY_OK with an event. Returns another status without one, and with nothing written:
 * MLFLOW_GATEWAY_STREAM_END if the response is complete, which is no error and gives no error object;
 * _STREAM_TRUNCATED if the stream ended before the response did; _STREAM_ERROR if the gateway reported a failure in
 * the middle of it, or _RATE_LIMITED, _BUDGET_EXCEEDED or _GUARDRAIL_BLOCKED if it reported that as the reason; or
 * _TIMEOUT, _BAD_RESPONSE, _RESPONSE_TOO_LARGE or another status from 20 to 99. A stream that is over returns the
 * same each time. _INVALID_ARGUMENT neither ends it nor loses an event.
 * Nothing is retried once a stream has begun.
 */
mlflow_gateway_status mlflow_gateway_stream_next(mlflow_gateway_stream *stream,
                                                 const mlflow_gateway_event **event,
                                                 mlflow_gateway_error **error);

/**
 * Return what was gathered so far: texts, reasoning, refusals, finish reasons, tool calls, and the tokens, which
 * come last. With the option gather_stream set to false, texts, reasoning, refusals and tool calls are left out. It
 * stays readable after the stream has failed. Return NULL if `stream` is NULL.
 *
 * The response belongs to the stream: do not destroy it. It is the same object for all of the stream's life; its
 * strings live until the next call of mlflow_gateway_stream_next(). No other thread may be in that function while
 * they are read.
 */
const mlflow_gateway_response *mlflow_gateway_stream_response(const mlflow_gateway_stream *stream);

/**
 * Give what was gathered so far to the caller, and end the stream: if the response is not complete, its connection
 * is closed, and mlflow_gateway_stream_next() returns MLFLOW_GATEWAY_CANCELLED from then on. The response that
 * mlflow_gateway_stream_response() returns is empty afterwards.
 *
 * Return a response that the caller destroys with mlflow_gateway_response_destroy(). It outlives the stream. Return
 * NULL if it was taken before, or if `stream` is NULL.
 */
mlflow_gateway_response *mlflow_gateway_stream_take_response(mlflow_gateway_stream *stream);

/**
 * Destroys a stream. One that is not over is cut off: its connection is closed, so that the gateway stops as well.
 * NULL is allowed and does nothing.
 */
void mlflow_gateway_stream_destroy(mlflow_gateway_stream *stream);

/**
 * Send a request and hand each event to a callback, as mlflow_gateway_stream_open() and
 * mlflow_gateway_stream_next() would give it, until the response is complete.
 *
 * `on_event` is called on this thread with each event. If it returns another number than 0, the response is stopped
 * at once: the connection is closed, and the function returns MLFLOW_GATEWAY_CANCELLED. That event is gathered,
 * too.
 * `user_data` is given to the callback as it is; it may be NULL.
 * `response` may be NULL. Otherwise it receives what was gathered, also if the function fails after the stream has
 * begun (in which it differs from all other outputs), and is not written to if it fails before. Destroy it with
 * mlflow_gateway_response_destroy().
 *
 * Returns MLFLOW_GATEWAY_OK if the response is complete; _CANCELLED; what mlflow_gateway_stream_open() returns; or
 * what mlflow_gateway_stream_next() returns for a failure.
 */
mlflow_gateway_status mlflow_gateway_stream_call(mlflow_gateway *gateway,
                                                 const mlflow_gateway_request *request,
                                                 mlflow_gateway_on_event on_event,
                                                 void *user_data,
                                                 mlflow_gateway_response **response,
                                                 mlflow_gateway_error **error);

/**
 * Return the kind of an event, one of the MLFLOW_GATEWAY_EVENT_... numbers; 0 if `event` is NULL. Later versions
 * may add kinds: ignore an event of a kind that you do not know.
 */
int32_t mlflow_gateway_event_kind(const mlflow_gateway_event *event);

/**
 * Return the number of the candidate that an event belongs to, counted from 0; 0 for an event of the whole response.
 */
size_t mlflow_gateway_event_candidate(const mlflow_gateway_event *event);

/**
 * Return the text of an event, and write its length in bytes without the NUL to `len`, which may be NULL. It is
 * NUL-terminated UTF-8, never ends within a character, and is not empty except for a tool call. Its meaning depends
 * on the kind. Return NULL, and a length of 0, for MLFLOW_GATEWAY_EVENT_USAGE and _OTHER.
 */
const char *mlflow_gateway_event_text(const mlflow_gateway_event *event,
                                      size_t *len);

/**
 * Return which tool call of its candidate an event is a part of, counted from 0 in the order in which they begin. The
 * response that is gathered has the tool call at the same index. Return 0 for an event of another kind.
 */
size_t mlflow_gateway_event_tool_call_index(const mlflow_gateway_event *event);

/**
 * Return the id of the tool call that an event is a part of, from its first event on. Return NULL if the gateway
 * gives none, or for an event of another kind.
 */
const char *mlflow_gateway_event_tool_call_id(const mlflow_gateway_event *event);

/**
 * Return the name of the tool that is called, from the first event of the tool call on. Return NULL if the gateway
 * gives none, or for an event of another kind.
 */
const char *mlflow_gateway_event_tool_call_name(const mlflow_gateway_event *event);

/**
 * Return how many tokens of a kind MLFLOW_GATEWAY_TOKENS_... an event of the kind MLFLOW_GATEWAY_EVENT_USAGE
 * reports; -1 if it does not report them, or for an event of another kind.
 */
int64_t mlflow_gateway_event_tokens(const mlflow_gateway_event *event,
                                    int32_t kind);

/**
 * Return the name that the server gives an event, its field "event". Return NULL if it gives none, as in most
 * streams.
 */
const char *mlflow_gateway_event_raw_name(const mlflow_gateway_event *event);

/**
 * Return the data from which an event was read, as the server sent it, usually a JSON object. Write its length in
 * bytes to `len`, which may be NULL. A NUL byte follows it. Several events may come from the same data. If the
 * server sends the response as a whole, it is the body of the response. Return NULL, and a length of 0, for an
 * event that comes from no data of its own: half of a character at the end of a stream, which becomes U+FFFD.
 */
const char *mlflow_gateway_event_raw_data(const mlflow_gateway_event *event,
                                          size_t *len);

/* Vectors
 * ------- */

/**
 * Asks a route for embeddings (llm/v1/embeddings) for the vectors of a request's inputs, however many they are:
 * they are sent in requests of embed_batch_size inputs each, of which embed_concurrency are under way at once.
 * Where one request fails, all fails, once those that are under way have ended. The option timeout_ms covers all of
 * it.
 *
 * `request` holds inputs, or a whole body, which is sent as one request and may get any number of vectors. What
 * differs between questions and documents (Cohere's "input_type") is a parameter of the request: use one request
 * for each.
 * `embeddings` receives the vectors; the caller destroys them with mlflow_gateway_embeddings_destroy().
 *
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _UNSUPPORTED (a route that is not for this), or any status from 20
 * to 99; _BAD_RESPONSE also if another number of vectors came than of inputs was sent, or vectors of different
 * lengths.
 */
mlflow_gateway_status mlflow_gateway_embed(mlflow_gateway *gateway,
                                           const mlflow_gateway_request *request,
                                           mlflow_gateway_embeddings **embeddings,
                                           mlflow_gateway_error **error);

/**
 * Returns how many vectors there are, one for each input; 0 if `embeddings` is NULL.
 */
size_t mlflow_gateway_embeddings_count(const mlflow_gateway_embeddings *embeddings);

/**
 * Returns how many numbers each vector has; 0 if `embeddings` is NULL.
 */
size_t mlflow_gateway_embeddings_dimension(const mlflow_gateway_embeddings *embeddings);

/**
 * Returns all numbers in one block, vector behind vector in the order of the inputs: number `j` of vector `i` is at
 * `i * dimension + j`. The block belongs to the embeddings and lives as long. NULL if `embeddings` is NULL.
 */
const float *mlflow_gateway_embeddings_data(const mlflow_gateway_embeddings *embeddings);

/**
 * Copies all numbers into a block of the caller's, in the same order.
 *
 * `to` is the block, and `room` the number of floats that it has room for: at least count times dimension.
 *
 * Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
 */
mlflow_gateway_status mlflow_gateway_embeddings_copy_to(const mlflow_gateway_embeddings *embeddings,
                                                        float *to,
                                                        size_t room,
                                                        mlflow_gateway_error **error);

/**
 * Return how many tokens of a kind MLFLOW_GATEWAY_TOKENS_... all inputs took together; -1 if the gateway does not
 * report them for each request that was sent, or if `embeddings` is NULL.
 */
int64_t mlflow_gateway_embeddings_tokens(const mlflow_gateway_embeddings *embeddings,
                                         int32_t kind);

/**
 * Returns the name of the model that made the vectors; NULL if the gateway does not say. The text belongs to the
 * embeddings and lives as long.
 */
const char *mlflow_gateway_embeddings_model(const mlflow_gateway_embeddings *embeddings);

/**
 * Destroys the embeddings and their block of numbers. NULL is allowed and does nothing.
 */
void mlflow_gateway_embeddings_destroy(mlflow_gateway_embeddings *embeddings);

/* What is there
 * ------------- */

/**
 * Lists the routes (MLflow 2.5 to 2.8) or endpoints (2.9 and later) that the gateway has, all pages of them. The
 * handle's own route need not be there.
 *
 * `routes` receives them; the caller destroys them with mlflow_gateway_routes_destroy().
 *
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _UNSUPPORTED (the server says that it does not have that),
 * _INSECURE_AUTH, _RESPONSE_TOO_LARGE (more than 1,000 pages, 100,000 routes or 64 MiB), or any other status from 20 to
 * 99.
 */
mlflow_gateway_status mlflow_gateway_list_routes(mlflow_gateway *gateway,
                                                 mlflow_gateway_routes **routes,
                                                 mlflow_gateway_error **error);

/**
 * Looks one route up.
 *
 * `name` is the route's name; NULL stands for that of the handle.
 * `routes` receives a list of this one; the caller destroys it with mlflow_gateway_routes_destroy().
 *
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _UNSUPPORTED, _INSECURE_AUTH, _NOT_FOUND (the message names the routes
 * that there are), or any other status from 20 to 99.
 */
mlflow_gateway_status mlflow_gateway_get_route(mlflow_gateway *gateway,
                                               const char *name,
                                               mlflow_gateway_routes **routes,
                                               mlflow_gateway_error **error);

/**
 * Returns how many routes there are; 0 if `routes` is NULL.
 */
size_t mlflow_gateway_routes_count(const mlflow_gateway_routes *routes);

/**
 * Returns the name of a route, which mlflow_gateway_create() takes; NULL if there are not so many.
 */
const char *mlflow_gateway_routes_name(const mlflow_gateway_routes *routes, size_t route);

/**
 * Returns what a route is for: "llm/v1/completions", "llm/v1/chat", "llm/v1/embeddings", or what else the gateway
 * says. NULL if it does not say: an endpoint of MLflow's tracking server does chats and embeddings alike.
 */
const char *mlflow_gateway_routes_type(const mlflow_gateway_routes *routes,
                                       size_t route);

/**
 * Returns who runs the model behind a route, for example "openai"; NULL if the gateway does not say.
 */
const char *mlflow_gateway_routes_provider(const mlflow_gateway_routes *routes,
                                           size_t route);

/**
 * Returns the name of the model behind a route; NULL if the gateway does not say.
 */
const char *mlflow_gateway_routes_model(const mlflow_gateway_routes *routes, size_t route);

/**
 * Returns the whole URL to which questions for a route are sent, as the gateway gives it. (This library may use
 * another one of the same server.) NULL if there are not so many routes.
 */
const char *mlflow_gateway_routes_url(const mlflow_gateway_routes *routes,
                                      size_t route);

/**
 * Returns all that the gateway says of a route, as it wrote it, and writes its length in bytes to `len`, which may be
 * NULL. NULL, and a length of 0, if there are not so many routes.
 */
const char *mlflow_gateway_routes_json(const mlflow_gateway_routes *routes,
                                       size_t route,
                                       size_t *len);

/**
 * Destroys routes and the texts that belong to them. NULL is allowed and does nothing.
 */
void mlflow_gateway_routes_destroy(mlflow_gateway_routes *routes);

/**
 * Asks the gateway whether it is well: its path /health, or on Databricks whether the endpoint of the handle is ready.
 *
 * Returns MLFLOW_GATEWAY_OK if it says so; _SERVER_ERROR if it says that it is not; _INVALID_ARGUMENT, _UNSUPPORTED,
 * _INSECURE_AUTH, or any other status from 20 to 99.
 */
mlflow_gateway_status mlflow_gateway_health(mlflow_gateway *gateway,
                                            mlflow_gateway_error **error);

/**
 * Asks for the limits of a route, for example how many calls a minute are allowed.
 *
 * `name` is the route's name; NULL stands for that of the handle.
 * `json` receives what the server answers, on Databricks the list of rate limits; the caller frees it with
 * mlflow_gateway_string_free().
 * `json_len` receives its length in bytes without the NUL; it may be NULL.
 *
 * Returns MLFLOW_GATEWAY_OK, _UNSUPPORTED (no open-source server of MLflow has them; Databricks has),
 * _INVALID_ARGUMENT, _INSECURE_AUTH, or any status from 20 to 99.
 */
mlflow_gateway_status mlflow_gateway_get_limits(mlflow_gateway *gateway,
                                                const char *name,
                                                char **json,
                                                size_t *json_len,
                                                mlflow_gateway_error **error);

/**
 * Sets the limits of a route, in place of those that it has.
 *
 * `name` is the route's name; NULL stands for that of the handle.
 * `limits_json` is a JSON list as MLflow documents it, for example
 * "[{\"calls\": 10, \"key\": \"user\", \"renewal_period\": \"minute\"}]".
 * `json` receives what the server answers; the caller frees it with mlflow_gateway_string_free(). It may be NULL.
 * `json_len` receives its length in bytes without the NUL; it may be NULL.
 *
 * Returns as mlflow_gateway_get_limits().
 */
mlflow_gateway_status mlflow_gateway_set_limits(mlflow_gateway *gateway,
                                                const char *name,
                                                const char *limits_json,
                                                char **json,
                                                size_t *json_len,
                                                mlflow_gateway_error **error);

/**
 * Makes a route. The open-source servers have theirs from a file or from their web page; Databricks makes them so.
 *
 * `route_json` is a JSON object as the server's documentation describes it: its name, and the model behind it. It may
 * hold the key of a model provider: it is not kept, and texts in it whose names hold "key", "token", "secret",
 * "password" or "credential" are masked where the server repeats them.
 * `json` receives what the server answers; the caller frees it with mlflow_gateway_string_free(). It may be NULL.
 * `json_len` receives its length in bytes without the NUL; it may be NULL.
 *
 * Returns MLFLOW_GATEWAY_OK, _UNSUPPORTED (this server does not make routes), _INVALID_ARGUMENT, _INSECURE_AUTH, or any
 * status from 20 to 99.
 */
mlflow_gateway_status mlflow_gateway_create_route(mlflow_gateway *gateway,
                                                  const char *route_json,
                                                  char **json,
                                                  size_t *json_len,
                                                  mlflow_gateway_error **error);

/**
 * Removes a route for good, where mlflow_gateway_create_route() can make one.
 *
 * `name` is the route's name. It must be given: no call removes a handle's own route by mistake.
 *
 * Returns as mlflow_gateway_create_route().
 */
mlflow_gateway_status mlflow_gateway_delete_route(mlflow_gateway *gateway,
                                                  const char *name,
                                                  mlflow_gateway_error **error);

/* Cancelling calls
 * ---------------- */

/**
 * Makes a token by which calls are cancelled from another thread or from a signal handler. It is given to a handle by
 * mlflow_gateway_set_cancel_token(), or to a request by mlflow_gateway_request_set_cancel_token(), to as many as one
 * likes. It takes one file descriptor, which is closed when neither the caller nor a handle, a request or a stream has
 * it any more.
 *
 * `token` receives it; the caller destroys it with mlflow_gateway_cancel_token_destroy().
 *
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, or _OUT_OF_MEMORY if the process can have no more descriptors.
 */
mlflow_gateway_status mlflow_gateway_cancel_token_create(mlflow_gateway_cancel_token **token,
                                                         mlflow_gateway_error **error);

/**
 * Cancels: the calls that have this token return MLFLOW_GATEWAY_CANCELLED within milliseconds, whatever they wait for,
 * and so do those that begin with it before mlflow_gateway_cancel_token_reset(). A question that was sent by then may
 * have been processed; its connection is closed. An answer that is complete, or just being read from memory, is not
 * taken back.
 *
 * It may be called by any thread, and by a signal handler: it is async-signal-safe, and leaves errno as it is. A child
 * of a fork() cancels its own calls only, and its parent the parent's. NULL does nothing.
 */
void mlflow_gateway_cancel(mlflow_gateway_cancel_token *token);

/**
 * Returns whether the token was cancelled, and not reset since; false if `token` is NULL. It is async-signal-safe.
 */
bool mlflow_gateway_cancel_token_is_cancelled(const mlflow_gateway_cancel_token *token);

/**
 * Makes a cancelled token good for further calls. Call it only after all calls have returned that were to be cancelled:
 * one that has not yet seen it goes on. NULL does nothing.
 */
void mlflow_gateway_cancel_token_reset(mlflow_gateway_cancel_token *token);

/**
 * Destroys a token, which no thread and no signal handler may use any more. Calls that have it go on, and handles and
 * requests that have it are as before, but it cannot be cancelled any more. NULL is allowed and does nothing.
 */
void mlflow_gateway_cancel_token_destroy(mlflow_gateway_cancel_token *token);

/* What went wrong
 * --------------- */

/**
 * Returns the status that came with the error; MLFLOW_GATEWAY_OK if `error` is NULL.
 */
mlflow_gateway_status mlflow_gateway_error_status(const mlflow_gateway_error *error);

/**
 * Returns what was tried, what came back and what to do, as one line of UTF-8 for a person. No credentials are in it:
 * where the gateway repeats them, or the value of a header that was set, they are masked. The text belongs to the error
 * object and lives as long; "" if `error` is NULL.
 */
const char *mlflow_gateway_error_message(const mlflow_gateway_error *error);

/**
 * Returns the HTTP status of the gateway's answer, for example 404; 0 if there was no answer or `error` is NULL. Of a
 * stream that began and then failed it is a success, 200.
 */
int32_t mlflow_gateway_error_http_status(const mlflow_gateway_error *error);

/**
 * Returns the gateway's or the model provider's own name for the error, for example "RESOURCE_DOES_NOT_EXIST", in
 * UTF-8; NULL if it gave none or `error` is NULL. The text belongs to the error object and lives as long.
 */
const char *mlflow_gateway_error_gateway_code(const mlflow_gateway_error *error);

/**
 * Returns how many milliseconds the gateway asks to wait before the next call (its header Retry-After); -1 if it did
 * not say, or `error` is NULL.
 */
int64_t mlflow_gateway_error_retry_after_ms(const mlflow_gateway_error *error);

/**
 * Returns how often the question was sent, or begun to be sent: 0 if it was not, or `error` is NULL. Where many vectors
 * were asked for in several requests, it is that of the request which failed.
 */
uint32_t mlflow_gateway_error_attempts(const mlflow_gateway_error *error);

/**
 * Returns how often something was asked again before the function gave up, whether it could be sent or not; 0 if it was
 * not, or `error` is NULL.
 */
size_t mlflow_gateway_error_retry_count(const mlflow_gateway_error *error);

/**
 * Returns why it was asked again the first (`retry` 0), second ... time, in a few words of UTF-8: for example "HTTP
 * status 503". The last failure is the error itself. NULL if it was not asked as often, or `error` is NULL. The text
 * belongs to the error object and lives as long.
 */
const char *mlflow_gateway_error_retry_reason(const mlflow_gateway_error *error,
                                              size_t retry);

/**
 * Returns the body of the gateway's answer as it came, but with credentials masked and cut after 64 KiB, or of a stream
 * that failed the event that was the reason ("" if there was none), and writes its length in bytes to `len`, which may
 * be NULL. It can be of any encoding and hold NUL bytes; a NUL byte follows it. NULL, and a length of 0, if there was
 * no answer or `error` is NULL. The bytes belong to the error object and live as long.
 */
const char *mlflow_gateway_error_body(const mlflow_gateway_error *error,
                                      size_t *len);

/**
 * Destroys an error object and the texts that belong to it. NULL is allowed and does nothing.
 */
void mlflow_gateway_error_destroy(mlflow_gateway_error *error);

/**
 * Returns a status's name, for example "MLFLOW_GATEWAY_TIMEOUT"; "MLFLOW_GATEWAY_UNKNOWN" for a number that is no
 * status. The text lives for ever and is not to be freed.
 */
const char *mlflow_gateway_status_name(mlflow_gateway_status status);

/**
 * Returns the version of the library that runs, for example "0.1.0". The text lives for ever and is not to be freed.
 */
const char *mlflow_gateway_version(void);

/**
 * Returns the version of the library that runs as a number that can be compared with
 * MLFLOW_GATEWAY_VERSION_NUMBER: the major part times 1000000, plus the minor part times 1000, plus the patch.
 */
int32_t mlflow_gateway_version_number(void);

#ifdef __cplusplus
}
#endif

#endif  /* MLFLOW_AI_GATEWAY_H */

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * mlflow_ai_gateway.h - call MLflow AI gateways, Databricks, and OpenAI-compatible servers from C.
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
 * These rules apply to every function:
 *
 * Objects    Every object is opaque. Destroy it with its ..._destroy function, which accepts NULL. An object stays
 *            valid when the objects it was created from are destroyed.
 * Errors     A function that can fail returns an mlflow_gateway_status. Its last argument, `error`, may be NULL. On
 *            failure it receives an error object, which the caller owns. On success nothing is written to it. Set the
 *            variable to NULL before the first call, and again after you destroy an error. Statuses from 100 are not
 *            failures and come without an error object. Any function may fail with INVALID_ARGUMENT or a status from
 *            80 to 99. A function that sends a request may also fail with INSECURE_AUTH, INVALID_OPTION_VALUE (an
 *            environment variable names an unusable file) or any status from 20 to 79. Descriptions list the others.
 * Outputs    Outputs are written on success only. Exception: `response` of mlflow_gateway_stream_call().
 * NULL       A NULL pointer that is not allowed is MLFLOW_GATEWAY_INVALID_ARGUMENT, never a crash. Functions that
 *            return no status accept NULL objects, and indexes and names that do not exist. They return NULL, 0 or
 *            the value that they document, and write 0 to a length.
 * Input      Strings are UTF-8 and are copied. A string without a length is NUL-terminated. A string with a length
 *            may contain NUL bytes; MLFLOW_GATEWAY_NUL_TERMINATED as the length makes the library measure it. NULL
 *            with length 0 is the empty string. (MLFLOW_GATEWAY_NUL_TERMINATED is (size_t)-1: check a computed
 *            length.)
 * Output     Strings are UTF-8 and NUL-terminated. A `char *` is owned by the caller: free it with
 *            mlflow_gateway_string_free() only. A const pointer is borrowed from the object that returned it, and
 *            lives as long. A string may contain NUL bytes; use the length. A length output (`len`, `text_len`,
 *            `json_len`) receives the length in bytes without the NUL, and may be NULL.
 * Indexes    Indexes start at 0.
 * Threads    Threads may share any object, setters included. A call uses the settings of the moment when it started.
 *            Calls run concurrently, but share one discovery and one token fetch. Only ..._destroy requires exclusive
 *            access. Read what a stream has gathered only while no thread is in mlflow_gateway_stream_next() or
 *            _take_response() with it.
 * Time       Every call has a deadline of 5 minutes (option timeout_ms), a stream that has begun one of an hour
 *            (stream_timeout_ms). A request of a queue has them from when it is sent. mlflow_gateway_cancel() ends
 *            calls at once, also from a signal handler. pthread_cancel() takes effect after the call.
 * Callbacks  Callbacks run only on threads that are inside a function of this library. They may call any of its
 *            functions, but must not destroy an object that the running call uses. They must return: no longjmp(),
 *            C++ exception, pthread_exit(), and no change of the thread's cancelability.
 * Process    The library installs no signal handler, raises no SIGPIPE, prints nothing, and keeps no global state. It
 *            starts threads only for name lookups, for concurrent embeddings batches (option embed_concurrency), and
 *            for queues. If a lookup outlives its call, or once a queue was used, the library stays loaded after
 *            dlclose(). After fork(), parent and child may both use their handles, but not share connections: open
 *            streams and queues continue in the parent only, and a request that another thread was changing is empty
 *            in the child. Destroy all objects before closing every descriptor, as daemons do. A fault of the library
 *            is MLFLOW_GATEWAY_PANIC, not a crash.
 * Memory     If there is no memory for a response, the status is MLFLOW_GATEWAY_OUT_OF_MEMORY. If there is none even
 *            for small allocations, the process aborts.
 */


#ifndef MLFLOW_AI_GATEWAY_H
#define MLFLOW_AI_GATEWAY_H

#include <stddef.h>
#include <stdint.h>

/* The version of this header. mlflow_gateway_version() returns that of the library in use. */
#define MLFLOW_GATEWAY_VERSION_MAJOR 0
#define MLFLOW_GATEWAY_VERSION_MINOR 2
#define MLFLOW_GATEWAY_VERSION_PATCH 0

/* The version as one number. */
#define MLFLOW_GATEWAY_VERSION_NUMBER \
    (MLFLOW_GATEWAY_VERSION_MAJOR * 1000000 + MLFLOW_GATEWAY_VERSION_MINOR * 1000 + \
     MLFLOW_GATEWAY_VERSION_PATCH)

/* Whether this header has that version or a later one, for #if. */
#define MLFLOW_GATEWAY_AT_LEAST(major, minor, patch) \
    (MLFLOW_GATEWAY_VERSION_NUMBER >= (major) * 1000000 + (minor) * 1000 + (patch))

/* The length of a NUL-terminated string that the library measures. */
#define MLFLOW_GATEWAY_NUL_TERMINATED SIZE_MAX

/* Precedes every function. Define it before including this header to replace it. */
#ifndef MLFLOW_GATEWAY_API
#if defined(__GNUC__)
#define MLFLOW_GATEWAY_API __attribute__((visibility("default")))
#else
#define MLFLOW_GATEWAY_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Types
 * ----- */

/** A handle: one gateway, its settings, and its connections. */
typedef struct mlflow_gateway mlflow_gateway;

/** A cancel token. Cancels every call it is attached to, running or started before it is reset. */
typedef struct mlflow_gateway_cancel_token mlflow_gateway_cancel_token;

/** What a queue returns: an event of a stream, or the end of a request. */
typedef struct mlflow_gateway_completion mlflow_gateway_completion;

/** Embeddings. Immutable. */
typedef struct mlflow_gateway_embeddings mlflow_gateway_embeddings;

/** Why a function failed. Immutable. The caller owns it. */
typedef struct mlflow_gateway_error mlflow_gateway_error;

/** One event of a stream. Immutable. The stream owns it. */
typedef struct mlflow_gateway_event mlflow_gateway_event;

/** A queue: sends many requests at once, on threads of its own. */
typedef struct mlflow_gateway_queue mlflow_gateway_queue;

/** A request: a prompt, messages, inputs or a body, with its own settings. Send it as often as needed. */
typedef struct mlflow_gateway_request mlflow_gateway_request;

/** A response: one or more candidates (alternative replies). Immutable, except that of a stream. */
typedef struct mlflow_gateway_response mlflow_gateway_response;

/** Routes of a gateway. Immutable. */
typedef struct mlflow_gateway_routes mlflow_gateway_routes;

/** A response that arrives as a sequence of events. */
typedef struct mlflow_gateway_stream mlflow_gateway_stream;

/** Result of a function: `MLFLOW_GATEWAY_OK`, or why it failed. */
typedef int32_t mlflow_gateway_status;

/**
 * Receives one event. `event` is valid until the callback returns. `user_data` is passed through. Return 0 to
 * continue, or any other value to stop the stream.
 */
typedef int (*mlflow_gateway_on_event)(const mlflow_gateway_event *event, void *user_data);

/**
 * Receives one log line without a line break. `level` is MLFLOW_GATEWAY_LOG_ERROR, _INFO or _DEBUG. `line` is
 * valid until the callback returns. `user_data` is passed through.
 */
typedef void (*mlflow_gateway_on_log)(int32_t level, const char *line, size_t len, void *user_data);

/** Destroys `user_data`. */
typedef void (*mlflow_gateway_on_destroy)(void *user_data);

/* Statuses: the numbers never change
 * ---------------------------------- */

/** Success. */
#define MLFLOW_GATEWAY_OK 0

/* 1 to 19: error of the caller; nothing was sent
 * ---------------------------------------------- */

/** An argument is NULL, not UTF-8, not JSON, too long or out of range, or does not fit the request. */
#define MLFLOW_GATEWAY_INVALID_ARGUMENT 1

/** The gateway URI is malformed, has an unsupported scheme, or contains credentials or a query. */
#define MLFLOW_GATEWAY_INVALID_URI 2

/** Neither an argument nor the environment names a gateway or a Databricks workspace. */
#define MLFLOW_GATEWAY_NO_GATEWAY_URI 3

/** No option has that name, or a request does not accept it. */
#define MLFLOW_GATEWAY_UNKNOWN_OPTION 4

/** The option does not accept that value. The message lists accepted values. */
#define MLFLOW_GATEWAY_INVALID_OPTION_VALUE 5

/** The name of a parameter is reserved, or its value is not valid. */
#define MLFLOW_GATEWAY_INVALID_PARAM 6

/** Credentials would be sent unencrypted to another machine. See the option allow_insecure_auth. */
#define MLFLOW_GATEWAY_INSECURE_AUTH 8

/* 20 to 39: transport
 * ------------------- */

/** The host name has no address. */
#define MLFLOW_GATEWAY_RESOLVE_FAILED 20

/** No connection: refused or unreachable. */
#define MLFLOW_GATEWAY_CONNECT_FAILED 21

/** No TLS connection: the certificate is not trusted, or the server does not speak TLS. */
#define MLFLOW_GATEWAY_TLS_FAILED 22

/** The connection broke before the response was complete. */
#define MLFLOW_GATEWAY_CONNECTION_LOST 23

/** A deadline expired. The message names its option. */
#define MLFLOW_GATEWAY_TIMEOUT 24

/** A cancel token or a callback ended the call. */
#define MLFLOW_GATEWAY_CANCELLED 25

/** The proxy is unusable or refused. */
#define MLFLOW_GATEWAY_PROXY_FAILED 26

/* 40 to 59: refused by the gateway or the model provider
 * ------------------------------------------------------ */

/** HTTP 400 or 422: the gateway rejected the request. */
#define MLFLOW_GATEWAY_BAD_REQUEST 40

/** HTTP 401: credentials are missing or wrong. */
#define MLFLOW_GATEWAY_UNAUTHORIZED 41

/** HTTP 403: the credentials do not permit this. */
#define MLFLOW_GATEWAY_FORBIDDEN 42

/** HTTP 404 or 405: no such route, or no gateway at that URI. The message lists the routes that exist. */
#define MLFLOW_GATEWAY_NOT_FOUND 43

/** HTTP 429: too many requests. */
#define MLFLOW_GATEWAY_RATE_LIMITED 44

/** HTTP 429: the budget is exhausted. Retrying does not help. */
#define MLFLOW_GATEWAY_BUDGET_EXCEEDED 45

/** HTTP 400: a guardrail blocked the request or the response. */
#define MLFLOW_GATEWAY_GUARDRAIL_BLOCKED 46

/** HTTP 500 to 599 except 501: the gateway or the model provider failed. */
#define MLFLOW_GATEWAY_SERVER_ERROR 47

/** Any other HTTP status that is not a success, redirects included. */
#define MLFLOW_GATEWAY_HTTP_ERROR 48

/**
 * The gateway or the route does not support this. Either it replied so (HTTP 501), or it is known and nothing was
 * sent.
 */
#define MLFLOW_GATEWAY_UNSUPPORTED 49

/* 60 to 79: invalid response
 * -------------------------- */

/** The response is not JSON, or not the JSON of such a response. */
#define MLFLOW_GATEWAY_BAD_RESPONSE 60

/** The response has no candidates. */
#define MLFLOW_GATEWAY_NO_CANDIDATES 61

/** A response exceeds max_response_bytes, max_header_bytes, max_event_bytes or max_gathered_bytes. */
#define MLFLOW_GATEWAY_RESPONSE_TOO_LARGE 62

/** The stream ended before the response was complete. */
#define MLFLOW_GATEWAY_STREAM_TRUNCATED 63

/**
 * The gateway reported an error within the stream. If it gave the reason, the status may be RATE_LIMITED,
 * BUDGET_EXCEEDED or GUARDRAIL_BLOCKED instead.
 */
#define MLFLOW_GATEWAY_STREAM_ERROR 64

/**
 * The first candidate has no text. Only mlflow_gateway_call() returns this. The message reports what the candidate
 * has instead; mlflow_gateway_error_body() returns the response.
 */
#define MLFLOW_GATEWAY_NO_TEXT 65

/* 80 to 99: fault of this library
 * ------------------------------- */

/** A fault in this library, which was caught. The handle stays usable. */
#define MLFLOW_GATEWAY_PANIC 80

/** No memory for the result. */
#define MLFLOW_GATEWAY_OUT_OF_MEMORY 81

/** Any other fault in this library. */
#define MLFLOW_GATEWAY_INTERNAL 82

/* 100 to 119: not failures, without an error object
 * ------------------------------------------------- */

/** The stream is complete. */
#define MLFLOW_GATEWAY_STREAM_END 100

/** There is no completion yet. */
#define MLFLOW_GATEWAY_PENDING 101

/** The queue is closed, and all completions were fetched. */
#define MLFLOW_GATEWAY_QUEUE_END 102

/** The queue holds as many waiting requests as max_queued allows. */
#define MLFLOW_GATEWAY_QUEUE_FULL 103

/** The JSON document has no such value. */
#define MLFLOW_GATEWAY_NO_VALUE 104

/* Times
 * ----- */

/** How long the request waited in a queue before its start; -1 without a queue. Not part of TOTAL. */
#define MLFLOW_GATEWAY_TIME_QUEUED 1

/** Connection ready, new or reused. */
#define MLFLOW_GATEWAY_TIME_CONNECTED 2

/** First byte of the response. */
#define MLFLOW_GATEWAY_TIME_FIRST_BYTE 3

/** First text, reasoning, refusal or tool call of a stream. */
#define MLFLOW_GATEWAY_TIME_FIRST_TOKEN 4

/** First text of a stream. */
#define MLFLOW_GATEWAY_TIME_FIRST_TEXT 5

/** End of the response. */
#define MLFLOW_GATEWAY_TIME_TOTAL 6

/* Token counts
 * ------------ */

/** Tokens of the request. */
#define MLFLOW_GATEWAY_TOKENS_INPUT 1

/** Tokens of the response, usually of all candidates together. */
#define MLFLOW_GATEWAY_TOKENS_OUTPUT 2

/** Total, as reported. It is not computed. */
#define MLFLOW_GATEWAY_TOKENS_TOTAL 3

/** Input tokens read from the provider's cache. Whether INPUT includes them depends on the provider. */
#define MLFLOW_GATEWAY_TOKENS_CACHED_INPUT 4

/** Output tokens spent on reasoning. */
#define MLFLOW_GATEWAY_TOKENS_REASONING 5

/** Input tokens written to the provider's cache. */
#define MLFLOW_GATEWAY_TOKENS_CACHE_WRITE 6

/* Kinds of JSON values
 * -------------------- */

/** null */
#define MLFLOW_GATEWAY_JSON_NULL 1

/** true or false */
#define MLFLOW_GATEWAY_JSON_BOOL 2

/** a number */
#define MLFLOW_GATEWAY_JSON_NUMBER 3

/** a string */
#define MLFLOW_GATEWAY_JSON_STRING 4

/** an array */
#define MLFLOW_GATEWAY_JSON_ARRAY 5

/** an object */
#define MLFLOW_GATEWAY_JSON_OBJECT 6

/* Kinds of events
 * --------------- */

/** A fragment of the text. */
#define MLFLOW_GATEWAY_EVENT_TEXT 1

/** A fragment of the reasoning. */
#define MLFLOW_GATEWAY_EVENT_REASONING 2

/** A fragment of the refusal. */
#define MLFLOW_GATEWAY_EVENT_REFUSAL 3

/** A fragment of a tool call. Its text is a fragment of the arguments. */
#define MLFLOW_GATEWAY_EVENT_TOOL_CALL 4

/** The end of a candidate. Its text is the finish reason. */
#define MLFLOW_GATEWAY_EVENT_FINISH 5

/** Token counts. */
#define MLFLOW_GATEWAY_EVENT_USAGE 6

/** Anything else. Read it with mlflow_gateway_event_raw_data(). */
#define MLFLOW_GATEWAY_EVENT_OTHER 7

/* Ways to submit a request to a queue
 * ----------------------------------- */

/** As by mlflow_gateway_send(). */
#define MLFLOW_GATEWAY_SUBMIT_SEND 1

/** As by mlflow_gateway_stream_open(): one EVENT for each event, then DONE. */
#define MLFLOW_GATEWAY_SUBMIT_STREAM 2

/** As by mlflow_gateway_embed(). */
#define MLFLOW_GATEWAY_SUBMIT_EMBED 3

/* Counts of a queue
 * ----------------- */

/** Requests that wait to be sent. */
#define MLFLOW_GATEWAY_QUEUE_COUNT_WAITING 1

/** Requests in flight: those that are being sent. */
#define MLFLOW_GATEWAY_QUEUE_COUNT_IN_FLIGHT 2

/** Completions that mlflow_gateway_queue_next() can return now. */
#define MLFLOW_GATEWAY_QUEUE_COUNT_UNFETCHED 3

/** How many may be in flight: max_in_flight, or what the option adaptive has found. */
#define MLFLOW_GATEWAY_QUEUE_COUNT_LIMIT 4

/* Kinds of completions
 * -------------------- */

/** An event of a stream. */
#define MLFLOW_GATEWAY_COMPLETION_EVENT 1

/** The end of a request. Each submitted request has exactly one, whether it succeeded or not. */
#define MLFLOW_GATEWAY_COMPLETION_DONE 2

/* Log levels
 * ---------- */

/** No lines. */
#define MLFLOW_GATEWAY_LOG_OFF 0

/** One line for each failed attempt. Errors within a stream are not logged. */
#define MLFLOW_GATEWAY_LOG_ERROR 1

/** Also one line for each successful attempt. */
#define MLFLOW_GATEWAY_LOG_INFO 2

/** Also discovery, lists of routes, health checks and token fetches. */
#define MLFLOW_GATEWAY_LOG_DEBUG 3

/* Version, status names and strings
 * --------------------------------- */

/** Return the version of the library at run time. The string is static. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_version(void);

/** Return the version of the library at run time as a number, to compare with MLFLOW_GATEWAY_VERSION_NUMBER. */
MLFLOW_GATEWAY_API
int32_t mlflow_gateway_version_number(void);

/**
 * Return the name of a status, for example "MLFLOW_GATEWAY_TIMEOUT", or "MLFLOW_GATEWAY_UNKNOWN". The string is
 * static.
 */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_status_name(mlflow_gateway_status status);

/** Free a string that the caller owns, or NULL. */
MLFLOW_GATEWAY_API
void mlflow_gateway_string_free(char *text);

/* Errors
 * ------ */

/** Return the status of the error; MLFLOW_GATEWAY_OK for NULL. */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_error_status(const mlflow_gateway_error *error);

/**
 * Return the error message, one line: what failed (method and URL), why (in the gateway's words), and what to do.
 * Credentials are masked. "" for NULL.
 */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_error_message(const mlflow_gateway_error *error);

/** Return the HTTP status of the response, or 0 without a response. It is 200 for a stream that failed later. */
MLFLOW_GATEWAY_API
int32_t mlflow_gateway_error_http_status(const mlflow_gateway_error *error);

/** Return the error code of the gateway or the model provider, for example "RESOURCE_DOES_NOT_EXIST", or NULL. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_error_gateway_code(const mlflow_gateway_error *error);

/**
 * Return 1 if the same request may succeed later, else 0.
 *
 * It is 1 after a rate limit, a fault of the gateway or the provider (HTTP 408, 425, 5xx except 501), a timeout, a
 * lost or failed connection, or a truncated stream. The library has made its own retries by then. A request that
 * was sent may have been processed, and may be billed again.
 */
MLFLOW_GATEWAY_API
int mlflow_gateway_error_is_retryable(const mlflow_gateway_error *error);

/** Return how many milliseconds the gateway asks to wait (header Retry-After), or -1. */
MLFLOW_GATEWAY_API
int64_t mlflow_gateway_error_retry_after_ms(const mlflow_gateway_error *error);

/**
 * Return how many times the request was sent, at least in part. For embeddings, this is the count of the batch
 * that failed.
 */
MLFLOW_GATEWAY_API
size_t mlflow_gateway_error_attempts(const mlflow_gateway_error *error);

/** Return the number of retries, including those that could not be sent. */
MLFLOW_GATEWAY_API
size_t mlflow_gateway_error_retry_count(const mlflow_gateway_error *error);

/** Return why a retry was made, for example "HTTP status 503". The last failure is the error itself. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_error_retry_reason(const mlflow_gateway_error *error,
                                              size_t retry);

/**
 * Return the first response header of that name (case-insensitive), for example "x-request-id". Credentials are
 * masked. "Set-Cookie" is not kept.
 */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_error_header(const mlflow_gateway_error *error,
                                        const char *name);

/**
 * Return the body of the response, or the failed event of a stream. It is cut after 64 KiB, and credentials are
 * masked. It may have any encoding. NULL without a response.
 */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_error_body(const mlflow_gateway_error *error,
                                      size_t *len);

/** Destroy an error. */
MLFLOW_GATEWAY_API
void mlflow_gateway_error_destroy(mlflow_gateway_error *error);

/* The simple path: one route, one prompt
 * -------------------------------------- */

/**
 * Create a handle. Nothing is sent before the first call.
 *
 * `route` is the name of a route (called endpoint since MLflow 2.9, model by OpenAI's API), 1 to 256 bytes;
 * "gateway:/NAME" is accepted, too. If it is NULL, each request names its own.
 * `gateway_uri` is one of:
 *   - an http:// or https:// URI without credentials, for example "http://127.0.0.1:5000", including the path
 *     below which the gateway is mounted. If the path ends in "/v1", the server is taken for an OpenAI-compatible
 *     one (option dialect);
 *   - "openai", the server that OPENAI_BASE_URL names, or else https://api.openai.com/v1;
 *   - "databricks", the workspace that the environment names: DATABRICKS_HOST with DATABRICKS_TOKEN, or with
 *     DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET, or else a profile (DATABRICKS_CONFIG_PROFILE) of the file
 *     DATABRICKS_CONFIG_FILE, by default ~/.databrickscfg;
 *   - "databricks://PROFILE", the workspace of that profile;
 *   - NULL, the value of MLFLOW_GATEWAY_URI, MLFLOW_DEPLOYMENTS_TARGET or MLFLOW_TRACKING_URI, in this order.
 *
 * The environment and credential files are read once, by this function.
 *
 * Fails with _INVALID_URI, _NO_GATEWAY_URI, or _INVALID_OPTION_VALUE (an environment variable or a credential file
 * is not usable; the message names it).
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_create(const char *route,
                                            const char *gateway_uri,
                                            mlflow_gateway **gateway,
                                            mlflow_gateway_error **error);

/**
 * Clone a handle, for example to give each thread settings of its own, or each call of mlflow_gateway_list_routes() a
 * cancel token.
 *
 * The clone has the settings of the handle at this moment, its log callback and its cancel token included. Later
 * changes of one do not affect the other. Both share connections, access tokens, and the detected dialects and types
 * of routes. The environment is not read again. Either may be destroyed first.
 *
 * `clone` receives the clone. The caller owns it.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_clone(mlflow_gateway *gateway,
                                           mlflow_gateway **clone,
                                           mlflow_gateway_error **error);

/**
 * Set an option for all later calls on this handle. docs/options.md describes every option. A request can set
 * those marked with *. An option that is set takes precedence over the environment. A timeout of 0 sets no
 * separate limit.
 *
 *   name                     values                           default       environment variables
 *   allow_insecure_auth      true, false                      false
 *   auth_header              Authorization,                   Authorization
 *                            X-MLflow-Authorization
 *   bearer_token             string                           ""            MLFLOW_TRACKING_TOKEN,
 *                                                                           DATABRICKS_TOKEN,
 *                                                                           OPENAI_API_KEY
 *   ca_file                  PEM file or directory            ""            MLFLOW_TRACKING_SERVER_CERT_PATH,
 *                                                                           REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE
 *   client_cert_file         PEM file                         ""            MLFLOW_TRACKING_CLIENT_CERT_PATH
 *   client_id                string                           ""            DATABRICKS_CLIENT_ID
 *   client_key_file          PEM file                         ""
 *   client_secret            string                           ""            DATABRICKS_CLIENT_SECRET
 *   connect_timeout_ms *     0 to 86400000                    10000
 *   dialect                  auto, deployments, gateway,      auto; by URI
 *                            tracking, databricks, openai
 *   embed_batch_size *       1 to 100000                      20
 *   embed_concurrency *      1 to 64                          1
 *   first_byte_timeout_ms *  0 to 86400000                    0
 *   gather_stream *          true, false                      true
 *   idle_timeout_ms *        0 to 86400000                    120000
 *   insecure_tls             true, false                      false         MLFLOW_TRACKING_INSECURE_TLS
 *   keep_alive_ms            0 to 86400000                    60000
 *   max_connections          0 to 65536                       64
 *   max_event_bytes *        1024 to 1073741824               16777216
 *   max_gathered_bytes *     1024 to 1099511627776            268435456
 *   max_header_bytes *       1024 to 65536                    16384
 *   max_redirects *          0 to 10                          0
 *   max_response_bytes *     1024 to 1099511627776            268435456
 *   max_retries *            0 to 10                          3; mlflow: 7  MLFLOW_HTTP_REQUEST_MAX_RETRIES
 *   password                 string                           ""            MLFLOW_TRACKING_PASSWORD
 *   proxy                    URL, none                        ""            https_proxy, http_proxy, all_proxy,
 *                                                                           no_proxy
 *   require_text *           true, false                      false
 *   retry_backoff_ms *       1 to 60000                       500
 *   retry_max_backoff_ms *   1 to 600000                      8000
 *   retry_policy *           careful, mlflow                  careful
 *   retry_read_timeouts *    true, false                      false
 *   stream_timeout_ms *      1 to 86400000                    3600000
 *   task *                   auto, chat, completions          auto
 *   timeout_ms *             1 to 86400000                    300000        MLFLOW_DEPLOYMENT_PREDICT_TOTAL_TIMEOUT,
 *                                                                           MLFLOW_DEPLOYMENT_PREDICT_TIMEOUT,
 *                                                                           MLFLOW_HTTP_REQUEST_TIMEOUT
 *   user_agent               string                           ""
 *   username                 string                           ""            MLFLOW_TRACKING_USERNAME
 *   workspace                string                           ""            MLFLOW_WORKSPACE
 *
 * Fails with _UNKNOWN_OPTION or _INVALID_OPTION_VALUE.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_set_option(mlflow_gateway *gateway,
                                                const char *name,
                                                const char *value,
                                                mlflow_gateway_error **error);

/**
 * Set a header that every request carries, or remove it with a NULL `value`. It takes precedence over headers made
 * from options. The value is treated as a secret.
 *
 * `name` is case-insensitive. Headers that frame the message (Host, Content-Length, Content-Type ...),
 * Accept-Encoding and Proxy-Authorization are refused.
 * `value` is at most 8 KiB, without control characters. At most 100 headers can be set.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_set_header(mlflow_gateway *gateway,
                                                const char *name,
                                                const char *value,
                                                mlflow_gateway_error **error);

/**
 * Set the cancel token of all later calls on this handle, or remove it with a NULL `token`. The token of a request
 * applies in addition.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_set_cancel_token(mlflow_gateway *gateway,
                                                      mlflow_gateway_cancel_token *token,
                                                      mlflow_gateway_error **error);

/**
 * Set a parameter of the model to a floating-point number, for all later calls on this handle. Only parameters
 * that are set are sent.
 *
 * `name` is the parameter's name as MLflow or the provider documents it, for example "temperature", 1 to 256
 * bytes. "n" and "candidate_count" are the same parameter. "prompt", "messages", "input", "text" and "stream" are
 * reserved.
 * `value` must be finite.
 *
 * Fails with _INVALID_PARAM.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_set_param_double(mlflow_gateway *gateway,
                                                      const char *name,
                                                      double value,
                                                      mlflow_gateway_error **error);

/** Set a parameter of the model to an integer, for example "max_tokens". Like mlflow_gateway_set_param_double(). */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_set_param_int(mlflow_gateway *gateway,
                                                   const char *name,
                                                   int64_t value,
                                                   mlflow_gateway_error **error);

/**
 * Set a parameter of the model to true (nonzero) or false (0), for example "logprobs". Like
 * mlflow_gateway_set_param_double().
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_set_param_bool(mlflow_gateway *gateway,
                                                    const char *name,
                                                    int value,
                                                    mlflow_gateway_error **error);

/** Set a parameter of the model to a string, for example "user". Like mlflow_gateway_set_param_double(). */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_set_param_string(mlflow_gateway *gateway,
                                                      const char *name,
                                                      const char *value,
                                                      mlflow_gateway_error **error);

/**
 * Set a parameter of the model to any JSON value, for example "response_format" to "{\"type\": \"json_object\"}".
 * Like mlflow_gateway_set_param_double().
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_set_param_json(mlflow_gateway *gateway,
                                                    const char *name,
                                                    const char *json,
                                                    mlflow_gateway_error **error);

/**
 * Append a string to the parameter "stop". The model stops before it would write one of these strings. Unset
 * "stop" to empty the list.
 *
 * Fails with _INVALID_PARAM if "stop" was set to something other than a list of strings.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_add_stop(mlflow_gateway *gateway,
                                              const char *stop,
                                              mlflow_gateway_error **error);

/** Unset a parameter. Unsetting one that was never set is not an error. */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_unset_param(mlflow_gateway *gateway,
                                                 const char *name,
                                                 mlflow_gateway_error **error);

/**
 * Send a prompt and wait for the text of the first candidate. The route may be of the type completions or chat; a
 * chat route receives one user message. The first call on a route also discovers its dialect (HTTP API).
 *
 * `text` receives the text. The caller frees it.
 *
 * A response without text is _NO_TEXT, not an empty string: the content is null, or it is empty beside a refusal,
 * tool calls, reasoning, media or the finish reason "content_filter".
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_call(mlflow_gateway *gateway,
                                          const char *prompt,
                                          char **text,
                                          size_t *text_len,
                                          mlflow_gateway_error **error);

/**
 * Return a JSON object that identifies the configured model: "gateway_uri", "route", and the parameters that are
 * set. It contains no headers and no credentials.
 *
 * `json` receives the object. The caller frees it.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_identifying_params(const mlflow_gateway *gateway,
                                                        char **json,
                                                        size_t *json_len,
                                                        mlflow_gateway_error **error);

/** Return "mlflow-ai-gateway", LangChain's name for this kind of model (`_llm_type`). The string is static. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_llm_type(void);

/** Destroy a handle and close its idle connections, unless a clone uses them. */
MLFLOW_GATEWAY_API
void mlflow_gateway_destroy(mlflow_gateway *gateway);

/* Requests
 * -------- */

/**
 * Create an empty request. Give it either a prompt, messages, inputs or a body; the function that would combine
 * them fails. A request belongs to no handle.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_create(mlflow_gateway_request **request,
                                                    mlflow_gateway_error **error);

/**
 * Set the route of this request, in place of the handle's, or remove it with NULL. What is discovered is
 * remembered for each route.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_set_route(mlflow_gateway_request *request,
                                                       const char *route,
                                                       mlflow_gateway_error **error);

/**
 * Clone a request in constant time (copy-on-write). Clone a request for each call to give each its own cancel
 * token, headers or options.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_clone(const mlflow_gateway_request *request,
                                                   mlflow_gateway_request **clone,
                                                   mlflow_gateway_error **error);

/**
 * Turn the request into a raw request: send it to any path below the gateway URI, for example
 * "/gateway/openai/v1/responses", "/gateway/anthropic/v1/messages" or
 * "/gateway/gemini/v1beta/models/NAME:generateContent", and return the response as it is.
 *
 * A raw request has the handle's authentication, headers, options, retries, deadlines and connections, but not its
 * route and parameters. Its body is sent byte for byte. Its own route, parameters, prompt, messages or inputs are
 * an error, as is mlflow_gateway_embed(). If the response has the shape of OpenAI's chat completions, the
 * accessors read it; otherwise it has no candidates. When streamed, each payload is one event of the kind OTHER; a
 * clean end of the body or "[DONE]" is the end of the stream, and an event named "error" is _STREAM_ERROR.
 *
 * GET and HEAD requests are also retried after a connection lost before the response. POST requests are retried
 * like others. Other methods are retried only if the server has not processed the request.
 *
 * `method` is an HTTP method, for example "DELETE". NULL means POST with a body, else GET. CONNECT is refused.
 * `path` begins with "/" and is percent-encoded. It may have a query, which does not appear in messages and logs,
 * but no fragment and no "..". NULL removes the path.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_set_path(mlflow_gateway_request *request,
                                                      const char *method,
                                                      const char *path,
                                                      mlflow_gateway_error **error);

/** Set or replace the prompt. A chat route receives it as one user message. */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_set_prompt(mlflow_gateway_request *request,
                                                        const char *prompt,
                                                        size_t prompt_len,
                                                        mlflow_gateway_error **error);

/**
 * Append a message.
 *
 * `role` is "system", "user", "assistant", or another role that the model knows.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_add_message(mlflow_gateway_request *request,
                                                         const char *role,
                                                         const char *content,
                                                         size_t content_len,
                                                         mlflow_gateway_error **error);

/** Append a message given as a JSON object, which is sent as it is. */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_add_message_json(mlflow_gateway_request *request,
                                                              const char *json,
                                                              size_t json_len,
                                                              mlflow_gateway_error **error);

/**
 * Append a text part to the last message, which must be the user's. Its content becomes an array of parts, in the
 * order of the calls. An empty text adds no part.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_add_text(mlflow_gateway_request *request,
                                                      const char *text,
                                                      size_t text_len,
                                                      mlflow_gateway_error **error);

/**
 * Append an image or a recording to the last message, which must be the user's. See
 * mlflow_gateway_request_add_text().
 *
 * `media_type` selects the kind of part: "image/..." is sent as "image_url" with a data URL, "audio/..." as
 * "input_audio". Other types are an error. The model decides which it supports.
 * `bytes` is the content of the file, at least one byte.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_add_media(mlflow_gateway_request *request,
                                                       const char *media_type,
                                                       const void *bytes,
                                                       size_t bytes_len,
                                                       mlflow_gateway_error **error);

/**
 * Append the message of a candidate, to continue the conversation. After tool calls, append their results, too.
 * The message is sent as received, including reasoning and provider fields such as "thought_signature"; only empty
 * arguments of a tool call become "{}".
 *
 * `response` may be that of a stream.
 *
 * It is an error if there is no such candidate, if the stream gathered nothing of it (option gather_stream), or if
 * a raw response has no chat shape.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_add_response(mlflow_gateway_request *request,
                                                          const mlflow_gateway_response *response,
                                                          size_t candidate,
                                                          mlflow_gateway_error **error);

/**
 * Append the result of a tool call, as a message with the role "tool".
 *
 * `tool_call_id` is the id from mlflow_gateway_response_tool_call_id(). NULL leaves the field out.
 * `content` is what the tool returned.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_add_tool_result(mlflow_gateway_request *request,
                                                             const char *tool_call_id,
                                                             const char *content,
                                                             size_t content_len,
                                                             mlflow_gateway_error **error);

/** Append an input for mlflow_gateway_embed(). */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_add_input(mlflow_gateway_request *request,
                                                       const char *input,
                                                       size_t input_len,
                                                       mlflow_gateway_error **error);

/**
 * Set or replace the whole body, a JSON object. No parameters are added, and setting parameters of this request is
 * an error. Only the field "stream" is written by the library. The body of a raw request is sent byte for byte.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_set_body_json(mlflow_gateway_request *request,
                                                           const char *json,
                                                           size_t json_len,
                                                           mlflow_gateway_error **error);

/** Set a parameter for this request, in place of the handle's. Like mlflow_gateway_set_param_double(). */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_set_param_double(mlflow_gateway_request *request,
                                                              const char *name,
                                                              double value,
                                                              mlflow_gateway_error **error);

/** Set a parameter to an integer. Like mlflow_gateway_request_set_param_double(). */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_set_param_int(mlflow_gateway_request *request,
                                                           const char *name,
                                                           int64_t value,
                                                           mlflow_gateway_error **error);

/** Set a parameter to true (nonzero) or false (0). Like mlflow_gateway_request_set_param_double(). */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_set_param_bool(mlflow_gateway_request *request,
                                                            const char *name,
                                                            int value,
                                                            mlflow_gateway_error **error);

/**
 * Set a parameter to a string, for example "input_type" of Cohere's embeddings. Like
 * mlflow_gateway_request_set_param_double().
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_set_param_string(mlflow_gateway_request *request,
                                                              const char *name,
                                                              const char *value,
                                                              size_t value_len,
                                                              mlflow_gateway_error **error);

/**
 * Set a parameter to any JSON value, for example "tools" to a list of tools, each with the JSON Schema of its
 * arguments. Like mlflow_gateway_request_set_param_double().
 *
 *     [{"type": "function", "function": {"name": "weather", "description": "Weather of a city", "parameters":
 *       {"type": "object", "properties": {"city": {"type": "string"}}}}}]
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_set_param_json(mlflow_gateway_request *request,
                                                            const char *name,
                                                            const char *json,
                                                            size_t json_len,
                                                            mlflow_gateway_error **error);

/**
 * Append a string to this request's list "stop", which replaces the handle's list.
 *
 * Fails with _INVALID_PARAM.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_add_stop(mlflow_gateway_request *request,
                                                      const char *stop,
                                                      size_t stop_len,
                                                      mlflow_gateway_error **error);

/**
 * Unset this request's parameter and end its omission, so that the handle's applies. Unsetting one that was never
 * set is not an error.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_unset_param(mlflow_gateway_request *request,
                                                         const char *name,
                                                         mlflow_gateway_error **error);

/**
 * Leave a parameter out of this request even if the handle sets it. The last call wins: setting the parameter ends
 * the omission.
 *
 * Fails with _INVALID_PARAM.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_omit_param(mlflow_gateway_request *request,
                                                        const char *name,
                                                        mlflow_gateway_error **error);

/**
 * Set an option for this request, in place of the handle's. mlflow_gateway_set_option() marks the options that a
 * request accepts with *.
 *
 * Fails with _UNKNOWN_OPTION or _INVALID_OPTION_VALUE.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_set_option(mlflow_gateway_request *request,
                                                        const char *name,
                                                        const char *value,
                                                        mlflow_gateway_error **error);

/**
 * Set a header for this request, in place of the handle's. A NULL `value` unsets it, so that the handle's applies.
 * Like mlflow_gateway_set_header().
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_set_header(mlflow_gateway_request *request,
                                                        const char *name,
                                                        const char *value,
                                                        mlflow_gateway_error **error);

/** Set the cancel token of this request, or remove it with a NULL `token`. The handle's token applies in addition. */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_request_set_cancel_token(mlflow_gateway_request *request,
                                                              mlflow_gateway_cancel_token *token,
                                                              mlflow_gateway_error **error);

/** Destroy a request. Its streams continue. */
MLFLOW_GATEWAY_API
void mlflow_gateway_request_destroy(mlflow_gateway_request *request);

/* Responses
 * --------- */

/**
 * Send a request and wait for the whole response. Any route of the type completions or chat accepts a prompt;
 * messages need a chat route. A response with tool calls and without text is a success, unless the option
 * require_text is true.
 *
 * `response` receives the response. The caller owns it.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_send(mlflow_gateway *gateway,
                                          const mlflow_gateway_request *request,
                                          mlflow_gateway_response **response,
                                          mlflow_gateway_error **error);

/** Return the number of candidates (parameter "n"). */
MLFLOW_GATEWAY_API
size_t mlflow_gateway_response_candidate_count(const mlflow_gateway_response *response);

/** Return the text of a candidate. NULL if there is none, for example with tool calls. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_response_text(const mlflow_gateway_response *response,
                                         size_t candidate,
                                         size_t *len);

/** Return the reasoning of a candidate, or NULL. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_response_reasoning(const mlflow_gateway_response *response,
                                              size_t candidate,
                                              size_t *len);

/** Return the refusal of a candidate, or NULL. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_response_refusal(const mlflow_gateway_response *response,
                                            size_t candidate,
                                            size_t *len);

/** Return the role of a candidate, "assistant". NULL if not reported, as for completions. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_response_role(const mlflow_gateway_response *response,
                                         size_t candidate);

/**
 * Return the finish reason of a candidate: "stop", "length", "tool_calls", "content_filter" or another one. NULL
 * if not reported.
 */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_response_finish_reason(const mlflow_gateway_response *response,
                                                  size_t candidate);

/** Return the number of tool calls of a candidate. MLflow 2.10 to 3.5 leave tool calls out of streams. */
MLFLOW_GATEWAY_API
size_t mlflow_gateway_response_tool_call_count(const mlflow_gateway_response *response,
                                               size_t candidate);

/** Return the id of a tool call, to be passed to mlflow_gateway_request_add_tool_result(). NULL if not reported. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_response_tool_call_id(const mlflow_gateway_response *response,
                                                 size_t candidate,
                                                 size_t tool_call);

/** Return the name of the tool. NULL if not reported. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_response_tool_call_name(const mlflow_gateway_response *response,
                                                   size_t candidate,
                                                   size_t tool_call);

/**
 * Return the arguments of a tool call as the model wrote them: JSON, but not necessarily valid. "{}" if there are
 * none.
 */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_response_tool_call_arguments(const mlflow_gateway_response *response,
                                                        size_t candidate,
                                                        size_t tool_call,
                                                        size_t *len);

/**
 * Return the message of a candidate as a JSON object, to store it and to append it to a request later
 * (mlflow_gateway_request_add_message_json()).
 *
 * Of a whole response it is the message as received, provider fields included. Of a completion it is an assistant
 * message with the text. Of a stream it is composed of what was gathered. Empty arguments of tool calls become
 * "{}". NULL if nothing was gathered.
 */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_response_message_json(const mlflow_gateway_response *response,
                                                 size_t candidate,
                                                 size_t *len);

/** Return the id of the response, or NULL. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_response_id(const mlflow_gateway_response *response);

/** Return the name of the model, or NULL. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_response_model(const mlflow_gateway_response *response);

/**
 * Return a token count, -1 if not reported (0 is a real count).
 *
 * `kind` is one of the MLFLOW_GATEWAY_TOKENS_ numbers.
 */
MLFLOW_GATEWAY_API
int64_t mlflow_gateway_response_tokens(const mlflow_gateway_response *response,
                                       int32_t kind);

/** Return the HTTP status, 200 to 299. */
MLFLOW_GATEWAY_API
int32_t mlflow_gateway_response_http_status(const mlflow_gateway_response *response);

/** Return the first response header of that name (case-insensitive). Bytes that are not UTF-8 become U+FFFD. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_response_header(const mlflow_gateway_response *response,
                                           const char *name);

/** Return how many times the request was sent, including the repetition after an idle connection broke. */
MLFLOW_GATEWAY_API
size_t mlflow_gateway_response_attempts(const mlflow_gateway_response *response);

/**
 * Return the number of retries, including those that could not be sent, redirects, and attempts in another dialect
 * or with a new token.
 */
MLFLOW_GATEWAY_API
size_t mlflow_gateway_response_retry_count(const mlflow_gateway_response *response);

/** Return why a retry was made, for example "HTTP status 503". */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_response_retry_reason(const mlflow_gateway_response *response,
                                                 size_t retry);

/**
 * Return a time in microseconds from the start of the call to a point of its last attempt, -1 if not known. QUEUED
 * is the time before the start.
 *
 * `kind` is one of the MLFLOW_GATEWAY_TIME_ numbers.
 */
MLFLOW_GATEWAY_API
int64_t mlflow_gateway_response_time_us(const mlflow_gateway_response *response,
                                        int32_t kind);

/** Return the body as received. It may have any encoding. NULL for a stream. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_response_body(const mlflow_gateway_response *response,
                                         size_t *len);

/** Destroy a response. Do not pass the result of mlflow_gateway_stream_response(). */
MLFLOW_GATEWAY_API
void mlflow_gateway_response_destroy(mlflow_gateway_response *response);

/* JSON
 * ---- */

/**
 * Read a value from a JSON document:
 *
 *     char *city = NULL;
 *     int32_t kind;
 *     if (mlflow_gateway_json_get(arguments, len, "/city", &kind, &city, NULL, &error) == MLFLOW_GATEWAY_OK &&
 *         kind == MLFLOW_GATEWAY_JSON_STRING)
 *         puts(city);
 *     mlflow_gateway_string_free(city);
 *
 * `pointer` is a JSON pointer (RFC 6901), for example "/choices/0/message". "" is the whole document. Of duplicate
 * names the last one counts.
 * `kind` receives one of the MLFLOW_GATEWAY_JSON_ numbers. It may be NULL.
 * `text` receives the value: a string unescaped, anything else as written. Lone surrogates become U+FFFD. The
 * caller frees it; may be NULL.
 *
 * Returns _NO_VALUE if there is no such value. The whole document must be valid JSON; the message names the offset
 * of the first error. Nesting is not limited.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_json_get(const char *json,
                                              size_t json_len,
                                              const char *pointer,
                                              int32_t *kind,
                                              char **text,
                                              size_t *text_len,
                                              mlflow_gateway_error **error);

/**
 * Count the elements of an array or the members of an object. Duplicate names count once.
 *
 * Returns _NO_VALUE if there is no array or object at `pointer`.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_json_count(const char *json,
                                                size_t json_len,
                                                const char *pointer,
                                                size_t *count,
                                                mlflow_gateway_error **error);

/**
 * Write a string as JSON, with quotes and escapes.
 *
 * `json` receives the JSON string. The caller frees it.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_json_quote(const char *text,
                                                size_t text_len,
                                                char **json,
                                                size_t *json_len,
                                                mlflow_gateway_error **error);

/* Streaming
 * --------- */

/**
 * Send a request and wait until the response begins. Then fetch its events with mlflow_gateway_stream_next(). A
 * gateway that does not stream although a stream was requested returns the same kinds of events.
 *
 * The option timeout_ms applies until the first event; then stream_timeout_ms, also measured from the start of the
 * call, and idle_timeout_ms between two events. A stream that has begun is never retried.
 *
 * `stream` receives the stream. The caller owns it.
 *
 * Fails with _UNSUPPORTED on gateways of MLflow 2.5 to 2.8, which cannot stream.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_stream_open(mlflow_gateway *gateway,
                                                 const mlflow_gateway_request *request,
                                                 mlflow_gateway_stream **stream,
                                                 mlflow_gateway_error **error);

/**
 * Wait for the next event. Only one thread at a time may call it for a stream. To end a stream from another
 * thread, cancel it, wait for this function to return, and destroy the stream.
 *
 * `event` receives the event. It is valid until this function is called again or the stream is ended.
 *
 * Returns _STREAM_END when the response is complete. Fails with _STREAM_TRUNCATED, _STREAM_ERROR, _TIMEOUT and
 * others. A stream that has ended returns the same status each time. In the child of a fork() it is
 * _INVALID_ARGUMENT.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_stream_next(mlflow_gateway_stream *stream,
                                                 const mlflow_gateway_event **event,
                                                 mlflow_gateway_error **error);

/**
 * Return what was gathered so far: text, reasoning, refusal, tool calls, finish reasons and token counts. With
 * gather_stream=false there are only finish reasons and token counts. It stays readable when the stream has
 * failed.
 *
 * The stream owns it. Strings read from it are valid until the next call of mlflow_gateway_stream_next() or
 * mlflow_gateway_stream_take_response().
 */
MLFLOW_GATEWAY_API
const mlflow_gateway_response *mlflow_gateway_stream_response(const mlflow_gateway_stream *stream);

/** End a stream and return what was gathered. The caller owns it. NULL if it was taken already. */
MLFLOW_GATEWAY_API
mlflow_gateway_response *mlflow_gateway_stream_take_response(mlflow_gateway_stream *stream);

/** Destroy a stream. If it is not complete, the connection is closed, so that the gateway stops, too. */
MLFLOW_GATEWAY_API
void mlflow_gateway_stream_destroy(mlflow_gateway_stream *stream);

/**
 * Send a request and pass each event of the response to a callback.
 *
 * `on_event` runs on this thread. If it returns nonzero, the stream stops at once: the connection is closed, and
 * the status is _CANCELLED. That event is gathered.
 * `response` receives what was gathered, also on failure if the stream had begun. The caller owns it. It may be
 * NULL.
 *
 * Fails like mlflow_gateway_stream_open() and mlflow_gateway_stream_next().
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_stream_call(mlflow_gateway *gateway,
                                                 const mlflow_gateway_request *request,
                                                 mlflow_gateway_on_event on_event,
                                                 void *user_data,
                                                 mlflow_gateway_response **response,
                                                 mlflow_gateway_error **error);

/**
 * Return the kind of an event, one of the MLFLOW_GATEWAY_EVENT_ numbers. Ignore kinds that you do not know. One
 * payload of the server may give several events.
 */
MLFLOW_GATEWAY_API
int32_t mlflow_gateway_event_kind(const mlflow_gateway_event *event);

/** Return the index of the candidate. */
MLFLOW_GATEWAY_API
size_t mlflow_gateway_event_candidate(const mlflow_gateway_event *event);

/**
 * Return the text of an event: a fragment of text, reasoning or refusal, never part of a character; a fragment of
 * the arguments of a tool call; or the finish reason. NULL for other kinds.
 */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_event_text(const mlflow_gateway_event *event,
                                      size_t *len);

/** Return the index of the tool call, as in the gathered response. */
MLFLOW_GATEWAY_API
size_t mlflow_gateway_event_tool_call_index(const mlflow_gateway_event *event);

/** Return the id of the tool call, or NULL. It is known from the first fragment on. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_event_tool_call_id(const mlflow_gateway_event *event);

/** Return the name of the tool, or NULL. It is known from the first fragment on. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_event_tool_call_name(const mlflow_gateway_event *event);

/** Return a token count of a USAGE event, -1 if not reported. */
MLFLOW_GATEWAY_API
int64_t mlflow_gateway_event_tokens(const mlflow_gateway_event *event,
                                    int32_t kind);

/** Return the name of the server-sent event, or NULL. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_event_raw_name(const mlflow_gateway_event *event);

/** Return the data of the server-sent event, or NULL. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_event_raw_data(const mlflow_gateway_event *event,
                                          size_t *len);

/* Queues: many requests at once
 * ----------------------------- */

/**
 * Create a queue, which sends many requests at once, on threads of its own:
 *
 *     mlflow_gateway_queue_create(gateway, &queue, &error);
 *     for (uint64_t i = 0; i < count; i++)
 *         mlflow_gateway_queue_submit(queue, requests[i], MLFLOW_GATEWAY_SUBMIT_SEND, i, &error);
 *     mlflow_gateway_queue_close(queue);
 *     while (mlflow_gateway_queue_next(queue, -1, &completion, &error) == MLFLOW_GATEWAY_OK) {
 *         responses[mlflow_gateway_completion_tag(completion)] = mlflow_gateway_completion_take_response(completion);
 *         mlflow_gateway_completion_destroy(completion);
 *     }
 *     mlflow_gateway_queue_destroy(queue);
 *
 * Without mlflow_gateway_queue_close(), the last mlflow_gateway_queue_next() would wait forever. A program with more
 * requests than max_queued fetches completions when mlflow_gateway_queue_submit() returns MLFLOW_GATEWAY_QUEUE_FULL.
 *
 * `queue` receives the queue. The caller owns it.
 *
 * A queue belongs to the process that created it: in the child of a fork(), only destroy it.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_queue_create(mlflow_gateway *gateway,
                                                  mlflow_gateway_queue **queue,
                                                  mlflow_gateway_error **error);

/**
 * Set an option of a queue, at any time. docs/options.md describes every option.
 *
 *   name                 values              default  limits
 *   max_in_flight        1 to 4096           8        requests in flight, and as many whose DONE was not fetched
 *   max_queued           1 to 1000000        1024     requests that wait
 *   max_events           1 to 65536          64       events of a stream that are not destroyed
 *   requests_per_second  0 to 1000000        0        requests sent; may be a fraction; 0: no limit
 *   tokens_per_minute    0 to 1000000000000  0        tokens of requests and responses; 0: no limit
 *   adaptive             true, false         false    finds the best max_in_flight, at most the one set, or else 4096
 *
 * After HTTP status 429, nothing is sent to that route for the time that the gateway requires, or else for a growing
 * time.
 *
 * Fails with _UNKNOWN_OPTION or _INVALID_OPTION_VALUE.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_queue_set_option(mlflow_gateway_queue *queue,
                                                      const char *name,
                                                      const char *value,
                                                      mlflow_gateway_error **error);

/**
 * Submit a request. It does not wait: a request that cannot be sent yet waits in the queue.
 *
 * `request` and the settings of the handle are copied.
 * `how` is one of the MLFLOW_GATEWAY_SUBMIT_ numbers.
 * `tag` is any number, for example an index or a pointer. Each completion of the request has it. Tags need not be
 * unique.
 *
 * An invalid request fails here, if the queue is not full. Any other failure is the status of its completion.
 *
 * Returns _QUEUE_FULL if max_queued requests wait: fetch completions, then submit it again.
 *
 * Fails with _INVALID_ARGUMENT if the queue is closed.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_queue_submit(mlflow_gateway_queue *queue,
                                                  const mlflow_gateway_request *request,
                                                  int32_t how,
                                                  uint64_t tag,
                                                  mlflow_gateway_error **error);

/**
 * Fetch the next completion. Log callbacks of the queue's requests run on this thread.
 *
 * `timeout_ms` is how long to wait: 0 does not wait, a negative number waits without limit.
 * `completion` receives the completion. The caller owns it.
 *
 * OK reports that there is a completion, not that its request succeeded: see mlflow_gateway_completion_status().
 * Several threads may fetch, but two events of one stream may then be processed at the same time.
 *
 * Returns _PENDING if none arrived in time, and _QUEUE_END if the queue is closed and all completions were fetched.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_queue_next(mlflow_gateway_queue *queue,
                                                int64_t timeout_ms,
                                                mlflow_gateway_completion **completion,
                                                mlflow_gateway_error **error);

/**
 * Return a descriptor for an event loop (poll, epoll, libuv ...). It is readable exactly while
 * mlflow_gateway_queue_next() would return OK or QUEUE_END without waiting. With an edge-triggered loop, fetch until
 * PENDING.
 *
 * `fd` receives the descriptor, which the queue owns. Never read, write or close it.
 *
 * Fails with _OUT_OF_MEMORY if the process cannot open another descriptor.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_queue_fd(mlflow_gateway_queue *queue,
                                              int *fd,
                                              mlflow_gateway_error **error);

/** Return a count. `kind` is one of the MLFLOW_GATEWAY_QUEUE_COUNT_ numbers. */
MLFLOW_GATEWAY_API
size_t mlflow_gateway_queue_count(const mlflow_gateway_queue *queue,
                                  int32_t kind);

/**
 * Cancel all unfinished requests of a tag, and return their number. Of each, only DONE remains to be fetched, with the
 * status CANCELLED unless the response was already complete.
 */
MLFLOW_GATEWAY_API
size_t mlflow_gateway_queue_cancel(mlflow_gateway_queue *queue,
                                   uint64_t tag);

/**
 * Close a queue: it accepts no more requests. When all completions were fetched, mlflow_gateway_queue_next() returns
 * QUEUE_END.
 */
MLFLOW_GATEWAY_API
void mlflow_gateway_queue_close(mlflow_gateway_queue *queue);

/**
 * Destroy a queue. Unfinished requests are cancelled, and completions that were not fetched are discarded. Log
 * callbacks run on this thread.
 */
MLFLOW_GATEWAY_API
void mlflow_gateway_queue_destroy(mlflow_gateway_queue *queue);

/** Return the kind of a completion: MLFLOW_GATEWAY_COMPLETION_EVENT or _DONE. Ignore kinds that you do not know. */
MLFLOW_GATEWAY_API
int32_t mlflow_gateway_completion_kind(const mlflow_gateway_completion *completion);

/** Return the tag that the request was submitted with. */
MLFLOW_GATEWAY_API
uint64_t mlflow_gateway_completion_tag(const mlflow_gateway_completion *completion);

/** Return the status of the request: OK for an event, or if the response or stream is complete; else why it failed. */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_completion_status(const mlflow_gateway_completion *completion);

/**
 * Return the event of an EVENT completion, or NULL. Destroy the completion soon: a stream is read only while fewer
 * than max_events of its events, and less than 256 KiB of them, exist.
 */
MLFLOW_GATEWAY_API
const mlflow_gateway_event *mlflow_gateway_completion_event(const mlflow_gateway_completion *completion);

/** Return the response of a DONE completion, or NULL. That of a stream is what was gathered, also on failure. */
MLFLOW_GATEWAY_API
const mlflow_gateway_response *mlflow_gateway_completion_response(const mlflow_gateway_completion *completion);

/** Return the embeddings of a DONE completion, or NULL. */
MLFLOW_GATEWAY_API
const mlflow_gateway_embeddings *mlflow_gateway_completion_embeddings(const mlflow_gateway_completion *completion);

/** Return why the request of a DONE completion failed, or NULL. */
MLFLOW_GATEWAY_API
const mlflow_gateway_error *mlflow_gateway_completion_error(const mlflow_gateway_completion *completion);

/** Take the response out of a completion. The caller owns it. NULL if there is none, or if it was taken. */
MLFLOW_GATEWAY_API
mlflow_gateway_response *mlflow_gateway_completion_take_response(mlflow_gateway_completion *completion);

/** Take the embeddings out of a completion. Like mlflow_gateway_completion_take_response(). */
MLFLOW_GATEWAY_API
mlflow_gateway_embeddings *mlflow_gateway_completion_take_embeddings(mlflow_gateway_completion *completion);

/** Take the error out of a completion. Like mlflow_gateway_completion_take_response(). */
MLFLOW_GATEWAY_API
mlflow_gateway_error *mlflow_gateway_completion_take_error(mlflow_gateway_completion *completion);

/** Destroy a completion, and the objects in it that were not taken. */
MLFLOW_GATEWAY_API
void mlflow_gateway_completion_destroy(mlflow_gateway_completion *completion);

/* Embeddings
 * ---------- */

/**
 * Create embeddings of all inputs of a request, in batches of embed_batch_size, of which embed_concurrency run at
 * the same time. If one batch fails, the call fails. The option timeout_ms limits all of it.
 *
 * `request` has inputs, or a body, which is sent as one batch.
 * `embeddings` receives the embeddings. The caller owns them.
 *
 * Fails with _BAD_RESPONSE if the number of embeddings differs from the number of inputs, or if their dimensions
 * differ.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_embed(mlflow_gateway *gateway,
                                           const mlflow_gateway_request *request,
                                           mlflow_gateway_embeddings **embeddings,
                                           mlflow_gateway_error **error);

/** Return the number of embeddings, one for each input. */
MLFLOW_GATEWAY_API
size_t mlflow_gateway_embeddings_count(const mlflow_gateway_embeddings *embeddings);

/** Return the number of floats of each embedding. */
MLFLOW_GATEWAY_API
size_t mlflow_gateway_embeddings_dimension(const mlflow_gateway_embeddings *embeddings);

/** Return all floats, contiguous, in input order: float `j` of embedding `i` is at `i * dimension + j`. */
MLFLOW_GATEWAY_API
const float *mlflow_gateway_embeddings_data(const mlflow_gateway_embeddings *embeddings);

/**
 * Copy all floats.
 *
 * `to` is an array of `room` floats, at least count times dimension.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_embeddings_copy_to(const mlflow_gateway_embeddings *embeddings,
                                                        float *to,
                                                        size_t room,
                                                        mlflow_gateway_error **error);

/** Return a token count, -1 if not reported. Like mlflow_gateway_response_tokens(). */
MLFLOW_GATEWAY_API
int64_t mlflow_gateway_embeddings_tokens(const mlflow_gateway_embeddings *embeddings,
                                         int32_t kind);

/** Return the name of the model, or NULL. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_embeddings_model(const mlflow_gateway_embeddings *embeddings);

/** Destroy embeddings. */
MLFLOW_GATEWAY_API
void mlflow_gateway_embeddings_destroy(mlflow_gateway_embeddings *embeddings);

/* Routes, health and limits
 * ------------------------- */

/**
 * List the routes of the gateway.
 *
 * `routes` receives the routes. The caller owns them.
 *
 * Fails with _RESPONSE_TOO_LARGE beyond 1,000 pages, 100,000 routes or 64 MiB.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_list_routes(mlflow_gateway *gateway,
                                                 mlflow_gateway_routes **routes,
                                                 mlflow_gateway_error **error);

/**
 * Look up one route.
 *
 * `name` may be NULL for the handle's route.
 * `routes` receives a list with this route. The caller owns it.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_get_route(mlflow_gateway *gateway,
                                               const char *name,
                                               mlflow_gateway_routes **routes,
                                               mlflow_gateway_error **error);

/** Return the number of routes. */
MLFLOW_GATEWAY_API
size_t mlflow_gateway_routes_count(const mlflow_gateway_routes *routes);

/** Return the name of a route. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_routes_name(const mlflow_gateway_routes *routes,
                                       size_t route);

/**
 * Return the type of a route: "llm/v1/completions", "llm/v1/chat", "llm/v1/embeddings" or another one. NULL if not
 * reported; endpoints of MLflow's tracking server serve both chat and embeddings.
 */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_routes_type(const mlflow_gateway_routes *routes,
                                       size_t route);

/** Return the model provider of a route, or NULL. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_routes_provider(const mlflow_gateway_routes *routes,
                                           size_t route);

/** Return the model of a route, or NULL. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_routes_model(const mlflow_gateway_routes *routes,
                                        size_t route);

/**
 * Return the URL to which requests for the route are sent, as the gateway reports it. This library may use another
 * URL of the same server.
 */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_routes_url(const mlflow_gateway_routes *routes,
                                      size_t route);

/** Return everything that the gateway reports about a route, unchanged. */
MLFLOW_GATEWAY_API
const char *mlflow_gateway_routes_json(const mlflow_gateway_routes *routes,
                                       size_t route,
                                       size_t *len);

/** Destroy routes. */
MLFLOW_GATEWAY_API
void mlflow_gateway_routes_destroy(mlflow_gateway_routes *routes);

/**
 * Check the health of the gateway (its path /health), or on Databricks whether the handle's endpoint is ready.
 *
 * Fails with _SERVER_ERROR if the gateway reports that it is not healthy.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_health(mlflow_gateway *gateway,
                                            mlflow_gateway_error **error);

/**
 * Get the rate limits of a route. Databricks supports them; MLflow's servers do not.
 *
 * `name` may be NULL for the handle's route.
 * `json` receives the server's JSON. The caller frees it.
 *
 * Fails with _UNSUPPORTED if the server has no limits.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_get_limits(mlflow_gateway *gateway,
                                                const char *name,
                                                char **json,
                                                size_t *json_len,
                                                mlflow_gateway_error **error);

/**
 * Replace the rate limits of a route.
 *
 * `name` may be NULL for the handle's route.
 * `limits_json` is a JSON array, for example "[{\"calls\": 10, \"key\": \"user\", \"renewal_period\":
 * \"minute\"}]".
 * `json` receives the server's JSON. The caller frees it; may be NULL.
 *
 * Fails like mlflow_gateway_get_limits().
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_set_limits(mlflow_gateway *gateway,
                                                const char *name,
                                                const char *limits_json,
                                                char **json,
                                                size_t *json_len,
                                                mlflow_gateway_error **error);

/**
 * Create a route. Databricks supports it; MLflow's servers read their routes from a file or from their web page.
 *
 * `route_json` is a JSON object as the server documents it. Keys of model providers in it are masked in messages.
 * `json` receives the server's JSON. The caller frees it; may be NULL.
 *
 * Fails with _UNSUPPORTED if the server cannot create routes.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_create_route(mlflow_gateway *gateway,
                                                  const char *route_json,
                                                  char **json,
                                                  size_t *json_len,
                                                  mlflow_gateway_error **error);

/**
 * Delete a route.
 *
 * `name` must not be NULL, so that no handle deletes its own route by mistake.
 *
 * Fails like mlflow_gateway_create_route().
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_delete_route(mlflow_gateway *gateway,
                                                  const char *name,
                                                  mlflow_gateway_error **error);

/* Cancellation
 * ------------ */

/**
 * Create a cancel token. Attach it to handles and requests, any number of them. It uses one file descriptor until
 * it is destroyed and detached everywhere.
 *
 * Fails with _OUT_OF_MEMORY if the process cannot open another descriptor.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_cancel_token_create(mlflow_gateway_cancel_token **token,
                                                         mlflow_gateway_error **error);

/**
 * Cancel all calls that have this token. They return MLFLOW_GATEWAY_CANCELLED within milliseconds, as do calls
 * that start before mlflow_gateway_cancel_token_reset(). The gateway may still process a request that was sent.
 *
 * Any thread and any signal handler may call it: it is async-signal-safe and preserves errno. After fork(), parent
 * and child cancel only their own calls.
 */
MLFLOW_GATEWAY_API
void mlflow_gateway_cancel(mlflow_gateway_cancel_token *token);

/** Return 1 if the token is cancelled, else 0. It is async-signal-safe. */
MLFLOW_GATEWAY_API
int mlflow_gateway_cancel_token_is_cancelled(const mlflow_gateway_cancel_token *token);

/**
 * Reset a cancelled token. Call it only after the cancelled calls have returned: a call that has not noticed the
 * cancellation continues.
 */
MLFLOW_GATEWAY_API
void mlflow_gateway_cancel_token_reset(mlflow_gateway_cancel_token *token);

/** Destroy a cancel token. Calls that have it continue, but can no longer be cancelled with it. */
MLFLOW_GATEWAY_API
void mlflow_gateway_cancel_token_destroy(mlflow_gateway_cancel_token *token);

/* Logging
 * ------- */

/**
 * Install a log callback, called once per HTTP attempt with the method, the URL, the HTTP status or the error, the
 * duration, and why it was retried. Credentials are masked.
 *
 * `level` is one of the MLFLOW_GATEWAY_LOG_ numbers.
 * `on_log` runs on the thread that is in a call, before the call returns; with several threads in calls,
 * concurrently. NULL removes the callback.
 * `on_destroy` is called with `user_data` once, when the callback was replaced or the handle destroyed, and no call or
 * clone uses it any more. It runs on a thread that is inside a function of this library. It may be NULL. It is not
 * called if this function fails.
 */
MLFLOW_GATEWAY_API
mlflow_gateway_status mlflow_gateway_set_log(mlflow_gateway *gateway,
                                             int32_t level,
                                             mlflow_gateway_on_log on_log,
                                             void *user_data,
                                             mlflow_gateway_on_destroy on_destroy,
                                             mlflow_gateway_error **error);

#ifdef __cplusplus
}
#endif

#endif  /* MLFLOW_AI_GATEWAY_H */

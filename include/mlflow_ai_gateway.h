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
 * Objects    are opaque. A ..._create function makes one, its ..._destroy function ends it. All ..._destroy
 *            functions and mlflow_gateway_string_free() accept NULL and do nothing then.
 * Failure    is an mlflow_gateway_status that is not MLFLOW_GATEWAY_OK. The last argument, `error`, may be NULL;
 *            else it receives an error object on failure, which the caller ends with
 *            mlflow_gateway_error_destroy(). What `error` points to is never read and, on success, never written:
 *            set it to NULL before the first call, and to NULL again after destroying an error. There is no
 *            "last error" elsewhere.
 * Outputs    are written on success only.
 * NULL       for a pointer that must be there is MLFLOW_GATEWAY_INVALID_ARGUMENT, never a crash. So is a text that
 *            is not UTF-8.
 * Texts in   are NUL-terminated UTF-8 and are copied before the function returns.
 * Texts out  are UTF-8. A `char *` belongs to the caller, who frees it with mlflow_gateway_string_free() and with
 *            nothing else. A `const char *` belongs to the object that it was asked of, and lives as long.
 * Threads    may share any handle, for calls and settings alike: a call uses the settings as they stood when it
 *            began. Calls on one handle do not wait for each other, but for the first ones, which share the question
 *            to the server which dialect it speaks. Only the ..._destroy functions need the object for themselves.
 * Time       is bounded: each call has a deadline, 5 minutes unless the option timeout_ms says otherwise.
 * Process    This library installs no signal handler, raises no SIGPIPE, prints nothing and keeps no state outside its
 *            objects. It starts a thread only to look up a host name, which ends with the look-up and takes no signals.
 *            After a fork(), parent and child may both go on with a handle, unless another thread was using it at
 *            that moment; they share no connection. Faults of its own come back as MLFLOW_GATEWAY_PANIC.
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

/* Types
 * ----- */

/**
 * One route of one gateway, with its settings and its connections. Any number of threads may use it at once.
 */
typedef struct mlflow_gateway mlflow_gateway;

/**
 * Why a function failed. It belongs to the caller, who ends it with mlflow_gateway_error_destroy().
 */
typedef struct mlflow_gateway_error mlflow_gateway_error;

/**
 * What a function came to: `MLFLOW_GATEWAY_OK`, or the reason why not.
 */
typedef int32_t mlflow_gateway_status;

/* Status numbers: they never change, and none is ever used again
 * -------------------------------------------------------------- */

/**
 * It worked.
 */
#define MLFLOW_GATEWAY_OK 0

/* 1 to 19: the caller's mistake; the question was not sent
 * -------------------------------------------------------- */

/**
 * A pointer is NULL where it may not be, a text is not UTF-8 or too long, or a name is not allowed.
 */
#define MLFLOW_GATEWAY_INVALID_ARGUMENT 1

/**
 * The gateway URI is not an http:// or https:// URI, or holds credentials or a query.
 */
#define MLFLOW_GATEWAY_INVALID_URI 2

/**
 * No gateway URI was passed, and no environment variable names one.
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
 * The parameter's name is not allowed, or its value is not JSON.
 */
#define MLFLOW_GATEWAY_INVALID_PARAM 6

/**
 * This gateway or this route cannot do that.
 */
#define MLFLOW_GATEWAY_UNSUPPORTED 7

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
 * The time that the call may take (option timeout_ms) was over.
 */
#define MLFLOW_GATEWAY_TIMEOUT 24

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
 * HTTP 404 or 405: no such route, or no MLflow gateway at that URI.
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
 * HTTP 500 to 599: the gateway or the model provider has a fault.
 */
#define MLFLOW_GATEWAY_SERVER_ERROR 47

/**
 * Any other HTTP status that is no success, redirects included.
 */
#define MLFLOW_GATEWAY_HTTP_ERROR 48

/* 60 to 79: the gateway said yes, but its answer is wrong
 * ------------------------------------------------------- */

/**
 * The answer is not JSON (a web page, a cut text), or JSON that is no gateway's answer.
 */
#define MLFLOW_GATEWAY_BAD_RESPONSE 60

/**
 * The answer holds no candidate, or none with a text.
 */
#define MLFLOW_GATEWAY_NO_CANDIDATES 61

/**
 * The answer is longer than 256 MiB.
 */
#define MLFLOW_GATEWAY_RESPONSE_TOO_LARGE 62

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

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/* The simple path: one route, one prompt
 * -------------------------------------- */

/**
 * Makes a handle for one route of one gateway. Nothing is sent before the first call, so that a gateway that is not
 * there is found out only then.
 *
 * `route` is the name of a route (MLflow 2.5 to 2.8) or endpoint (2.9 and later): 1 to 256 bytes.
 * `gateway_uri` is an http:// or https:// URI without credentials, for example "http://127.0.0.1:5000", and if the
 * gateway is mounted below a path, with that path. If it is NULL, the environment variable MLFLOW_GATEWAY_URI says it,
 * or else MLFLOW_DEPLOYMENTS_TARGET. The environment is read here and never again, the variables that name a proxy
 * included: http_proxy and HTTP_PROXY for an http:// gateway, https_proxy and HTTPS_PROXY for an https:// one, else
 * all_proxy and ALL_PROXY, and no_proxy and NO_PROXY with the hosts to ask without it. Proxies are asked for a tunnel
 * (CONNECT) in both cases.
 * `gateway` receives the handle, which the caller ends with mlflow_gateway_destroy().
 *
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _INVALID_URI or _NO_GATEWAY_URI.
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
 *   name              values                       default   meaning
 *   timeout_ms        1 to 86400000                300000    milliseconds that a whole call may take: finding the
 *                                                            host, connecting, sending, waiting and reading
 *   dialect           auto, gateway, deployments   auto      what the gateway speaks: gateway is MLflow 2.5 to 2.8,
 *                                                            deployments is 2.9 and later; auto asks the server once
 *   max_connections   0 to 65536                   64        connections that are kept open between calls, at most,
 *                                                            for a minute each; calls beyond that open one and close it
 *   ca_file           path of a PEM file           ""        certificates to trust instead of the machine's own
 *   client_cert_file  path of a PEM file           ""        certificate to show to the server, with those that lead
 *                                                            to its root; the file may hold the key as well
 *   client_key_file   path of a PEM file           ""        the private key of that certificate
 *   insecure_tls      true, false                  false     accept any certificate, and so any server in the middle;
 *                                                            not together with ca_file
 *
 * Files are read by this function; "" takes such an option back. To replace a client's certificate, set first it and
 * then its key. The machine's own certificates are read when a connection first needs them, from where OpenSSL has
 * them or where the environment variables SSL_CERT_FILE and SSL_CERT_DIR say.
 *
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _UNKNOWN_OPTION or _INVALID_OPTION_VALUE.
 */
mlflow_gateway_status mlflow_gateway_set_option(mlflow_gateway *gateway,
                                                const char *name,
                                                const char *value,
                                                mlflow_gateway_error **error);

/**
 * Sets a header that every request carries, for all calls on this handle that begin afterwards: for example
 * "Authorization" to "Bearer ...". Its value is treated as a secret: the library does not put it into a message, and
 * masks it there (if it has 6 bytes or more) where a gateway repeats it.
 *
 * `name` is the header's name, without regard to case. Those that frame the message (Host, Content-Length,
 * Content-Type and the like) are refused, and so is Accept-Encoding. At most 100 can be set.
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
 * Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _UNSUPPORTED (a route for vectors), or any status from 20 on. No call
 * lasts longer than the option timeout_ms says.
 */
mlflow_gateway_status mlflow_gateway_call(mlflow_gateway *gateway,
                                          const char *prompt,
                                          char **text,
                                          size_t *text_len,
                                          mlflow_gateway_error **error);

/**
 * Returns what identifies this configured model: a JSON object with "gateway_uri", "route" and the parameters that
 * are set, under the names that they were set by. No headers are in it.
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
 * Ends a handle and closes its connections. NULL is allowed and does nothing. No thread may be in a call on the
 * handle, and none may use it afterwards.
 */
void mlflow_gateway_destroy(mlflow_gateway *gateway);

/**
 * Frees a text that a function of this library gave to the caller. NULL is allowed and does nothing.
 */
void mlflow_gateway_string_free(char *text);

/* What went wrong
 * --------------- */

/**
 * Returns the status that came with the error; MLFLOW_GATEWAY_OK if `error` is NULL.
 */
mlflow_gateway_status mlflow_gateway_error_status(const mlflow_gateway_error *error);

/**
 * Returns what was tried, what came back and what to do, as one line of UTF-8 for a person. Credentials of a URI are
 * not in it, and where the gateway repeats the value of a header that was set, it is masked. The text belongs to the
 * error object and lives as long; "" if `error` is NULL.
 */
const char *mlflow_gateway_error_message(const mlflow_gateway_error *error);

/**
 * Returns the HTTP status of the gateway's answer, for example 404; 0 if there was no complete answer or `error` is
 * NULL.
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
 * Returns how often the question was sent, or begun to be sent: 0 if it was not, or `error` is NULL.
 */
uint32_t mlflow_gateway_error_attempts(const mlflow_gateway_error *error);

/**
 * Returns the body of the gateway's answer as it came, cut after 64 KiB, and writes its length in bytes to `len`,
 * which may be NULL. It can be of any encoding and hold NUL bytes; a NUL byte follows it. NULL, and a length of 0, if
 * there was no answer or `error` is NULL. The bytes belong to the error object and live as long.
 */
const char *mlflow_gateway_error_body(const mlflow_gateway_error *error,
                                      size_t *len);

/**
 * Ends an error object and the texts that belong to it. NULL is allowed and does nothing.
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
}  // extern "C"
#endif  // __cplusplus

#endif  /* MLFLOW_AI_GATEWAY_H */

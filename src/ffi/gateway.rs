//! The handle and the simple path: one route, one prompt.

use std::ffi::c_char;
use std::ptr;

use super::cancel::{self, mlflow_gateway_cancel_token};
use super::error::mlflow_gateway_error;
use super::export::export;
use super::handle;
use super::status::mlflow_gateway_status;
use super::text;
use crate::client::{self, Gateway};

/// One route of one gateway, with its settings and its connections. Any number of threads may use it at once.
pub struct mlflow_gateway(Gateway);

impl mlflow_gateway {
    pub(super) fn gateway(&self) -> &Gateway {
        &self.0
    }
}

/// Makes a handle for one route of one gateway. Nothing is sent before the first call, so that a gateway that is not
/// there is found out only then.
///
/// `route` is the name of a route (MLflow 2.5 to 2.8) or endpoint (2.9 and later): 1 to 256 bytes.
/// `gateway_uri` is one of these; if it is NULL, the environment variable MLFLOW_GATEWAY_URI says it, or else
/// MLFLOW_DEPLOYMENTS_TARGET:
///   - an http:// or https:// URI without credentials, for example "http://127.0.0.1:5000", and if the gateway is
///     mounted below a path, with that path;
///   - "databricks", for the workspace that the environment variables DATABRICKS_HOST and DATABRICKS_TOKEN, or
///     DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET, name. Where none of them is set, it is that of the profile
///     DEFAULT in the file DATABRICKS_CONFIG_FILE, or else $HOME/.databrickscfg (host, token, client_id,
///     client_secret); where DATABRICKS_CONFIG_PROFILE names a profile, that one says what no variable says, but its
///     credentials only for its own host;
///   - "databricks://PROFILE", for the workspace of that profile, whatever the variables say.
///
/// The environment is read here and not again, but for the machine's own certificates; mlflow_gateway_set_option() lists
/// its variables.
/// `gateway` receives the handle, which the caller destroys with mlflow_gateway_destroy().
///
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _INVALID_URI, _NO_GATEWAY_URI, or _INVALID_OPTION_VALUE (a variable or
/// a file of credentials in the environment that cannot be used; the message names it).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_create(
    route: *const c_char,
    gateway_uri: *const c_char,
    gateway: *mut *mut mlflow_gateway,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (route, uri, place) = unsafe {
            (
                text::required(route, "route")?,
                text::optional(gateway_uri, "gateway_uri")?,
                handle::check_place(gateway, "gateway")?,
            )
        };
        place.write(handle::give(mlflow_gateway(Gateway::create(route, uri)?)));
        Ok(())
    })
}

/// Sets a parameter of the model to a number with a fraction, for all calls on this handle that begin afterwards. Only
/// parameters that were set are sent; 0 is sent like any other number.
///
/// `name` is the parameter's name as MLflow documents it, for example "temperature": 1 to 256 bytes. "candidate_count"
/// and "n" are one parameter, and each gateway gets it under the name that it knows. "prompt", "messages", "input",
/// "text" and "stream" are not parameters; the call writes them itself. Any other name is sent as it is, and the
/// gateway decides whether it knows it.
/// `value` is any number but NaN and the infinities.
///
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT or _INVALID_PARAM.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_param_double(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    value: f64,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, name) = unsafe { (handle::hold(gateway, "gateway")?, text::required(name, "name")?) };
        gateway.0.set_param_double(name, value)
    })
}

/// Sets a parameter of the model to an integer, for example "max_tokens". Otherwise as
/// mlflow_gateway_set_param_double().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_param_int(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    value: i64,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, name) = unsafe { (handle::hold(gateway, "gateway")?, text::required(name, "name")?) };
        gateway.0.set_param_int(name, value)
    })
}

/// Sets a parameter of the model to true or false, for example "logprobs". Otherwise as
/// mlflow_gateway_set_param_double().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_param_bool(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    value: bool,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, name) = unsafe { (handle::hold(gateway, "gateway")?, text::required(name, "name")?) };
        gateway.0.set_param_bool(name, value)
    })
}

/// Sets a parameter of the model to a text, for example "user". `value` is copied. Otherwise as
/// mlflow_gateway_set_param_double().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_param_string(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, name, value) = unsafe {
            (handle::hold(gateway, "gateway")?, text::required(name, "name")?, text::required(value, "value")?)
        };
        gateway.0.set_param_string(name, value)
    })
}

/// Sets a parameter of the model to any JSON value, for example "response_format" to "{\"type\": \"json_object\"}".
/// `json` is checked and copied. Otherwise as mlflow_gateway_set_param_double().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_param_json(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    json: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, name, json) = unsafe {
            (handle::hold(gateway, "gateway")?, text::required(name, "name")?, text::required(json, "json")?)
        };
        gateway.0.set_param_json(name, json)
    })
}

/// Adds a text to the parameter "stop", a list: the model ends its answer before it would write one of them. `stop` is
/// copied. mlflow_gateway_unset_param() with the name "stop" empties the list.
///
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, or _INVALID_PARAM if "stop" was set to something else than a list of
/// strings before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_add_stop(
    gateway: *mut mlflow_gateway,
    stop: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, stop) = unsafe { (handle::hold(gateway, "gateway")?, text::required(stop, "stop")?) };
        gateway.0.add_stop(stop)
    })
}

/// Takes a parameter back, so that it is no longer sent and the gateway's own default holds. A parameter that was not
/// set is no mistake.
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_unset_param(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, name) = unsafe { (handle::hold(gateway, "gateway")?, text::required(name, "name")?) };
        gateway.0.unset_param(name);
        Ok(())
    })
}

/// Sets an option of this library, for all calls on this handle that begin afterwards. Values are texts.
///
///   name                 values                              default
///                        meaning; environment variables, of which the first that is set counts
///
///   timeout_ms           integer, 1 to 86400000              300000
///                        milliseconds that a whole call may take, with all attempts and the time between them;
///                        $MLFLOW_DEPLOYMENT_PREDICT_TOTAL_TIMEOUT, $MLFLOW_DEPLOYMENT_PREDICT_TIMEOUT,
///                        $MLFLOW_HTTP_REQUEST_TIMEOUT, in seconds; for calls that ask no model (routes, health, limits)
///                        $MLFLOW_DEPLOYMENT_CLIENT_HTTP_REQUEST_TIMEOUT takes precedence over these
///   connect_timeout_ms   integer, 0 to 86400000              10000
///                        milliseconds until a connection can be used: finding the host, connecting, the proxy, TLS;
///                        0, here and in the next two: no separate limit; only timeout_ms or stream_timeout_ms applies
///   first_byte_timeout_ms  integer, 0 to 86400000            0
///                        milliseconds from the end of the question to the beginning of the answer, which a model
///                        that is not asked for a stream gives only when it is ready
///   idle_timeout_ms      integer, 0 to 86400000              120000
///                        milliseconds between two events of a stream. Comments and empty events do not count, nor
///                        does the time between two calls of mlflow_gateway_stream_next(). The first event may take
///                        as long as timeout_ms allows
///   stream_timeout_ms    integer, 1 to 86400000              3600000
///                        milliseconds that a whole stream may take once its first event has come, counted from the
///                        beginning of the call; timeout_ms no longer applies then
///   max_retries          integer, 0 to 10                    3, or 7 as mlflow does it
///                        how often a request is repeated, at most: each one for itself, as there are the question
///                        which dialect the server speaks, the question of the call, and that for an OAuth token;
///                        $MLFLOW_HTTP_REQUEST_MAX_RETRIES
///   retry_policy         careful, mlflow                     careful
///                        careful repeats what was refused or was not sent, see below; mlflow does what MLflow's own
///                        client does: after any failure before the answer, and HTTP status 429, 500, 502, 503, or 413
///                        with Retry-After; the first time at once, then after 2, 4, 8 ... times the seconds of
///                        $MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR (2), with up to $MLFLOW_HTTP_REQUEST_BACKOFF_JITTER (1)
///                        more, 120 at most; or, unless $MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER is false, after as
///                        many as Retry-After says
///   retry_backoff_ms     integer, 1 to 60000                 500
///                        the first retry is made after a random time from 0 to so many milliseconds, the second
///                        after one from 0 to twice as many, and so on; but not before the answer's Retry-After
///   retry_max_backoff_ms  integer, 1 to 600000               8000
///                        the longest of these random times; a longer Retry-After is waited for all the same
///   retry_read_timeouts  boolean, true or false              false
///                        retry also when first_byte_timeout_ms expired, or the connection broke before the response:
///                        the model may then process the request twice, and both may be paid for
///   max_redirects        integer, 0 to 10                    0
///                        how often a redirect is followed, but never to another scheme, host or port: HTTP status 307
///                        and 308, and 301 and 302 where nothing is sent; to a whole URL, or a path that begins with /,
///                        any path of that server, with the credentials
///   dialect              auto, deployments, gateway,         auto, or databricks for a databricks URI
///                        tracking, databricks
///                        what the gateway speaks: gateway is MLflow 2.5 to 2.8; deployments is 2.9 to 2.22, and 3.x
///                        with "mlflow gateway start"; tracking is 3.x with "mlflow server"; databricks is Databricks'
///                        serving endpoints; auto asks the server once
///   max_connections      integer, 0 to 65536                 64
///                        connections that are kept open between calls, at most; calls beyond that open one and close
///                        it
///   keep_alive_ms        integer, 0 to 86400000              60000
///                        milliseconds that an idle connection is kept, at most: a second less than the "timeout" of
///                        the server's Keep-Alive header, where there is one. No connection is kept after HTTP status
///                        500 to 599, "Connection: close" or HTTP/1.0
///   bearer_token         text                                ""
///                        sent as "Bearer ..."; $MLFLOW_TRACKING_TOKEN, for databricks URIs $DATABRICKS_TOKEN or
///                        "token" in the profile
///   username, password   text                                ""
///                        sent together as "Basic ...", before a bearer_token; $MLFLOW_TRACKING_USERNAME and
///                        $MLFLOW_TRACKING_PASSWORD, or the file $HOME/.mlflow/credentials; not for databricks URIs
///   client_id,           text                                ""
///   client_secret        an OAuth client of Databricks, which gets tokens by them, shortly before the last one ends or
///                        when the server refuses it, and once for all threads; after username and bearer_token; for
///                        databricks URIs $DATABRICKS_CLIENT_ID and $DATABRICKS_CLIENT_SECRET, or those in the profile
///   auth_header          Authorization,                      Authorization
///                        X-MLflow-Authorization
///                        the header in which credentials are sent; MLflow's tracking server takes both, so that a proxy
///                        before it can have the first
///   allow_insecure_auth  boolean, true or false              false
///                        send credentials also over http:// to another machine: those of these options, and headers
///                        whose names hold "auth", "cookie", "credential", "key", "password", "secret" or "token"
///   workspace            text                                ""
///                        sent as the header X-MLFLOW-WORKSPACE; $MLFLOW_WORKSPACE, not for databricks URIs
///   proxy                http:// or https:// URL, none       ""
///                        the proxy to go through, which may be given as http://user:password@host:port; none is none
///                        at all; "" is what the environment says: $https_proxy and $HTTPS_PROXY for an https://
///                        gateway, $http_proxy and $HTTP_PROXY for an http:// one, else $all_proxy and $ALL_PROXY,
///                        but none for those in $no_proxy or $NO_PROXY: names, with all names below them, addresses,
///                        networks (10.0.0.0/8), each perhaps with a port, or *. $HTTP_PROXY is ignored if
///                        $REQUEST_METHOD is set: in a CGI program it holds a header of the client's request
///   ca_file              path of a PEM file, or of a folder  ""
///                        of such files
///                        certificates to trust instead of the machine's own: those of authorities, or the server's
///                        own, whoever signed it, whose name and validity are still checked;
///                        $MLFLOW_TRACKING_SERVER_CERT_PATH, $REQUESTS_CA_BUNDLE, $CURL_CA_BUNDLE
///   client_cert_file     path of a PEM file                  ""
///                        certificate to show to the server, with those that lead to its root; the file may hold the
///                        key as well; $MLFLOW_TRACKING_CLIENT_CERT_PATH
///   client_key_file      path of a PEM file                  ""
///                        the private key of that certificate
///   insecure_tls         boolean, true or false              false
///                        accept any certificate, and so any server in the middle; not together with ca_file;
///                        $MLFLOW_TRACKING_INSECURE_TLS (true, 1, false, 0)
///   user_agent           text                                ""
///                        what your program is called, put before "mlflow-ai-gateway/" and the version
///   gather_stream        boolean, true or false              true
///                        keep the texts and calls of tools of a stream until its end; with false calls of tools are
///                        lost, and a stream needs memory for a few events, however long it is
///   max_response_bytes   integer, 1024 to 1099511627776      268435456
///                        the longest answer, but for streams; lists of routes may have 16 MiB at most
///   max_header_bytes     integer, 1024 to 65536              16384
///                        the longest head of an answer: its status line and headers
///   max_event_bytes      integer, 1024 to 1073741824         16777216
///                        the longest event of a stream
///   max_gathered_bytes   integer, 1024 to 1099511627776      268435456
///                        as much as a stream may bring while gather_stream is true: its texts and calls of tools
///   embed_batch_size     integer, 1 to 100000                20
///                        inputs that are sent in one request for vectors
///   embed_concurrency    integer, 1 to 64                    1
///                        such requests that are under way at once, each on a thread: the caller's, and others that end
///                        with the call
///
/// The environment and the files of credentials are read by mlflow_gateway_create(), once; what is set here goes before
/// it, and who sets one kind of credentials (a token, a name and password, an OAuth client) does not get another kind
/// from there. The variables about TLS are read for https:// gateways only, and one that is set but empty counts as not
/// set. Spaces, line breaks and quotes around a URI, a host, a token, a client id or secret and the name of a profile in
/// the environment are ignored. If a file of certificates that a variable names cannot be used, calls return
/// _INVALID_OPTION_VALUE until an option takes its place. A value of "" takes a text, a file or a credential back, also
/// one that came from the environment.
/// Files of certificates are read and checked by this function. To replace a client's certificate, set it first and then
/// its key.
/// The machine's own certificates are read when a connection first needs them, from where OpenSSL has them or where
/// $SSL_CERT_FILE and $SSL_CERT_DIR say. An http:// gateway is asked through a proxy by its whole URL, an https:// one
/// through a tunnel (CONNECT).
///
/// Memory that held credentials is wiped when they are replaced or the handle is destroyed. Not wiped are CPU registers;
/// what the dynamic loader saves of them to the stack when a function is bound at its first call (link the program with
/// -Wl,-z,now to have all functions bound when it starts); and the TLS library's own copies of parts of a token that was
/// received over TLS.
///
/// Careful retries follow HTTP status 429 (but not a budget that is used up), 500, 502 and 503, and any failure before
/// the request was sent, except those that last: a host name that does not exist, a certificate that is not trusted, a
/// proxy's refusal. A retry can cost money: a provider may have billed the request that ended in status 500 or 502. Set
/// max_retries to 0 to send each request once. What changes the gateway is repeated only after 429, 503, and if it was
/// not sent; mlflow_gateway_health() never. No retry begins that would end after timeout_ms, and none once a stream has
/// begun.
/// In addition, a request is sent once more on a new connection if it was sent on an idle connection that broke before
/// the first byte of a response, within 250 milliseconds or two round trips: the server had closed that connection as
/// idle, and most likely has not read the request. This does not count against max_retries, but in the number of
/// attempts. Requests that change the gateway are not sent on idle connections.
/// Compressed responses are not asked for ("Accept-Encoding: identity"), and a compressed success is
/// MLFLOW_GATEWAY_BAD_RESPONSE. A response may have 1,000 header fields at most.
///
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _UNKNOWN_OPTION or _INVALID_OPTION_VALUE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_option(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, name, value) = unsafe {
            (handle::hold(gateway, "gateway")?, text::required(name, "name")?, text::required(value, "value")?)
        };
        gateway.0.set_option(name, value)
    })
}

/// Set the cancel token of this handle: it cancels calls on this handle that begin afterwards. The request's token, if
/// it has one, cancels them as well. NULL as `token` removes the handle's. Where it was cancelled already, they return
/// MLFLOW_GATEWAY_CANCELLED and send nothing. The handle keeps what it needs of it.
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_cancel_token(
    gateway: *mut mlflow_gateway,
    token: *mut mlflow_gateway_cancel_token,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, token) = unsafe { (handle::hold(gateway, "gateway")?, cancel::token(token)) };
        gateway.0.set_cancel_token(token);
        Ok(())
    })
}

/// Sets a header that every request carries, for all calls on this handle that begin afterwards: for example
/// "X-Team" to "search". Credentials are better given as options; a header that is set goes before those. Its value is
/// treated as a secret: the library does not put it into a message, and masks it there (if it has 6 bytes or more)
/// where a gateway repeats it.
///
/// `name` is the header's name, without regard to case. Those that frame the message (Host, Content-Length,
/// Content-Type and the like) are refused, and so are Accept-Encoding and Proxy-Authorization (see the option proxy). At
/// most 100 can be set.
/// `value` is up to 8 KiB of UTF-8 without control characters, and is copied; NULL takes the header back.
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_header(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, name, value) = unsafe {
            (handle::hold(gateway, "gateway")?, text::required(name, "name")?, text::optional(value, "value")?)
        };
        gateway.0.set_header(name, value)
    })
}

/// Asks the gateway and waits for the answer. The route may be one for completions or for chats; to a chat route the
/// prompt is sent as one message of the user. The first call also asks the server which dialect it speaks, once for
/// the handle. Calls on one handle run side by side and each uses the settings as they stood when it began.
///
/// `prompt` is a text of any length, even an empty one.
/// `text` receives the text of the first candidate, NUL-terminated UTF-8, which the caller frees with
/// mlflow_gateway_string_free().
/// `text_len` receives its length in bytes without the NUL, which tells whether the text itself holds NUL bytes; it may
/// be NULL.
///
/// A response without a text is not an empty text: the function returns _NO_TEXT if the candidate's content is null, or
/// is empty beside a refusal, tool calls, reasoning, images or the finish reason "content_filter".
///
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _INSECURE_AUTH, or any status from 20 to 99. No call lasts longer than
/// the option timeout_ms says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_call(
    gateway: *mut mlflow_gateway,
    prompt: *const c_char,
    text: *mut *mut c_char,
    text_len: *mut usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, prompt, place) = unsafe {
            (handle::hold(gateway, "gateway")?, text::required(prompt, "prompt")?, handle::check_place(text, "text")?)
        };
        // SAFETY: the caller passes NULL or a place for a length.
        gateway.0.call_with(prompt, |answer| unsafe { text::give(answer, place, text_len) })
    })
}

/// Returns what identifies this configured model: a JSON object with "gateway_uri", "route" and the parameters that
/// are set, under the names that they were set by. No headers and no credentials are in it.
///
/// `json` receives the text, which the caller frees with mlflow_gateway_string_free().
/// `json_len` receives its length in bytes without the NUL; it may be NULL.
///
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _OUT_OF_MEMORY or _INTERNAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_identifying_params(
    gateway: *mut mlflow_gateway,
    json: *mut *mut c_char,
    json_len: *mut usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, place) = unsafe { (handle::hold(gateway, "gateway")?, handle::check_place(json, "json")?) };
        let params = gateway.0.identifying_params()?;
        // SAFETY: the caller passes NULL or a place for a length.
        unsafe { text::give(&params, place, json_len) }
    })
}

/// Returns "mlflow-ai-gateway", the name by which LangChain's users know this kind of model (`_llm_type`). The text
/// lives for ever and is not to be freed.
#[unsafe(no_mangle)]
pub extern "C" fn mlflow_gateway_llm_type() -> *const c_char {
    export!(or ptr::null(), { client::LLM_TYPE.as_ptr() })
}

/// Destroys a handle and closes its connections. NULL is allowed and does nothing. No thread may be in a call on the
/// handle, and none may use it afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_destroy(gateway: *mut mlflow_gateway) {
    export!(or(), {
        // SAFETY: the caller passes NULL or a handle that was not destroyed.
        unsafe { handle::end(gateway) }
    })
}

/// Frees a text that a function of this library gave to the caller. NULL is allowed and does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_string_free(text: *mut c_char) {
    export!(or(), {
        // SAFETY: the caller passes NULL or a text that was given to it and not freed.
        unsafe { text::free(text) }
    })
}

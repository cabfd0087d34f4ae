//! The handle and the simple path: one route, one prompt.

use std::ffi::c_char;
use std::ptr;

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
/// `gateway_uri` is an http:// or https:// URI without credentials, for example "http://127.0.0.1:5000", and if the
/// gateway is mounted below a path, with that path. If it is NULL, the environment variable MLFLOW_GATEWAY_URI says it,
/// or else MLFLOW_DEPLOYMENTS_TARGET. The environment is read here and never again, the variables that name a proxy
/// included: http_proxy and HTTP_PROXY for an http:// gateway, https_proxy and HTTPS_PROXY for an https:// one, else
/// all_proxy and ALL_PROXY, and no_proxy and NO_PROXY with the hosts to ask without it. Proxies are asked for a tunnel
/// (CONNECT) in both cases.
/// `gateway` receives the handle, which the caller destroys with mlflow_gateway_destroy().
///
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _INVALID_URI or _NO_GATEWAY_URI.
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
///   name              values                       default   meaning
///   timeout_ms        1 to 86400000                300000    milliseconds that a whole call may take: finding the
///                                                            host, connecting, sending, waiting and reading
///   dialect           auto, gateway, deployments   auto      what the gateway speaks: gateway is MLflow 2.5 to 2.8,
///                                                            deployments is 2.9 and later; auto asks the server once
///   max_connections   0 to 65536                   64        connections that are kept open between calls, at most,
///                                                            for a minute each; calls beyond that open one and close it
///   ca_file           path of a PEM file           ""        certificates to trust instead of the machine's own
///   client_cert_file  path of a PEM file           ""        certificate to show to the server, with those that lead
///                                                            to its root; the file may hold the key as well
///   client_key_file   path of a PEM file           ""        the private key of that certificate
///   insecure_tls      true, false                  false     accept any certificate, and so any server in the middle;
///                                                            not together with ca_file
///   gather_stream     true, false                  true      keep the texts and calls of tools of a stream until its
///                                                            end; with false calls of tools are lost, and a stream
///                                                            needs memory for a few events, however long it is
///   max_event_bytes   1024 to 1073741824           16777216  the longest event of a stream
///   embed_batch_size  1 to 100000                  20        inputs that are sent in one request for vectors
///   embed_concurrency 1 to 64                      1         such requests that are under way at once, each on a
///                                                            thread: the caller's, and others that end with the call
///
/// Files are read by this function; "" takes such an option back. To replace a client's certificate, set first it and
/// then its key. The machine's own certificates are read when a connection first needs them, from where OpenSSL has
/// them or where the environment variables SSL_CERT_FILE and SSL_CERT_DIR say.
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

/// Sets a header that every request carries, for all calls on this handle that begin afterwards: for example
/// "Authorization" to "Bearer ...". Its value is treated as a secret: the library does not put it into a message, and
/// masks it there (if it has 6 bytes or more) where a gateway repeats it.
///
/// `name` is the header's name, without regard to case. Those that frame the message (Host, Content-Length,
/// Content-Type and the like) are refused, and so is Accept-Encoding. At most 100 can be set.
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
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _UNSUPPORTED (a route for vectors), or any status from 20 to 99. No
/// call lasts longer than the option timeout_ms says.
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
/// are set, under the names that they were set by. No headers are in it.
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

//! The handle object, and the simple path: one route, one prompt.

use std::ffi::{c_char, c_int};
use std::ptr;
use std::sync::Arc;

use super::cancel::mlflow_gateway_cancel_token;
use super::error::mlflow_gateway_error;
use super::export_status::export_status;
use super::export_value::export_value;
use super::handle;
use super::setters::{self, Configurable};
use super::status::mlflow_gateway_status;
use super::string;
use crate::client::{self, Gateway};

/// A handle: one gateway, its settings, and its connections.
pub struct mlflow_gateway(Arc<Gateway>);

impl mlflow_gateway {
    pub(super) fn gateway(&self) -> &Arc<Gateway> {
        &self.0
    }
}

impl Configurable for mlflow_gateway {
    const ARGUMENT: &str = "gateway";
    type Settings = Gateway;

    fn settings(&self) -> &Gateway {
        &self.0
    }
}

/// Create a handle. Nothing is sent before the first call.
///
/// `route` is the name of a route (called endpoint since MLflow 2.9, model by OpenAI's API), 1 to 256 bytes;
/// "gateway:/NAME" is accepted, too. If it is NULL, each request names its own.
/// `gateway_uri` is one of:
///   - an http:// or https:// URI without credentials, for example "http://127.0.0.1:5000", including the path
///     below which the gateway is mounted. If the path ends in "/v1", the server is taken for an OpenAI-compatible
///     one (option dialect);
///   - "openai", the server that OPENAI_BASE_URL names, or else https://api.openai.com/v1;
///   - "databricks", the workspace that the environment names: DATABRICKS_HOST with DATABRICKS_TOKEN, or with
///     DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET, or else a profile (DATABRICKS_CONFIG_PROFILE) of the file
///     DATABRICKS_CONFIG_FILE, by default ~/.databrickscfg;
///   - "databricks://PROFILE", the workspace of that profile;
///   - NULL, the value of MLFLOW_GATEWAY_URI, MLFLOW_DEPLOYMENTS_TARGET or MLFLOW_TRACKING_URI, in this order.
///
/// The environment and credential files are read once, by this function.
///
/// Fails with _INVALID_URI, _NO_GATEWAY_URI, or _INVALID_OPTION_VALUE (an environment variable or a credential file
/// is not usable; the message names it).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_create(
    route: *const c_char,
    gateway_uri: *const c_char,
    gateway: *mut *mut mlflow_gateway,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (route, uri, output) = unsafe {
            (
                string::optional(route, "route")?,
                string::optional(gateway_uri, "gateway_uri")?,
                handle::output(gateway, "gateway")?,
            )
        };
        output.write(handle::create(mlflow_gateway(Arc::new(Gateway::create(route, uri)?))));
        Ok(())
    })
}

/// Clone a handle, for example to give each thread settings of its own, or each call of mlflow_gateway_list_routes() a
/// cancel token.
///
/// The clone has the settings of the handle at this moment, its log callback and its cancel token included. Later
/// changes of one do not affect the other. Both share connections, access tokens, and the detected dialects and types
/// of routes. The environment is not read again. Either may be destroyed first.
///
/// `clone` receives the clone. The caller owns it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_clone(
    gateway: *mut mlflow_gateway,
    clone: *mut *mut mlflow_gateway,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (gateway, output) = unsafe { (handle::retain(gateway, "gateway")?, handle::output(clone, "clone")?) };
        output.write(handle::create(mlflow_gateway(Arc::new(gateway.0.copy()))));
        Ok(())
    })
}

/// Set an option for all later calls on this handle. docs/options.md describes every option. A request can set
/// those marked with *. An option that is set takes precedence over the environment. A timeout of 0 sets no
/// separate limit.
///
///   name                     values                           default       environment variables
///   allow_insecure_auth      true, false                      false
///   auth_header              Authorization,                   Authorization
///                            X-MLflow-Authorization
///   bearer_token             string                           ""            MLFLOW_TRACKING_TOKEN,
///                                                                           DATABRICKS_TOKEN,
///                                                                           OPENAI_API_KEY
///   ca_file                  PEM file or directory            ""            MLFLOW_TRACKING_SERVER_CERT_PATH,
///                                                                           REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE
///   client_cert_file         PEM file                         ""            MLFLOW_TRACKING_CLIENT_CERT_PATH
///   client_id                string                           ""            DATABRICKS_CLIENT_ID
///   client_key_file          PEM file                         ""
///   client_secret            string                           ""            DATABRICKS_CLIENT_SECRET
///   connect_timeout_ms *     0 to 86400000                    10000
///   dialect                  auto, deployments, gateway,      auto; by URI
///                            tracking, databricks, openai
///   embed_batch_size *       1 to 100000                      20
///   embed_concurrency *      1 to 64                          1
///   first_byte_timeout_ms *  0 to 86400000                    0
///   gather_stream *          true, false                      true
///   idle_timeout_ms *        0 to 86400000                    120000
///   insecure_tls             true, false                      false         MLFLOW_TRACKING_INSECURE_TLS
///   keep_alive_ms            0 to 86400000                    60000
///   max_connections          0 to 65536                       64
///   max_event_bytes *        1024 to 1073741824               16777216
///   max_gathered_bytes *     1024 to 1099511627776            268435456
///   max_header_bytes *       1024 to 65536                    16384
///   max_redirects *          0 to 10                          0
///   max_response_bytes *     1024 to 1099511627776            268435456
///   max_retries *            0 to 10                          3; mlflow: 7  MLFLOW_HTTP_REQUEST_MAX_RETRIES
///   password                 string                           ""            MLFLOW_TRACKING_PASSWORD
///   proxy                    URL, none                        ""            https_proxy, http_proxy, all_proxy,
///                                                                           no_proxy
///   require_text *           true, false                      false
///   retry_backoff_ms *       1 to 60000                       500
///   retry_max_backoff_ms *   1 to 600000                      8000
///   retry_policy *           careful, mlflow                  careful
///   retry_read_timeouts *    true, false                      false
///   stream_timeout_ms *      1 to 86400000                    3600000
///   task *                   auto, chat, completions          auto
///   timeout_ms *             1 to 86400000                    300000        MLFLOW_DEPLOYMENT_PREDICT_TOTAL_TIMEOUT,
///                                                                           MLFLOW_DEPLOYMENT_PREDICT_TIMEOUT,
///                                                                           MLFLOW_HTTP_REQUEST_TIMEOUT
///   user_agent               string                           ""
///   username                 string                           ""            MLFLOW_TRACKING_USERNAME
///   workspace                string                           ""            MLFLOW_WORKSPACE
///
/// Fails with _UNKNOWN_OPTION or _INVALID_OPTION_VALUE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_option(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::set_option(gateway, name, value) }
    })
}

/// Set a header that every request carries, or remove it with a NULL `value`. It takes precedence over headers made
/// from options. The value is treated as a secret.
///
/// `name` is case-insensitive. Headers that frame the message (Host, Content-Length, Content-Type ...),
/// Accept-Encoding and Proxy-Authorization are refused.
/// `value` is at most 8 KiB, without control characters. At most 100 headers can be set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_header(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::set_header(gateway, name, value) }
    })
}

/// Set the cancel token of all later calls on this handle, or remove it with a NULL `token`. The token of a request
/// applies in addition.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_cancel_token(
    gateway: *mut mlflow_gateway,
    token: *mut mlflow_gateway_cancel_token,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::set_cancel_token(gateway, token) }
    })
}

/// Set a parameter of the model to a floating-point number, for all later calls on this handle. Only parameters
/// that are set are sent.
///
/// `name` is the parameter's name as MLflow or the provider documents it, for example "temperature", 1 to 256
/// bytes. "n" and "candidate_count" are the same parameter. "prompt", "messages", "input", "text" and "stream" are
/// reserved.
/// `value` must be finite.
///
/// Fails with _INVALID_PARAM.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_param_double(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    value: f64,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::set_param_double(gateway, name, value) }
    })
}

/// Set a parameter of the model to an integer, for example "max_tokens". Like mlflow_gateway_set_param_double().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_param_int(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    value: i64,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::set_param_int(gateway, name, value) }
    })
}

/// Set a parameter of the model to true (nonzero) or false (0), for example "logprobs". Like
/// mlflow_gateway_set_param_double().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_param_bool(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    value: c_int,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::set_param_bool(gateway, name, value) }
    })
}

/// Set a parameter of the model to a string, for example "user". Like mlflow_gateway_set_param_double().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_param_string(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::set_param_string(gateway, name, value, string::NUL_TERMINATED) }
    })
}

/// Set a parameter of the model to any JSON value, for example "response_format" to "{\"type\": \"json_object\"}".
/// Like mlflow_gateway_set_param_double().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_param_json(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    json: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::set_param_json(gateway, name, json, string::NUL_TERMINATED) }
    })
}

/// Append a string to the parameter "stop". The model stops before it would write one of these strings. Unset
/// "stop" to empty the list.
///
/// Fails with _INVALID_PARAM if "stop" was set to something other than a list of strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_add_stop(
    gateway: *mut mlflow_gateway,
    stop: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::add_stop(gateway, stop, string::NUL_TERMINATED) }
    })
}

/// Unset a parameter. Unsetting one that was never set is not an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_unset_param(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::unset_param(gateway, name) }
    })
}

/// Send a prompt and wait for the text of the first candidate. The route may be of the type completions or chat; a
/// chat route receives one user message. The first call on a route also discovers its dialect (HTTP API).
///
/// `text` receives the text. The caller frees it.
///
/// A response without text is _NO_TEXT, not an empty string: the content is null, or it is empty beside a refusal,
/// tool calls, reasoning, media or the finish reason "content_filter".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_call(
    gateway: *mut mlflow_gateway,
    prompt: *const c_char,
    text: *mut *mut c_char,
    text_len: *mut usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (gateway, prompt, output) = unsafe {
            (handle::retain(gateway, "gateway")?, string::required(prompt, "prompt")?, handle::output(text, "text")?)
        };
        // SAFETY: the caller passes NULL or a pointer that is valid for writes.
        gateway.0.call_with(prompt, |text| unsafe { string::write_copy(text, output, text_len) })
    })
}

/// Return a JSON object that identifies the configured model: "gateway_uri", "route", and the parameters that are
/// set. It contains no headers and no credentials.
///
/// `json` receives the object. The caller frees it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_identifying_params(
    gateway: *const mlflow_gateway,
    json: *mut *mut c_char,
    json_len: *mut usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (gateway, output) = unsafe { (handle::retain(gateway, "gateway")?, handle::output(json, "json")?) };
        let params = gateway.0.identifying_params()?;
        // SAFETY: the caller passes NULL or a pointer that is valid for writes.
        unsafe { string::write_copy(&params, output, json_len) }
    })
}

/// Return "mlflow-ai-gateway", LangChain's name for this kind of model (`_llm_type`). The string is static.
#[unsafe(no_mangle)]
pub extern "C" fn mlflow_gateway_llm_type() -> *const c_char {
    export_value!(ptr::null(), { client::LLM_TYPE.as_ptr() })
}

/// Destroy a handle and close its idle connections, unless a clone uses them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_destroy(gateway: *mut mlflow_gateway) {
    export_value!((), {
        // SAFETY: the caller passes NULL or a handle that was not destroyed.
        unsafe { handle::destroy(gateway) }
    })
}

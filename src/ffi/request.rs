//! The request object.

use std::ffi::{c_char, c_int};
use std::sync::Arc;

use super::cancel::{self, mlflow_gateway_cancel_token};
use super::error::mlflow_gateway_error;
use super::export::export;
use super::gateway::mlflow_gateway;
use super::handle::{self, Place};
use super::status::mlflow_gateway_status;
use super::text;
use crate::client::{Error, Request};

/// What to ask: a prompt, messages, inputs or a whole body, with settings of its own beside the handle's. It can be
/// sent as often as one likes and by any number of threads at once.
pub struct mlflow_gateway_request(Request);

impl mlflow_gateway_request {
    pub(super) fn request(&self) -> &Request {
        &self.0
    }
}

/// What all functions take that ask with a request.
pub(super) struct Asking<T> {
    pub gateway: Arc<mlflow_gateway>,
    pub request: Arc<mlflow_gateway_request>,
    /// For what comes back.
    pub place: Place<T>,
}

/// Checks what such a function was given.
///
/// # Safety
/// Each pointer is NULL, or what the types say.
pub(super) unsafe fn asking<T>(
    gateway: *const mlflow_gateway,
    request: *const mlflow_gateway_request,
    place: *mut T,
    place_name: &str,
) -> Result<Asking<T>, Error> {
    // SAFETY: as promised by the caller.
    unsafe {
        Ok(Asking {
            gateway: handle::hold(gateway, "gateway")?,
            request: handle::hold(request, "request")?,
            place: handle::check_place(place, place_name)?,
        })
    }
}

/// Makes an empty request. It belongs to no gateway, and can be sent to any. It gets either a prompt, or messages, or
/// inputs, or a whole body; a second kind is refused with MLFLOW_GATEWAY_INVALID_ARGUMENT. A call works on the request
/// as it stood when the call began, so that it can be changed meanwhile. Messages and inputs are only added: what is to
/// be asked without some of them is another request.
///
/// `request` receives it; the caller destroys it with mlflow_gateway_request_destroy().
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_create(
    request: *mut *mut mlflow_gateway_request,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let place = unsafe { handle::check_place(request, "request")? };
        place.write(handle::give(mlflow_gateway_request(Request::default())));
        Ok(())
    })
}

/// Sets the prompt, or replaces it. To a chat route it is sent as one message of the user.
///
/// `prompt` is `prompt_len` bytes of UTF-8, which may hold NUL bytes, or with MLFLOW_GATEWAY_NUL_TERMINATED as its
/// length a NUL-terminated text. It is copied. So are all texts of requests.
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_prompt(
    request: *mut mlflow_gateway_request,
    prompt: *const c_char,
    prompt_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, prompt) =
            unsafe { (handle::hold(request, "request")?, text::sized(prompt, prompt_len, "prompt")?) };
        request.0.set_prompt(prompt)
    })
}

/// Adds a message to those that are there, for a chat route.
///
/// `role` says who speaks: "system", "user" or "assistant". Any other name but "" is sent as it is.
/// `content` is the text, `content_len` bytes of UTF-8 or MLFLOW_GATEWAY_NUL_TERMINATED.
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_add_message(
    request: *mut mlflow_gateway_request,
    role: *const c_char,
    content: *const c_char,
    content_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, role, content) = unsafe {
            (
                handle::hold(request, "request")?,
                text::required(role, "role")?,
                text::sized(content, content_len, "content")?,
            )
        };
        request.0.add_message(role, content)
    })
}

/// Adds a message that is more than a text: an image, a recording, the calls of tools that the model asked for, or what
/// a tool answered, for example
/// "{\"role\": \"tool\", \"tool_call_id\": \"call_1\", \"content\": \"21\"}".
///
/// `json` is a JSON object, `json_len` bytes of UTF-8 or MLFLOW_GATEWAY_NUL_TERMINATED. It is checked for being one, and
/// sent as it is.
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_add_message_json(
    request: *mut mlflow_gateway_request,
    json: *const c_char,
    json_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, json) = unsafe { (handle::hold(request, "request")?, text::sized(json, json_len, "json")?) };
        request.0.add_message_json(json)
    })
}

/// Adds a text for mlflow_gateway_embed() to make a vector of.
///
/// `input` is `input_len` bytes of UTF-8 or MLFLOW_GATEWAY_NUL_TERMINATED.
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_add_input(
    request: *mut mlflow_gateway_request,
    input: *const c_char,
    input_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, input) = unsafe { (handle::hold(request, "request")?, text::sized(input, input_len, "input")?) };
        request.0.add_input(input)
    })
}

/// Sets the whole body, or replaces it, for what no other function can say. Its fields are sent in their order and with
/// their values as they are written, and nothing is added: neither parameters of the request, which are refused with
/// MLFLOW_GATEWAY_INVALID_ARGUMENT, nor the handle's. Only the field "stream" is left out, and written by the functions
/// that stream.
///
/// `json` is a JSON object, `json_len` bytes of UTF-8 or MLFLOW_GATEWAY_NUL_TERMINATED.
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_body_json(
    request: *mut mlflow_gateway_request,
    json: *const c_char,
    json_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, json) = unsafe { (handle::hold(request, "request")?, text::sized(json, json_len, "json")?) };
        request.0.set_body_json(json)
    })
}

/// Sets a parameter of the model to a number with a fraction, for this request, in place of the handle's. Names and
/// values are as in mlflow_gateway_set_param_double().
///
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT or _INVALID_PARAM.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_param_double(
    request: *mut mlflow_gateway_request,
    name: *const c_char,
    value: f64,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, name) = unsafe { (handle::hold(request, "request")?, text::required(name, "name")?) };
        request.0.set_param_double(name, value)
    })
}

/// Sets a parameter of the model to an integer. Otherwise as mlflow_gateway_request_set_param_double().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_param_int(
    request: *mut mlflow_gateway_request,
    name: *const c_char,
    value: i64,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, name) = unsafe { (handle::hold(request, "request")?, text::required(name, "name")?) };
        request.0.set_param_int(name, value)
    })
}

/// Sets a parameter of the model to true or false. Otherwise as mlflow_gateway_request_set_param_double().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_param_bool(
    request: *mut mlflow_gateway_request,
    name: *const c_char,
    value: c_int,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, name) = unsafe { (handle::hold(request, "request")?, text::required(name, "name")?) };
        request.0.set_param_bool(name, value != 0)
    })
}

/// Sets a parameter of the model to a text, `value_len` bytes of UTF-8 or MLFLOW_GATEWAY_NUL_TERMINATED. An example is
/// "input_type", by which Cohere's vectors of questions ("search_query") differ from those of documents
/// ("search_document"). Otherwise as mlflow_gateway_request_set_param_double().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_param_string(
    request: *mut mlflow_gateway_request,
    name: *const c_char,
    value: *const c_char,
    value_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, name, value) = unsafe {
            (handle::hold(request, "request")?, text::required(name, "name")?, text::sized(value, value_len, "value")?)
        };
        request.0.set_param_string(name, value)
    })
}

/// Sets a parameter of the model to any JSON value, `json_len` bytes of UTF-8 or MLFLOW_GATEWAY_NUL_TERMINATED: for
/// example "tools" to a list of the tools that the model may ask for, or "response_format" to
/// "{\"type\": \"json_object\"}". Otherwise as mlflow_gateway_request_set_param_double().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_param_json(
    request: *mut mlflow_gateway_request,
    name: *const c_char,
    json: *const c_char,
    json_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, name, json) = unsafe {
            (handle::hold(request, "request")?, text::required(name, "name")?, text::sized(json, json_len, "json")?)
        };
        request.0.set_param_json(name, json)
    })
}

/// Adds a text to the request's own list of texts before which the answer ends (the parameter "stop"). A request that
/// has such a list is sent with it, and the handle's is not. `stop` is `stop_len` bytes of UTF-8 or
/// MLFLOW_GATEWAY_NUL_TERMINATED.
///
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT or _INVALID_PARAM.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_add_stop(
    request: *mut mlflow_gateway_request,
    stop: *const c_char,
    stop_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, stop) = unsafe { (handle::hold(request, "request")?, text::sized(stop, stop_len, "stop")?) };
        request.0.add_stop(stop)
    })
}

/// Takes the request's own parameter back, so that the handle's holds, if it has one. A parameter that was not set is no
/// mistake.
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_unset_param(
    request: *mut mlflow_gateway_request,
    name: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, name) = unsafe { (handle::hold(request, "request")?, text::required(name, "name")?) };
        request.0.unset_param(name);
        Ok(())
    })
}

/// Sets an option for this request, in place of the handle's: gather_stream, or one of those whose names end with
/// "timeout_ms" or begin with "embed_", "retry_", or "max_" (but for max_connections). mlflow_gateway_set_option() says
/// what they mean. The others are the handle's alone, and MLFLOW_GATEWAY_UNKNOWN_OPTION here.
///
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _UNKNOWN_OPTION or _INVALID_OPTION_VALUE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_option(
    request: *mut mlflow_gateway_request,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, name, value) = unsafe {
            (handle::hold(request, "request")?, text::required(name, "name")?, text::required(value, "value")?)
        };
        request.0.set_option(name, value)
    })
}

/// Sets a header for this request, in place of the handle's; NULL as `value` takes the request's own back. Otherwise as
/// mlflow_gateway_set_header().
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_header(
    request: *mut mlflow_gateway_request,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, name, value) = unsafe {
            (handle::hold(request, "request")?, text::required(name, "name")?, text::optional(value, "value")?)
        };
        request.0.set_header(name, value)
    })
}

/// Sets the token by which calls with this request can be cancelled that begin afterwards, in place of the handle's.
/// NULL as `token` takes the request's own back. The request keeps what it needs of it.
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_cancel_token(
    request: *mut mlflow_gateway_request,
    token: *mut mlflow_gateway_cancel_token,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, token) = unsafe { (handle::hold(request, "request")?, cancel::token(token)) };
        request.0.set_cancel_token(token);
        Ok(())
    })
}

/// Destroys a request. NULL is allowed and does nothing. Streams that it opened go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_destroy(request: *mut mlflow_gateway_request) {
    export!(or(), {
        // SAFETY: the caller passes NULL or a request that was not destroyed.
        unsafe { handle::end(request) }
    })
}

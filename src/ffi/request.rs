//! The request object.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use super::cancel::{self, mlflow_gateway_cancel_token};
use super::error::mlflow_gateway_error;
use super::export::export;
use super::gateway::mlflow_gateway;
use super::handle::{self, Place};
use super::response::{self, mlflow_gateway_response};
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

/// Clone a request, in constant time: both share what they have until one of them is changed. So a binding can clone a
/// request for each call, and give each clone a cancel token, headers and options of its own at little cost.
///
/// `clone` receives the copy; the caller destroys it with mlflow_gateway_request_destroy().
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_clone(
    request: *const mlflow_gateway_request,
    clone: *mut *mut mlflow_gateway_request,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, place) = unsafe { (handle::hold(request, "request")?, handle::check_place(clone, "clone")?) };
        place.write(handle::give(mlflow_gateway_request(request.0.copy())));
        Ok(())
    })
}

/// Make the request a raw one: it is sent to `path` below the gateway URI, and its response is returned as it is. A raw
/// request reaches whatever the gateway and the providers behind it have, for example "/gateway/openai/v1/responses",
/// "/gateway/anthropic/v1/messages" or "/gateway/gemini/v1beta/models/NAME:generateContent".
///
/// It has the handle's authentication, headers, options, retries, deadlines, cancellation and connections, and nothing
/// else. The handle's route and parameters are not sent. The request may have a body, set by
/// mlflow_gateway_request_set_body_json() and sent byte for byte; a route, a prompt, messages, inputs or parameters are
/// _INVALID_ARGUMENT, and so is mlflow_gateway_embed(). Any response with a status of success is accepted. If its body
/// has OpenAI's chat shape, the accessors of the response read it; otherwise mlflow_gateway_response_candidate_count()
/// is 0.
///
/// GET and HEAD are retried after any loss of a connection too. POST is retried as mlflow_gateway_send() does it for
/// other requests. Other methods are retried only if the server has not processed the request.
///
/// `method` is case-sensitive, for example "POST"; NULL means POST if the request has a body, else GET. "CONNECT" is
/// _INVALID_ARGUMENT.
/// `path` begins with "/" and is percent-encoded. It may have a query, and has neither a fragment nor a segment "..".
/// The query appears in no error message and no log. NULL removes the path, and ignores `method`.
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_path(
    request: *mut mlflow_gateway_request,
    method: *const c_char,
    path: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, method, path) = unsafe {
            (handle::hold(request, "request")?, text::optional(method, "method")?, text::optional(path, "path")?)
        };
        request.0.set_path(method, path)
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

/// Add a text to the last message, which must be the user's: the message's content becomes an array of parts. The parts
/// keep the order of the calls; the content that the message was added with comes first. An empty text adds no part.
///
/// `text` is `text_len` bytes of UTF-8 or MLFLOW_GATEWAY_NUL_TERMINATED.
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_add_text(
    request: *mut mlflow_gateway_request,
    text: *const c_char,
    text_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, text) = unsafe { (handle::hold(request, "request")?, text::sized(text, text_len, "text")?) };
        request.0.add_text(text)
    })
}

/// Add an image or a recording to the last message, which must be the user's. It becomes the next part of the message's
/// content; see mlflow_gateway_request_add_text().
///
/// `media_type` decides the form: "image/..." is sent as OpenAI's "image_url" with a data URL, "audio/..." as
/// "input_audio" with its format, for example "wav" or "mp3". Any other type is _INVALID_ARGUMENT. Which types are
/// understood depends on the model.
/// `bytes` is the content of the file, `bytes_len` bytes, at least one. It is copied, as base64.
///
///     mlflow_gateway_request_add_message(request, "user", "What is this?", MLFLOW_GATEWAY_NUL_TERMINATED, &error);
///     mlflow_gateway_request_add_media(request, "image/png", png, png_len, &error);
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_add_media(
    request: *mut mlflow_gateway_request,
    media_type: *const c_char,
    bytes: *const c_void,
    bytes_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, media_type, bytes) = unsafe {
            (
                handle::hold(request, "request")?,
                text::required(media_type, "media_type")?,
                text::bytes(bytes, bytes_len, "bytes")?,
            )
        };
        request.0.add_media(media_type, bytes)
    })
}

/// Add the message of a candidate of a response, so that the model continues from it: after tool calls, their results
/// follow (mlflow_gateway_request_add_tool_result()). The message is sent as it came, with its reasoning and with the
/// fields that only the provider knows, such as "thought_signature"; only empty arguments of a tool call become "{}".
///
/// `response` is whole, or that of a stream (mlflow_gateway_stream_response()), as far as it was gathered. It is copied.
/// `candidate` is counted from 0.
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT: also if there is no such candidate, if nothing of it was gathered
/// (the option gather_stream), or if the body of a raw request's response does not have OpenAI's chat shape.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_add_response(
    request: *mut mlflow_gateway_request,
    response: *const mlflow_gateway_response,
    candidate: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, response) = unsafe {
            (handle::hold(request, "request")?, response::get(response).ok_or_else(|| handle::null("response"))?)
        };
        request.0.add_response(response, candidate)
    })
}

/// Add the result of a tool call, as a message of the role "tool" after the response that asked for it.
///
/// `tool_call_id` is what mlflow_gateway_response_tool_call_id() returned. NULL leaves the field out: some models give
/// their tool calls no ids.
/// `content` is what the tool returned, a text of `content_len` bytes of UTF-8 or MLFLOW_GATEWAY_NUL_TERMINATED.
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_add_tool_result(
    request: *mut mlflow_gateway_request,
    tool_call_id: *const c_char,
    content: *const c_char,
    content_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, tool_call_id, content) = unsafe {
            (
                handle::hold(request, "request")?,
                text::optional(tool_call_id, "tool_call_id")?,
                text::sized(content, content_len, "content")?,
            )
        };
        request.0.add_tool_result(tool_call_id, content)
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
/// that stream. The body of a raw request (mlflow_gateway_request_set_path()) is sent byte for byte.
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
    value: bool,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, name) = unsafe { (handle::hold(request, "request")?, text::required(name, "name")?) };
        request.0.set_param_bool(name, value)
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

/// Unset the request's own parameter, and end its omission, so that the handle's applies, if it has one. Unsetting one
/// that was never set is not an error.
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

/// Leave a parameter out of this request, even if the handle sets it: some models refuse "temperature", for example. The
/// last call wins: setting the parameter ends the omission, mlflow_gateway_request_add_stop() that of "stop", and
/// mlflow_gateway_request_unset_param() that of any. "n" and "candidate_count" are one parameter.
///
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT or _INVALID_PARAM.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_omit_param(
    request: *mut mlflow_gateway_request,
    name: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (request, name) = unsafe { (handle::hold(request, "request")?, text::required(name, "name")?) };
        request.0.omit_param(name)
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

/// Set the cancel token of this request: it cancels calls with this request that begin afterwards. The handle's token,
/// if it has one, cancels them as well. NULL as `token` removes the request's own. The request keeps what it needs of
/// the token.
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

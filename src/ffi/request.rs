//! The request object.

use std::ffi::{c_char, c_int, c_void};

use super::cancel::mlflow_gateway_cancel_token;
use super::error::mlflow_gateway_error;
use super::export_status::export_status;
use super::export_value::export_value;
use super::handle;
use super::response::{self, mlflow_gateway_response};
use super::setters::{self, Configurable};
use super::status::mlflow_gateway_status;
use super::string;
use crate::client::Request;

/// A request: a prompt, messages, inputs or a body, with its own settings. Send it as often as needed.
pub struct mlflow_gateway_request(Request);

impl mlflow_gateway_request {
    pub(super) fn request(&self) -> &Request {
        &self.0
    }
}

impl Configurable for mlflow_gateway_request {
    const ARGUMENT: &str = "request";
    type Settings = Request;

    fn settings(&self) -> &Request {
        &self.0
    }
}

/// Create an empty request. Give it either a prompt, messages, inputs or a body; the function that would combine
/// them fails. A request belongs to no handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_create(
    request: *mut *mut mlflow_gateway_request,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let output = unsafe { handle::output(request, "request")? };
        output.write(handle::create(mlflow_gateway_request(Request::default())));
        Ok(())
    })
}

/// Set the route of this request, in place of the handle's, or remove it with NULL. What is discovered is
/// remembered for each route.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_route(
    request: *mut mlflow_gateway_request,
    route: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (request, route) = unsafe { (handle::retain(request, "request")?, string::optional(route, "route")?) };
        request.0.set_route(route)
    })
}

/// Clone a request in constant time (copy-on-write). Clone a request for each call to give each its own cancel
/// token, headers or options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_clone(
    request: *const mlflow_gateway_request,
    clone: *mut *mut mlflow_gateway_request,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (request, output) = unsafe { (handle::retain(request, "request")?, handle::output(clone, "clone")?) };
        output.write(handle::create(mlflow_gateway_request(request.0.copy())));
        Ok(())
    })
}

/// Turn the request into a raw request: send it to any path below the gateway URI, for example
/// "/gateway/openai/v1/responses", "/gateway/anthropic/v1/messages" or
/// "/gateway/gemini/v1beta/models/NAME:generateContent", and return the response as it is.
///
/// A raw request has the handle's authentication, headers, options, retries, deadlines and connections, but not its
/// route and parameters. Its body is sent byte for byte. Its own route, parameters, prompt, messages or inputs are
/// an error, as is mlflow_gateway_embed(). If the response has the shape of OpenAI's chat completions, the
/// accessors read it; otherwise it has no candidates. When streamed, each payload is one event of the kind OTHER; a
/// clean end of the body or "[DONE]" is the end of the stream, and an event named "error" is _STREAM_ERROR.
///
/// GET and HEAD requests are also retried after a connection lost before the response. POST requests are retried
/// like others. Other methods are retried only if the server has not processed the request.
///
/// `method` is an HTTP method, for example "DELETE". NULL means POST with a body, else GET. CONNECT is refused.
/// `path` begins with "/" and is percent-encoded. It may have a query, which does not appear in messages and logs,
/// but no fragment and no "..". NULL removes the path.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_path(
    request: *mut mlflow_gateway_request,
    method: *const c_char,
    path: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (request, method, path) = unsafe {
            (handle::retain(request, "request")?, string::optional(method, "method")?, string::optional(path, "path")?)
        };
        request.0.set_path(method, path)
    })
}

/// Set or replace the prompt. A chat route receives it as one user message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_prompt(
    request: *mut mlflow_gateway_request,
    prompt: *const c_char,
    prompt_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (request, prompt) =
            unsafe { (handle::retain(request, "request")?, string::sized(prompt, prompt_len, "prompt")?) };
        request.0.set_prompt(prompt)
    })
}

/// Append a message.
///
/// `role` is "system", "user", "assistant", or another role that the model knows.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_add_message(
    request: *mut mlflow_gateway_request,
    role: *const c_char,
    content: *const c_char,
    content_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (request, role, content) = unsafe {
            (
                handle::retain(request, "request")?,
                string::required(role, "role")?,
                string::sized(content, content_len, "content")?,
            )
        };
        request.0.add_message(role, content)
    })
}

/// Append a message given as a JSON object, which is sent as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_add_message_json(
    request: *mut mlflow_gateway_request,
    json: *const c_char,
    json_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (request, json) = unsafe { (handle::retain(request, "request")?, string::sized(json, json_len, "json")?) };
        request.0.add_message_json(json)
    })
}

/// Append a text part to the last message, which must be the user's. Its content becomes an array of parts, in the
/// order of the calls. An empty text adds no part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_add_text(
    request: *mut mlflow_gateway_request,
    text: *const c_char,
    text_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (request, text) = unsafe { (handle::retain(request, "request")?, string::sized(text, text_len, "text")?) };
        request.0.add_text(text)
    })
}

/// Append an image or a recording to the last message, which must be the user's. See
/// mlflow_gateway_request_add_text().
///
/// `media_type` selects the kind of part: "image/..." is sent as "image_url" with a data URL, "audio/..." as
/// "input_audio". Other types are an error. The model decides which it supports.
/// `bytes` is the content of the file, at least one byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_add_media(
    request: *mut mlflow_gateway_request,
    media_type: *const c_char,
    bytes: *const c_void,
    bytes_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (request, media_type, bytes) = unsafe {
            (
                handle::retain(request, "request")?,
                string::required(media_type, "media_type")?,
                string::bytes(bytes, bytes_len, "bytes")?,
            )
        };
        request.0.add_media(media_type, bytes)
    })
}

/// Append the message of a candidate, to continue the conversation. After tool calls, append their results, too.
/// The message is sent as received, including reasoning and provider fields such as "thought_signature"; only empty
/// arguments of a tool call become "{}".
///
/// `response` may be that of a stream.
///
/// It is an error if there is no such candidate, if the stream gathered nothing of it (option gather_stream), or if
/// a raw response has no chat shape.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_add_response(
    request: *mut mlflow_gateway_request,
    response: *const mlflow_gateway_response,
    candidate: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (request, response) = unsafe {
            (
                handle::retain(request, "request")?,
                response::get(response).ok_or_else(|| handle::null_argument("response"))?,
            )
        };
        request.0.add_response(response, candidate)
    })
}

/// Append the result of a tool call, as a message with the role "tool".
///
/// `tool_call_id` is the id from mlflow_gateway_response_tool_call_id(). NULL leaves the field out.
/// `content` is what the tool returned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_add_tool_result(
    request: *mut mlflow_gateway_request,
    tool_call_id: *const c_char,
    content: *const c_char,
    content_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (request, tool_call_id, content) = unsafe {
            (
                handle::retain(request, "request")?,
                string::optional(tool_call_id, "tool_call_id")?,
                string::sized(content, content_len, "content")?,
            )
        };
        request.0.add_tool_result(tool_call_id, content)
    })
}

/// Append an input for mlflow_gateway_embed().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_add_input(
    request: *mut mlflow_gateway_request,
    input: *const c_char,
    input_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (request, input) =
            unsafe { (handle::retain(request, "request")?, string::sized(input, input_len, "input")?) };
        request.0.add_input(input)
    })
}

/// Set or replace the whole body, a JSON object. No parameters are added, and setting parameters of this request is
/// an error. Only the field "stream" is written by the library. The body of a raw request is sent byte for byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_body_json(
    request: *mut mlflow_gateway_request,
    json: *const c_char,
    json_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (request, json) = unsafe { (handle::retain(request, "request")?, string::sized(json, json_len, "json")?) };
        request.0.set_body_json(json)
    })
}

/// Set a parameter for this request, in place of the handle's. Like mlflow_gateway_set_param_double().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_param_double(
    request: *mut mlflow_gateway_request,
    name: *const c_char,
    value: f64,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::set_param_double(request, name, value) }
    })
}

/// Set a parameter to an integer. Like mlflow_gateway_request_set_param_double().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_param_int(
    request: *mut mlflow_gateway_request,
    name: *const c_char,
    value: i64,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::set_param_int(request, name, value) }
    })
}

/// Set a parameter to true (nonzero) or false (0). Like mlflow_gateway_request_set_param_double().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_param_bool(
    request: *mut mlflow_gateway_request,
    name: *const c_char,
    value: c_int,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::set_param_bool(request, name, value) }
    })
}

/// Set a parameter to a string, for example "input_type" of Cohere's embeddings. Like
/// mlflow_gateway_request_set_param_double().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_param_string(
    request: *mut mlflow_gateway_request,
    name: *const c_char,
    value: *const c_char,
    value_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::set_param_string(request, name, value, value_len) }
    })
}

/// Set a parameter to any JSON value, for example "tools" to a list of tools, each with the JSON Schema of its
/// arguments. Like mlflow_gateway_request_set_param_double().
///
///     [{"type": "function", "function": {"name": "weather", "description": "Weather of a city", "parameters":
///       {"type": "object", "properties": {"city": {"type": "string"}}}}}]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_param_json(
    request: *mut mlflow_gateway_request,
    name: *const c_char,
    json: *const c_char,
    json_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::set_param_json(request, name, json, json_len) }
    })
}

/// Append a string to this request's list "stop", which replaces the handle's list.
///
/// Fails with _INVALID_PARAM.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_add_stop(
    request: *mut mlflow_gateway_request,
    stop: *const c_char,
    stop_len: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::add_stop(request, stop, stop_len) }
    })
}

/// Unset this request's parameter and end its omission, so that the handle's applies. Unsetting one that was never
/// set is not an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_unset_param(
    request: *mut mlflow_gateway_request,
    name: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::unset_param(request, name) }
    })
}

/// Leave a parameter out of this request even if the handle sets it. The last call wins: setting the parameter ends
/// the omission.
///
/// Fails with _INVALID_PARAM.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_omit_param(
    request: *mut mlflow_gateway_request,
    name: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (request, name) = unsafe { (handle::retain(request, "request")?, string::required(name, "name")?) };
        request.0.omit_param(name)
    })
}

/// Set an option for this request, in place of the handle's. mlflow_gateway_set_option() marks the options that a
/// request accepts with *.
///
/// Fails with _UNKNOWN_OPTION or _INVALID_OPTION_VALUE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_option(
    request: *mut mlflow_gateway_request,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::set_option(request, name, value) }
    })
}

/// Set a header for this request, in place of the handle's. A NULL `value` unsets it, so that the handle's applies.
/// Like mlflow_gateway_set_header().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_header(
    request: *mut mlflow_gateway_request,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::set_header(request, name, value) }
    })
}

/// Set the cancel token of this request, or remove it with a NULL `token`. The handle's token applies in addition.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_set_cancel_token(
    request: *mut mlflow_gateway_request,
    token: *mut mlflow_gateway_cancel_token,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { setters::set_cancel_token(request, token) }
    })
}

/// Destroy a request. Its streams continue.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_request_destroy(request: *mut mlflow_gateway_request) {
    export_value!((), {
        // SAFETY: the caller passes NULL or a request that was not destroyed.
        unsafe { handle::destroy(request) }
    })
}

//! Status numbers. None is ever changed or used again: compiled programs hold them.

use std::ffi::c_char;

use super::export::export;

/// What a function came to: `MLFLOW_GATEWAY_OK`, or the reason why not.
pub type mlflow_gateway_status = i32;

/// It worked.
pub const MLFLOW_GATEWAY_OK: mlflow_gateway_status = 0;

/* 1 to 19: the caller's mistake; nothing was sent. */

/// A pointer is NULL where it may not be, a text is not UTF-8, not JSON or too long, a name is not allowed, a block has
/// too little room, or a request holds nothing, or another kind of content than the function needs.
pub const MLFLOW_GATEWAY_INVALID_ARGUMENT: mlflow_gateway_status = 1;
/// The gateway URI is not an http:// or https:// URI, nor a databricks one, or holds credentials or a query.
pub const MLFLOW_GATEWAY_INVALID_URI: mlflow_gateway_status = 2;
/// No gateway URI was passed, and no environment variable names one; or no workspace of Databricks is named.
pub const MLFLOW_GATEWAY_NO_GATEWAY_URI: mlflow_gateway_status = 3;
/// There is no option of that name.
pub const MLFLOW_GATEWAY_UNKNOWN_OPTION: mlflow_gateway_status = 4;
/// The option does not take that value; the message says which it takes.
pub const MLFLOW_GATEWAY_INVALID_OPTION_VALUE: mlflow_gateway_status = 5;
/// The parameter's name is not allowed, its value is not JSON or not a finite number, or "stop" is not a list of texts.
pub const MLFLOW_GATEWAY_INVALID_PARAM: mlflow_gateway_status = 6;
/// Credentials would go unencrypted to another machine; the option allow_insecure_auth allows that.
pub const MLFLOW_GATEWAY_INSECURE_AUTH: mlflow_gateway_status = 8;

/* 20 to 39: the way to the gateway. */

/// The host name has no address.
pub const MLFLOW_GATEWAY_RESOLVE_FAILED: mlflow_gateway_status = 20;
/// No connection: refused, unreachable, or no route there.
pub const MLFLOW_GATEWAY_CONNECT_FAILED: mlflow_gateway_status = 21;
/// No TLS connection: a certificate that is not trusted, or a server that does not speak TLS.
pub const MLFLOW_GATEWAY_TLS_FAILED: mlflow_gateway_status = 22;
/// The connection broke before the answer was complete.
pub const MLFLOW_GATEWAY_CONNECTION_LOST: mlflow_gateway_status = 23;
/// A time was over that the call may take: the message names the option, timeout_ms or one of a part of the call.
pub const MLFLOW_GATEWAY_TIMEOUT: mlflow_gateway_status = 24;
/// mlflow_gateway_cancel() ended the call, or a callback stopped the answer.
pub const MLFLOW_GATEWAY_CANCELLED: mlflow_gateway_status = 25;
/// The proxy could not be used, or refused.
pub const MLFLOW_GATEWAY_PROXY_FAILED: mlflow_gateway_status = 26;

/* 40 to 59: the gateway, or the model provider behind it, said no. */

/// HTTP 400 or 422: the gateway does not accept the prompt or a parameter.
pub const MLFLOW_GATEWAY_BAD_REQUEST: mlflow_gateway_status = 40;
/// HTTP 401: no credentials, or wrong ones.
pub const MLFLOW_GATEWAY_UNAUTHORIZED: mlflow_gateway_status = 41;
/// HTTP 403: the credentials do not allow this.
pub const MLFLOW_GATEWAY_FORBIDDEN: mlflow_gateway_status = 42;
/// HTTP 404 or 405: no such route, or no MLflow gateway at that URI. The message names the routes that there are.
pub const MLFLOW_GATEWAY_NOT_FOUND: mlflow_gateway_status = 43;
/// HTTP 429: too many calls.
pub const MLFLOW_GATEWAY_RATE_LIMITED: mlflow_gateway_status = 44;
/// HTTP 429 because the gateway's budget is used up: calling again does not help.
pub const MLFLOW_GATEWAY_BUDGET_EXCEEDED: mlflow_gateway_status = 45;
/// HTTP 400 because a guardrail of the gateway stopped the question or the answer.
pub const MLFLOW_GATEWAY_GUARDRAIL_BLOCKED: mlflow_gateway_status = 46;
/// HTTP 500 to 599, but 501: the gateway or the model provider has a fault.
pub const MLFLOW_GATEWAY_SERVER_ERROR: mlflow_gateway_status = 47;
/// Any other HTTP status that is no success, redirects included.
pub const MLFLOW_GATEWAY_HTTP_ERROR: mlflow_gateway_status = 48;
/// This gateway or this route cannot do that. The gateway said so, for example by HTTP 501; or the kind of the gateway
/// or of the route is known, and nothing was sent.
pub const MLFLOW_GATEWAY_UNSUPPORTED: mlflow_gateway_status = 49;

/* 60 to 79: the gateway said yes, but its answer is wrong. */

/// The answer is not JSON (a web page, a cut text), or JSON that is no gateway's answer.
pub const MLFLOW_GATEWAY_BAD_RESPONSE: mlflow_gateway_status = 60;
/// The response has no candidate.
pub const MLFLOW_GATEWAY_NO_CANDIDATES: mlflow_gateway_status = 61;
/// More came than may: an answer is longer than max_response_bytes, its head than max_header_bytes, an event of a stream
/// than max_event_bytes, or all that is gathered of it than max_gathered_bytes.
pub const MLFLOW_GATEWAY_RESPONSE_TOO_LARGE: mlflow_gateway_status = 62;
/// The stream ended before the answer did: the connection broke, or it was closed without a word of the end.
pub const MLFLOW_GATEWAY_STREAM_TRUNCATED: mlflow_gateway_status = 63;
/// The gateway said in the middle of the stream that it failed. If it said why, the status may be RATE_LIMITED,
/// BUDGET_EXCEEDED or GUARDRAIL_BLOCKED instead.
pub const MLFLOW_GATEWAY_STREAM_ERROR: mlflow_gateway_status = 64;
/// Only mlflow_gateway_call() returns it: the first candidate has no text. The message says what it has instead, for
/// example a refusal or tool calls. mlflow_gateway_error_body() returns the response.
pub const MLFLOW_GATEWAY_NO_TEXT: mlflow_gateway_status = 65;

/* 80 to 99: this library. */

/// A fault in this library, which was caught. The handle can be used further.
pub const MLFLOW_GATEWAY_PANIC: mlflow_gateway_status = 80;
/// No memory for the result.
pub const MLFLOW_GATEWAY_OUT_OF_MEMORY: mlflow_gateway_status = 81;
/// Another fault in this library.
pub const MLFLOW_GATEWAY_INTERNAL: mlflow_gateway_status = 82;

/* 100 to 119: no failure, and no error object. */

/// The stream is over and the answer complete.
pub const MLFLOW_GATEWAY_STREAM_END: mlflow_gateway_status = 100;
/// The JSON document has no such value.
pub const MLFLOW_GATEWAY_NO_VALUE: mlflow_gateway_status = 104;

/// Returns a status's name, for example "MLFLOW_GATEWAY_TIMEOUT"; "MLFLOW_GATEWAY_UNKNOWN" for a number that is no
/// status. The text lives for ever and is not to be freed.
#[unsafe(no_mangle)]
pub extern "C" fn mlflow_gateway_status_name(status: mlflow_gateway_status) -> *const c_char {
    export!(or c"MLFLOW_GATEWAY_UNKNOWN".as_ptr(), {
        match status {
            MLFLOW_GATEWAY_OK => c"MLFLOW_GATEWAY_OK",
            MLFLOW_GATEWAY_INVALID_ARGUMENT => c"MLFLOW_GATEWAY_INVALID_ARGUMENT",
            MLFLOW_GATEWAY_INVALID_URI => c"MLFLOW_GATEWAY_INVALID_URI",
            MLFLOW_GATEWAY_NO_GATEWAY_URI => c"MLFLOW_GATEWAY_NO_GATEWAY_URI",
            MLFLOW_GATEWAY_UNKNOWN_OPTION => c"MLFLOW_GATEWAY_UNKNOWN_OPTION",
            MLFLOW_GATEWAY_INVALID_OPTION_VALUE => c"MLFLOW_GATEWAY_INVALID_OPTION_VALUE",
            MLFLOW_GATEWAY_INVALID_PARAM => c"MLFLOW_GATEWAY_INVALID_PARAM",
            MLFLOW_GATEWAY_INSECURE_AUTH => c"MLFLOW_GATEWAY_INSECURE_AUTH",
            MLFLOW_GATEWAY_RESOLVE_FAILED => c"MLFLOW_GATEWAY_RESOLVE_FAILED",
            MLFLOW_GATEWAY_CONNECT_FAILED => c"MLFLOW_GATEWAY_CONNECT_FAILED",
            MLFLOW_GATEWAY_TLS_FAILED => c"MLFLOW_GATEWAY_TLS_FAILED",
            MLFLOW_GATEWAY_CONNECTION_LOST => c"MLFLOW_GATEWAY_CONNECTION_LOST",
            MLFLOW_GATEWAY_TIMEOUT => c"MLFLOW_GATEWAY_TIMEOUT",
            MLFLOW_GATEWAY_CANCELLED => c"MLFLOW_GATEWAY_CANCELLED",
            MLFLOW_GATEWAY_PROXY_FAILED => c"MLFLOW_GATEWAY_PROXY_FAILED",
            MLFLOW_GATEWAY_BAD_REQUEST => c"MLFLOW_GATEWAY_BAD_REQUEST",
            MLFLOW_GATEWAY_UNAUTHORIZED => c"MLFLOW_GATEWAY_UNAUTHORIZED",
            MLFLOW_GATEWAY_FORBIDDEN => c"MLFLOW_GATEWAY_FORBIDDEN",
            MLFLOW_GATEWAY_NOT_FOUND => c"MLFLOW_GATEWAY_NOT_FOUND",
            MLFLOW_GATEWAY_RATE_LIMITED => c"MLFLOW_GATEWAY_RATE_LIMITED",
            MLFLOW_GATEWAY_BUDGET_EXCEEDED => c"MLFLOW_GATEWAY_BUDGET_EXCEEDED",
            MLFLOW_GATEWAY_GUARDRAIL_BLOCKED => c"MLFLOW_GATEWAY_GUARDRAIL_BLOCKED",
            MLFLOW_GATEWAY_SERVER_ERROR => c"MLFLOW_GATEWAY_SERVER_ERROR",
            MLFLOW_GATEWAY_HTTP_ERROR => c"MLFLOW_GATEWAY_HTTP_ERROR",
            MLFLOW_GATEWAY_UNSUPPORTED => c"MLFLOW_GATEWAY_UNSUPPORTED",
            MLFLOW_GATEWAY_BAD_RESPONSE => c"MLFLOW_GATEWAY_BAD_RESPONSE",
            MLFLOW_GATEWAY_NO_CANDIDATES => c"MLFLOW_GATEWAY_NO_CANDIDATES",
            MLFLOW_GATEWAY_RESPONSE_TOO_LARGE => c"MLFLOW_GATEWAY_RESPONSE_TOO_LARGE",
            MLFLOW_GATEWAY_STREAM_TRUNCATED => c"MLFLOW_GATEWAY_STREAM_TRUNCATED",
            MLFLOW_GATEWAY_STREAM_ERROR => c"MLFLOW_GATEWAY_STREAM_ERROR",
            MLFLOW_GATEWAY_NO_TEXT => c"MLFLOW_GATEWAY_NO_TEXT",
            MLFLOW_GATEWAY_PANIC => c"MLFLOW_GATEWAY_PANIC",
            MLFLOW_GATEWAY_OUT_OF_MEMORY => c"MLFLOW_GATEWAY_OUT_OF_MEMORY",
            MLFLOW_GATEWAY_INTERNAL => c"MLFLOW_GATEWAY_INTERNAL",
            MLFLOW_GATEWAY_STREAM_END => c"MLFLOW_GATEWAY_STREAM_END",
            MLFLOW_GATEWAY_NO_VALUE => c"MLFLOW_GATEWAY_NO_VALUE",
            _ => c"MLFLOW_GATEWAY_UNKNOWN",
        }
        .as_ptr()
    })
}

// The client's own enumeration has the same numbers; this does not compile if one differs.
const _: () = {
    use crate::client::Status;
    macro_rules! same {
        ($($name:ident = $constant:ident),* $(,)?) => { $(assert!(Status::$name as i32 == $constant);)* };
    }
    same!(
        InvalidArgument = MLFLOW_GATEWAY_INVALID_ARGUMENT,
        InvalidUri = MLFLOW_GATEWAY_INVALID_URI,
        NoGatewayUri = MLFLOW_GATEWAY_NO_GATEWAY_URI,
        UnknownOption = MLFLOW_GATEWAY_UNKNOWN_OPTION,
        InvalidOptionValue = MLFLOW_GATEWAY_INVALID_OPTION_VALUE,
        InvalidParam = MLFLOW_GATEWAY_INVALID_PARAM,
        InsecureAuth = MLFLOW_GATEWAY_INSECURE_AUTH,
        ResolveFailed = MLFLOW_GATEWAY_RESOLVE_FAILED,
        ConnectFailed = MLFLOW_GATEWAY_CONNECT_FAILED,
        TlsFailed = MLFLOW_GATEWAY_TLS_FAILED,
        ConnectionLost = MLFLOW_GATEWAY_CONNECTION_LOST,
        Timeout = MLFLOW_GATEWAY_TIMEOUT,
        Cancelled = MLFLOW_GATEWAY_CANCELLED,
        ProxyFailed = MLFLOW_GATEWAY_PROXY_FAILED,
        BadRequest = MLFLOW_GATEWAY_BAD_REQUEST,
        Unauthorized = MLFLOW_GATEWAY_UNAUTHORIZED,
        Forbidden = MLFLOW_GATEWAY_FORBIDDEN,
        NotFound = MLFLOW_GATEWAY_NOT_FOUND,
        RateLimited = MLFLOW_GATEWAY_RATE_LIMITED,
        BudgetExceeded = MLFLOW_GATEWAY_BUDGET_EXCEEDED,
        GuardrailBlocked = MLFLOW_GATEWAY_GUARDRAIL_BLOCKED,
        ServerError = MLFLOW_GATEWAY_SERVER_ERROR,
        HttpError = MLFLOW_GATEWAY_HTTP_ERROR,
        Unsupported = MLFLOW_GATEWAY_UNSUPPORTED,
        BadResponse = MLFLOW_GATEWAY_BAD_RESPONSE,
        NoCandidates = MLFLOW_GATEWAY_NO_CANDIDATES,
        ResponseTooLarge = MLFLOW_GATEWAY_RESPONSE_TOO_LARGE,
        StreamTruncated = MLFLOW_GATEWAY_STREAM_TRUNCATED,
        StreamError = MLFLOW_GATEWAY_STREAM_ERROR,
        NoText = MLFLOW_GATEWAY_NO_TEXT,
        Panic = MLFLOW_GATEWAY_PANIC,
        OutOfMemory = MLFLOW_GATEWAY_OUT_OF_MEMORY,
        Internal = MLFLOW_GATEWAY_INTERNAL,
    );
};

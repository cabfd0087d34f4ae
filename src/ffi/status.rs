//! Status numbers. They never change and are never reused: compiled programs contain them.

use std::ffi::c_char;

use super::export_value::export_value;

/// Result of a function: `MLFLOW_GATEWAY_OK`, or why it failed.
pub type mlflow_gateway_status = i32;

/// Success.
pub const MLFLOW_GATEWAY_OK: mlflow_gateway_status = 0;

/* 1 to 19: error of the caller; nothing was sent. */

/// An argument is NULL, not UTF-8, not JSON, too long or out of range, or does not fit the request.
pub const MLFLOW_GATEWAY_INVALID_ARGUMENT: mlflow_gateway_status = 1;
/// The gateway URI is malformed, has an unsupported scheme, or contains credentials or a query.
pub const MLFLOW_GATEWAY_INVALID_URI: mlflow_gateway_status = 2;
/// Neither an argument nor the environment names a gateway or a Databricks workspace.
pub const MLFLOW_GATEWAY_NO_GATEWAY_URI: mlflow_gateway_status = 3;
/// No option has that name, or a request does not accept it.
pub const MLFLOW_GATEWAY_UNKNOWN_OPTION: mlflow_gateway_status = 4;
/// The option does not accept that value. The message lists accepted values.
pub const MLFLOW_GATEWAY_INVALID_OPTION_VALUE: mlflow_gateway_status = 5;
/// The name of a parameter is reserved, or its value is not valid.
pub const MLFLOW_GATEWAY_INVALID_PARAM: mlflow_gateway_status = 6;
/// Credentials would be sent unencrypted to another machine. See the option allow_insecure_auth.
pub const MLFLOW_GATEWAY_INSECURE_AUTH: mlflow_gateway_status = 8;

/* 20 to 39: transport. */

/// The host name has no address.
pub const MLFLOW_GATEWAY_RESOLVE_FAILED: mlflow_gateway_status = 20;
/// No connection: refused or unreachable.
pub const MLFLOW_GATEWAY_CONNECT_FAILED: mlflow_gateway_status = 21;
/// No TLS connection: the certificate is not trusted, or the server does not speak TLS.
pub const MLFLOW_GATEWAY_TLS_FAILED: mlflow_gateway_status = 22;
/// The connection broke before the response was complete.
pub const MLFLOW_GATEWAY_CONNECTION_LOST: mlflow_gateway_status = 23;
/// A deadline expired. The message names its option.
pub const MLFLOW_GATEWAY_TIMEOUT: mlflow_gateway_status = 24;
/// A cancel token or a callback ended the call.
pub const MLFLOW_GATEWAY_CANCELLED: mlflow_gateway_status = 25;
/// The proxy is unusable or refused.
pub const MLFLOW_GATEWAY_PROXY_FAILED: mlflow_gateway_status = 26;

/* 40 to 59: refused by the gateway or the model provider. */

/// HTTP 400 or 422: the gateway rejected the request.
pub const MLFLOW_GATEWAY_BAD_REQUEST: mlflow_gateway_status = 40;
/// HTTP 401: credentials are missing or wrong.
pub const MLFLOW_GATEWAY_UNAUTHORIZED: mlflow_gateway_status = 41;
/// HTTP 403: the credentials do not permit this.
pub const MLFLOW_GATEWAY_FORBIDDEN: mlflow_gateway_status = 42;
/// HTTP 404 or 405: no such route, or no gateway at that URI. The message lists the routes that exist.
pub const MLFLOW_GATEWAY_NOT_FOUND: mlflow_gateway_status = 43;
/// HTTP 429: too many requests.
pub const MLFLOW_GATEWAY_RATE_LIMITED: mlflow_gateway_status = 44;
/// HTTP 429: the budget is exhausted. Retrying does not help.
pub const MLFLOW_GATEWAY_BUDGET_EXCEEDED: mlflow_gateway_status = 45;
/// HTTP 400: a guardrail blocked the request or the response.
pub const MLFLOW_GATEWAY_GUARDRAIL_BLOCKED: mlflow_gateway_status = 46;
/// HTTP 500 to 599 except 501: the gateway or the model provider failed.
pub const MLFLOW_GATEWAY_SERVER_ERROR: mlflow_gateway_status = 47;
/// Any other HTTP status that is not a success, redirects included.
pub const MLFLOW_GATEWAY_HTTP_ERROR: mlflow_gateway_status = 48;
/// The gateway or the route does not support this. Either it replied so (HTTP 501), or it is known and nothing was
/// sent.
pub const MLFLOW_GATEWAY_UNSUPPORTED: mlflow_gateway_status = 49;

/* 60 to 79: invalid response. */

/// The response is not JSON, or not the JSON of such a response.
pub const MLFLOW_GATEWAY_BAD_RESPONSE: mlflow_gateway_status = 60;
/// The response has no candidates.
pub const MLFLOW_GATEWAY_NO_CANDIDATES: mlflow_gateway_status = 61;
/// A response exceeds max_response_bytes, max_header_bytes, max_event_bytes or max_gathered_bytes.
pub const MLFLOW_GATEWAY_RESPONSE_TOO_LARGE: mlflow_gateway_status = 62;
/// The stream ended before the response was complete.
pub const MLFLOW_GATEWAY_STREAM_TRUNCATED: mlflow_gateway_status = 63;
/// The gateway reported an error within the stream. If it gave the reason, the status may be RATE_LIMITED,
/// BUDGET_EXCEEDED or GUARDRAIL_BLOCKED instead.
pub const MLFLOW_GATEWAY_STREAM_ERROR: mlflow_gateway_status = 64;
/// The first candidate has no text. Only mlflow_gateway_call() returns this. The message reports what the candidate
/// has instead; mlflow_gateway_error_body() returns the response.
pub const MLFLOW_GATEWAY_NO_TEXT: mlflow_gateway_status = 65;

/* 80 to 99: fault of this library. */

/// A fault in this library, which was caught. The handle stays usable.
pub const MLFLOW_GATEWAY_PANIC: mlflow_gateway_status = 80;
/// No memory for the result.
pub const MLFLOW_GATEWAY_OUT_OF_MEMORY: mlflow_gateway_status = 81;
/// Any other fault in this library.
pub const MLFLOW_GATEWAY_INTERNAL: mlflow_gateway_status = 82;

/* 100 to 119: not failures, without an error object. */

/// The stream is complete.
pub const MLFLOW_GATEWAY_STREAM_END: mlflow_gateway_status = 100;
/// There is no completion yet.
pub const MLFLOW_GATEWAY_PENDING: mlflow_gateway_status = 101;
/// The queue is closed, and all completions were fetched.
pub const MLFLOW_GATEWAY_QUEUE_END: mlflow_gateway_status = 102;
/// The queue holds as many waiting requests as max_queued allows.
pub const MLFLOW_GATEWAY_QUEUE_FULL: mlflow_gateway_status = 103;
/// The JSON document has no such value.
pub const MLFLOW_GATEWAY_NO_VALUE: mlflow_gateway_status = 104;

/// Return the name of a status, for example "MLFLOW_GATEWAY_TIMEOUT", or "MLFLOW_GATEWAY_UNKNOWN". The string is
/// static.
#[unsafe(no_mangle)]
pub extern "C" fn mlflow_gateway_status_name(status: mlflow_gateway_status) -> *const c_char {
    export_value!(c"MLFLOW_GATEWAY_UNKNOWN".as_ptr(), {
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
            MLFLOW_GATEWAY_PENDING => c"MLFLOW_GATEWAY_PENDING",
            MLFLOW_GATEWAY_QUEUE_END => c"MLFLOW_GATEWAY_QUEUE_END",
            MLFLOW_GATEWAY_QUEUE_FULL => c"MLFLOW_GATEWAY_QUEUE_FULL",
            MLFLOW_GATEWAY_NO_VALUE => c"MLFLOW_GATEWAY_NO_VALUE",
            _ => c"MLFLOW_GATEWAY_UNKNOWN",
        }
        .as_ptr()
    })
}

// The enumeration of the client has the same numbers. This does not compile if one differs.
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

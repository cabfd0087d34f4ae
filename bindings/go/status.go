package mlflowgateway

// #include "mlflow_ai_gateway.h"
import "C"

import (
	"errors"
	"strings"
)

// Status is why a call failed. Each constant can be passed to errors.Is. Later versions of the library may add some.
type Status int32

// Errors of the caller. Nothing was sent.
const (
	// ErrInvalidArgument means that an argument is not UTF-8, not JSON, too long or out of range, or does not fit the
	// request.
	ErrInvalidArgument Status = C.MLFLOW_GATEWAY_INVALID_ARGUMENT
	// ErrInvalidURI means that the gateway URI is malformed, has an unsupported scheme, or contains credentials or a
	// query.
	ErrInvalidURI Status = C.MLFLOW_GATEWAY_INVALID_URI
	// ErrNoGatewayURI means that neither an argument nor the environment names a gateway.
	ErrNoGatewayURI Status = C.MLFLOW_GATEWAY_NO_GATEWAY_URI
	// ErrUnknownOption means that no option has that name, or that a request does not accept it.
	ErrUnknownOption Status = C.MLFLOW_GATEWAY_UNKNOWN_OPTION
	// ErrInvalidOptionValue means that an option does not accept that value.
	ErrInvalidOptionValue Status = C.MLFLOW_GATEWAY_INVALID_OPTION_VALUE
	// ErrInvalidParam means that the name of a parameter is reserved, or that its value is not valid.
	ErrInvalidParam Status = C.MLFLOW_GATEWAY_INVALID_PARAM
	// ErrInsecureAuth means that credentials would be sent unencrypted to another machine.
	ErrInsecureAuth Status = C.MLFLOW_GATEWAY_INSECURE_AUTH
)

// Errors of the transport.
const (
	// ErrResolveFailed means that the host name has no address.
	ErrResolveFailed Status = C.MLFLOW_GATEWAY_RESOLVE_FAILED
	// ErrConnectFailed means that the server refused the connection or is unreachable.
	ErrConnectFailed Status = C.MLFLOW_GATEWAY_CONNECT_FAILED
	// ErrTLSFailed means that the certificate is not trusted, or that the server does not speak TLS.
	ErrTLSFailed Status = C.MLFLOW_GATEWAY_TLS_FAILED
	// ErrConnectionLost means that the connection broke before the response was complete.
	ErrConnectionLost Status = C.MLFLOW_GATEWAY_CONNECTION_LOST
	// ErrTimeout means that a time limit of the library expired. The message names its option.
	ErrTimeout Status = C.MLFLOW_GATEWAY_TIMEOUT
	// ErrCancelled means that the context was done, or that Close has ended a stream or a call of a queue.
	ErrCancelled Status = C.MLFLOW_GATEWAY_CANCELLED
	// ErrProxyFailed means that the proxy is unusable or refused.
	ErrProxyFailed Status = C.MLFLOW_GATEWAY_PROXY_FAILED
)

// Refusals of the gateway or the model provider.
const (
	// ErrBadRequest is HTTP 400 or 422: the gateway rejected the request.
	ErrBadRequest Status = C.MLFLOW_GATEWAY_BAD_REQUEST
	// ErrUnauthorized is HTTP 401: credentials are missing or wrong.
	ErrUnauthorized Status = C.MLFLOW_GATEWAY_UNAUTHORIZED
	// ErrForbidden is HTTP 403: the credentials do not permit this.
	ErrForbidden Status = C.MLFLOW_GATEWAY_FORBIDDEN
	// ErrNotFound is HTTP 404 or 405: there is no such route, or no gateway at that URI.
	ErrNotFound Status = C.MLFLOW_GATEWAY_NOT_FOUND
	// ErrRateLimited is HTTP 429: too many requests.
	ErrRateLimited Status = C.MLFLOW_GATEWAY_RATE_LIMITED
	// ErrBudgetExceeded is HTTP 429: the budget is exhausted. Retrying does not help.
	ErrBudgetExceeded Status = C.MLFLOW_GATEWAY_BUDGET_EXCEEDED
	// ErrGuardrailBlocked is HTTP 400: a guardrail blocked the request or the response.
	ErrGuardrailBlocked Status = C.MLFLOW_GATEWAY_GUARDRAIL_BLOCKED
	// ErrServerError is HTTP 500 to 599 except 501: the gateway or the model provider failed.
	ErrServerError Status = C.MLFLOW_GATEWAY_SERVER_ERROR
	// ErrHTTPError is any other HTTP status that is not a success.
	ErrHTTPError Status = C.MLFLOW_GATEWAY_HTTP_ERROR
	// ErrUnsupported means that the gateway or the route does not support this.
	ErrUnsupported Status = C.MLFLOW_GATEWAY_UNSUPPORTED
)

// Invalid responses.
const (
	// ErrBadResponse means that the response is not JSON, or not the JSON of such a response.
	ErrBadResponse Status = C.MLFLOW_GATEWAY_BAD_RESPONSE
	// ErrNoCandidates means that the response has no candidates.
	ErrNoCandidates Status = C.MLFLOW_GATEWAY_NO_CANDIDATES
	// ErrResponseTooLarge means that a response exceeds a limit on its size.
	ErrResponseTooLarge Status = C.MLFLOW_GATEWAY_RESPONSE_TOO_LARGE
	// ErrStreamTruncated means that the stream ended before the response was complete.
	ErrStreamTruncated Status = C.MLFLOW_GATEWAY_STREAM_TRUNCATED
	// ErrStreamError means that the gateway reported an error within the stream.
	ErrStreamError Status = C.MLFLOW_GATEWAY_STREAM_ERROR
	// ErrNoText means that the first candidate has no text. Only Complete returns it.
	ErrNoText Status = C.MLFLOW_GATEWAY_NO_TEXT
)

// Faults of the library.
const (
	// ErrPanic is a fault in the library, which was caught. The client stays usable.
	ErrPanic Status = C.MLFLOW_GATEWAY_PANIC
	// ErrOutOfMemory means that there is no memory for the result, or no file descriptor.
	ErrOutOfMemory Status = C.MLFLOW_GATEWAY_OUT_OF_MEMORY
	// ErrInternal is any other fault in the library.
	ErrInternal Status = C.MLFLOW_GATEWAY_INTERNAL
)

// ErrClosed is returned by a call on a Client, a Stream or a Queue that was closed.
var ErrClosed = errors.New("mlflowgateway: use after Close")

// Error returns the name of the status in words, for example "rate limited".
func (s Status) Error() string {
	return strings.ReplaceAll(strings.ToLower(s.name()), "_", " ")
}

func (s Status) name() string {
	return strings.TrimPrefix(C.GoString(C.mlflow_gateway_status_name(C.mlflow_gateway_status(s))), "MLFLOW_GATEWAY_")
}

// Version returns the version of the library in use.
func Version() string {
	return C.GoString(C.mlflow_gateway_version())
}

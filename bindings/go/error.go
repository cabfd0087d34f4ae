package mlflowgateway

// #include "glue.h"
import "C"

import (
	"context"
	"errors"
	"time"
)

// Error is why a call failed. Open it with errors.As. It matches its Status with errors.Is, and the error of the context
// that ended the call, or ErrClosed if Close has ended it.
type Error struct {
	// Status is the kind of the error.
	Status Status
	// Message is one line: what failed (method and URL), why (in the gateway's words), and what to do. Credentials are
	// masked.
	Message string
	// HTTPStatus is the HTTP status of the response, or 0 without a response. It is 200 for a stream that failed later.
	HTTPStatus int
	// GatewayCode is the error code of the gateway or the model provider, for example "RESOURCE_DOES_NOT_EXIST".
	GatewayCode string
	// RetryAfter is how long the gateway asks to wait (header Retry-After), or negative.
	RetryAfter time.Duration
	// Retryable is whether the same request may succeed later. The library has made its own retries by then.
	Retryable bool
	// Attempts is how many times the request was sent, at least in part.
	Attempts int
	// RetryReasons is why each retry was made, for example "HTTP status 503".
	RetryReasons []string
	// Body is the body of the response, or the failed event of a stream. It is cut after 64 KiB, and credentials are
	// masked.
	Body []byte
	// Header has the response headers that WithResponseHeaders names.
	Header map[string]string

	cause error
}

// Error returns the message, with the error of the context if that ended the call.
func (e *Error) Error() string {
	if e.cause != nil {
		return e.Message + ": " + e.cause.Error()
	}
	return e.Message
}

// Is returns whether the target is the Status of the error.
func (e *Error) Is(target error) bool {
	return target == e.Status
}

// Unwrap returns the error of the context that ended the call, ErrClosed if Close has ended it, or nil.
func (e *Error) Unwrap() error {
	return e.cause
}

// Timeout returns whether a time limit ended the call, that of the context or of the library.
func (e *Error) Timeout() bool {
	return e.Status == ErrTimeout || errors.Is(e.cause, context.DeadlineExceeded)
}

// Temporary returns Retryable. With it, an Error is a net.Error.
func (e *Error) Temporary() bool {
	return e.Retryable
}

func invalid(message string) error {
	return &Error{Status: ErrInvalidArgument, Message: message, RetryAfter: -1}
}

// newError reads an error of C. ctx is that of the call.
func newError(ctx context.Context, failure *C.mlflow_gateway_error, headers []string) *Error {
	var read C.mlflow_go_error
	C.mlflow_go_read_error(failure, &read)
	e := &Error{
		Status:      Status(read.status),
		Message:     C.GoString(read.message),
		HTTPStatus:  int(read.http_status),
		GatewayCode: C.GoString(read.gateway_code),
		RetryAfter:  -1,
		Retryable:   read.is_retryable != 0,
		Attempts:    int(read.attempts),
		Body:        goBytes(read.body, read.body_len),
	}
	if read.retry_after_ms >= 0 {
		e.RetryAfter = time.Duration(read.retry_after_ms) * time.Millisecond
	}
	for retry := C.size_t(0); retry < read.retries; retry++ {
		e.RetryReasons = append(e.RetryReasons, C.GoString(C.mlflow_gateway_error_retry_reason(failure, retry)))
	}
	e.Header = readHeaders(headers, func(name *C.char) *C.char { return C.mlflow_gateway_error_header(failure, name) })
	if e.Status == ErrCancelled {
		e.cause = ctx.Err()
	}
	return e
}

// takeError is newError for an error that the caller owns: it is destroyed.
func takeError(ctx context.Context, failure *C.mlflow_gateway_error, headers []string) error {
	defer C.mlflow_gateway_error_destroy(failure)
	return newError(ctx, failure, headers)
}

// readHeaders reads the headers of these names, which end with a NUL byte.
func readHeaders(names []string, read func(name *C.char) *C.char) map[string]string {
	if len(names) == 0 {
		return nil
	}
	headers := map[string]string{}
	for _, name := range names {
		if value := read(chars(name)); value != nil {
			headers[name[:len(name)-1]] = C.GoString(value)
		}
	}
	return headers
}

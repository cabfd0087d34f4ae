package mlflowgateway

// #include "mlflow_ai_gateway.h"
import "C"

import (
	"context"
	"strconv"
	"time"
)

// Option is a setting of a Client.
type Option func(*settings)

// settings are what the options of New set.
type settings struct {
	steps   []func(gateway *C.mlflow_gateway) error
	err     error // the first one
	headers []string
	level   LogLevel
	log     func(level LogLevel, line string)
}

func (s *settings) add(step func(gateway *C.mlflow_gateway) error) {
	s.steps = append(s.steps, step)
}

// addPair adds a step that passes a name and a value to a function of C.
func (s *settings) addPair(
	what, name, value string,
	set func(gateway *C.mlflow_gateway, name, value *C.char, failure **C.mlflow_gateway_error) C.mlflow_gateway_status,
) {
	s.add(func(gateway *C.mlflow_gateway) error {
		name, err := terminated(what, name)
		if err != nil {
			return err
		}
		value, err := terminated("value of the "+what, value)
		if err != nil {
			return err
		}
		var failure *C.mlflow_gateway_error
		return check(context.Background(), set(gateway, chars(name), chars(value), &failure), failure, nil)
	})
}

// WithOption sets an option of the library, for example "max_retries" to "0". The file docs/options.md of the library
// describes each option.
func WithOption(name, value string) Option {
	return func(s *settings) {
		s.addPair("option", name, value, func(
			gateway *C.mlflow_gateway, name, value *C.char, failure **C.mlflow_gateway_error,
		) C.mlflow_gateway_status {
			return C.mlflow_gateway_set_option(gateway, name, value, failure)
		})
	}
}

// WithTimeout limits each call (option timeout_ms; by default 5 minutes). A context can end it earlier. A stream that
// has begun is limited by the option stream_timeout_ms instead.
func WithTimeout(limit time.Duration) Option {
	roundedUp := limit + time.Millisecond - 1
	return WithOption("timeout_ms", strconv.FormatInt(roundedUp.Milliseconds(), 10))
}

// WithBearerToken sets the token that each request carries (option bearer_token). By default it comes from the
// environment.
func WithBearerToken(token string) Option {
	return WithOption("bearer_token", token)
}

// WithHeader sets a header that each request carries. Its value is treated as a secret.
func WithHeader(name, value string) Option {
	return func(s *settings) {
		s.addPair("header", name, value, func(
			gateway *C.mlflow_gateway, name, value *C.char, failure **C.mlflow_gateway_error,
		) C.mlflow_gateway_status {
			return C.mlflow_gateway_set_header(gateway, name, value, failure)
		})
	}
}

// WithParam sets a parameter of the model for each request, for example "temperature" to 0.7. The value is anything that
// encoding/json encodes: numbers, strings, "stop" as a []string, structs, json.RawMessage. Only parameters that are set
// are sent; nil is sent as null.
func WithParam(name string, value any) Option {
	return func(s *settings) {
		s.addParam(name, value)
	}
}

// WithResponseHeaders names response headers to keep, for example "x-request-id". They are then in the field Header of
// responses and errors.
func WithResponseHeaders(names ...string) Option {
	return func(s *settings) {
		for _, name := range names {
			header, err := terminated("response header", name)
			s.fail(err)
			s.headers = append(s.headers, header)
		}
	}
}

// addParam encodes the value now: the program may change it later.
func (s *settings) addParam(name string, value any) {
	terminatedName, err := terminated("parameter", name)
	s.fail(err)
	if number, ok := value.(float64); ok {
		s.add(func(gateway *C.mlflow_gateway) error {
			var failure *C.mlflow_gateway_error
			status := C.mlflow_gateway_set_param_double(gateway, chars(terminatedName), C.double(number), &failure)
			return check(context.Background(), status, failure, nil)
		})
		return
	}
	json, err := encode(name, value)
	s.fail(err)
	s.add(func(gateway *C.mlflow_gateway) error {
		var failure *C.mlflow_gateway_error
		status := C.mlflow_gateway_set_param_json(gateway, chars(terminatedName), chars(json+"\x00"), &failure)
		return check(context.Background(), status, failure, nil)
	})
}

// fail keeps the first error.
func (s *settings) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

package mlflowgateway

// #include "mlflow_ai_gateway.h"
import "C"

import (
	"context"
	"encoding/json"
	"unsafe"
)

// Request is what a call sends: a prompt, messages, inputs or a body. It can be sent repeatedly, also by several
// goroutines at once if none changes it.
type Request struct {
	// Route replaces that of the client.
	Route string
	// Prompt is sent if there are no messages, inputs, body or path. A chat route receives it as one user message.
	Prompt string
	// Messages are those of a chat, in their order.
	Messages []Message
	// Inputs are the strings to embed.
	Inputs []string
	// Body is the whole body, a JSON object. No parameters are added. With a path it is sent byte for byte.
	Body json.RawMessage
	// Params are parameters of the model, for example "temperature". They take precedence over those of the client. See
	// WithParam for their values.
	Params map[string]any
	// Tools are the tools that the model may call: the parameter "tools".
	Tools []Tool
	// Omit names parameters of the client that this request leaves out.
	Omit []string
	// Options are options for this request, for example "timeout_ms": "1000". The file docs/options.md of the library
	// describes them, and which a request accepts.
	Options map[string]string
	// Header has headers for this request. They take precedence over those of the client.
	Header map[string]string
	// Path makes this a raw request, which is sent to this path below the gateway URI, for example
	// "/gateway/openai/v1/responses", with the authentication, headers and options of the client only. Each event of a
	// raw stream has the kind EventOther.
	Path string
	// Method is the HTTP method of a raw request. By default it is POST with a body, else GET.
	Method string
}

// Tool is a function of the program that the model may call.
type Tool struct {
	// Name is the name by which the model calls it.
	Name string
	// Description tells the model what it does.
	Description string
	// Parameters is the JSON Schema of its arguments: anything that encoding/json encodes so, or nil.
	Parameters any
}

// MarshalJSON encodes the tool as OpenAI's HTTP API defines it.
func (t Tool) MarshalJSON() ([]byte, error) {
	type function struct {
		Name        string `json:"name"`
		Description string `json:"description,omitempty"`
		Parameters  any    `json:"parameters,omitempty"`
	}
	return json.Marshal(map[string]any{"type": "function", "function": function(t)})
}

// builder builds a request of C. After the first error, err is set and the rest has no effect.
type builder struct {
	request *C.mlflow_gateway_request
	failure *C.mlflow_gateway_error
	err     error
}

// param is a parameter: a float64, an int, a bool, or else JSON.
type param struct {
	name  string
	value any
	json  string
}

// build returns a request of C, which the caller destroys.
func (r *Request) build() (*C.mlflow_gateway_request, error) {
	if r == nil {
		return nil, invalid("the request is nil")
	}
	if r.Method != "" && r.Path == "" {
		return nil, invalid("the request has a method, but no path")
	}
	params, err := r.params() // before there is an object of C: the methods of a value may panic
	if err != nil {
		return nil, err
	}
	b := &builder{}
	b.check(C.mlflow_gateway_request_create(&b.request, &b.failure))
	b.content(r)
	b.settings(r, params)
	if b.err != nil {
		C.mlflow_gateway_request_destroy(b.request)
		return nil, b.err
	}
	return b.request, nil
}

// params returns the parameters and the tools.
func (r *Request) params() ([]param, error) {
	var params []param
	add := func(name string, value any) error {
		p := param{name: name, value: value}
		switch value.(type) {
		case bool, float64, int:
		default:
			json, err := encode(name, value)
			if err != nil {
				return err
			}
			p.json = json
		}
		params = append(params, p)
		return nil
	}
	for _, name := range sortedKeys(r.Params) {
		if err := add(name, r.Params[name]); err != nil {
			return nil, err
		}
	}
	if len(r.Tools) > 0 {
		if err := add("tools", r.Tools); err != nil {
			return nil, err
		}
	}
	return params, nil
}

func (b *builder) content(r *Request) {
	if r.Path != "" {
		var method *C.char
		if r.Method != "" {
			method = b.terminated("method", r.Method)
		}
		b.check(C.mlflow_gateway_request_set_path(b.request, method, b.terminated("path", r.Path), &b.failure))
	}
	for i := range r.Messages {
		r.Messages[i].addTo(b)
	}
	for _, input := range r.Inputs {
		b.check(C.mlflow_gateway_request_add_input(b.request, chars(input), length(input), &b.failure))
	}
	if r.Body != nil {
		body := (*C.char)(bytesOf(r.Body))
		b.check(C.mlflow_gateway_request_set_body_json(b.request, body, C.size_t(len(r.Body)), &b.failure))
	}
	hasContent := r.Path != "" || len(r.Messages) > 0 || len(r.Inputs) > 0 || r.Body != nil
	if r.Prompt != "" || !hasContent {
		b.check(C.mlflow_gateway_request_set_prompt(b.request, chars(r.Prompt), length(r.Prompt), &b.failure))
	}
}

func (b *builder) settings(r *Request, params []param) {
	if r.Route != "" {
		b.check(C.mlflow_gateway_request_set_route(b.request, b.terminated("route", r.Route), &b.failure))
	}
	for i := range params {
		b.param(&params[i])
	}
	for _, name := range r.Omit {
		b.check(C.mlflow_gateway_request_omit_param(b.request, b.terminated("parameter", name), &b.failure))
	}
	for _, name := range sortedKeys(r.Options) {
		name, value := b.terminated("option", name), b.terminated("value of the option", r.Options[name])
		b.check(C.mlflow_gateway_request_set_option(b.request, name, value, &b.failure))
	}
	for _, name := range sortedKeys(r.Header) {
		name, value := b.terminated("header", name), b.terminated("value of the header", r.Header[name])
		b.check(C.mlflow_gateway_request_set_header(b.request, name, value, &b.failure))
	}
}

func (b *builder) param(p *param) {
	terminated := b.terminated("parameter", p.name)
	switch value := p.value.(type) {
	case bool:
		b.check(C.mlflow_gateway_request_set_param_bool(b.request, terminated, cBool(value), &b.failure))
	case float64:
		b.check(C.mlflow_gateway_request_set_param_double(b.request, terminated, C.double(value), &b.failure))
	case int:
		b.check(C.mlflow_gateway_request_set_param_int(b.request, terminated, C.int64_t(value), &b.failure))
	default:
		b.check(C.mlflow_gateway_request_set_param_json(b.request, terminated, chars(p.json), length(p.json), &b.failure))
	}
}

// terminated returns a string for C. It fails if the string contains a NUL byte.
func (b *builder) terminated(what, s string) *C.char {
	text, err := terminated(what, s)
	if err != nil {
		b.fail(err)
	}
	return chars(text)
}

func (b *builder) check(status C.mlflow_gateway_status) {
	if status != C.MLFLOW_GATEWAY_OK {
		b.fail(takeError(context.Background(), b.failure, nil))
		b.failure = nil
	}
}

// fail keeps the first error.
func (b *builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// bytesOf returns the bytes of a slice for the duration of one call of C.
func bytesOf(data []byte) unsafe.Pointer {
	if len(data) == 0 {
		return nil
	}
	return unsafe.Pointer(&data[0])
}

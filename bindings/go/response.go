package mlflowgateway

// #include "glue.h"
import "C"

import (
	"context"
	"encoding/json"
	"time"
)

// Response is a response of the model. It owns all of its values.
type Response struct {
	// ID is the ID of the response, if reported.
	ID string
	// Model is the name of the model, if reported.
	Model string
	// Candidates are alternative replies. There is one unless the parameter "n" requests more.
	Candidates []Candidate
	// Usage has the token counts.
	Usage Usage
	// HTTPStatus is the HTTP status, 200 to 299.
	HTTPStatus int
	// Header has the response headers that WithResponseHeaders names.
	Header map[string]string
	// Attempts is how many times the request was sent.
	Attempts int
	// RetryReasons is why each retry was made, for example "HTTP status 503".
	RetryReasons []string
	// Times are those of the last attempt.
	Times Times
	// Body is the body as received. It is nil for a stream.
	Body []byte
}

// Candidate is one reply of the model.
type Candidate struct {
	// Text is the text, "" if there is none.
	Text string
	// HasText is false if there is no text, for example with tool calls. The text may be empty, too.
	HasText bool
	// Reasoning is the reasoning text of the model, if reported.
	Reasoning string
	// Refusal is why the model refused, or "".
	Refusal string
	// Role is "assistant", or "" if not reported.
	Role string
	// FinishReason is "stop", "length", "tool_calls", "content_filter" or another one, or "" if not reported.
	FinishReason string
	// ToolCalls are the tools that the model calls.
	ToolCalls []ToolCall
	// Message is the message as received, to be appended to the messages of the next request. After tool calls, append
	// their results, too.
	Message Message
}

// ToolCall is a call of a tool by the model.
type ToolCall struct {
	// ID is to be passed to ToolMessage. "" if not reported.
	ID string
	// Name is the name of the tool.
	Name string
	// Arguments are JSON as the model wrote it: not necessarily valid. "{}" if there are none.
	Arguments string
}

// Usage has token counts. They are negative if not reported.
type Usage struct {
	// Input is the number of tokens of the request.
	Input int64
	// Output is the number of tokens of the response, usually of all candidates together.
	Output int64
	// Total is the sum, as reported.
	Total int64
	// CachedInput is the number of input tokens read from the provider's cache.
	CachedInput int64
	// Reasoning is the number of output tokens spent on reasoning.
	Reasoning int64
	// CacheWrite is the number of input tokens written to the provider's cache.
	CacheWrite int64
}

// Times are times from the start of a call. They are negative if not known.
type Times struct {
	// Queued is how long the request waited in a queue before its start.
	Queued time.Duration
	// Connected is when the connection was ready, new or reused.
	Connected time.Duration
	// FirstByte is when the response began.
	FirstByte time.Duration
	// FirstToken is when a stream had its first text, reasoning, refusal or tool call.
	FirstToken time.Duration
	// FirstText is when a stream had its first text.
	FirstText time.Duration
	// Total is when the response ended.
	Total time.Duration
}

// Text returns the text of the first candidate, or "".
func (r *Response) Text() string {
	return r.first().Text
}

// ToolCalls returns the tool calls of the first candidate.
func (r *Response) ToolCalls() []ToolCall {
	return r.first().ToolCalls
}

func (r *Response) first() *Candidate {
	if r == nil || len(r.Candidates) == 0 {
		return &Candidate{}
	}
	return &r.Candidates[0]
}

// newResponse reads a response of C, and destroys it.
func newResponse(response *C.mlflow_gateway_response, headers []string) *Response {
	if response == nil {
		return nil
	}
	defer C.mlflow_gateway_response_destroy(response)
	var read C.mlflow_go_response
	C.mlflow_go_read_response(response, &read)
	r := &Response{
		ID:         C.GoString(read.id),
		Model:      C.GoString(read.model),
		Usage:      newUsage(&read.tokens),
		HTTPStatus: int(read.http_status),
		Attempts:   int(read.attempts),
		Times:      newTimes(&read.times_us),
		Body:       goBytes(read.body, read.body_len),
		Candidates: make([]Candidate, read.candidates),
	}
	for i := range r.Candidates {
		r.Candidates[i] = newCandidate(response, C.size_t(i))
	}
	for retry := C.size_t(0); retry < read.retries; retry++ {
		r.RetryReasons = append(r.RetryReasons, C.GoString(C.mlflow_gateway_response_retry_reason(response, retry)))
	}
	r.Header = readHeaders(headers, func(name *C.char) *C.char {
		return C.mlflow_gateway_response_header(response, name)
	})
	return r
}

func newCandidate(response *C.mlflow_gateway_response, index C.size_t) Candidate {
	var read C.mlflow_go_candidate
	C.mlflow_go_read_candidate(response, index, &read)
	c := Candidate{
		Text:         goString(read.text, read.text_len),
		HasText:      read.text != nil,
		Reasoning:    goString(read.reasoning, read.reasoning_len),
		Refusal:      goString(read.refusal, read.refusal_len),
		Role:         C.GoString(read.role),
		FinishReason: C.GoString(read.finish_reason),
		Message:      Message{Role: "assistant", JSON: json.RawMessage(goBytes(read.message, read.message_len))},
	}
	c.Message.Content = c.Text
	for call := C.size_t(0); call < read.tool_calls; call++ {
		var read C.mlflow_go_tool_call
		C.mlflow_go_read_tool_call(response, index, call, &read)
		arguments := goString(read.arguments, read.arguments_len)
		c.ToolCalls = append(c.ToolCalls, ToolCall{C.GoString(read.id), C.GoString(read.name), arguments})
	}
	return c
}

func newUsage(tokens *[C.MLFLOW_GO_COUNTS]C.int64_t) Usage {
	of := func(kind int) int64 { return int64(tokens[kind-1]) }
	return Usage{
		Input:       of(C.MLFLOW_GATEWAY_TOKENS_INPUT),
		Output:      of(C.MLFLOW_GATEWAY_TOKENS_OUTPUT),
		Total:       of(C.MLFLOW_GATEWAY_TOKENS_TOTAL),
		CachedInput: of(C.MLFLOW_GATEWAY_TOKENS_CACHED_INPUT),
		Reasoning:   of(C.MLFLOW_GATEWAY_TOKENS_REASONING),
		CacheWrite:  of(C.MLFLOW_GATEWAY_TOKENS_CACHE_WRITE),
	}
}

func newTimes(microseconds *[C.MLFLOW_GO_COUNTS]C.int64_t) Times {
	of := func(kind int) time.Duration { return time.Duration(microseconds[kind-1]) * time.Microsecond }
	return Times{
		Queued:     of(C.MLFLOW_GATEWAY_TIME_QUEUED),
		Connected:  of(C.MLFLOW_GATEWAY_TIME_CONNECTED),
		FirstByte:  of(C.MLFLOW_GATEWAY_TIME_FIRST_BYTE),
		FirstToken: of(C.MLFLOW_GATEWAY_TIME_FIRST_TOKEN),
		FirstText:  of(C.MLFLOW_GATEWAY_TIME_FIRST_TEXT),
		Total:      of(C.MLFLOW_GATEWAY_TIME_TOTAL),
	}
}

// check returns nil for a call that succeeded, and otherwise its error.
func check(ctx context.Context, status C.mlflow_gateway_status, failure *C.mlflow_gateway_error, headers []string) error {
	if status == C.MLFLOW_GATEWAY_OK {
		return nil
	}
	return takeError(ctx, failure, headers)
}

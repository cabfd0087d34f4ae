package mlflowgateway

// #include "glue.h"
import "C"

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
)

// Stream is a response that arrives as a sequence of events:
//
//	for stream.Next() {
//		if event := stream.Event(); event.Kind == mlflowgateway.EventText {
//			fmt.Print(event.Text)
//		}
//	}
//	if err := stream.Err(); err != nil {
//		return err
//	}
//
// One goroutine at a time reads a stream. Any goroutine may close it.
type Stream struct {
	_     noCopy
	inner *stream
}

// Event is one event of a stream. It owns all of its values.
type Event struct {
	// Kind is the kind of the event. Ignore kinds that you do not know.
	Kind EventKind
	// Candidate is the index of the candidate.
	Candidate int
	// Text is a fragment of text, reasoning or refusal; a fragment of the arguments of a tool call; or the finish reason.
	Text string
	// ToolCallIndex is the index of the tool call.
	ToolCallIndex int
	// ToolCallID is the ID of the tool call, if reported. Each fragment has it.
	ToolCallID string
	// ToolCallName is the name of the tool. Each fragment has it.
	ToolCallName string
	// Usage has the token counts of an event of the kind EventUsage, else nil.
	Usage *Usage
	// RawName is the name of the server-sent event, or "".
	RawName string
	// RawData is the data of the server-sent event. Several events may come from the same one.
	RawData string
}

// EventKind is the kind of an event.
type EventKind int32

const (
	// EventText is a fragment of the text.
	EventText EventKind = C.MLFLOW_GATEWAY_EVENT_TEXT
	// EventReasoning is a fragment of the reasoning.
	EventReasoning EventKind = C.MLFLOW_GATEWAY_EVENT_REASONING
	// EventRefusal is a fragment of the refusal.
	EventRefusal EventKind = C.MLFLOW_GATEWAY_EVENT_REFUSAL
	// EventToolCall is a fragment of a tool call.
	EventToolCall EventKind = C.MLFLOW_GATEWAY_EVENT_TOOL_CALL
	// EventFinish is the end of a candidate.
	EventFinish EventKind = C.MLFLOW_GATEWAY_EVENT_FINISH
	// EventUsage has token counts.
	EventUsage EventKind = C.MLFLOW_GATEWAY_EVENT_USAGE
	// EventOther is anything else: see RawData.
	EventOther EventKind = C.MLFLOW_GATEWAY_EVENT_OTHER
)

var eventKindNames = map[EventKind]string{
	EventText: "text", EventReasoning: "reasoning", EventRefusal: "refusal", EventToolCall: "tool call",
	EventFinish: "finish", EventUsage: "usage", EventOther: "other",
}

// String returns the kind in words, such as "tool call".
func (k EventKind) String() string {
	if name, ok := eventKindNames[k]; ok {
		return name
	}
	return "EventKind(" + strconv.Itoa(int(k)) + ")"
}

// stream is what a Stream owns. It outlives a Stream that the program has lost.
type stream struct {
	cancel func()
	// isClosing is 1 after Close.
	isClosing int32

	mutex  sync.Mutex
	source eventSource // nil after the end
	// isCut is whether the stream was closed before its end.
	isCut    bool
	event    Event
	err      error
	response *Response
}

// eventSource is where the events of a stream come from: a stream of C, or a queue.
type eventSource interface {
	// next waits for the next event. Without one, the error is nil if the response is complete.
	next(event *Event) (isEvent bool, err error)
	// cancel makes next return. Any goroutine may call it, also after the end.
	cancel()
	// end frees the source and returns what was gathered.
	end() *Response
}

func newStream(source eventSource) *Stream {
	inner := &stream{source: source, cancel: source.cancel}
	s := &Stream{inner: inner}
	closeWhenUnreachable(s, inner, func(inner *stream) { inner.close() })
	return s
}

// Next waits for the next event, which Event then returns. It returns false at the end of the stream: Err reports whether
// the response is complete.
func (s *Stream) Next() bool {
	defer runtime.KeepAlive(s)
	return s.inner.next()
}

// Event returns the event that the last call of Next has found.
func (s *Stream) Event() Event {
	return s.inner.event
}

// Err returns why the stream ended before the response was complete, after Next has returned false. It is nil if the
// response is complete.
func (s *Stream) Err() error {
	s.inner.mutex.Lock()
	defer s.inner.mutex.Unlock()
	return s.inner.err
}

// Response returns what was gathered, after Next has returned false or after Close, also if the stream failed. With the
// option gather_stream set to "false" it has only finish reasons and token counts. It is nil before, and if nothing
// was received.
func (s *Stream) Response() *Response {
	s.inner.mutex.Lock()
	defer s.inner.mutex.Unlock()
	return s.inner.response
}

// Close ends the stream. If it is not complete, its connection is closed, so that the gateway stops, too, and a running
// Next returns. Close returns nil.
func (s *Stream) Close() error {
	s.inner.close()
	return nil
}

func (s *stream) next() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.source == nil {
		if s.isCut && s.err == nil {
			s.err = ErrClosed
		}
		return false
	}
	isEvent, err := s.source.next(&s.event)
	if !isEvent {
		var failure *Error
		if errors.As(err, &failure) && failure.Status == ErrCancelled && failure.cause == nil && atomic.LoadInt32(&s.isClosing) != 0 {
			failure.cause = ErrClosed
		}
		s.err = err
		s.finish()
	}
	return isEvent
}

func (s *stream) close() {
	atomic.StoreInt32(&s.isClosing, 1)
	s.cancel()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.source != nil {
		s.isCut = true
		s.finish()
	}
}

func (s *stream) finish() {
	s.response = s.source.end()
	s.source = nil
}

// openStream is a stream of C.
type openStream struct {
	ctx     context.Context
	token   *canceller
	stream  *C.mlflow_gateway_stream
	headers []string
	read    C.mlflow_go_event
}

func (s *openStream) next(event *Event) (bool, error) {
	leave, err := enterBlocking(s.ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	var failure *C.mlflow_gateway_error
	switch status := C.mlflow_go_stream_next(s.stream, &s.read, &failure); status {
	case C.MLFLOW_GATEWAY_OK:
		*event = newEvent(&s.read)
		s.read = C.mlflow_go_event{} // Its pointers soon dangle.
		return true, nil
	case C.MLFLOW_GATEWAY_STREAM_END:
		return false, nil
	default:
		return false, takeError(s.ctx, failure, s.headers)
	}
}

func (s *openStream) cancel() {
	s.token.cancel()
}

func (s *openStream) end() *Response {
	response := newResponse(C.mlflow_gateway_stream_take_response(s.stream), s.headers)
	C.mlflow_gateway_stream_destroy(s.stream)
	s.token.free()
	return response
}

func newEvent(read *C.mlflow_go_event) Event {
	event := Event{
		Kind:          EventKind(read.kind),
		Candidate:     int(read.candidate),
		Text:          goString(read.text, read.text_len),
		ToolCallIndex: int(read.tool_call_index),
		ToolCallID:    C.GoString(read.tool_call_id),
		ToolCallName:  C.GoString(read.tool_call_name),
		RawName:       C.GoString(read.raw_name),
		RawData:       goString(read.raw_data, read.raw_data_len),
	}
	if event.Kind == EventUsage {
		usage := newUsage(&read.tokens)
		event.Usage = &usage
	}
	return event
}

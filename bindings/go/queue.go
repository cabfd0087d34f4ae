package mlflowgateway

// #include "glue.h"
import "C"

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"unsafe"
)

// Queue makes many calls at once. Its methods wait like those of a Client, but a goroutine that waits needs no thread of
// Go, and at most MaxInFlight requests are sent at the same time. It may be used by any number of goroutines at once.
//
// The option timeout_ms limits a call from when its request is sent. Only the context limits the wait before.
type Queue struct {
	_     noCopy
	inner *queue
}

// QueueOptions are the settings of a queue. The zero value of each is its default.
type QueueOptions struct {
	// MaxInFlight is how many requests are sent at the same time, 1 to 4096. The default is 8, or 4096 if Adaptive is set.
	MaxInFlight int
	// MaxQueued is how many more requests the library accepts, 1 to 1000000. The default is 128. Further calls wait in Go,
	// which makes no difference to them.
	MaxQueued int
	// MaxEvents is how many events of each stream are read ahead, 1 to 65536. The default is 64.
	MaxEvents int
	// RequestsPerSecond limits the rate of requests.
	RequestsPerSecond float64
	// TokensPerMinute limits the rate of tokens, those of requests and responses together.
	TokensPerMinute int64
	// Adaptive finds the best number of requests in flight, at most MaxInFlight.
	Adaptive bool
}

// QueueCounts are the numbers of requests in a queue.
type QueueCounts struct {
	// Waiting is the number of requests that the library has accepted and not yet sent, at most MaxQueued.
	Waiting int
	// InFlight is the number of requests that are being sent.
	InFlight int
	// Limit is how many requests may be in flight now.
	Limit int
}

// defaultMaxQueued is small: cancelling a request takes time in proportion to those that wait in the library, so most wait in
// Go.
const defaultMaxQueued = 128

// NewQueue creates a queue with the settings of the client. Close the queue.
func (c *Client) NewQueue(options QueueOptions) (*Queue, error) {
	defer runtime.KeepAlive(c)
	gateway, err := c.inner.gateway.acquire()
	if err != nil {
		return nil, err
	}
	defer c.inner.gateway.release()
	if options.MaxQueued == 0 {
		options.MaxQueued = defaultMaxQueued
	}
	var object *C.mlflow_gateway_queue
	var failure *C.mlflow_gateway_error
	status := C.mlflow_gateway_queue_create((*C.mlflow_gateway)(gateway), &object, &failure)
	if status != C.MLFLOW_GATEWAY_OK {
		return nil, takeError(context.Background(), failure, nil)
	}
	wake, err := configure(object, options)
	if err != nil {
		C.mlflow_gateway_queue_destroy(object)
		return nil, err
	}
	inner := &queue{
		object: newResource(unsafe.Pointer(object), func(object unsafe.Pointer) {
			C.mlflow_gateway_queue_destroy((*C.mlflow_gateway_queue)(object))
		}),
		headers: c.inner.headers,
		inC:     make(chan struct{}, mostInC),
		turn:    make(chan struct{}, 1),
		closing: make(chan struct{}),
		ended:   make(chan struct{}),
		tickets: map[uint64]*ticket{},
		room:    make(chan struct{}),
	}
	go inner.run(object, wake)
	q := &Queue{inner: inner}
	closeWhenUnreachable(q, inner, func(inner *queue) { inner.close() })
	return q, nil
}

// configure sets the options, and returns a file that is readable when there are completions.
func configure(object *C.mlflow_gateway_queue, options QueueOptions) (*os.File, error) {
	values := map[string]string{}
	for name, value := range map[string]int64{
		"max_in_flight": int64(options.MaxInFlight), "max_queued": int64(options.MaxQueued),
		"max_events": int64(options.MaxEvents), "tokens_per_minute": options.TokensPerMinute,
	} {
		if value != 0 {
			values[name] = strconv.FormatInt(value, 10)
		}
	}
	if options.RequestsPerSecond != 0 {
		values["requests_per_second"] = strconv.FormatFloat(options.RequestsPerSecond, 'f', -1, 64)
	}
	if options.Adaptive {
		values["adaptive"] = "true"
	}
	var failure *C.mlflow_gateway_error
	for _, name := range sortedKeys(values) {
		cName, cValue := chars(name+"\x00"), chars(values[name]+"\x00")
		status := C.mlflow_gateway_queue_set_option(object, cName, cValue, &failure)
		if err := check(context.Background(), status, failure, nil); err != nil {
			return nil, err
		}
	}
	var fd C.int
	status := C.mlflow_gateway_queue_fd(object, &fd, &failure)
	if err := check(context.Background(), status, failure, nil); err != nil {
		return nil, err
	}
	fd, err := C.mlflow_go_duplicate(fd)
	if fd < 0 {
		message := "cannot duplicate the descriptor of the queue: " + err.Error()
		return nil, &Error{Status: ErrOutOfMemory, Message: message, RetryAfter: -1}
	}
	return os.NewFile(uintptr(fd), "queue"), nil
}

// Complete is Client.Complete through the queue.
func (q *Queue) Complete(ctx context.Context, prompt string) (string, error) {
	response, err := q.Chat(ctx, &Request{Prompt: prompt, Options: map[string]string{"require_text": "true"}})
	return response.Text(), err
}

// Chat is Client.Chat through the queue.
func (q *Queue) Chat(ctx context.Context, request *Request) (response *Response, err error) {
	defer runtime.KeepAlive(q)
	err = q.inner.call(ctx, request, C.MLFLOW_GATEWAY_SUBMIT_SEND, func(done *C.mlflow_gateway_completion) {
		response = newResponse(C.mlflow_gateway_completion_take_response(done), q.inner.headers)
	})
	return response, err
}

// Embed is Client.Embed through the queue.
func (q *Queue) Embed(ctx context.Context, request *Request) (embeddings *Embeddings, err error) {
	defer runtime.KeepAlive(q)
	err = q.inner.call(ctx, request, C.MLFLOW_GATEWAY_SUBMIT_EMBED, func(done *C.mlflow_gateway_completion) {
		embeddings = newEmbeddings(C.mlflow_gateway_completion_take_embeddings(done))
	})
	return embeddings, err
}

// Stream is Client.Stream through the queue, but it does not wait until the response begins: if the request fails, the
// stream has its error. A stream that is not read keeps its place in flight. Close the stream.
func (q *Queue) Stream(ctx context.Context, request *Request) (*Stream, error) {
	defer runtime.KeepAlive(q)
	t, err := q.inner.submit(ctx, request, C.MLFLOW_GATEWAY_SUBMIT_STREAM)
	if err != nil {
		return nil, err
	}
	return newStream(&queueStream{ticket: t, owner: q}), nil
}

// Counts returns the numbers of requests and completions in the queue. They are 0 after Close.
func (q *Queue) Counts() QueueCounts {
	defer runtime.KeepAlive(q)
	object, err := q.inner.object.acquire()
	if err != nil {
		return QueueCounts{}
	}
	defer q.inner.object.release()
	of := func(kind C.int32_t) int {
		return int(C.mlflow_gateway_queue_count((*C.mlflow_gateway_queue)(object), kind))
	}
	return QueueCounts{
		Waiting:  of(C.MLFLOW_GATEWAY_QUEUE_COUNT_WAITING),
		InFlight: of(C.MLFLOW_GATEWAY_QUEUE_COUNT_IN_FLIGHT),
		Limit:    of(C.MLFLOW_GATEWAY_QUEUE_COUNT_LIMIT),
	}
}

// Close cancels the requests that have not ended, and frees the queue. Later calls fail with ErrClosed. Close returns
// nil.
func (q *Queue) Close() error {
	q.inner.close()
	return nil
}

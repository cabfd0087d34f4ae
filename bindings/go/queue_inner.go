package mlflowgateway

// #include "glue.h"
import "C"

import (
	"context"
	"os"
	"sync"
)

// fetchedAtOnce limits how many completions are fetched in one call of C.
const fetchedAtOnce = 64

// mostInC limits how many goroutines are in a short function of C at the same time. Go starts a thread in place of each
// one that does not return soon, and on a busy machine none may.
const mostInC = 16

// queue is what a Queue owns. It outlives a Queue that the program has lost.
type queue struct {
	object  *resource
	headers []string
	// inC has an element for each goroutine that is in a short function of C.
	inC chan struct{}
	// turn is held by the call that submits its request. The others wait for it in their order.
	turn chan struct{}
	// closing is closed when the queue is closed, and ended when the last completion was fetched.
	closing, ended chan struct{}

	mutex    sync.Mutex
	isClosed bool
	lastTag  uint64
	tickets  map[uint64]*ticket
	// room is closed, and replaced, when a request has ended.
	room chan struct{}
}

// ticket is a request that was submitted.
type ticket struct {
	queue       *queue
	ctx         context.Context
	tag         uint64
	completions *mailbox
	stop        func()
}

// call submits a request, waits for its end, and passes the completion of one that succeeded to read.
func (q *queue) call(
	ctx context.Context, request *Request, how C.int32_t, read func(done *C.mlflow_gateway_completion),
) error {
	t, err := q.submit(ctx, request, how)
	if err != nil {
		return err
	}
	done := t.completions.take().object
	t.stop()
	defer q.enter()()
	defer C.mlflow_gateway_completion_destroy(done)
	if err := t.err(done); err != nil {
		return err
	}
	read(done)
	return nil
}

// submit submits a request. While the queue is full, it waits.
func (q *queue) submit(ctx context.Context, request *Request, how C.int32_t) (*ticket, error) {
	object, err := q.object.acquire()
	if err != nil {
		return nil, err
	}
	defer q.object.release()
	built, err := q.build(request)
	if err != nil {
		return nil, err
	}
	defer q.destroy(built)
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	case <-ctx.Done():
		return nil, cancelledOutside(ctx, whileFull)
	case <-q.closing:
		return nil, ErrClosed
	}
	t := q.newTicket(ctx)
	if err := q.submitTicket((*C.mlflow_gateway_queue)(object), built, how, t); err != nil {
		q.remove(t.tag)
		return nil, err
	}
	if ctx.Done() != nil {
		t.stop = afterFunc(ctx, t.cancel)
	}
	return t, nil
}

func (q *queue) build(request *Request) (*C.mlflow_gateway_request, error) {
	defer q.enter()()
	return request.build()
}

func (q *queue) destroy(request *C.mlflow_gateway_request) {
	defer q.enter()()
	C.mlflow_gateway_request_destroy(request)
}

// enter waits until few goroutines are in functions of C. The caller calls leave after its own.
func (q *queue) enter() (leave func()) {
	q.inC <- struct{}{}
	return q.leave
}

func (q *queue) leave() {
	<-q.inC
}

func (q *queue) submitTicket(
	object *C.mlflow_gateway_queue, request *C.mlflow_gateway_request, how C.int32_t, t *ticket,
) error {
	for {
		if t.ctx.Err() != nil {
			return cancelledOutside(t.ctx, whileFull)
		}
		room := q.nextRoom() // before the queue is full, so that no end of a request is missed
		var failure *C.mlflow_gateway_error
		status := C.mlflow_gateway_queue_submit(object, request, how, C.uint64_t(t.tag), &failure)
		if status != C.MLFLOW_GATEWAY_QUEUE_FULL {
			err := check(t.ctx, status, failure, nil)
			if err != nil && q.isClosing() {
				return ErrClosed
			}
			return err
		}
		select {
		case <-room:
		case <-t.ctx.Done():
		case <-q.closing:
			return ErrClosed
		}
	}
}

// whileFull is where a call waits while the queue is full.
const whileFull = "while waiting for room in the queue"

// cancelledOutside is the error of a call whose context ended outside of the library.
func cancelledOutside(ctx context.Context, where string) error {
	return &Error{Status: ErrCancelled, Message: "cancelled " + where, RetryAfter: -1, cause: ctx.Err()}
}

func (q *queue) newTicket(ctx context.Context) *ticket {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.lastTag++
	t := &ticket{queue: q, ctx: ctx, tag: q.lastTag, completions: newMailbox(), stop: func() {}}
	q.tickets[t.tag] = t
	return t
}

func (q *queue) remove(tag uint64) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	delete(q.tickets, tag)
}

func (q *queue) nextRoom() <-chan struct{} {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	return q.room
}

func (q *queue) isClosing() bool {
	select {
	case <-q.closing:
		return true
	default:
		return false
	}
}

// run fetches completions until the queue is closed and everything was fetched.
func (q *queue) run(object *C.mlflow_gateway_queue, wake *os.File) {
	defer close(q.ended)
	defer wake.Close()
	connection, err := wake.SyscallConn()
	if err != nil {
		panic("mlflowgateway: cannot wait for the descriptor of the queue: " + err.Error())
	}
	fetched := make([]C.mlflow_go_fetched, fetchedAtOnce)
	// The poller of Go is edge-triggered: it wakes this goroutine again only if everything was fetched.
	err = connection.Read(func(uintptr) (isOver bool) {
		for {
			var count C.size_t
			status := C.mlflow_go_queue_fetch(object, &fetched[0], fetchedAtOnce, &count)
			for i := range fetched[:count] {
				q.deliver(&fetched[i])
				fetched[i] = C.mlflow_go_fetched{} // Its pointer soon dangles.
			}
			switch status {
			case C.MLFLOW_GATEWAY_OK:
			case C.MLFLOW_GATEWAY_QUEUE_END:
				return true
			default: // PENDING
				return false
			}
		}
	})
	if err != nil {
		panic("mlflowgateway: cannot wait for the descriptor of the queue: " + err.Error())
	}
}

func (q *queue) deliver(fetched *C.mlflow_go_fetched) {
	isDone := fetched.kind == C.MLFLOW_GATEWAY_COMPLETION_DONE
	q.mutex.Lock()
	t := q.tickets[uint64(fetched.tag)]
	if isDone {
		delete(q.tickets, t.tag)
		close(q.room)
		q.room = make(chan struct{})
	}
	q.mutex.Unlock()
	t.completions.put(completion{fetched.completion, isDone})
}

func (q *queue) close() {
	q.mutex.Lock()
	isFirst := !q.isClosed
	q.isClosed = true
	q.mutex.Unlock()
	if isFirst {
		object := (*C.mlflow_gateway_queue)(q.object.object)
		close(q.closing)
		C.mlflow_gateway_queue_close(object)
		// Every request that was accepted has a ticket by now.
		for _, tag := range q.tags() {
			C.mlflow_gateway_queue_cancel(object, C.uint64_t(tag))
		}
		<-q.ended
		q.object.close()
	}
	<-q.ended
}

func (q *queue) tags() []uint64 {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	tags := make([]uint64, 0, len(q.tickets))
	for tag := range q.tickets {
		tags = append(tags, tag)
	}
	return tags
}

// cancel cancels the request. Its end follows.
func (t *ticket) cancel() {
	object, err := t.queue.object.acquire()
	if err != nil {
		return // The queue was closed, which has cancelled it.
	}
	defer t.queue.object.release()
	defer t.queue.enter()()
	C.mlflow_gateway_queue_cancel((*C.mlflow_gateway_queue)(object), C.uint64_t(t.tag))
}

// err returns why the request failed, by its last completion.
func (t *ticket) err(done *C.mlflow_gateway_completion) error {
	if C.mlflow_gateway_completion_status(done) == C.MLFLOW_GATEWAY_OK {
		return nil
	}
	failure := newError(t.ctx, C.mlflow_gateway_completion_error(done), t.queue.headers)
	if failure.Status == ErrCancelled && failure.cause == nil && t.queue.isClosing() {
		failure.cause = ErrClosed
	}
	return failure
}

// queueStream is the stream of a ticket.
type queueStream struct {
	*ticket
	// owner is kept alive by its streams. A ticket must not: the goroutine of the queue reaches it.
	owner    *Queue
	isDone   bool
	response *Response
}

func (s *queueStream) next(event *Event) (bool, error) {
	for hasDropped := false; ; hasDropped = true {
		next := s.completions.take()
		if s.ctx.Err() == nil || next.isDone {
			return s.read(next, event, hasDropped)
		}
		s.drop(next)
	}
}

// read reads a completion and destroys it.
func (s *queueStream) read(next completion, event *Event, hasDropped bool) (bool, error) {
	defer s.queue.enter()()
	defer C.mlflow_gateway_completion_destroy(next.object)
	if !next.isDone {
		var read C.mlflow_go_event
		C.mlflow_go_read_event(C.mlflow_gateway_completion_event(next.object), &read)
		*event = newEvent(&read)
		return true, nil
	}
	s.isDone = true
	s.response = newResponse(C.mlflow_gateway_completion_take_response(next.object), s.queue.headers)
	err := s.err(next.object)
	if err == nil && hasDropped {
		// The response was complete, but not all of it was read.
		err = cancelledOutside(s.ctx, "while reading the events of a complete response")
	}
	return false, err
}

// drop destroys an event that is not read.
func (s *queueStream) drop(event completion) {
	defer s.queue.enter()()
	C.mlflow_gateway_completion_destroy(event.object)
}

func (s *queueStream) end() *Response {
	s.stop()
	for !s.isDone {
		var unread Event
		_, _ = s.read(s.completions.take(), &unread, false)
	}
	return s.response
}

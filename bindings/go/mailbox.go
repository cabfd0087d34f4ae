package mlflowgateway

// #include "mlflow_ai_gateway.h"
import "C"

import "sync"

// completion is an event, or the end of a request.
type completion struct {
	object *C.mlflow_gateway_completion
	isDone bool
}

// mailbox has the completions of one request that were fetched and not yet read.
type mailbox struct {
	mutex sync.Mutex
	list  []completion
	// filled has an element if the list may have become non-empty since it was found empty.
	filled chan struct{}
}

func newMailbox() *mailbox {
	return &mailbox{filled: make(chan struct{}, 1)}
}

// put never waits: the library limits how many completions of a request exist.
func (m *mailbox) put(next completion) {
	m.mutex.Lock()
	m.list = append(m.list, next)
	m.mutex.Unlock()
	select {
	case m.filled <- struct{}{}:
	default:
	}
}

// take waits for the next completion. One goroutine at a time may call it.
func (m *mailbox) take() completion {
	for {
		if next, ok := m.poll(); ok {
			return next
		}
		<-m.filled
	}
}

func (m *mailbox) poll() (next completion, ok bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if len(m.list) == 0 {
		return completion{}, false
	}
	next, m.list = m.list[0], m.list[1:]
	return next, true
}

//go:build cgo

package mlflowgateway

import "context"

// blocking has an element for each goroutine that waits in a function of C. Each occupies a thread, and the runtime of Go
// ends the program when it has 10,000.
var blocking = make(chan struct{}, 4096)

// enterBlocking waits until few enough goroutines wait in functions of C. The caller calls leave after its own.
func enterBlocking(ctx context.Context) (leave func(), err error) {
	select {
	case blocking <- struct{}{}: // also if the context is done: then the library reports what was not sent
		return leaveBlocking, nil
	default:
	}
	select {
	case blocking <- struct{}{}:
		return leaveBlocking, nil
	case <-ctx.Done():
		return nil, cancelledOutside(ctx, "while waiting for other calls: a Client makes at most 4096 at the same time")
	}
}

func leaveBlocking() {
	<-blocking
}

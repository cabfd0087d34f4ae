package mlflowgateway

// #include "mlflow_ai_gateway.h"
import "C"

import (
	"context"
	"sync"
)

// canceller is the cancel token of one call or stream.
type canceller struct {
	mutex       sync.Mutex
	token       *C.mlflow_gateway_cancel_token // nil when it was freed
	isCancelled bool
	stop        func()
}

// newCanceller creates a token that is cancelled when the context is done. It returns nil for a context that never is:
// a call without a token.
func newCanceller(ctx context.Context) (*canceller, error) {
	if ctx.Done() == nil {
		return nil, nil
	}
	return newTokenFor(ctx)
}

// newTokenFor is newCanceller, but also creates a token for a context that is never done.
func newTokenFor(ctx context.Context) (*canceller, error) {
	token, err := takeToken()
	if err != nil {
		return nil, err
	}
	c := &canceller{token: token}
	if ctx.Err() != nil {
		c.cancel() // now, and not when another goroutine runs
	} else if ctx.Done() != nil {
		c.stop = afterFunc(ctx, c.cancel)
	}
	return c, nil
}

func (c *canceller) cancel() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.token != nil {
		c.isCancelled = true
		C.mlflow_gateway_cancel(c.token)
	}
}

// free ends the use of the token. The call must be over.
func (c *canceller) free() {
	if c == nil {
		return
	}
	if c.stop != nil {
		c.stop()
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.token != nil {
		putToken(c.token, c.isCancelled)
		c.token = nil
	}
}

// orNull returns the token, or NULL for a call without one.
func (c *canceller) orNull() *C.mlflow_gateway_cancel_token {
	if c == nil {
		return nil
	}
	return c.token
}

// attach makes the token apply to a request.
func (c *canceller) attach(request *C.mlflow_gateway_request) error {
	if c == nil {
		return nil
	}
	var failure *C.mlflow_gateway_error
	if C.mlflow_gateway_request_set_cancel_token(request, c.token, &failure) != C.MLFLOW_GATEWAY_OK {
		return takeError(context.Background(), failure, nil)
	}
	return nil
}

// unusedTokens are tokens for later calls: creating one takes two system calls.
var unusedTokens = make(chan *C.mlflow_gateway_cancel_token, mostUnusedTokens)

const mostUnusedTokens = 16

func takeToken() (*C.mlflow_gateway_cancel_token, error) {
	select {
	case token := <-unusedTokens:
		return token, nil
	default:
	}
	var token *C.mlflow_gateway_cancel_token
	var failure *C.mlflow_gateway_error
	status := C.mlflow_gateway_cancel_token_create(&token, &failure)
	return token, check(context.Background(), status, failure, nil)
}

// putToken keeps a token that was not cancelled, and destroys others.
func putToken(token *C.mlflow_gateway_cancel_token, isCancelled bool) {
	if !isCancelled {
		select {
		case unusedTokens <- token:
			return
		default:
		}
	}
	C.mlflow_gateway_cancel_token_destroy(token)
}

//go:build cgo && go1.21

package mlflowgateway

import "context"

// afterFunc calls f on another goroutine when the context is done, unless stop is called before.
func afterFunc(ctx context.Context, f func()) (stop func()) {
	remove := context.AfterFunc(ctx, f)
	return func() { remove() }
}

package mlflowgateway

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

func TestAfterFuncCallsUnlessItIsStopped(t *testing.T) {
	for _, age := range []time.Duration{0, 20 * time.Millisecond} { // A call is short, or not.
		ctx, cancel := context.WithCancel(background)
		defer cancel()
		var stopped, called int32
		stop := afterFunc(ctx, func() { atomic.AddInt32(&stopped, 1) })
		afterFunc(ctx, func() { atomic.AddInt32(&called, 1) })
		time.Sleep(age)
		stop()
		cancel()
		eventually(t, "the function is called", func() bool { return atomic.LoadInt32(&called) == 1 })
		time.Sleep(20 * time.Millisecond)
		if atomic.LoadInt32(&stopped) != 0 || atomic.LoadInt32(&called) != 1 {
			t.Errorf("after %v: the function that was stopped ran %d times, the other one %d times", age, stopped, called)
		}
	}
}

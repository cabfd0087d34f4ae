//go:build cgo && !go1.21

package mlflowgateway

import (
	"context"
	"sync"
	"time"
)

// afterFunc calls f on another goroutine when the context is done, unless stop is called before.
//
// It starts no goroutine for a short call, for which that would take longer than everything else.
func afterFunc(ctx context.Context, f func()) (stop func()) {
	w := &watch{ctx: ctx, f: f}
	recentWatches.add(w)
	return func() { recentWatches.stop(w) }
}

// watch is a call of afterFunc.
type watch struct {
	ctx context.Context
	f   func()
	// position is where the watch is in the list, or -1 if it has a goroutine.
	position int
	isOld    bool
	stopped  chan struct{}
}

// watches are those without a goroutine of their own, which they get when they are a few milliseconds old.
type watches struct {
	mutex     sync.Mutex
	list      []*watch
	isRunning bool
}

var recentWatches watches

const recent = 2 * time.Millisecond

func (l *watches) add(w *watch) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	w.position = len(l.list)
	l.list = append(l.list, w)
	if !l.isRunning {
		l.isRunning = true
		go l.run()
	}
}

func (l *watches) stop(w *watch) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if w.position < 0 {
		close(w.stopped)
	} else {
		l.remove(w)
	}
}

func (l *watches) remove(w *watch) {
	last := len(l.list) - 1
	l.list[w.position] = l.list[last]
	l.list[w.position].position = w.position
	l.list[last] = nil
	l.list = l.list[:last]
	w.position = -1
}

// run starts the goroutines of watches, and ends when there are none without.
func (l *watches) run() {
	for isRunning := true; isRunning; {
		time.Sleep(recent)
		isRunning = l.promote()
	}
}

// promote starts the goroutines of old watches, and returns whether there are others.
func (l *watches) promote() bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for i := len(l.list) - 1; i >= 0; i-- {
		w := l.list[i]
		if w.isOld {
			l.remove(w)
			w.stopped = make(chan struct{})
			go w.wait()
		}
		w.isOld = true
	}
	l.isRunning = len(l.list) > 0
	return l.isRunning
}

func (w *watch) wait() {
	select {
	case <-w.ctx.Done():
		w.f()
	case <-w.stopped:
	}
}

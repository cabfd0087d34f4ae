package mlflowgateway

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// usage is what the process uses.
type usage struct {
	descriptors, goroutines, threads int
	residentKiB                      int
}

func measure(t testing.TB) usage {
	t.Helper()
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	field := func(name string) int {
		_, after, _ := strings.Cut(string(status), "\n"+name+":")
		number, _ := strconv.Atoi(strings.Fields(after)[0])
		return number
	}
	return usage{len(descriptors), runtime.NumGoroutine(), field("Threads"), field("VmRSS")}
}

// contexts returns contexts that end soon after the start of a call: one is cancelled, one has a deadline.
var contexts = map[error]func(time.Duration) (context.Context, context.CancelFunc){
	context.Canceled: func(after time.Duration) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(background)
		time.AfterFunc(after, cancel)
		return ctx, cancel
	},
	context.DeadlineExceeded: func(after time.Duration) (context.Context, context.CancelFunc) {
		return context.WithTimeout(background, after)
	},
}

const (
	endsWithin = 20 * time.Millisecond
	attempts   = 5
)

// echoOrBusy makes a client that sends "retry" sleep before it retries.
func echoOrBusy(x *exchange) {
	if x.text() == "retry" {
		x.respond(503, `{"detail": "busy"}`, "Retry-After", "30")
	} else {
		echo(x)
	}
}

func TestContextEndsEveryKindOfCallAtOnce(t *testing.T) {
	s := newServer(t, echoOrBusy)
	client := newClient(t, s.URL)
	retrying := newClient(t, s.URL, WithOption("max_retries", "3"))
	connecting := newClient(t, "http://"+unreachable(t))
	small := func() *Queue {
		queue, err := client.NewQueue(QueueOptions{MaxInFlight: 1, MaxQueued: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { queue.Close() })
		return queue
	}
	// In the first, a request is in flight; in the second, another one waits; the third is full.
	inFlight, waiting, full := small(), small(), small()
	occupy(t, waiting, 1)
	occupy(t, full, 3)
	complete := func(call func(context.Context, string) (string, error), prompt string) func(context.Context) error {
		return func(ctx context.Context) error { _, err := call(ctx, prompt); return err }
	}
	for _, row := range []struct {
		name, phase string
		call        func(context.Context) error
	}{
		{"waits", "while waiting for the response", complete(client.Complete, "stall")},
		{"sleeps", "while waiting to retry", complete(retrying.Complete, "retry")},
		{"connects", "while connecting", complete(connecting.Complete, "x")},
		{"streams", "while waiting for the next event", func(ctx context.Context) error { return read(client.Stream(ctx, chat("half"))) }},
		{"opens a stream", "while waiting for the response", func(ctx context.Context) error { return read(client.Stream(ctx, chat("stall"))) }},
		{"lists", "while connecting", func(ctx context.Context) error { _, err := connecting.Routes(ctx); return err }},
		{"checks health", "while connecting", connecting.Health},
		{"embeds", "while connecting", func(ctx context.Context) error {
			_, err := connecting.Embed(ctx, &Request{Inputs: []string{"a"}})
			return err
		}},
		{"queue: waits", "while waiting for the response", complete(inFlight.Complete, "stall")},
		{"queue: streams", "while waiting for the next event", func(ctx context.Context) error { return read(inFlight.Stream(ctx, chat("half"))) }},
		{"queue: is queued", "before it was sent", complete(waiting.Complete, "x")},
		{"queue: is full", "while waiting for room in the queue", complete(full.Complete, "x")},
	} {
		endsAtOnce(t, row.name, row.phase, row.call)
	}
}

// endsAtOnce checks that a call ends with its context, and that its error names the phase in which it was.
func endsAtOnce(t *testing.T, name, phase string, call func(context.Context) error) {
	t.Helper()
	for want, newContext := range contexts {
		took, message := time.Hour, ""
		// A busy machine is sometimes late, or has not reached the phase.
		for attempt := 0; attempt < attempts && (took > endsWithin || !strings.Contains(message, phase)); attempt++ {
			after := time.Duration(30*(attempt+1)) * time.Millisecond
			ctx, cancel := newContext(after)
			start := time.Now()
			err := call(ctx)
			took = time.Since(start) - after
			cancel()
			if !errors.Is(err, want) || !errors.Is(err, ErrCancelled) {
				t.Fatalf("%s: %v, want %v", name, err, want)
			}
			message = err.Error()
		}
		t.Logf("%s: ended %v after %v: %s", name, took, want, message)
		if took > endsWithin || !strings.Contains(message, phase) {
			t.Errorf("%s: ended %v after %v: %s", name, took, want, message)
		}
	}
}

// read reads a stream to its end.
func read(stream *Stream, err error) error {
	if err != nil {
		return err
	}
	defer stream.Close()
	for stream.Next() {
	}
	return stream.Err()
}

// occupy submits requests that stall, so that the queue has one in flight, the next waits, and the next finds it full.
func occupy(t *testing.T, queue *Queue, count int) {
	t.Helper()
	ctx, cancel := context.WithCancel(background)
	var calls sync.WaitGroup
	t.Cleanup(func() { cancel(); calls.Wait() })
	for i := 0; i < count; i++ {
		calls.Add(1)
		go func() {
			defer calls.Done()
			if _, err := queue.Complete(ctx, "stall"); !errors.Is(err, ErrCancelled) && !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		}()
		want := QueueCounts{InFlight: 1, Limit: 1}
		if i > 0 {
			want.Waiting = 1
		}
		eventually(t, "the queue is occupied", func() bool { return queue.Counts() == want })
	}
}

// TestCancelledCallsLeakNothing makes 10,000 calls of all kinds that are cancelled: they wait, stream, connect, or sleep
// before a retry.
func TestCancelledCallsLeakNothing(t *testing.T) {
	s := newServer(t, echoOrBusy)
	client := newClient(t, s.URL)
	retrying := newClient(t, s.URL, WithOption("max_retries", "3"))
	connecting := newClient(t, "http://"+unreachable(t))
	queue, err := client.NewQueue(QueueOptions{MaxInFlight: 50})
	if err != nil {
		t.Fatal(err)
	}
	kinds := []func(ctx context.Context) error{
		func(ctx context.Context) error { _, err := client.Complete(ctx, "stall"); return err },
		func(ctx context.Context) error { _, err := queue.Complete(ctx, "stall"); return err },
		func(ctx context.Context) error { _, err := retrying.Complete(ctx, "retry"); return err },
		func(ctx context.Context) error { _, err := connecting.Complete(ctx, "x"); return err },
		func(ctx context.Context) error { return connecting.Health(ctx) },
		func(ctx context.Context) error { return read(client.Stream(ctx, chat("half"))) },
		func(ctx context.Context) error { return read(queue.Stream(ctx, chat("half"))) },
	}
	count := 10_000
	if testing.Short() {
		count = 2_000
	}
	cancelled := func(count int) {
		const workers = 20
		var group sync.WaitGroup
		for worker := 0; worker < workers; worker++ {
			group.Add(1)
			go func(worker int) {
				defer group.Done()
				for i := worker; i < count; i += workers {
					ctx, cancel := context.WithTimeout(background, time.Duration(i%5)*time.Millisecond)
					if err := kinds[i%len(kinds)](ctx); !errors.Is(err, ErrCancelled) {
						t.Error(err)
					}
					cancel()
				}
			}(worker)
		}
		group.Wait()
	}
	cancelled(1000)
	settle := func() usage {
		// The server closes its side of the connections, which are descriptors of this process, too.
		var before usage
		eventually(t, "the process settles", func() bool {
			runtime.GC()
			time.Sleep(50 * time.Millisecond)
			now := measure(t)
			is := now.descriptors == before.descriptors && now.goroutines == before.goroutines
			before = now
			return is
		})
		return before
	}
	before := settle()
	cancelled(count)
	after := settle()
	// Idle connections, unused cancel tokens and threads are kept, at most this many. Go creates a thread whenever
	// another one is in C for long, and never ends it.
	const mostKept = 100
	if after.descriptors > before.descriptors+mostKept || after.goroutines > before.goroutines || after.threads > before.threads+mostKept ||
		after.residentKiB > before.residentKiB+mostGrowthKiB {
		t.Errorf("before %+v, after %+v", before, after)
	}
	t.Logf("resident memory grew by %d KiB", after.residentKiB-before.residentKiB)
	queue.Close()
	eventually(t, "the goroutine of the queue ends", func() bool { return measure(t).goroutines < before.goroutines })
}

func TestCallsConcurrentWithCloseSucceedOrAreErrClosed(t *testing.T) {
	s := newServer(t, echo)
	for round := 0; round < 20; round++ {
		client := newClient(t, s.URL)
		queue, err := client.NewQueue(QueueOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var calls sync.WaitGroup
		for worker := 0; worker < 16; worker++ {
			calls.Add(1)
			go func(worker int) {
				defer calls.Done()
				for {
					var err error
					switch worker % 4 {
					case 0:
						_, err = client.Complete(background, "x")
					case 1:
						_, err = queue.Complete(background, "x")
					case 2:
						var stream *Stream
						if stream, err = queue.Stream(background, chat("x")); err == nil {
							textsOf(stream)
							err = stream.Err()
							stream.Close()
						}
					case 3:
						err = client.Health(background)
						queue.Counts()
					}
					if err != nil {
						if !errors.Is(err, ErrClosed) && !errors.Is(err, ErrCancelled) {
							t.Error(err)
						}
						return
					}
				}
			}(worker)
		}
		time.Sleep(time.Duration(round) * 500 * time.Microsecond)
		var closes sync.WaitGroup
		for i := 0; i < 2; i++ {
			closes.Add(2)
			go func() { defer closes.Done(); client.Close() }()
			go func() { defer closes.Done(); queue.Close() }()
		}
		closes.Wait()
		calls.Wait()
	}
}

func TestEverythingIsErrClosedAfterClose(t *testing.T) {
	s := newServer(t, echo)
	client := newClient(t, s.URL)
	queue, err := client.NewQueue(QueueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	queue.Close()
	client.Close()
	calls := map[string]func() error{
		"Complete":          func() error { _, err := client.Complete(background, "x"); return err },
		"Stream":            func() error { _, err := client.Stream(background, chat("x")); return err },
		"Embed":             func() error { _, err := client.Embed(background, chat("x")); return err },
		"Routes":            func() error { _, err := client.Routes(background); return err },
		"Health":            func() error { return client.Health(background) },
		"IdentifyingParams": func() error { _, err := client.IdentifyingParams(); return err },
		"NewQueue":          func() error { _, err := client.NewQueue(QueueOptions{}); return err },
		"Queue.Complete":    func() error { _, err := queue.Complete(background, "x"); return err },
		"Queue.Embed":       func() error { _, err := queue.Embed(background, chat("x")); return err },
		"Queue.Stream":      func() error { _, err := queue.Stream(background, chat("x")); return err },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if queue.Counts() != (QueueCounts{}) || queue.Close() != nil || client.Close() != nil {
		t.Error("Close or Counts after Close")
	}
}

// TestLostObjectsAreClosed: an object that the program has lost is closed by the garbage collector.
func TestLostObjectsAreClosed(t *testing.T) {
	s := newServer(t, echo)
	before := measure(t)
	func() {
		for i := 0; i < 20; i++ {
			client, err := New("chat", s.URL, WithLog(LogError, func(LogLevel, string) {}))
			if err != nil {
				t.Fatal(err)
			}
			queue, err := client.NewQueue(QueueOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, open := range []func(context.Context, *Request) (*Stream, error){client.Stream, queue.Stream} {
				if stream, err := open(background, chat("half")); err != nil || !stream.Next() {
					t.Fatal(err)
				}
			}
		}
	}()
	eventually(t, "lost objects are closed", func() bool {
		runtime.GC()
		now := measure(t)
		return now.descriptors <= before.descriptors && now.goroutines <= before.goroutines
	})
}

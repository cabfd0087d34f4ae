package mlflowgateway

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestQueueMakesEveryKindOfCall(t *testing.T) {
	s := newServer(t, func(x *exchange) {
		if strings.Contains(string(x.Body), `"input"`) {
			x.respond(200, `{"data": [{"embedding": [1, 2]}]}`)
		} else {
			echo(x)
		}
	})
	client := newClient(t, s.URL, WithResponseHeaders("content-type"))
	queue, err := client.NewQueue(QueueOptions{
		MaxInFlight: 4, MaxQueued: 10, MaxEvents: 2, RequestsPerSecond: 1000.5, TokensPerMinute: 1e9, Adaptive: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	if text, err := queue.Complete(background, "a"); text != "echo: a" || err != nil {
		t.Error(text, err)
	}
	r, err := queue.Chat(background, chat("b"))
	if err != nil || r.Text() != "echo: b" || r.Times.Queued < 0 || r.Header["content-type"] != "application/json" {
		t.Errorf("%+v, %v", r, err)
	}
	e, err := queue.Embed(background, &Request{Route: "embeddings", Inputs: []string{"a"}})
	if err != nil || !reflect.DeepEqual(e.At(0), []float32{1, 2}) {
		t.Error(e, err)
	}
	stream, err := queue.Stream(background, chat(strings.Repeat("x ", 100)))
	if err != nil {
		t.Fatal(err)
	}
	if text := textsOf(stream); text != "echo: |"+strings.Repeat("x |", 100) || stream.Err() != nil {
		t.Error(text, stream.Err())
	}
	if _, err := queue.Chat(background, nil); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
}

func TestQueueRejectsBadOptions(t *testing.T) {
	s := newServer(t, echo)
	client := newClient(t, s.URL)
	for _, options := range []QueueOptions{{MaxInFlight: 4097}, {MaxQueued: -1}, {MaxEvents: 65537}, {RequestsPerSecond: -1}, {TokensPerMinute: -1}} {
		if _, err := client.NewQueue(options); !errors.Is(err, ErrInvalidOptionValue) {
			t.Errorf("%+v: %v", options, err)
		}
	}
}

// TestCallsWaitWhileTheQueueIsFull: 200 goroutines share one place in flight and one in the queue.
func TestCallsWaitWhileTheQueueIsFull(t *testing.T) {
	var running, most int32
	s := newServer(t, func(x *exchange) {
		if now := atomic.AddInt32(&running, 1); now > atomic.LoadInt32(&most) {
			atomic.StoreInt32(&most, now)
		}
		time.Sleep(time.Millisecond)
		atomic.AddInt32(&running, -1)
		echo(x)
	})
	queue, err := newClient(t, s.URL).NewQueue(QueueOptions{MaxInFlight: 1, MaxQueued: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	var calls sync.WaitGroup
	for i := 0; i < 200; i++ {
		calls.Add(1)
		go func(i int) {
			defer calls.Done()
			prompt := fmt.Sprint("call ", i)
			if text, err := queue.Complete(background, prompt); text != "echo: "+prompt || err != nil {
				t.Error(text, err)
			}
		}(i)
	}
	calls.Wait()
	if most != 1 {
		t.Error(most, "requests at once")
	}
}

func TestCloseOfAQueueEndsItsCalls(t *testing.T) {
	s := newServer(t, echo)
	queue, err := newClient(t, s.URL).NewQueue(QueueOptions{MaxInFlight: 1, MaxQueued: 1})
	if err != nil {
		t.Fatal(err)
	}
	const count = 4
	results := make(chan error, count)
	for i := 0; i < count; i++ {
		go func() {
			_, err := queue.Complete(background, "stall")
			results <- err
		}()
	}
	eventually(t, "the queue is full", func() bool { return queue.Counts() == QueueCounts{Waiting: 1, InFlight: 1, Limit: 1} })
	queue.Close()
	for i := 0; i < count; i++ {
		if err := <-results; !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	}
}

// TestThousandGoroutinesStreamAtOnce also counts the threads of Go: those that it has created, and all threads except one
// for each request in flight.
func TestThousandGoroutinesStreamAtOnce(t *testing.T) {
	const streams, words, mostThreads = 1000, 10, 100
	var begun int32
	allBegun := make(chan struct{})
	s := newServer(t, func(x *exchange) {
		text := x.text()
		x.startStream()
		x.send(textChunk(text))
		if atomic.AddInt32(&begun, 1) == streams {
			close(allBegun)
		}
		<-allBegun
		for word := 0; word < words; word++ {
			x.send(textChunk(fmt.Sprint(" ", word)))
		}
		x.send(lastChunk)
	})
	queue, err := newClient(t, s.URL).NewQueue(QueueOptions{MaxInFlight: streams})
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	ctx, cancel := context.WithTimeout(background, time.Minute)
	defer cancel()
	var group sync.WaitGroup
	for i := 0; i < streams; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			stream, err := queue.Stream(ctx, chat(fmt.Sprint("stream ", i)))
			if err != nil {
				t.Error(err)
				return
			}
			defer stream.Close()
			text := strings.ReplaceAll(textsOf(stream), "|", "")
			if want := fmt.Sprint("stream ", i, " 0 1 2 3 4 5 6 7 8 9"); text != want || stream.Err() != nil {
				t.Errorf("%q, %v", text, stream.Err())
			}
		}(i)
	}
	<-allBegun
	now, ofGo := measure(t).threads, pprof.Lookup("threadcreate").Count()
	t.Logf("%d threads, of which Go has created %d", now, ofGo)
	if now-streams > mostThreads || ofGo > mostThreads {
		t.Errorf("%d threads, of which the library has %d, and Go has created %d", now, streams, ofGo)
	}
	group.Wait()
}

func TestAStreamThatIsNotReadDoesNotDelayOthers(t *testing.T) {
	s := newServer(t, echo)
	queue, err := newClient(t, s.URL).NewQueue(QueueOptions{MaxInFlight: 2, MaxEvents: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	slow, err := queue.Stream(background, chat(strings.Repeat("x ", 1000)))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 20; i++ {
		if _, err := queue.Complete(background, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if text := textsOf(slow); strings.Count(text, "|") != 1001 || slow.Err() != nil {
		t.Error(strings.Count(text, "|"), slow.Err())
	}
}

// TestAStreamKeepsItsQueue: a queue that the program has lost is not closed while one of its streams is in use.
func TestAStreamKeepsItsQueue(t *testing.T) {
	s := newServer(t, echo)
	open := func() *Stream {
		queue, err := newClient(t, s.URL).NewQueue(QueueOptions{MaxEvents: 1})
		if err != nil {
			t.Fatal(err)
		}
		stream, err := queue.Stream(background, chat(strings.Repeat("x ", 20)))
		if err != nil {
			t.Fatal(err)
		}
		return stream
	}
	stream := open()
	defer stream.Close()
	words := 0
	for ; stream.Next(); words++ {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	if words < 20 || stream.Err() != nil {
		t.Error(words, stream.Err())
	}
}

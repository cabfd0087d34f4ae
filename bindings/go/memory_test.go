//go:build !race

// The race detector makes these tests ten times as slow.
package mlflowgateway

import (
	"runtime"
	"strings"
	"testing"
)

// TestObjectsOfCAreDestroyed: what one call leaves behind would add up to 40 MiB.
func TestObjectsOfCAreDestroyed(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	failure, response, chunk := `{"detail": "`+long[:60<<10]+`"}`, chatResponse(long), textChunk(long)
	floats := `{"data": [{"embedding": [` + strings.Repeat("0.12345,", len(long)/8) + `0]}]}`
	s := newServer(t, func(x *exchange) {
		switch {
		case strings.Contains(string(x.Body), "fail"):
			x.respond(400, failure)
		case strings.Contains(string(x.Body), `"input"`):
			x.respond(200, floats)
		case strings.Contains(string(x.Body), `"stream":true`):
			x.startStream()
			x.send(chunk)
			x.send(lastChunk)
		default:
			x.respond(200, response)
		}
	})
	client := newClient(t, s.URL)
	queue, err := client.NewQueue(QueueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	embeddings := &Request{Route: "embeddings", Inputs: []string{"x"}}
	raw := &Request{Path: "/x", Body: []byte("{}")}
	const mostKiB = 8 * 1024
	for name, call := range map[string]func() error{
		"Complete":     func() error { _, err := client.Complete(background, "x"); return err },
		"Chat":         func() error { _, err := client.Chat(background, chat(long)); return err },
		"Raw":          func() error { _, err := client.Chat(background, raw); return err },
		"Embed":        func() error { _, err := client.Embed(background, embeddings); return err },
		"Stream":       func() error { return read(client.Stream(background, chat("x"))) },
		"Queue.Chat":   func() error { _, err := queue.Chat(background, chat(long)); return err },
		"Queue.Embed":  func() error { _, err := queue.Embed(background, embeddings); return err },
		"Queue.Stream": func() error { return read(queue.Stream(background, chat("x"))) },
		"an error":     func() error { _, _ = client.Complete(background, "fail"); return nil },
		"a queue's":    func() error { _, _ = queue.Complete(background, "fail"); return nil },
		"a bad argument": func() error {
			_, _ = client.Chat(background, &Request{Prompt: long, Inputs: []string{"x"}})
			return nil
		},
	} {
		repeat := func(count int) usage {
			for i := 0; i < count; i++ {
				if err := call(); err != nil {
					t.Fatal(name, err)
				}
			}
			runtime.GC()
			return measure(t)
		}
		before, after := repeat(50), repeat(200)
		isLeak := func() bool {
			return after.residentKiB > before.residentKiB+mostKiB || after.descriptors > before.descriptors+2
		}
		for attempt := 1; attempt < 3 && isLeak(); attempt++ { // A leak grows each time.
			before, after = after, repeat(200)
		}
		if isLeak() {
			t.Errorf("%s: before %+v, after %+v", name, before, after)
		}
	}
}

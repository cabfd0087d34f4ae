//go:build faults

// Calls of servers, proxies and TLS peers that do something wrong, which tests/test_go.py starts.
package mlflowgateway

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
)

// cell is one fault for one operation.
type cell struct {
	Name, Operation, URI, Prompt, Path string
	PromptLength                       int
	Options                            [][2]string
	// Status is "OK", or the name of a status; Phrase is a part of the message.
	Status, Phrase, Text string
}

func TestEveryFaultIsItsErrorForEveryOperation(t *testing.T) {
	content, err := os.ReadFile(os.Getenv("CELLS"))
	if err != nil {
		t.Fatal("run tests/test_go.py: ", err)
	}
	var cells []cell
	if err := json.Unmarshal(content, &cells); err != nil {
		t.Fatal(err)
	}
	places := make(chan struct{}, 16)
	var group sync.WaitGroup
	for i := range cells {
		group.Add(1)
		go func(cell *cell) {
			defer group.Done()
			places <- struct{}{}
			defer func() { <-places }()
			var text string
			var err error
			for attempt := 0; attempt < attempts; attempt++ { // A busy machine may time out before it meets the fault.
				text, err = cell.perform()
				if cell.isExpected(text, err) {
					return
				}
			}
			t.Errorf("%s; %s: expected %s %q, got %q, %v", cell.Name, cell.Operation, cell.Status, cell.Phrase, text, err)
		}(&cells[i])
	}
	group.Wait()
}

func (c *cell) isExpected(text string, err error) bool {
	if c.Status == "OK" {
		return err == nil && text == c.Text
	}
	var failure *Error
	return errors.As(err, &failure) && failure.Status.name() == c.Status && errors.Is(err, failure.Status) &&
		strings.Contains(failure.Message, c.Phrase)
}

// perform performs the operation with a new client, and returns the text of the response.
func (c *cell) perform() (string, error) {
	var options []Option
	for _, option := range c.Options {
		options = append(options, WithOption(option[0], option[1]))
	}
	client, err := New("r", c.URI, options...)
	if err != nil {
		return "", err
	}
	defer client.Close()
	queue, err := client.NewQueue(QueueOptions{})
	if err != nil {
		return "", err
	}
	defer queue.Close()
	prompt := strings.Repeat(c.Prompt, c.PromptLength)
	switch c.Operation {
	case "call":
		return client.Complete(background, prompt)
	case "send":
		r, err := client.Chat(background, &Request{Prompt: prompt})
		return r.Text(), err
	case "queue-send":
		r, err := queue.Chat(background, &Request{Prompt: prompt})
		return r.Text(), err
	case "stream":
		return gather(client.Stream(background, chat(prompt)))
	case "queue-stream":
		return gather(queue.Stream(background, chat(prompt)))
	case "embed":
		_, err := client.Embed(background, &Request{Inputs: []string{prompt}})
		return "", err
	case "queue-embed":
		_, err := queue.Embed(background, &Request{Inputs: []string{prompt}})
		return "", err
	case "list":
		_, err := client.Routes(background)
		return "", err
	default: // raw
		_, err := client.Raw(background, "", c.Path, []byte(`{"prompt":"`+prompt+`"}`))
		return "", err
	}
}

// gather reads a stream to its end, and returns its text.
func gather(stream *Stream, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer stream.Close()
	for stream.Next() {
	}
	return stream.Response().Text(), stream.Err()
}

// TestNameLookupIsCancelled runs where resolving a name below ".slow" takes seconds.
func TestNameLookupIsCancelled(t *testing.T) {
	client := newClient(t, "http://gateway.slow")
	queue, err := client.NewQueue(QueueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	endsAtOnce(t, "Complete", "while resolving the host name", func(ctx context.Context) error {
		_, err := client.Complete(ctx, "x")
		return err
	})
	endsAtOnce(t, "Queue.Complete", "while resolving the host name", func(ctx context.Context) error {
		_, err := queue.Complete(ctx, "x")
		return err
	})
	endsAtOnce(t, "Stream", "while resolving the host name", func(ctx context.Context) error {
		_, err := client.Stream(ctx, chat("x"))
		return err
	})
	endsAtOnce(t, "Health", "while resolving the host name", client.Health)
}

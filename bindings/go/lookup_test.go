package mlflowgateway

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
)

// TestLookupsUseTheSettingsOfNew: the environment and the values of the program may change later.
func TestLookupsUseTheSettingsOfNew(t *testing.T) {
	s := newServer(t, echo)
	t.Setenv("MLFLOW_GATEWAY_URI", s.URL)
	schema := map[string]any{"a": 1}
	client, err := New("chat", "", WithParam("response_format", schema))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	os.Unsetenv("MLFLOW_GATEWAY_URI")
	schema["a"] = 2
	var calls sync.WaitGroup
	for i := 0; i < 20; i++ {
		calls.Add(1)
		go func() {
			defer calls.Done()
			if routes, err := client.Routes(background); err != nil || len(routes) != 2 {
				t.Error(routes, err)
			}
		}()
	}
	calls.Wait()
	if _, err := client.Complete(background, "x"); err != nil {
		t.Fatal(err)
	}
	if sent := s.lastBody(t)["response_format"].(map[string]any)["a"]; sent != 1.0 {
		t.Error("sent", sent)
	}
}

// TestCallsBeyondTheLimitOfThreadsWait: the runtime of Go ends a program with too many threads.
func TestCallsBeyondTheLimitOfThreadsWait(t *testing.T) {
	client := newClient(t, newServer(t, echo).URL)
	before := blocking
	defer func() { blocking = before }()
	blocking = make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(background)
	result := make(chan error, 1)
	go func() { _, err := client.Complete(ctx, "stall"); result <- err }()
	eventually(t, "a call waits in C", func() bool { return len(blocking) == 1 })
	for name, call := range map[string]func(context.Context) error{
		"Complete": func(ctx context.Context) error { _, err := client.Complete(ctx, "x"); return err },
		"Chat":     func(ctx context.Context) error { _, err := client.Chat(ctx, chat("x")); return err },
		"Stream":   func(ctx context.Context) error { _, err := client.Stream(ctx, chat("x")); return err },
		"Health":   client.Health,
	} {
		endsAtOnce(t, name, "while waiting for other calls", call)
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "other calls") {
		t.Error(err)
	}
	if _, err := client.Complete(background, "x"); err != nil {
		t.Error(err)
	}
}

//go:build real

// Calls of real gateways, whose URLs tests/test_go.py passes on.
package mlflowgateway

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

const oneMinute = time.Minute

// realClient creates a client of a gateway whose URL is in an environment variable.
func realClient(t *testing.T, variable, route string) *Client {
	t.Helper()
	uri := os.Getenv(variable)
	if uri == "" {
		t.Fatal(variable, "is not set: run tests/test_go.py")
	}
	client, err := New(route, uri)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// TestRealGatewaysOfMLflow: their model responds with "echo: " and the text of the last message.
func TestRealGatewaysOfMLflow(t *testing.T) {
	for _, variable := range []string{"GATEWAY_2_8_1", "GATEWAY_2_22_5", "GATEWAY_3_17_2", "TRACKING_SERVER"} {
		t.Run(variable, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(background, oneMinute)
			defer cancel()
			client := realClient(t, variable, "chat")
			queue, err := client.NewQueue(QueueOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer queue.Close()
			for _, send := range []func(context.Context, *Request) (*Response, error){client.Chat, queue.Chat} {
				r, err := send(ctx, chat("wörld"))
				if err != nil || r.Text() != "echo: wörld" || r.Usage.Input < 0 || r.Candidates[0].FinishReason != "stop" {
					t.Errorf("%+v, %v", r, err)
				}
			}
			for name, open := range map[string]func(context.Context, *Request) (*Stream, error){"client": client.Stream, "queue": queue.Stream} {
				stream, err := open(ctx, chat("a b"))
				if err == nil {
					textsOf(stream)
					err = stream.Err()
					stream.Close()
				}
				if variable == "GATEWAY_2_8_1" {
					if !errors.Is(err, ErrUnsupported) {
						t.Error(name, err)
					}
				} else if err != nil || stream.Response().Text() != "echo: a b" {
					t.Error(name, err, stream)
				}
			}
			e, err := client.Embed(ctx, &Request{Route: "e5", Inputs: []string{"a cat", "a kitten"}})
			if err != nil || e.Len() != 2 || e.Dimension != 384 {
				t.Error(e, err)
			}
			routes, err := client.Routes(ctx)
			if err != nil || len(routes) < 3 {
				t.Error(routes, err)
			}
			if err := client.Health(ctx); err != nil {
				t.Error(err)
			}
			var failure *Error
			_, err = client.Chat(ctx, &Request{Route: "missing", Prompt: "x"})
			if !errors.Is(err, ErrNotFound) || !errors.As(err, &failure) || !strings.Contains(failure.Message, "chat") {
				t.Error(err)
			}
			short, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			<-short.Done() // The gateway is as fast as that.
			if _, err := client.Chat(short, chat("x")); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
}

func TestRealGatewayAcceptsToolsAndPictures(t *testing.T) {
	client := realClient(t, "GATEWAY_3_17_2", "chat")
	request := chat("!tools")
	schema := map[string]any{"type": "object", "properties": map[string]any{}}
	request.Tools = []Tool{{Name: "get_temperature", Parameters: schema}}
	r, err := client.Chat(background, request)
	if err != nil || len(r.ToolCalls()) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	request.Messages = append(request.Messages, r.Candidates[0].Message)
	for _, call := range r.ToolCalls() {
		request.Messages = append(request.Messages, ToolMessage(call.ID, "warm"))
	}
	if r, err = client.Chat(background, request); err != nil || r.Text() != "echo: warm" {
		t.Errorf("%+v, %v", r, err)
	}
	picture := Part{MediaType: "image/png", Data: []byte("PNG")}
	if _, err := client.Chat(background, &Request{Messages: []Message{UserMessage("What?", picture)}}); err != nil {
		t.Error(err)
	}
}

func TestRealLanguageModelStreamsAndIsCancelled(t *testing.T) {
	client := realClient(t, "SMOLLM2", "chat")
	ctx, cancel := context.WithTimeout(background, oneMinute)
	defer cancel()
	request := &Request{Prompt: "Count to one hundred.", Params: map[string]any{"temperature": 0.0, "max_tokens": 400}}
	short, end := context.WithCancel(ctx)
	defer end()
	stream, err := client.Stream(short, request)
	if err != nil || !stream.Next() {
		t.Fatal(err, stream.Err())
	}
	defer stream.Close()
	end()
	for stream.Next() {
	}
	if !errors.Is(stream.Err(), context.Canceled) || stream.Response() == nil {
		t.Error(stream.Err())
	}
	request.Params["max_tokens"] = 8
	r, err := client.Chat(ctx, request)
	if err != nil || len(r.Text()) < 8 || r.Usage.Output < 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

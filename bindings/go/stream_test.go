package mlflowgateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// openers are the two kinds of streams: of a client, and of a queue.
func openers(t *testing.T, client *Client) map[string]func(context.Context, *Request) (*Stream, error) {
	t.Helper()
	queue, err := client.NewQueue(QueueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { queue.Close() })
	return map[string]func(context.Context, *Request) (*Stream, error){"client": client.Stream, "queue": queue.Stream}
}

func chat(text string) *Request {
	return &Request{Messages: []Message{UserMessage(text)}}
}

func textsOf(stream *Stream) string {
	var text strings.Builder
	for stream.Next() {
		if event := stream.Event(); event.Kind == EventText {
			text.WriteString(event.Text + "|")
		}
	}
	return text.String()
}

func TestStreamYieldsEveryKindOfEvent(t *testing.T) {
	s := newServer(t, func(x *exchange) {
		x.startStream()
		x.send(`{"choices": [{"index": 0, "delta": {"role": "assistant", "reasoning_content": "hm"}}]}`)
		x.send(textChunk("wörld"))
		x.send(`{"choices": [{"index": 0, "delta": {"refusal": "no"}}]}`)
		x.send(`{"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{\"a\""}}]}}]}`)
		x.send(`{"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}}]}`)
		x.write("event: note\ndata: {\"other\": 1}\n\n")
		x.send(`{"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}`)
		x.send(`{"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}}`)
		x.send("[DONE]")
	})
	for name, open := range openers(t, newClient(t, s.URL)) {
		stream, err := open(background, chat("x"))
		if err != nil {
			t.Fatal(name, err)
		}
		var events []Event
		for stream.Next() {
			event := stream.Event()
			if !strings.Contains(event.RawData, "{") {
				t.Errorf("%s: %+v", name, event)
			}
			event.RawData = ""
			if event.Usage != nil {
				if *event.Usage != (Usage{3, 5, 8, -1, -1, -1}) {
					t.Errorf("%s: %+v", name, event.Usage)
				}
				event.Usage = nil
			}
			events = append(events, event)
		}
		want := []Event{
			{Kind: EventReasoning, Text: "hm"}, {Kind: EventText, Text: "wörld"}, {Kind: EventRefusal, Text: "no"},
			{Kind: EventToolCall, Text: `{"a"`, ToolCallID: "c1", ToolCallName: "f"},
			{Kind: EventToolCall, Text: `: 1}`, ToolCallID: "c1", ToolCallName: "f"},
			{Kind: EventOther, RawName: "note"}, {Kind: EventFinish, Text: "tool_calls"}, {Kind: EventUsage},
		}
		if stream.Err() != nil || len(events) != len(want) {
			t.Fatalf("%s: %v, %+v", name, stream.Err(), events)
		}
		for i := range want {
			if events[i] != want[i] {
				t.Errorf("%s: %+v", name, events[i])
			}
		}
		r := stream.Response()
		if r.Text() != "wörld" || len(r.ToolCalls()) != 1 || r.ToolCalls()[0].Arguments != `{"a": 1}` || r.Usage.Total != 8 || r.Body != nil {
			t.Errorf("%s: %+v", name, r)
		}
		if stream.Next() || stream.Err() != nil || stream.Close() != nil || stream.Next() || stream.Err() != nil {
			t.Errorf("%s: a stream that is complete stays so: %v", name, stream.Err())
		}
	}
}

func TestStreamThatIsCutIsAnErrorWithWhatWasReceived(t *testing.T) {
	s := newServer(t, echo)
	for name, open := range openers(t, newClient(t, s.URL)) {
		stream, err := open(background, chat("cut"))
		if err != nil {
			t.Fatal(name, err)
		}
		defer stream.Close()
		if text := textsOf(stream); text != "echo: |cut|" || !errors.Is(stream.Err(), ErrStreamTruncated) || stream.Response().Text() != "echo: cut" {
			t.Errorf("%s: %q, %v, %+v", name, text, stream.Err(), stream.Response())
		}
	}
}

func TestStreamThatFailsBeforeItBeginsIsAnError(t *testing.T) {
	s := newServer(t, func(x *exchange) {
		if x.text() == "event" {
			x.startStream()
			x.send(textChunk("a"))
			x.send(`{"error": {"message": "broken"}}`)
		} else {
			x.respond(503, `{"detail": "busy"}`)
		}
	})
	for name, open := range openers(t, newClient(t, s.URL)) {
		stream, err := open(background, chat("x"))
		if err == nil { // The queue does not wait for the response.
			if stream.Next() || stream.Response() != nil {
				t.Error(name, "has an event")
			}
			err = stream.Err()
			stream.Close()
		}
		if !errors.Is(err, ErrServerError) {
			t.Error(name, err)
		}
		stream, err = open(background, chat("event"))
		if err != nil {
			t.Fatal(name, err)
		}
		if text := textsOf(stream); text != "a|" || !errors.Is(stream.Err(), ErrStreamError) {
			t.Error(name, text, stream.Err())
		}
		stream.Close()
	}
}

func TestStreamThatIsClosedEarlyEndsAtTheServer(t *testing.T) {
	ended := make(chan bool, 2)
	s := newServer(t, func(x *exchange) {
		echo(x)
		ended <- true
	})
	for name, open := range openers(t, newClient(t, s.URL)) {
		stream, err := open(background, chat("half"))
		if err != nil || !stream.Next() {
			t.Fatal(name, err)
		}
		if stream.Response() != nil {
			t.Error(name, "has a response before its end")
		}
		stream.Close()
		stream.Close()
		if stream.Response().Text() == "" || stream.Err() != nil {
			t.Error(name, stream.Response(), stream.Err())
		}
		if stream.Next() || !errors.Is(stream.Err(), ErrClosed) {
			t.Error(name, "can be used after Close:", stream.Err())
		}
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Error(name, "continues at the server")
		}
	}
}

func TestCloseEndsARunningNext(t *testing.T) {
	s := newServer(t, echo)
	for name, open := range openers(t, newClient(t, s.URL)) {
		stream, err := open(background, chat("half"))
		if err != nil {
			t.Fatal(name, err)
		}
		text := ""
		for text != "echo: half" && stream.Next() {
			text += stream.Event().Text
		}
		go func() {
			time.Sleep(20 * time.Millisecond)
			stream.Close()
		}()
		if stream.Next() || text != "echo: half" || !errors.Is(stream.Err(), ErrClosed) {
			t.Error(name, text, stream.Err())
		}
	}
}

func TestStreamsContinueAfterTheirClientIsClosed(t *testing.T) {
	s := newServer(t, echo)
	client := newClient(t, s.URL)
	for name, open := range openers(t, client) {
		stream, err := open(background, chat("a b"))
		if err != nil {
			t.Fatal(name, err)
		}
		if name == "client" {
			client.Close()
		}
		if text := textsOf(stream); text != "echo: |a |b|" || stream.Err() != nil {
			t.Error(name, text, stream.Err())
		}
	}
}

// TestAStreamOfAQueueEndsAtOnceWithItsContext: it has read ahead, and none of that is passed on.
func TestAStreamOfAQueueEndsAtOnceWithItsContext(t *testing.T) {
	s := newServer(t, echo)
	queue, err := newClient(t, s.URL).NewQueue(QueueOptions{MaxEvents: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	for _, words := range []int{10, 2000} { // The response is complete by then, or not.
		ctx, cancel := context.WithCancel(background)
		stream, err := queue.Stream(ctx, chat(strings.Repeat("x ", words)))
		if err != nil || !stream.Next() {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
		cancel()
		if stream.Next() || !errors.Is(stream.Err(), context.Canceled) || !errors.Is(stream.Err(), ErrCancelled) {
			t.Errorf("%d words: %+v, %v", words, stream.Event(), stream.Err())
		}
		stream.Close()
	}
}

func TestLoopOfTheReadmePrintsTheText(t *testing.T) {
	source, err := os.ReadFile("stream_test.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := bytes.Cut(source, []byte("\nfunc loopOfTheReadme(ctx context.Context, client *Client, messages []Message) error {\n"))
	body, _, _ = bytes.Cut(body, []byte("\n}\n"))
	inReadme := strings.ReplaceAll(strings.ReplaceAll("\n"+string(body), "\n\t", "\n"), "&Request", "&mlflowgateway.Request")
	inReadme = strings.ReplaceAll(inReadme, "== EventText", "== mlflowgateway.EventText")
	if !strings.Contains(string(readme), inReadme) {
		t.Error("README.md does not have this loop: ", inReadme)
	}
	s := newServer(t, echo)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = writer
	err = loopOfTheReadme(background, newClient(t, s.URL), []Message{UserMessage("a b")})
	os.Stdout = stdout
	writer.Close()
	if printed, _ := io.ReadAll(reader); string(printed) != "echo: a b" || err != nil {
		t.Errorf("%q, %v", printed, err)
	}
}

func loopOfTheReadme(ctx context.Context, client *Client, messages []Message) error {
	stream, err := client.Stream(ctx, &Request{Messages: messages})
	if err != nil {
		return err
	}
	defer stream.Close()
	for stream.Next() {
		if event := stream.Event(); event.Kind == EventText {
			fmt.Print(event.Text)
		}
	}
	return stream.Err()
}

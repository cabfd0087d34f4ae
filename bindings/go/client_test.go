package mlflowgateway

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

var background = context.Background()

func TestCompleteReturnsTheText(t *testing.T) {
	s := newServer(t, echo)
	client := newClient(t, s.URL, WithParam("temperature", 0.0), WithParam("max_tokens", 8), WithParam("stop", []string{"a\"", "b"}),
		WithParam("user", "<me>"), WithParam("logprobs", true), WithParam("seed", nil), WithParam("n", int64(1)))
	text, err := client.Complete(background, "hello \x00 wörld")
	if err != nil || text != "echo: hello \x00 wörld" {
		t.Fatalf("%q, %v", text, err)
	}
	want := map[string]any{
		"messages":    []any{map[string]any{"role": "user", "content": "hello \x00 wörld"}},
		"temperature": 0.0, "max_tokens": 8.0, "stop": []any{"a\"", "b"}, "user": "<me>", "logprobs": true, "seed": nil, "n": 1.0,
	}
	if sent := s.lastBody(t); !reflect.DeepEqual(sent, want) {
		t.Fatal(sent)
	}
}

func TestCompleteOfAResponseWithoutTextIsAnError(t *testing.T) {
	messages := map[string]string{
		`{"content": null, "refusal": "I must not"}`:                     "the model refused: I must not",
		`{"content": null, "tool_calls": [{"function": {"name": "f"}}]}`: "the model requests tool calls",
		`{"content": "", "reasoning_content": "hm"}`:                     "only reasoning",
		`{"content": null, "images": [{"type": "image_url"}]}`:           "only images",
		`{"content": null}`: "null or empty",
	}
	for message, phrase := range messages {
		message := message
		s := newServer(t, func(x *exchange) { x.respond(200, `{"choices": [{"message": `+message+`}]}`, "X-Request-Id", "7") })
		client := newClient(t, s.URL, WithResponseHeaders("x-request-id"))
		for _, complete := range completers(t, client) {
			text, err := complete(background, "x")
			var failure *Error
			if text != "" || !errors.Is(err, ErrNoText) || !errors.As(err, &failure) || !strings.Contains(failure.Message, phrase) {
				t.Errorf("%s: %q, %v", message, text, err)
			} else if !strings.HasPrefix(failure.Message, "POST "+s.URL+"/endpoints/chat/invocations: ") || failure.HTTPStatus != 200 ||
				failure.Attempts != 1 || !strings.Contains(string(failure.Body), "choices") || failure.Header["x-request-id"] != "7" {
				t.Errorf("%+v", failure)
			}
		}
	}
	empty := newServer(t, func(x *exchange) { x.respond(200, chatResponse("")) })
	for _, complete := range completers(t, newClient(t, empty.URL)) {
		if text, err := complete(background, "x"); text != "" || err != nil {
			t.Errorf("an empty text is not an error: %q, %v", text, err)
		}
	}
}

// completers are the Complete methods of a client and of a queue.
func completers(t *testing.T, client *Client) map[string]func(context.Context, string) (string, error) {
	t.Helper()
	queue, err := client.NewQueue(QueueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { queue.Close() })
	return map[string]func(context.Context, string) (string, error){"client": client.Complete, "queue": queue.Complete}
}

func TestChatSendsEveryFieldOfARequest(t *testing.T) {
	s := newServer(t, echo)
	client := newClient(t, s.URL, WithParam("temperature", 0.5), WithParam("seed", 1), WithHeader("X-Of", "client"))
	schema := map[string]any{"type": "object"}
	_, err := client.Chat(background, &Request{
		Route: "chat",
		Messages: []Message{
			SystemMessage("Be brief."),
			UserMessage("What is this?", Part{MediaType: "image/png", Data: []byte("PNG")}, Part{Text: "And this?"},
				Part{MediaType: "audio/wav", Data: []byte("WAV")}),
			AssistantMessage("A picture."),
			{JSON: json.RawMessage(`{"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}`)},
			ToolMessage("c", "42"),
			ToolMessage("", "43"),
			UserMessage("Go on."),
		},
		Params:  map[string]any{"temperature": 0.7, "response_format": map[string]string{"type": "json_object"}},
		Tools:   []Tool{{Name: "f", Description: "Does it.", Parameters: schema}, {Name: "g"}},
		Omit:    []string{"seed"},
		Options: map[string]string{"timeout_ms": "60000"},
		Header:  map[string]string{"X-Mine": "yes"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"messages": [{"role": "system", "content": "Be brief."},
		{"role": "user", "content": [{"type": "text", "text": "What is this?"},
			{"type": "image_url", "image_url": {"url": "data:image/png;base64,UE5H"}}, {"type": "text", "text": "And this?"},
			{"type": "input_audio", "input_audio": {"data": "V0FW", "format": "wav"}}]},
		{"role": "assistant", "content": "A picture."},
		{"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
		{"role": "tool", "tool_call_id": "c", "content": "42"}, {"role": "tool", "content": "43"}, {"role": "user", "content": "Go on."}],
		"temperature": 0.7, "response_format": {"type": "json_object"},
		"tools": [{"type": "function", "function": {"name": "f", "description": "Does it.", "parameters": {"type": "object"}}},
			{"type": "function", "function": {"name": "g"}}]}`
	var expected map[string]any
	if err := json.Unmarshal([]byte(want), &expected); err != nil {
		t.Fatal(err)
	}
	if sent := s.lastBody(t); !reflect.DeepEqual(sent, expected) {
		t.Fatalf("%v", sent)
	}
	if header := s.posts[0].Header; header["x-mine"] != "yes" || header["x-of"] != "client" {
		t.Fatal(header)
	}
}

func TestChatReturnsEveryFieldOfAResponse(t *testing.T) {
	body := `{"id": "r1", "model": "m1", "choices": [
		{"index": 0, "message": {"role": "assistant", "content": null, "reasoning_content": "hm", "refusal": "no",
			"tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}, "x": 1}]}, "finish_reason": "tool_calls"},
		{"index": 1, "message": {"role": "assistant", "content": "t\u0000wo"}, "finish_reason": "stop"}],
		"usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8,
			"prompt_tokens_details": {"cached_tokens": 2}, "completion_tokens_details": {"reasoning_tokens": 4}}}`
	attempts := 0
	s := newServer(t, func(x *exchange) {
		if attempts++; attempts == 1 {
			x.respond(503, `{"detail": "not now"}`)
			return
		}
		x.respond(200, body, "X-Request-Id", "42")
	})
	client := newClient(t, s.URL, WithOption("max_retries", "1"), WithOption("retry_backoff_ms", "1"),
		WithResponseHeaders("X-Request-Id", "x-missing"))
	request := &Request{Messages: []Message{UserMessage("x")}}
	r, err := client.Chat(background, request)
	if err != nil {
		t.Fatal(err)
	}
	if r.Times.Connected < 0 || r.Times.FirstByte < r.Times.Connected || r.Times.Total < r.Times.FirstByte || r.Times.Queued >= 0 {
		t.Errorf("%+v", r.Times)
	}
	message := r.Candidates[0].Message
	if r.Text() != "" || len(r.ToolCalls()) != 1 || string(r.Body) != body || !strings.Contains(string(message.JSON), `"x": 1`) {
		t.Errorf("%+v", r)
	}
	r.Times, r.Body = Times{}, nil
	r.Candidates[0].Message, r.Candidates[1].Message = Message{}, Message{}
	want := &Response{
		ID: "r1", Model: "m1", HTTPStatus: 200, Attempts: 2, RetryReasons: []string{"HTTP status 503"},
		Usage:  Usage{Input: 3, Output: 5, Total: 8, CachedInput: 2, Reasoning: 4, CacheWrite: -1},
		Header: map[string]string{"X-Request-Id": "42"},
		Candidates: []Candidate{
			{Reasoning: "hm", Refusal: "no", Role: "assistant", FinishReason: "tool_calls", ToolCalls: []ToolCall{{"c1", "f", `{"a": 1}`}}},
			{Text: "t\x00wo", HasText: true, Role: "assistant", FinishReason: "stop"},
		},
	}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("%+v", r)
	}
	request.Messages = append(request.Messages, message, ToolMessage("c1", "1"))
	if _, err := client.Chat(background, request); err != nil {
		t.Fatal(err)
	}
	sent := s.lastBody(t)["messages"].([]any)[1].(map[string]any)
	if sent["tool_calls"].([]any)[0].(map[string]any)["x"] != 1.0 {
		t.Errorf("the message of the model was not sent as received: %v", sent)
	}
}

func TestRawSendsAnyBodyToAnyPath(t *testing.T) {
	s := newServer(t, func(x *exchange) { x.respond(200, x.Method+" "+x.Path+" "+string(x.Body)) })
	client := newClient(t, s.URL)
	for _, row := range []struct{ method, path, body, want string }{
		{"", "/v2/responses?a=b", `{"a":  2}`, `POST /v2/responses?a=b {"a":  2}`},
		{"", "/v2/models", "", "GET /v2/models "},
		{"DELETE", "/v2/models/1", "", "DELETE /v2/models/1 "},
	} {
		var body []byte
		if row.body != "" {
			body = []byte(row.body)
		}
		r, err := client.Raw(background, row.method, row.path, body)
		if err != nil || string(r.Body) != row.want || len(r.Candidates) != 0 {
			t.Errorf("%v: %v, %v", row, r, err)
		}
	}
	if _, err := client.Raw(background, "", "", nil); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
}

func TestEmbedReturnsEmbeddingsInTheOrderOfTheInputs(t *testing.T) {
	s := newServer(t, func(x *exchange) {
		var data []string
		for _, input := range x.json(t)["input"].([]any) {
			data = append(data, `{"embedding": [`+input.(string)+`, 0.5]}`)
		}
		x.respond(200, `{"model": "e", "data": [`+strings.Join(data, ",")+`], "usage": {"prompt_tokens": 2, "total_tokens": 2}}`)
	})
	client := newClient(t, s.URL, WithOption("embed_batch_size", "2"))
	e, err := client.Embed(background, &Request{Route: "embeddings", Inputs: []string{"1", "2", "3"}, Params: map[string]any{"input_type": "query"}})
	if err != nil {
		t.Fatal(err)
	}
	if e.Len() != 3 || e.Dimension != 2 || e.Model != "e" || e.Usage.Input != 4 || !reflect.DeepEqual(e.At(2), []float32{3, 0.5}) {
		t.Errorf("%+v", e)
	}
	if s.lastBody(t)["input_type"] != "query" || len(s.posts) != 2 {
		t.Error("wrong batches")
	}
	if (&Embeddings{}).Len() != 0 {
		t.Error("no embeddings")
	}
}

func TestRoutesHealthAndIdentifyingParams(t *testing.T) {
	s := newServer(t, echo)
	client := newClient(t, s.URL, WithParam("max_tokens", 7))
	routes, err := client.Routes(background)
	if err != nil || len(routes) != 2 || routes[1].Name != "embeddings" {
		t.Fatal(routes, err)
	}
	route, err := client.Route(background, "")
	if err != nil || route.Name != "chat" || route.Type != "llm/v1/chat" || route.Model != "m" || route.Provider != "openai" ||
		!strings.HasSuffix(route.URL, "/endpoints/chat/invocations") || !json.Valid(route.JSON) {
		t.Fatalf("%+v, %v", route, err)
	}
	if err := client.Health(background); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Limits(background, ""); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	if _, err := client.SetLimits(background, "", json.RawMessage("[]")); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	if _, err := client.CreateRoute(background, json.RawMessage("{}")); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	if err := client.DeleteRoute(background, "x"); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	params, err := client.IdentifyingParams()
	if err != nil || !strings.Contains(string(params), `"max_tokens":7`) {
		t.Error(string(params), err)
	}
}

func TestOptionsApply(t *testing.T) {
	s := newServer(t, func(x *exchange) {
		if x.text() == "stall" {
			x.stall()
		}
		x.respond(200, chatResponse(x.Header["authorization"]))
	})
	client := newClient(t, s.URL, WithBearerToken("secret"), WithTimeout(50*time.Millisecond+1))
	if text, err := client.Complete(background, "x"); text != "Bearer secret" || err != nil {
		t.Error(text, err)
	}
	var failure *Error
	_, err := client.Complete(background, "stall")
	if !errors.Is(err, ErrTimeout) || errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &failure) ||
		!strings.Contains(failure.Message, "51 ms") || !failure.Timeout() {
		t.Error(err)
	}
}

func TestStringsWithNULAndOtherBadArgumentsAreErrors(t *testing.T) {
	s := newServer(t, echo)
	client := newClient(t, s.URL)
	rows := map[string]*Request{
		"nil":       nil,
		"route":     {Route: "a\x00b"},
		"role":      {Messages: []Message{{Role: "a\x00b"}}},
		"path":      {Path: "/a\x00b"},
		"option":    {Options: map[string]string{"timeout_ms": "1\x00"}},
		"two kinds": {Prompt: "a", Inputs: []string{"b"}},
		"no UTF-8":  {Prompt: "\xff"},
		"media":     {Messages: []Message{UserMessage("x", Part{MediaType: "text/plain", Data: []byte("x")})}},
	}
	for what, request := range rows {
		if _, err := client.Chat(background, request); !errors.Is(err, ErrInvalidArgument) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, value := range []any{make(chan int), func() {}} {
		_, err := client.Chat(background, &Request{Params: map[string]any{"x": value}})
		if !errors.Is(err, ErrInvalidParam) {
			t.Error(err)
		}
	}
	for _, option := range []Option{WithOption("a", "\x00"), WithHeader("\x00", "a"), WithParam("\x00", 1), WithResponseHeaders("\x00")} {
		if _, err := New("chat", s.URL, option); !errors.Is(err, ErrInvalidArgument) {
			t.Error(err)
		}
	}
	if _, err := client.Chat(background, &Request{Omit: []string{"\x00"}, Header: map[string]string{"a": "\x00"}}); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
}

package mlflowgateway

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestMessagesAreStoredAndRestoredByEncodingJSON(t *testing.T) {
	messages := []Message{
		SystemMessage("Be brief."),
		UserMessage("", Part{MediaType: "image/png", Data: []byte("PNG")}, Part{Text: "What is this?"}),
		{JSON: json.RawMessage(`{"role":"assistant","content":null}`)},
		ToolMessage("c", "42"),
	}
	stored, err := json.Marshal(messages)
	if err != nil {
		t.Fatal(err)
	}
	var restored []Message
	if err := json.Unmarshal(stored, &restored); err != nil || !reflect.DeepEqual(restored, messages) {
		t.Errorf("%s: %+v, %v", stored, restored, err)
	}
}

func TestContradictoryRequestsAreErrors(t *testing.T) {
	client := newClient(t, newServer(t, echo).URL)
	rows := map[string]*Request{
		"has a method, but no path":    {Method: "POST", Prompt: "x"},
		"has both text and data":       {Messages: []Message{UserMessage("x", Part{Text: "x", MediaType: "image/png", Data: []byte("x")})}},
		`the parameter "a" is not UTF`: {Params: map[string]any{"a": "\xff"}},
		`the parameter "b" is not UTF`: {Params: map[string]any{"b": []string{"a", "\xff"}}},
	}
	for phrase, request := range rows {
		if _, err := client.Chat(background, request); !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), phrase) {
			t.Errorf("%s: %v", phrase, err)
		}
	}
	for _, option := range []Option{WithParam("a", "\xff"), WithResponseHeaders("a\x00", "b")} {
		if _, err := New("chat", "http://h", option); !errors.Is(err, ErrInvalidArgument) {
			t.Error(err)
		}
	}
}

func TestAMessageOfJSONHasNoOtherParts(t *testing.T) {
	s := newServer(t, echo)
	message := Message{JSON: json.RawMessage(`{"role": "user", "content": "x"}`), Parts: []Part{{Text: "y"}}}
	if _, err := newClient(t, s.URL).Chat(background, &Request{Messages: []Message{message}}); err != nil {
		t.Fatal(err)
	}
	if sent := s.lastBody(t)["messages"].([]any)[0].(map[string]any)["content"]; sent != "x" {
		t.Error(sent)
	}
}

// panics is a value that cannot be encoded.
type panics struct{}

func (panics) MarshalJSON() ([]byte, error) { panic("no JSON") }

func TestAPanicOfAValueLeaksNothing(t *testing.T) {
	client := newClient(t, newServer(t, echo).URL)
	prompt := strings.Repeat("x", 1<<20)
	isPanic := func(call func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		call()
	}
	before := measure(t)
	for i := 0; i < 100; i++ {
		isPanic(func() {
			_, _ = client.Chat(background, &Request{Prompt: prompt, Params: map[string]any{"x": panics{}}})
		})
		isPanic(func() {
			_, _ = New("chat", "http://h", WithLog(LogError, func(LogLevel, string) {}), WithParam("x", panics{}))
		})
	}
	after := measure(t)
	const mostKiB = 50 * 1024 // A leak has 100 MiB.
	if after.descriptors > before.descriptors || after.goroutines > before.goroutines || after.residentKiB > before.residentKiB+mostKiB {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

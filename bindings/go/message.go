package mlflowgateway

// #include "mlflow_ai_gateway.h"
import "C"

import "encoding/json"

// Message is one message of a chat. encoding/json stores and restores it.
type Message struct {
	// Role is "system", "user", "assistant", "tool", or another role that the model supports.
	Role string `json:"role,omitempty"`
	// Content is the text.
	Content string `json:"content,omitempty"`
	// Parts follow the content of a message of the user: images, recordings and more text.
	Parts []Part `json:"parts,omitempty"`
	// ToolCallID is the ID of the tool call whose result a message of the role "tool" is. "" leaves it out.
	ToolCallID string `json:"tool_call_id,omitempty"`
	// JSON, if it is set, is the whole message, which is sent as it is. The other fields are ignored.
	JSON json.RawMessage `json:"json,omitempty"`
}

// Part is a part of a message of the user: text, or an image or a recording.
type Part struct {
	// Text is the text of a part without data.
	Text string `json:"text,omitempty"`
	// MediaType is that of the data, for example "image/png" or "audio/wav".
	MediaType string `json:"media_type,omitempty"`
	// Data is the content of a file with an image or a recording.
	Data []byte `json:"data,omitempty"`
}

// SystemMessage returns a message that instructs the model.
func SystemMessage(content string) Message {
	return Message{Role: "system", Content: content}
}

// UserMessage returns a message of the user, with images and recordings.
func UserMessage(content string, parts ...Part) Message {
	return Message{Role: "user", Content: content, Parts: parts}
}

// AssistantMessage returns a message of the model. Of a response, use Candidate.Message: it has the tool calls, too.
func AssistantMessage(content string) Message {
	return Message{Role: "assistant", Content: content}
}

// ToolMessage returns the result of a tool call.
func ToolMessage(toolCallID, content string) Message {
	return Message{Role: "tool", Content: content, ToolCallID: toolCallID}
}

// addTo appends the message to a request of C.
func (m *Message) addTo(b *builder) {
	switch {
	case m.JSON != nil:
		json := string(m.JSON)
		b.check(C.mlflow_gateway_request_add_message_json(b.request, chars(json), length(json), &b.failure))
		return
	case m.Role == "tool":
		var id *C.char
		if m.ToolCallID != "" {
			id = b.terminated("tool call ID", m.ToolCallID)
		}
		b.check(C.mlflow_gateway_request_add_tool_result(b.request, id, chars(m.Content), length(m.Content), &b.failure))
	default:
		role := b.terminated("role", m.Role)
		b.check(C.mlflow_gateway_request_add_message(b.request, role, chars(m.Content), length(m.Content), &b.failure))
	}
	for i := range m.Parts {
		m.Parts[i].addTo(b)
	}
}

func (p *Part) addTo(b *builder) {
	if p.MediaType == "" && p.Data == nil {
		b.check(C.mlflow_gateway_request_add_text(b.request, chars(p.Text), length(p.Text), &b.failure))
		return
	}
	if p.Text != "" {
		b.fail(invalid("a part of a message has both text and data; make it two parts"))
	}
	mediaType := b.terminated("media type", p.MediaType)
	b.check(C.mlflow_gateway_request_add_media(b.request, mediaType, bytesOf(p.Data), C.size_t(len(p.Data)), &b.failure))
}

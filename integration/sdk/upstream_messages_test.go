package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// messagesDialect is Anthropic Messages.
var messagesDialect = &dialect{
	name: "messages", kind: "anthropic",
	parse:    parseMessages,
	unary:    messagesAnswer,
	opening:  messagesOpening,
	delta:    messagesDelta,
	calling:  messagesCalling,
	ending:   messagesEnding,
	refusing: messagesRefusing,
	breaking: func(f *refusal) string { return frame("error", messagesRefusing(f)) },
}

func parseMessages(r *http.Request, body []byte) (question, error) {
	var in struct {
		Model     string
		Stream    bool
		MaxTokens int `json:"max_tokens"`
		Tools     []struct {
			Name        string
			InputSchema json.RawMessage `json:"input_schema"`
		}
		Messages []struct {
			Role    string
			Content json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return question{}, err
	}
	switch {
	case r.URL.Path != "/v1/messages":
		return question{}, errors.New("unknown path")
	case r.Header.Get("Anthropic-Version") == "":
		return question{}, errors.New("no anthropic-version")
	case in.MaxTokens <= 0:
		return question{}, errors.New("no max_tokens")
	}
	q := question{model: in.Model, stream: in.Stream, wantsUsage: true, results: map[string]string{}}
	for _, t := range in.Tools {
		if len(t.InputSchema) == 0 {
			return q, errors.New("a tool without an input_schema")
		}
		q.tools = append(q.tools, t.Name)
	}
	for _, m := range in.Messages {
		if err := q.readMessage(m.Role, m.Content); err != nil {
			return q, err
		}
	}
	return q, nil
}

func (q *question) readMessage(role string, content json.RawMessage) error {
	var blocks []struct {
		Type      string
		ID        string
		Name      string
		Input     json.RawMessage
		ToolUseID string `json:"tool_use_id"`
		Content   json.RawMessage
	}
	if json.Unmarshal(content, &blocks) != nil { // a string
		q.prompt = textOf(content)
		return nil
	}
	for _, b := range blocks {
		switch b.Type {
		case "text":
			if role == "user" {
				q.prompt = textOf(content)
			}
		case "tool_use":
			q.calls = append(q.calls, toolCall{b.ID, b.Name, string(b.Input)})
		case "tool_result":
			if !q.called(b.ToolUseID) {
				return fmt.Errorf("a result of the call %q, which there was not", b.ToolUseID)
			}
			q.results[b.ToolUseID] = textOf(b.Content)
		}
	}
	return nil
}

func messagesUsage(output int) object {
	return object{"input_tokens": inputTokens, "output_tokens": output, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
}

func messagesShell(q question) object {
	return object{
		"id": "msg_1", "type": "message", "role": "assistant", "model": q.model, "content": []object{},
		"stop_reason": nil, "stop_sequence": nil, "usage": messagesUsage(1),
	}
}

func messagesStop(r reply) string {
	if r.call != nil {
		return "tool_use"
	}
	return "end_turn"
}

func messagesAnswer(q question, r reply) object {
	content := []object{}
	if r.text != nil {
		content = append(content, object{"type": "text", "text": joined(r.text)})
	}
	if c := r.call; c != nil {
		content = append(content, object{"type": "tool_use", "id": c.id, "name": c.name, "input": json.RawMessage(c.arguments)})
	}
	m := messagesShell(q)
	m["content"], m["stop_reason"], m["usage"] = content, messagesStop(r), messagesUsage(outputTokens)
	return m
}

// messagesEvent names an event in both places.
func messagesEvent(kind string, data object) string {
	data["type"] = kind
	return frame(kind, data)
}

func messagesOpening(q question) string {
	return messagesEvent("message_start", object{"message": messagesShell(q)}) +
		messagesEvent("content_block_start", object{"index": 0, "content_block": object{"type": "text", "text": ""}}) +
		messagesEvent("ping", object{})
}

func messagesDelta(piece string) string {
	return messagesEvent("content_block_delta", object{"index": 0, "delta": object{"type": "text_delta", "text": piece}})
}

// messagesCalling sends the arguments in two pieces. The block of text before it may be empty.
func messagesCalling(c *toolCall) string {
	piece := func(arguments string) string {
		return messagesEvent("content_block_delta", object{"index": 1, "delta": object{"type": "input_json_delta", "partial_json": arguments}})
	}
	half := len(c.arguments) / 2
	return strings.Join([]string{
		messagesEvent("content_block_stop", object{"index": 0}),
		messagesEvent("content_block_start", object{"index": 1, "content_block": object{"type": "tool_use", "id": c.id, "name": c.name, "input": object{}}}),
		piece(c.arguments[:half]), piece(c.arguments[half:]),
	}, "")
}

func messagesEnding(_ question, r reply) string {
	last := 0
	if r.call != nil {
		last = 1
	}
	return messagesEvent("content_block_stop", object{"index": last}) +
		messagesEvent("message_delta", object{"delta": object{"stop_reason": messagesStop(r), "stop_sequence": nil}, "usage": object{"output_tokens": outputTokens}}) +
		messagesEvent("message_stop", object{})
}

func messagesRefusing(f *refusal) object {
	return object{"type": "error", "error": object{"type": f.kind, "message": f.message}, "request_id": "req_upstream"}
}

package sdk

import (
	"encoding/json"
	"errors"
	"net/http"
)

// messagesDialect is Anthropic Messages.
var messagesDialect = &dialect{
	name: "messages", kind: "anthropic", model: "claude-sonnet-4-5",
	parse:    parseMessages,
	unary:    messagesAnswer,
	stream:   messagesStream,
	refusing: messagesRefusing,
	breaking: func(f *refusal) string { return frame("error", messagesRefusing(f)) },
}

func parseMessages(r *http.Request, body []byte) (question, error) {
	var in struct {
		Model        string
		Stream       bool
		MaxTokens    int `json:"max_tokens"`
		Thinking     struct{ Type string }
		OutputConfig struct {
			Format struct{ Schema json.RawMessage }
		} `json:"output_config"`
		Tools []struct {
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
	q := question{
		model: in.Model, stream: in.Stream, wantsUsage: true, thinks: in.Thinking.Type == "enabled",
		schema: string(in.OutputConfig.Format.Schema), results: map[string]string{},
	}
	switch {
	case r.URL.Path != "/v1/messages":
		return q, errors.New("unknown path")
	case r.Header.Get("Anthropic-Version") == "":
		return q, errors.New("no anthropic-version")
	case in.MaxTokens <= 0:
		return q, errors.New("no max_tokens")
	}
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
		Type, ID, Name, Text, Thinking, Signature string
		Input                                     json.RawMessage
		ToolUseID                                 string `json:"tool_use_id"`
		Content                                   json.RawMessage
		Source                                    struct {
			MediaType string `json:"media_type"`
			Data      string
		}
	}
	if json.Unmarshal(content, &blocks) != nil { // a string
		q.prompt = textOf(content)
		return nil
	}
	for _, b := range blocks {
		switch b.Type {
		case "text":
			if role == "user" {
				q.prompt = b.Text
			}
		case "image":
			q.images = append(q.images, b.Source.MediaType+";"+b.Source.Data)
		case "thinking":
			q.thoughts, q.signatures = append(q.thoughts, b.Thinking), append(q.signatures, b.Signature)
		case "tool_use":
			q.calls = append(q.calls, toolCall{b.ID, b.Name, string(b.Input)})
		case "tool_result":
			if err := q.result(b.ToolUseID, textOf(b.Content)); err != nil {
				return err
			}
		}
	}
	return nil
}

// messagesUsage counts what came out of the cache apart from the input.
func messagesUsage(output int) object {
	return object{
		"input_tokens": inputTokens - cachedTokens, "output_tokens": output,
		"cache_read_input_tokens": cachedTokens, "cache_creation_input_tokens": 0,
	}
}

func messagesShell(q question) object {
	return object{
		"id": "msg_1", "type": "message", "role": "assistant", "model": q.model, "content": []object{},
		"stop_reason": nil, "stop_sequence": nil, "usage": messagesUsage(1),
	}
}

var messagesReasons = map[stop]string{atWill: "end_turn", atLimit: "max_tokens", filtered: "refusal", calling: "tool_use"}

func messagesBlocks(r reply) []object {
	blocks := []object{}
	if r.thought != "" {
		blocks = append(blocks, object{"type": "thinking", "thinking": r.thought, "signature": r.signature})
	}
	if r.text != nil {
		blocks = append(blocks, object{"type": "text", "text": joined(r.text)})
	}
	for _, c := range r.calls {
		blocks = append(blocks, object{"type": "tool_use", "id": c.id, "name": c.name, "input": json.RawMessage(c.arguments)})
	}
	return blocks
}

func messagesAnswer(q question, r reply) object {
	m := messagesShell(q)
	m["content"], m["stop_reason"], m["usage"] = messagesBlocks(r), messagesReasons[r.why()], messagesUsage(outputTokens)
	return m
}

// messagesEvent names an event in both places.
func messagesEvent(kind string, data object) string {
	data["type"] = kind
	return frame(kind, data)
}

func messagesDelta(index int, kind, name, value string) string {
	return messagesEvent("content_block_delta", object{"index": index, "delta": object{"type": kind, name: value}})
}

// messagesStream sends the arguments of calls in two pieces.
func messagesStream(q question, r reply) streamed {
	s := streamed{opening: messagesEvent("message_start", object{"message": messagesShell(q)}) + messagesEvent("ping", object{})}
	begin := func(index int, block object) string {
		return messagesEvent("content_block_start", object{"index": index, "content_block": block})
	}
	for i, b := range messagesBlocks(r) {
		end := messagesEvent("content_block_stop", object{"index": i})
		switch b["type"] {
		case "thinking":
			s.opening += begin(i, object{"type": "thinking", "thinking": "", "signature": ""})
			for _, half := range halves(r.thought) {
				s.opening += messagesDelta(i, "thinking_delta", "thinking", half)
			}
			s.opening += messagesDelta(i, "signature_delta", "signature", r.signature) + end
		case "text":
			s.opening += begin(i, object{"type": "text", "text": ""})
			for _, piece := range r.text {
				s.pieces = append(s.pieces, messagesDelta(i, "text_delta", "text", piece))
			}
			s.closing += end
		case "tool_use":
			s.closing += begin(i, object{"type": "tool_use", "id": b["id"], "name": b["name"], "input": object{}})
			for _, half := range halves(string(b["input"].(json.RawMessage))) {
				s.closing += messagesDelta(i, "input_json_delta", "partial_json", half)
			}
			s.closing += end
		}
	}
	s.ending = messagesEvent("message_delta", object{
		"delta": object{"stop_reason": messagesReasons[r.why()], "stop_sequence": nil}, "usage": object{"output_tokens": outputTokens},
	}) + messagesEvent("message_stop", object{})
	return s
}

func messagesRefusing(f *refusal) object {
	return object{"type": "error", "error": object{"type": f.kind, "message": f.message}, "request_id": "req_upstream"}
}

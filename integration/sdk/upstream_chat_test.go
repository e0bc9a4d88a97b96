package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// chatDialect is OpenAI Chat Completions.
var chatDialect = &dialect{
	name: "chat", kind: "openai",
	parse:    parseChat,
	unary:    chatAnswer,
	opening:  func(q question) string { return chatChunk(object{"role": "assistant", "content": ""}, nil) },
	delta:    func(piece string) string { return chatChunk(object{"content": piece}, nil) },
	calling:  chatCalling,
	ending:   chatEnding,
	refusing: chatRefusing,
	breaking: func(f *refusal) string { return frame("", chatRefusing(f)) },
}

func parseChat(r *http.Request, body []byte) (question, error) {
	var in struct {
		Model         string
		Stream        bool
		StreamOptions struct {
			IncludeUsage bool `json:"include_usage"`
		} `json:"stream_options"`
		Tools    []struct{ Function struct{ Name string } }
		Messages []struct {
			Role       string
			Content    json.RawMessage
			ToolCallID string `json:"tool_call_id"`
			ToolCalls  []struct {
				ID       string
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return question{}, err
	}
	if r.URL.Path != "/v1/chat/completions" {
		return question{}, errors.New("unknown path")
	}
	q := question{model: in.Model, stream: in.Stream, wantsUsage: in.StreamOptions.IncludeUsage, results: map[string]string{}}
	for _, t := range in.Tools {
		q.tools = append(q.tools, t.Function.Name)
	}
	for _, m := range in.Messages {
		switch m.Role {
		case "user":
			q.prompt = textOf(m.Content)
		case "tool":
			if !q.called(m.ToolCallID) {
				return q, fmt.Errorf("a result of the call %q, which there was not", m.ToolCallID)
			}
			q.results[m.ToolCallID] = textOf(m.Content)
		}
		for _, c := range m.ToolCalls {
			q.calls = append(q.calls, toolCall{c.ID, c.Function.Name, c.Function.Arguments})
		}
	}
	return q, nil
}

// called reports whether the conversation holds a call with that id.
func (q *question) called(id string) bool {
	for _, c := range q.calls {
		if c.id == id {
			return true
		}
	}
	return false
}

// textOf reads content that is a string, or a list of blocks of text.
func textOf(content json.RawMessage) string {
	var s string
	if json.Unmarshal(content, &s) == nil {
		return s
	}
	var blocks []struct{ Text string }
	_ = json.Unmarshal(content, &blocks) // what is neither has no text
	for _, b := range blocks {
		s += b.Text
	}
	return s
}

func chatUsage() object {
	return object{"prompt_tokens": inputTokens, "completion_tokens": outputTokens, "total_tokens": inputTokens + outputTokens}
}

func chatToolCall(c *toolCall) object {
	return object{"index": 0, "id": c.id, "type": "function", "function": object{"name": c.name, "arguments": c.arguments}}
}

func chatAnswer(q question, r reply) object {
	message, reason := object{"role": "assistant", "content": joined(r.text)}, "stop"
	if r.call != nil {
		message["tool_calls"], reason = []object{chatToolCall(r.call)}, "tool_calls"
	}
	return object{
		"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": q.model,
		"choices": []object{{"index": 0, "message": message, "finish_reason": reason}},
		"usage":   chatUsage(),
	}
}

func chatChunk(delta object, reason any) string {
	return frame("", object{
		"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
		"choices": []object{{"index": 0, "delta": delta, "finish_reason": reason}},
	})
}

// chatCalling sends the arguments in two pieces, after the name.
func chatCalling(c *toolCall) string {
	piece := func(arguments string) string {
		return chatChunk(object{"tool_calls": []object{{"index": 0, "function": object{"arguments": arguments}}}}, nil)
	}
	first := *c
	first.arguments = ""
	half := len(c.arguments) / 2
	return chatChunk(object{"tool_calls": []object{chatToolCall(&first)}}, nil) + piece(c.arguments[:half]) + piece(c.arguments[half:])
}

func chatEnding(q question, r reply) string {
	reason := "stop"
	if r.call != nil {
		reason = "tool_calls"
	}
	s := chatChunk(object{}, reason)
	if q.wantsUsage {
		s += frame("", object{
			"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
			"choices": []object{}, "usage": chatUsage(),
		})
	}
	return s + "data: [DONE]\n\n"
}

func chatRefusing(f *refusal) object {
	e := object{"message": f.message, "type": f.kind, "param": nil, "code": nil}
	if f.code != "" {
		e["code"] = f.code
	}
	return object{"error": e}
}

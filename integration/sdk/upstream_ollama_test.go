package sdk

import (
	"encoding/json"
	"errors"
	"net/http"
)

// ollamaDialect is Ollama's own API.
var ollamaDialect = &dialect{
	name: "ollama", kind: "ollama", model: "gpt-oss", media: "application/x-ndjson",
	parse:    parseOllama,
	unary:    ollamaAnswer,
	stream:   ollamaStream,
	refusing: func(f *refusal) object { return object{"error": f.message} },
	breaking: func(f *refusal) string { return line(object{"error": f.message}) },
}

// line is a piece of a stream.
func line(data object) string { return marshal(data) + "\n" }

func parseOllama(r *http.Request, body []byte) (question, error) {
	var in struct {
		Model    string
		Stream   *bool
		Think    json.RawMessage
		Format   json.RawMessage
		Tools    []chatTool
		Messages []struct {
			Role, Content, Thinking string
			Images                  []string
			ToolName                string `json:"tool_name"`
			ToolCallID              string `json:"tool_call_id"`
			ToolCalls               []struct {
				ID       string
				Function struct {
					Name      string
					Arguments json.RawMessage
				}
			} `json:"tool_calls"`
		}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return question{}, err
	}
	q := question{
		model: in.Model, stream: in.Stream == nil || *in.Stream, wantsUsage: true, thinks: len(in.Think) > 0,
		schema: string(in.Format), results: map[string]string{},
	}
	if r.URL.Path != "/api/chat" {
		return q, errors.New("unknown path")
	}
	for _, t := range in.Tools {
		q.tools = append(q.tools, t.Function.Name)
	}
	for _, m := range in.Messages {
		for _, image := range m.Images { // their type is for Ollama to find out
			q.images = append(q.images, "image/png;"+image)
		}
		if m.Thinking != "" {
			q.thoughts = append(q.thoughts, m.Thinking)
		}
		for _, c := range m.ToolCalls {
			q.calls = append(q.calls, toolCall{c.ID, c.Function.Name, string(c.Function.Arguments)})
		}
		switch m.Role {
		case "user":
			if m.Content != "" {
				q.prompt = m.Content
			}
		case "tool":
			if m.ToolName == "" {
				return q, errors.New("a result without the tool's name")
			}
			if err := q.result(m.ToolCallID, m.Content); err != nil {
				return q, err
			}
		}
	}
	return q, nil
}

// ollamaMessage is a piece of an answer that is not its end.
func ollamaMessage(q question, message object) object {
	message["role"] = "assistant"
	if message["content"] == nil {
		message["content"] = ""
	}
	return object{"model": q.model, "created_at": "2026-01-02T03:04:05Z", "message": message, "done": false}
}

func ollamaCalls(r reply) []object {
	var calls []object
	for i, c := range r.calls {
		calls = append(calls, object{"id": c.id, "function": object{"index": i, "name": c.name, "arguments": json.RawMessage(c.arguments)}})
	}
	return calls
}

// ollamaEnd makes the piece the last one. Ollama has no word for calls, nor for filters.
func ollamaEnd(r reply, piece object) object {
	piece["done"], piece["done_reason"] = true, "stop"
	if r.why() == atLimit {
		piece["done_reason"] = "length"
	}
	piece["prompt_eval_count"], piece["eval_count"] = inputTokens, outputTokens
	return piece
}

func ollamaAnswer(q question, r reply) object {
	message := object{"content": joined(r.text)}
	if r.thought != "" {
		message["thinking"] = r.thought
	}
	if r.calls != nil {
		message["tool_calls"] = ollamaCalls(r)
	}
	return ollamaEnd(r, ollamaMessage(q, message))
}

func ollamaStream(q question, r reply) streamed {
	var s streamed
	if r.thought != "" {
		for _, half := range halves(r.thought) {
			s.opening += line(ollamaMessage(q, object{"thinking": half}))
		}
	}
	for _, piece := range r.text {
		s.pieces = append(s.pieces, line(ollamaMessage(q, object{"content": piece})))
	}
	for _, call := range ollamaCalls(r) {
		s.closing += line(ollamaMessage(q, object{"tool_calls": []object{call}}))
	}
	s.ending = line(ollamaEnd(r, ollamaMessage(q, object{})))
	return s
}

package sdk

import (
	"encoding/json"
	"errors"
	"net/http"
)

// cohereDialect is Cohere Chat, version 2.
var cohereDialect = &dialect{
	name: "cohere", kind: "cohere", model: "command-a-reasoning-08-2025",
	parse:    parseCohere,
	unary:    cohereAnswer,
	stream:   cohereStream,
	refusing: func(f *refusal) object { return object{"id": "e-1", "message": f.message} },
	breaking: func(f *refusal) string {
		return cohereEvent("message-end", 0, object{"finish_reason": "ERROR", "error": f.message, "usage": cohereUsage()})
	},
}

func parseCohere(r *http.Request, body []byte) (question, error) {
	var in struct {
		Model          string
		Stream         bool
		Thinking       struct{ Type string }
		ResponseFormat struct {
			Type       string
			JSONSchema json.RawMessage `json:"json_schema"`
		} `json:"response_format"`
		Tools    []chatTool
		Messages []chatMessage
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return question{}, err
	}
	q := question{
		model: in.Model, stream: in.Stream, wantsUsage: true, thinks: in.Thinking.Type == "enabled",
		schema: string(in.ResponseFormat.JSONSchema), results: map[string]string{},
	}
	if r.URL.Path != "/v2/chat" {
		return q, errors.New("unknown path")
	}
	for _, t := range in.Tools {
		q.tools = append(q.tools, t.Function.Name)
	}
	for _, m := range in.Messages {
		if m.Role != "assistant" {
			continue
		}
		var parts []struct{ Thinking string }
		_ = json.Unmarshal(m.Content, &parts) // a string holds no thoughts
		for _, p := range parts {
			if p.Thinking != "" {
				q.thoughts = append(q.thoughts, p.Thinking)
			}
		}
		if m.ToolPlan != "" {
			q.thoughts = append(q.thoughts, m.ToolPlan)
		}
	}
	return q, q.readChat(in.Messages)
}

// cohereUsage counts what is billed apart, which is less.
func cohereUsage() object {
	return object{
		"billed_units": object{"input_tokens": inputTokens - 1, "output_tokens": outputTokens},
		"tokens":       object{"input_tokens": inputTokens, "output_tokens": outputTokens}, "cached_tokens": cachedTokens,
	}
}

var cohereReasons = map[stop]string{atWill: "COMPLETE", atLimit: "MAX_TOKENS", filtered: "ERROR_TOXIC", calling: "TOOL_CALL"}

// cohereAnswer says what the model thinks before it calls tools as a plan.
func cohereAnswer(_ question, r reply) object {
	message := object{"role": "assistant"}
	var content []object
	switch {
	case r.thought == "":
	case r.calls != nil:
		message["tool_plan"] = r.thought
	default:
		content = append(content, object{"type": "thinking", "thinking": r.thought})
	}
	if r.text != nil {
		content = append(content, object{"type": "text", "text": joined(r.text)})
	}
	message["content"] = content
	if r.calls != nil {
		message["tool_calls"] = chatCalls(r)
	}
	return object{"id": "r-1", "message": message, "finish_reason": cohereReasons[r.why()], "usage": cohereUsage()}
}

func cohereEvent(kind string, index int, delta object) string {
	return frame(kind, object{"type": kind, "index": index, "delta": delta})
}

// cohereStream sends the arguments of calls in two pieces, after the name.
func cohereStream(_ question, r reply) streamed {
	event := func(kind string, index int, message object) string {
		return cohereEvent(kind, index, object{"message": message})
	}
	s := streamed{opening: event("message-start", 0, object{"role": "assistant", "content": []object{}})}
	index := 0
	switch {
	case r.thought == "":
	case r.calls != nil:
		for _, half := range halves(r.thought) {
			s.opening += event("tool-plan-delta", 0, object{"tool_plan": half})
		}
	default:
		s.opening += event("content-start", index, object{"content": object{"type": "thinking", "thinking": ""}}) +
			event("content-delta", index, object{"content": object{"thinking": r.thought}}) + event("content-end", index, nil)
		index++
	}
	if r.text != nil {
		s.opening += event("content-start", index, object{"content": object{"type": "text", "text": ""}})
		for _, piece := range r.text {
			s.pieces = append(s.pieces, event("content-delta", index, object{"content": object{"text": piece}}))
		}
		s.closing += event("content-end", index, nil)
	}
	for i, c := range r.calls {
		s.closing += event("tool-call-start", i, object{"tool_calls": object{"id": c.id, "type": "function", "function": object{"name": c.name, "arguments": ""}}})
		for _, half := range halves(c.arguments) {
			s.closing += event("tool-call-delta", i, object{"tool_calls": object{"function": object{"arguments": half}}})
		}
		s.closing += event("tool-call-end", i, nil)
	}
	s.ending = cohereEvent("message-end", 0, object{"finish_reason": cohereReasons[r.why()], "usage": cohereUsage()})
	return s
}

package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"
)

// chatDialect is OpenAI Chat Completions.
var chatDialect = &dialect{
	name: "chat", kind: "openai", model: "gpt-5-heron",
	parse:    parseChat,
	unary:    chatAnswer,
	stream:   chatStream,
	refusing: chatRefusing,
	breaking: func(f *refusal) string { return frame("", chatRefusing(f)) },
}

// chatMessage is a message as Chat Completions has it, and Cohere.
type chatMessage struct {
	Role       string
	Content    json.RawMessage
	ToolPlan   string `json:"tool_plan"` // Cohere's
	ToolCallID string `json:"tool_call_id"`
	ToolCalls  []struct {
		ID       string
		Function struct{ Name, Arguments string }
	} `json:"tool_calls"`
}

type chatTool struct{ Function struct{ Name string } }

func parseChat(r *http.Request, body []byte) (question, error) {
	var in struct {
		Model         string
		Stream        bool
		StreamOptions struct {
			IncludeUsage bool `json:"include_usage"`
		} `json:"stream_options"`
		ReasoningEffort string `json:"reasoning_effort"`
		ResponseFormat  struct {
			JSONSchema struct{ Schema json.RawMessage } `json:"json_schema"`
		} `json:"response_format"`
		Tools    []chatTool
		Messages []chatMessage
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return question{}, err
	}
	if r.URL.Path != "/v1/chat/completions" {
		return question{}, errors.New("unknown path")
	}
	q := question{
		model: in.Model, stream: in.Stream, wantsUsage: in.StreamOptions.IncludeUsage, thinks: in.ReasoningEffort != "",
		schema: string(in.ResponseFormat.JSONSchema.Schema), results: map[string]string{},
	}
	for _, t := range in.Tools {
		q.tools = append(q.tools, t.Function.Name)
	}
	return q, q.readChat(in.Messages)
}

func (q *question) readChat(messages []chatMessage) error {
	for _, m := range messages {
		switch m.Role {
		case "user":
			if s := textOf(m.Content); s != "" {
				q.prompt = s
			}
			q.readImageURLs(m.Content)
		case "tool":
			if err := q.result(m.ToolCallID, textOf(m.Content)); err != nil {
				return err
			}
		}
		for _, c := range m.ToolCalls {
			q.calls = append(q.calls, toolCall{c.ID, c.Function.Name, c.Function.Arguments})
		}
	}
	return nil
}

// readImageURLs reads the images of a content.
func (q *question) readImageURLs(content json.RawMessage) {
	var parts []struct {
		ImageURL struct{ URL string } `json:"image_url"`
	}
	_ = json.Unmarshal(content, &parts) // a string holds no images
	for _, p := range parts {
		if p.ImageURL.URL != "" {
			q.images = append(q.images, imageOf(p.ImageURL.URL))
		}
	}
}

// imageOf is the type and the data of a data URL.
func imageOf(url string) string {
	return strings.Replace(strings.TrimPrefix(url, "data:"), ";base64,", ";", 1)
}

// result notes what a tool said, if there was such a call.
func (q *question) result(id, text string) error {
	for _, c := range q.calls {
		if c.id == id {
			q.results[id] = text
			return nil
		}
	}
	return fmt.Errorf("a result of the call %q, which there was not", id)
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
	return object{
		"prompt_tokens": inputTokens, "completion_tokens": outputTokens, "total_tokens": inputTokens + outputTokens,
		"prompt_tokens_details": object{"cached_tokens": cachedTokens},
	}
}

var chatReasons = map[stop]string{atWill: "stop", atLimit: "length", filtered: "content_filter", calling: "tool_calls"}

func chatCalls(r reply) []object {
	var calls []object
	for i, c := range r.calls {
		calls = append(calls, object{"index": i, "id": c.id, "type": "function", "function": object{"name": c.name, "arguments": c.arguments}})
	}
	return calls
}

func chatAnswer(q question, r reply) object {
	message := object{"role": "assistant", "content": joined(r.text)}
	if r.thought != "" {
		message["reasoning_content"] = r.thought
	}
	if r.calls != nil {
		message["tool_calls"] = chatCalls(r)
	}
	return object{
		"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": q.model,
		"choices": []object{{"index": 0, "message": message, "finish_reason": chatReasons[r.why()]}},
		"usage":   chatUsage(),
	}
}

func chatChunk(delta object, reason any) string {
	return frame("", object{
		"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
		"choices": []object{{"index": 0, "delta": delta, "finish_reason": reason}},
	})
}

// chatStream sends the arguments of calls in two pieces, after the name.
func chatStream(q question, r reply) streamed {
	s := streamed{opening: chatChunk(object{"role": "assistant", "content": ""}, nil)}
	for _, half := range halves(r.thought) {
		s.opening += chatChunk(object{"reasoning_content": half}, nil)
	}
	for _, piece := range r.text {
		s.pieces = append(s.pieces, chatChunk(object{"content": piece}, nil))
	}
	for i, call := range chatCalls(r) {
		call["function"] = object{"name": r.calls[i].name, "arguments": ""}
		s.closing += chatChunk(object{"tool_calls": []object{call}}, nil)
		for _, half := range halves(r.calls[i].arguments) {
			s.closing += chatChunk(object{"tool_calls": []object{{"index": i, "function": object{"arguments": half}}}}, nil)
		}
	}
	s.ending = chatChunk(object{}, chatReasons[r.why()])
	if q.wantsUsage {
		s.ending += frame("", object{
			"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
			"choices": []object{}, "usage": chatUsage(),
		})
	}
	s.ending += "data: [DONE]\n\n"
	return s
}

// halves cuts a text in two, between characters.
func halves(s string) [2]string {
	at := len(s) / 2
	for at > 0 && !utf8.RuneStart(s[at]) {
		at--
	}
	return [2]string{s[:at], s[at:]}
}

func chatRefusing(f *refusal) object {
	e := object{"message": f.message, "type": f.kind, "param": nil, "code": nil}
	if f.code != "" {
		e["code"] = f.code
	}
	return object{"error": e}
}

package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// geminiDialect is Gemini generateContent.
var geminiDialect = &dialect{
	name: "gemini", kind: "gemini", model: "gemini-2.5-pro",
	parse:    parseGemini,
	unary:    func(_ question, r reply) object { return geminiAnswer(geminiParts(r), geminiReasons[r.why()]) },
	stream:   geminiStream,
	refusing: geminiRefusing,
	breaking: func(f *refusal) string { return geminiFrame(geminiRefusing(f)) },
}

// geminiFrame is one server-sent event with the line ends that Google sends.
func geminiFrame(data object) string { return "data: " + marshal(data) + "\r\n\r\n" }

func parseGemini(r *http.Request, body []byte) (question, error) {
	var in struct {
		Tools []struct {
			FunctionDeclarations []struct{ Name string }
		}
		GenerationConfig struct {
			ResponseJSONSchema json.RawMessage
			ThinkingConfig     json.RawMessage
		}
		Contents []struct {
			Role  string
			Parts []geminiPart
		}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return question{}, err
	}
	model, verb, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1beta/models/"), ":")
	q := question{
		model: model, stream: verb == "streamGenerateContent", wantsUsage: true, thinks: in.GenerationConfig.ThinkingConfig != nil,
		schema: string(in.GenerationConfig.ResponseJSONSchema), results: map[string]string{},
	}
	if !ok || verb != "generateContent" && !(q.stream && r.URL.Query().Get("alt") == "sse") {
		return q, errors.New("unknown path")
	}
	for _, t := range in.Tools {
		for _, f := range t.FunctionDeclarations {
			q.tools = append(q.tools, f.Name)
		}
	}
	for _, c := range in.Contents {
		for _, p := range c.Parts {
			if err := q.readPart(c.Role, p); err != nil {
				return q, err
			}
		}
	}
	return q, nil
}

// geminiPart is a part of a content. The ids are optional.
type geminiPart struct {
	Text             string
	Thought          bool
	ThoughtSignature string
	InlineData       *struct{ MIMEType, Data string }
	FunctionCall     *struct {
		ID, Name string
		Args     json.RawMessage
	}
	FunctionResponse *struct {
		ID, Name string
		Response json.RawMessage
	}
}

func (q *question) readPart(role string, p geminiPart) error {
	if p.ThoughtSignature != "" {
		q.signatures = append(q.signatures, p.ThoughtSignature)
	}
	switch {
	case p.FunctionCall != nil:
		id := p.FunctionCall.ID
		if id == "" {
			id = fmt.Sprint("#", len(q.calls))
		}
		q.calls = append(q.calls, toolCall{id, p.FunctionCall.Name, string(p.FunctionCall.Args)})
	case p.FunctionResponse != nil:
		id := p.FunctionResponse.ID
		if id == "" { // they have the order of the calls
			id = fmt.Sprint("#", len(q.results))
		}
		return q.result(id, string(p.FunctionResponse.Response))
	case p.InlineData != nil:
		q.images = append(q.images, p.InlineData.MIMEType+";"+p.InlineData.Data)
	case p.Thought:
		q.thoughts = append(q.thoughts, p.Text)
	case role == "user":
		q.prompt = p.Text
	}
	return nil
}

var geminiReasons = map[stop]string{atWill: "STOP", atLimit: "MAX_TOKENS", filtered: "SAFETY", calling: "STOP"}

// geminiParts are the parts of an answer: the signature stands at the first one after the thought.
func geminiParts(r reply) []object {
	var parts []object
	if r.text != nil {
		parts = append(parts, object{"text": joined(r.text)})
	}
	for _, c := range r.calls {
		parts = append(parts, object{"functionCall": object{"name": c.name, "args": json.RawMessage(c.arguments)}})
	}
	if r.signature != "" && len(parts) > 0 {
		parts[0]["thoughtSignature"] = r.signature
	}
	if r.thought != "" {
		parts = append([]object{{"text": r.thought, "thought": true}}, parts...)
	}
	return parts
}

func geminiAnswer(parts []object, reason string) object {
	candidate := object{"index": 0, "content": object{"role": "model", "parts": parts}}
	if reason != "" {
		candidate["finishReason"] = reason
	}
	return object{
		"responseId": "resp-1", "modelVersion": "m", "candidates": []object{candidate},
		"usageMetadata": object{
			"promptTokenCount": inputTokens, "cachedContentTokenCount": cachedTokens,
			"candidatesTokenCount": outputTokens, "totalTokenCount": inputTokens + outputTokens,
		},
	}
}

// geminiStream sends calls in one piece each. A signature of text comes at its end.
func geminiStream(_ question, r reply) streamed {
	var s streamed
	send := func(part object) string { return geminiFrame(geminiAnswer([]object{part}, "")) }
	if r.thought != "" {
		for _, half := range halves(r.thought) {
			s.opening += send(object{"text": half, "thought": true})
		}
	}
	for _, piece := range r.text {
		s.pieces = append(s.pieces, send(object{"text": piece}))
	}
	last := object{"text": ""}
	if r.calls != nil {
		for _, part := range geminiParts(reply{calls: r.calls, signature: r.signature}) {
			s.closing += send(part)
		}
	} else if r.signature != "" {
		last["thoughtSignature"] = r.signature
	}
	s.ending = geminiFrame(geminiAnswer([]object{last}, geminiReasons[r.why()]))
	return s
}

func geminiRefusing(f *refusal) object {
	return object{"error": object{"code": f.status, "message": f.message, "status": f.kind}}
}

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
	name: "gemini", kind: "gemini",
	parse:    parseGemini,
	unary:    func(q question, r reply) object { return geminiAnswer(geminiParts(r), "STOP") },
	opening:  func(question) string { return "" },
	delta:    func(piece string) string { return geminiFrame(geminiAnswer([]object{{"text": piece}}, "")) },
	calling:  func(c *toolCall) string { return geminiFrame(geminiAnswer(geminiParts(reply{call: c}), "")) },
	ending:   func(question, reply) string { return geminiFrame(geminiAnswer([]object{{"text": ""}}, "STOP")) },
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
		Contents []struct {
			Role  string
			Parts []geminiPart
		}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return question{}, err
	}
	model, verb, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1beta/models/"), ":")
	q := question{model: model, stream: verb == "streamGenerateContent", wantsUsage: true, results: map[string]string{}}
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
	Text         string
	FunctionCall *struct {
		ID, Name string
		Args     json.RawMessage
	}
	FunctionResponse *struct {
		ID, Name string
		Response json.RawMessage
	}
}

func (q *question) readPart(role string, p geminiPart) error {
	switch {
	case p.FunctionCall != nil:
		q.calls = append(q.calls, toolCall{p.FunctionCall.Name, p.FunctionCall.Name, string(p.FunctionCall.Args)})
	case p.FunctionResponse != nil:
		if !q.called(p.FunctionResponse.Name) {
			return fmt.Errorf("a result of the function %q, which was not called", p.FunctionResponse.Name)
		}
		q.results[p.FunctionResponse.Name] = string(p.FunctionResponse.Response)
	case role == "user":
		q.prompt = p.Text
	}
	return nil
}

func geminiParts(r reply) []object {
	var parts []object
	if r.text != nil {
		parts = append(parts, object{"text": joined(r.text)})
	}
	if c := r.call; c != nil {
		parts = append(parts, object{"functionCall": object{"name": c.name, "args": json.RawMessage(c.arguments)}})
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
		"usageMetadata": object{"promptTokenCount": inputTokens, "candidatesTokenCount": outputTokens, "totalTokenCount": inputTokens + outputTokens},
	}
}

func geminiRefusing(f *refusal) object {
	return object{"error": object{"code": f.status, "message": f.message, "status": f.kind}}
}

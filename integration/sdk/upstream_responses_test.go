package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// responsesDialect is OpenAI Responses.
var responsesDialect = &dialect{
	name: "responses", kind: "openai",
	parse: parseResponses,
	unary: func(q question, r reply) object { return response(q, "completed", responsesOutput(r)) },
	opening: func(q question) string {
		return responsesEvent("response.created", object{"response": response(q, "in_progress", []object{})})
	},
	delta: func(piece string) string {
		return responsesEvent("response.output_text.delta", object{"item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": piece})
	},
	calling: func(c *toolCall) string {
		return responsesEvent("response.function_call_arguments.delta", object{"item_id": "fc_1", "output_index": 0, "delta": c.arguments})
	},
	ending: func(q question, r reply) string {
		return responsesEvent("response.completed", object{"response": response(q, "completed", responsesOutput(r))})
	},
	refusing: chatRefusing,
	breaking: func(f *refusal) string {
		return responsesEvent("error", object{"code": f.code, "message": f.message, "param": nil})
	},
}

func parseResponses(r *http.Request, body []byte) (question, error) {
	var in struct {
		Model  string
		Stream bool
		Input  json.RawMessage
		Tools  []struct{ Name string }
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return question{}, err
	}
	if r.URL.Path != "/v1/responses" {
		return question{}, errors.New("unknown path")
	}
	q := question{model: in.Model, stream: in.Stream, wantsUsage: true, results: map[string]string{}}
	for _, t := range in.Tools {
		q.tools = append(q.tools, t.Name)
	}
	if json.Unmarshal(in.Input, &q.prompt) == nil {
		return q, nil
	}
	var items []struct {
		Type, Name, Arguments, Output string
		CallID                        string `json:"call_id"`
		Content                       json.RawMessage
	}
	if err := json.Unmarshal(in.Input, &items); err != nil {
		return q, err
	}
	for _, it := range items {
		switch it.Type {
		case "function_call":
			q.calls = append(q.calls, toolCall{it.CallID, it.Name, it.Arguments})
		case "function_call_output":
			if !q.called(it.CallID) {
				return q, fmt.Errorf("a result of the call %q, which there was not", it.CallID)
			}
			q.results[it.CallID] = it.Output
		default:
			q.prompt = textOf(it.Content)
		}
	}
	return q, nil
}

// responsesEvent names an event in both places. The order of the events is what the sequence numbers say in earnest;
// here nobody counts them.
func responsesEvent(kind string, data object) string {
	data["type"], data["sequence_number"] = kind, 0
	return frame(kind, data)
}

func responsesOutput(r reply) []object {
	if c := r.call; c != nil {
		return []object{{"id": "fc_1", "type": "function_call", "status": "completed", "call_id": c.id, "name": c.name, "arguments": c.arguments}}
	}
	return []object{{
		"id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
		"content": []object{{"type": "output_text", "text": joined(r.text), "annotations": []object{}}},
	}}
}

func response(q question, status string, output []object) object {
	r := object{"id": "resp_1", "object": "response", "created_at": 1, "model": q.model, "status": status, "output": output}
	if status == "completed" {
		r["usage"] = object{
			"input_tokens": inputTokens, "input_tokens_details": object{"cached_tokens": 0},
			"output_tokens": outputTokens, "output_tokens_details": object{"reasoning_tokens": 0},
			"total_tokens": inputTokens + outputTokens,
		}
	}
	return r
}

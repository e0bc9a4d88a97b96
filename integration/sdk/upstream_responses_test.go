package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
)

// responsesDialect is OpenAI Responses.
var responsesDialect = &dialect{
	name: "responses", kind: "openai", model: "gpt-5-egret",
	parse:    parseResponses,
	unary:    func(q question, r reply) object { return response(q, r, "completed", responsesOutput(r)) },
	stream:   responsesStream,
	refusing: chatRefusing,
	breaking: func(f *refusal) string {
		return responsesEvent("error", object{"code": f.code, "message": f.message, "param": nil})
	},
}

func parseResponses(r *http.Request, body []byte) (question, error) {
	var in struct {
		Model     string
		Stream    bool
		Input     json.RawMessage
		Tools     []struct{ Name string }
		Reasoning struct{ Effort string }
		Text      struct {
			Format struct{ Schema json.RawMessage }
		}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return question{}, err
	}
	if r.URL.Path != "/v1/responses" {
		return question{}, errors.New("unknown path")
	}
	q := question{
		model: in.Model, stream: in.Stream, wantsUsage: true, thinks: in.Reasoning.Effort != "",
		schema: string(in.Text.Format.Schema), results: map[string]string{},
	}
	for _, t := range in.Tools {
		q.tools = append(q.tools, t.Name)
	}
	if json.Unmarshal(in.Input, &q.prompt) == nil {
		return q, nil
	}
	var items []responsesItem
	if err := json.Unmarshal(in.Input, &items); err != nil {
		return q, err
	}
	for _, it := range items {
		if err := q.readItem(it); err != nil {
			return q, err
		}
	}
	return q, nil
}

type responsesItem struct {
	Type, Role, Name, Arguments string
	CallID                      string `json:"call_id"`
	EncryptedContent            string `json:"encrypted_content"`
	Output, Content             json.RawMessage
	Summary                     json.RawMessage
}

func (q *question) readItem(it responsesItem) error {
	switch {
	case it.Type == "function_call":
		q.calls = append(q.calls, toolCall{it.CallID, it.Name, it.Arguments})
	case it.Type == "function_call_output":
		return q.result(it.CallID, textOf(it.Output))
	case it.Type == "reasoning":
		q.thoughts = append(q.thoughts, textOf(it.Summary))
		q.signatures = append(q.signatures, it.EncryptedContent)
	case it.Role == "user":
		if s := textOf(it.Content); s != "" {
			q.prompt = s
		}
		var parts []struct {
			ImageURL string `json:"image_url"`
		}
		_ = json.Unmarshal(it.Content, &parts) // a string holds no images
		for _, p := range parts {
			if p.ImageURL != "" {
				q.images = append(q.images, imageOf(p.ImageURL))
			}
		}
	}
	return nil
}

// responsesOutput are the items of an answer.
func responsesOutput(r reply) []object {
	var items []object
	if r.thought != "" {
		items = append(items, object{
			"id": "rs_1", "type": "reasoning", "encrypted_content": r.signature,
			"summary": []object{{"type": "summary_text", "text": r.thought}},
		})
	}
	if r.calls == nil || r.text != nil {
		items = append(items, object{
			"id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
			"content": []object{{"type": "output_text", "text": joined(r.text), "annotations": []object{}}},
		})
	}
	for i, c := range r.calls {
		items = append(items, object{
			"id": fmt.Sprint("fc_", i), "type": "function_call", "status": "completed",
			"call_id": c.id, "name": c.name, "arguments": c.arguments,
		})
	}
	return items
}

func response(q question, r reply, status string, output []object) object {
	out := object{"id": "resp_1", "object": "response", "created_at": 1, "model": q.model, "status": status, "output": output}
	if status == "in_progress" {
		return out
	}
	if reason := map[stop]string{atLimit: "max_output_tokens", filtered: "content_filter"}[r.why()]; reason != "" {
		out["status"], out["incomplete_details"] = "incomplete", object{"reason": reason}
	}
	out["usage"] = object{
		"input_tokens": inputTokens, "input_tokens_details": object{"cached_tokens": cachedTokens},
		"output_tokens": outputTokens, "output_tokens_details": object{"reasoning_tokens": 0},
		"total_tokens": inputTokens + outputTokens,
	}
	return out
}

// responsesEvent names an event in both places. The order of the events is what the sequence numbers say in earnest;
// here nobody counts them.
func responsesEvent(kind string, data object) string {
	data["type"], data["sequence_number"] = kind, 0
	return frame(kind, data)
}

func responsesStream(q question, r reply) streamed {
	s := streamed{opening: responsesEvent("response.created", object{"response": response(q, r, "in_progress", []object{})})}
	items := responsesOutput(r)
	for i, item := range items {
		begun := object{"output_index": i, "item": begunItem(item)}
		done := responsesEvent("response.output_item.done", object{"output_index": i, "item": item})
		switch item["type"] {
		case "reasoning":
			s.opening += responsesEvent("response.output_item.added", begun) + responsesThought(i, r.thought) + done
		case "message":
			s.opening += responsesEvent("response.output_item.added", begun) +
				responsesEvent("response.content_part.added", object{"item_id": "msg_1", "output_index": i, "content_index": 0, "part": object{"type": "output_text", "text": "", "annotations": []object{}}})
			for _, piece := range r.text {
				s.pieces = append(s.pieces, responsesEvent("response.output_text.delta", object{"item_id": "msg_1", "output_index": i, "content_index": 0, "delta": piece}))
			}
			s.closing += responsesEvent("response.output_text.done", object{"item_id": "msg_1", "output_index": i, "content_index": 0, "text": joined(r.text)}) + done
		case "function_call":
			s.closing += responsesEvent("response.output_item.added", begun)
			for _, half := range halves(item["arguments"].(string)) {
				s.closing += responsesEvent("response.function_call_arguments.delta", object{"item_id": item["id"], "output_index": i, "delta": half})
			}
			s.closing += responsesEvent("response.function_call_arguments.done", object{"item_id": item["id"], "output_index": i, "arguments": item["arguments"]}) + done
		}
	}
	last := response(q, r, "completed", items)
	s.ending = responsesEvent(fmt.Sprint("response.", last["status"]), object{"response": last})
	return s
}

// begunItem is an item before there is anything in it.
func begunItem(item object) object {
	begun := maps.Clone(item)
	switch item["type"] {
	case "reasoning":
		begun["summary"] = []object{}
		delete(begun, "encrypted_content")
	case "message":
		begun["content"], begun["status"] = []object{}, "in_progress"
	case "function_call":
		begun["arguments"], begun["status"] = "", "in_progress"
	}
	return begun
}

func responsesThought(index int, thought string) (events string) {
	event := func(kind, name string, v any) {
		events += responsesEvent(kind, object{"item_id": "rs_1", "output_index": index, "summary_index": 0, name: v})
	}
	event("response.reasoning_summary_part.added", "part", object{"type": "summary_text", "text": ""})
	for _, half := range halves(thought) {
		event("response.reasoning_summary_text.delta", "delta", half)
	}
	event("response.reasoning_summary_text.done", "text", thought)
	event("response.reasoning_summary_part.done", "part", object{"type": "summary_text", "text": thought})
	return events
}

package chatcompletions

import (
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// What a model is told where response_format alone will not do.
const (
	jsonHint   = "Respond with a single valid JSON object and nothing else: no explanations and no code fences."
	schemaHint = jsonHint + " The object has to conform to this JSON Schema:\n"
)

// format writes response_format.
func (e *requestEncoder) format() {
	f := e.r.Format
	if f == nil {
		return
	}
	if f.Schema == nil || e.rules.jsonOnly {
		e.dst = append(jsonedit.AppendKey(e.dst, "response_format"), `{"type":"json_object"}`...)
		return
	}
	name := f.Name
	if name == "" {
		name = "response" // the wire demands one
	}
	e.dst = append(jsonedit.AppendKey(e.dst, "response_format"), `{"type":"json_schema","json_schema":{`...)
	e.dst = jsonedit.AppendStringMember(e.dst, "name", name)
	e.dst = jsonedit.AppendTextMember(e.dst, "description", f.Description)
	e.dst = jsonedit.AppendRawMember(e.dst, "schema", f.Schema)
	e.dst = jsonedit.AppendBoolMember(e.dst, "strict", f.Strict)
	e.dst = append(e.dst, '}', '}')
}

// formatHint puts what response_format cannot say into a system message before all others: the schema for vendors whose
// JSON mode knows none (DeepSeek, Z.ai), and the word JSON for conversations from dialects that do not demand it, while
// OpenAI and those who follow it refuse JSON mode without. A forced call in place of the mode is no choice there: the
// vendors without schemas refuse it, or do so while the model thinks.
func (e *requestEncoder) formatHint() {
	f := e.r.Format
	switch {
	case f == nil:
		return
	case f.Schema != nil && e.rules.jsonOnly:
		e.dst = append(e.dst, `{"role":"system","content":`...)
		e.dst = jsonedit.AppendString(e.dst, schemaHint+string(f.Schema))
	case f.Schema == nil && e.r.Origin != origin && !conversation.MentionJSON(e.r.Messages):
		e.dst = append(e.dst, `{"role":"system","content":`...)
		e.dst = jsonedit.AppendString(e.dst, jsonHint)
	default:
		return
	}
	e.dst = append(e.dst, '}')
}

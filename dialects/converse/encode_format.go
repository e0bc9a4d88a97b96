package converse

import (
	"github.com/caddy-llm/llmgateway/internal/claude"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// format is how structured output is asked for: natively, by a tool that has to be called, or with words.
type format struct {
	native, tool bool
	hint         string
}

// planFormat decides how to ask for structured output. Models without outputConfig are made to call a tool, and so are all
// for schemas that Bedrock's subset, which is Claude's, has no word for, unless that would be one of several, or the model
// may not be made to; then it is asked kindly.
func (e *requestEncoder) planFormat() {
	f := e.r.Format
	switch {
	case f == nil:
	case f.Schema != nil && e.model.formats() && claude.Closable(f.Schema):
		e.format.native = true
	case f.Schema != nil && len(e.tools) == 0 && e.thinking == "" && e.model.is(anthropic, nova, mistral) &&
		e.o.Rewrites != nil && claude.DescribesObject(f.Schema):
		e.format.tool = true
	default:
		e.note("response_format")
		e.format.hint = "Respond with a single valid JSON object and nothing else: no explanations and no code fences."
		if f.Schema != nil {
			e.format.hint += " It must conform to this JSON Schema:\n" + string(f.Schema)
		}
	}
}

// writeFormat writes outputConfig, in which the schema is a text. Of the bounds Bedrock takes the length that a text has at least.
func (e *requestEncoder) writeFormat() {
	if !e.format.native {
		return
	}
	f := e.r.Format
	e.key("outputConfig")
	e.raw(`{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{`)
	name := f.Name
	if name == "" {
		name = "answer"
	}
	e.text("name", names.Clean(name))
	e.dst = jsonedit.AppendTextMember(e.dst, "description", f.Description)
	e.key("schema")
	e.dst = jsonedit.AppendString(e.dst, claude.AppendClosed(nil, f.Schema, "minLength"))
	e.raw("}}}}")
}

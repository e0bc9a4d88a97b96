package messages

import (
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/claude"
)

// formatWay is how the response format is asked for.
type formatWay uint8

const (
	formatUnset  formatWay = iota
	formatNative           // output_config.format
	formatTool             // a tool that has to be called, whose arguments are the answer
	formatHint             // a sentence in the system prompt
)

// answerTool is the tool that stands for a structured answer.
const answerTool = "json_answer"

// planFormat decides how structured output is asked for. Models before 4.5 have no native way, and for schemas that
// are recursive or have maps no model has one; then a call is forced, unless thinking or other tools stand against it.
// JSON without a schema has no counterpart at all, which leaves the prompt.
func (e *requestEncoder) planFormat() {
	f := e.r.Format
	switch {
	case f == nil:
	case f.Schema == nil:
		e.format = formatHint
	case (e.version == 0 || e.version.Has(claude.WithFormat)) && (e.r.Origin == origin || claude.Closable(f.Schema)):
		e.format = formatNative
	case len(e.tools) == 0 && !e.thinks() && e.o.Rewrites != nil && claude.DescribesObject(f.Schema):
		e.format = formatTool
		e.o.Rewrites.Answer(answerTool)
	default:
		e.format = formatHint
	}
	if e.format == formatHint {
		e.note("response_format")
	}
}

// formatPrompt is what the system prompt says about the format.
func (e *requestEncoder) formatPrompt() string {
	if e.format != formatHint {
		return ""
	}
	text := "Respond with a single valid JSON object and nothing else: no explanations and no code fences."
	if f := e.r.Format; f.Schema != nil {
		text += " It must conform to this JSON Schema:\n" + string(f.Schema)
	}
	return text
}

// answerAsTool is the tool that the answer is to be given with.
func (e *requestEncoder) answerAsTool() *conversation.Tool {
	f := e.r.Format
	t := &conversation.Tool{Name: answerTool, Description: f.Description, Schema: f.Schema}
	if t.Description == "" {
		t.Description = "Gives the answer."
	}
	return t
}

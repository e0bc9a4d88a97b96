package responses

import (
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

func (e *requestEncoder) tools() {
	start := len(e.dst)
	e.dst = append(appendKey(e.dst, "tools"), '[')
	empty := len(e.dst)
	for i := range e.r.Tools {
		e.tool(&e.r.Tools[i])
	}
	if len(e.dst) == empty {
		e.dst = e.dst[:start]
		e.noteIf("parallel_tool_calls", e.r.ParallelTools != nil && len(e.r.Tools) > 0)
		return
	}
	e.dst = append(e.dst, ']')
	e.dst = appendBoolMember(e.dst, "parallel_tool_calls", e.r.ParallelTools)
}

// tool writes a function. Unlike everywhere else, silence about strict means yes here, and so it is always said.
func (e *requestEncoder) tool(t *conversation.Tool) {
	if t.Raw != nil {
		if t.Origin != origin {
			e.note(t.Name)
			return
		}
		e.dst = append(appendComma(e.dst), t.Raw...)
		return
	}
	e.noteIf("cache_control", t.Cache != nil)
	e.dst = append(appendComma(e.dst), `{"type":"function"`...)
	e.dst = appendStringMember(e.dst, "name", e.toolName(t.Name))
	e.dst = appendText(e.dst, "description", t.Description)
	schema := t.Schema
	if schema == nil {
		schema = []byte(`{"type":"object","properties":{}}`)
	}
	e.dst = appendRawMember(e.dst, "parameters", schema)
	strict := t.Strict != nil && *t.Strict
	e.dst = append(appendBoolMember(e.dst, "strict", &strict), '}')
}

func (e *requestEncoder) toolChoice() {
	c := e.r.Choice
	if c.Mode == conversation.ChoiceUnset || len(e.r.Tools) == 0 {
		return
	}
	e.dst = appendKey(e.dst, "tool_choice")
	switch {
	case len(c.Allowed) > 0:
		e.dst = append(e.dst, `{"type":"allowed_tools"`...)
		e.dst = appendStringMember(e.dst, "mode", choiceWord(c.Mode))
		e.dst = append(appendKey(e.dst, "tools"), '[')
		for _, name := range c.Allowed {
			e.dst = e.namedTool(appendComma(e.dst), name)
		}
		e.dst = append(e.dst, ']', '}')
	case c.Mode == conversation.ChoiceTool:
		e.dst = e.namedTool(e.dst, c.Name)
	default:
		e.dst = jsonedit.AppendString(e.dst, choiceWord(c.Mode))
	}
}

func (e *requestEncoder) namedTool(dst []byte, name string) []byte {
	dst = append(dst, `{"type":"function","name":`...)
	return append(jsonedit.AppendString(dst, e.toolName(name)), '}')
}

func choiceWord(m conversation.ChoiceMode) string {
	switch m {
	case conversation.ChoiceNone:
		return "none"
	case conversation.ChoiceRequired:
		return "required"
	}
	return "auto"
}

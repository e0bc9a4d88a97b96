package responses

import (
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

func (e *requestEncoder) tools() {
	start := len(e.dst)
	e.dst = append(jsonedit.AppendKey(e.dst, "tools"), '[')
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
	e.hasTools = true
	e.dst = jsonedit.AppendBoolMember(e.dst, "parallel_tool_calls", e.r.ParallelTools)
}

// tool writes a function. Unlike everywhere else, silence about strict means yes here, and so it is always said.
func (e *requestEncoder) tool(t *conversation.Tool) {
	name := toolName(t.Name)
	switch {
	case t.Raw != nil && t.Origin == origin && (!t.Custom || e.rules.openai):
		e.dst = append(jsonedit.AppendComma(e.dst), t.Raw...)
		return
	case t.Raw != nil && !t.Custom:
		e.note(t.Name)
		return
	}
	e.noteIf("cache_control", t.Cache != nil)
	e.rewrites.Rename(t.Name, name)
	if t.Custom && e.rules.openai {
		e.customTool(t, name)
		return
	}
	description, schema := t.Description, t.Schema
	if t.Custom {
		e.rewrites.FreeText(name)
		description, schema = conversation.FreeTextDescription(t), []byte(conversation.FreeTextSchema)
	}
	e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"function"`...)
	e.dst = jsonedit.AppendStringMember(e.dst, "name", name)
	e.dst = jsonedit.AppendTextMember(e.dst, "description", description)
	if schema == nil {
		schema = []byte(`{"type":"object","properties":{}}`)
	}
	e.dst = jsonedit.AppendRawMember(e.dst, "parameters", schema)
	strict := t.Strict != nil && *t.Strict
	e.dst = append(jsonedit.AppendBoolMember(e.dst, "strict", &strict), '}')
}

// customTool writes a free-text tool.
func (e *requestEncoder) customTool(t *conversation.Tool, name string) {
	e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"custom"`...)
	e.dst = jsonedit.AppendStringMember(e.dst, "name", name)
	e.dst = jsonedit.AppendTextMember(e.dst, "description", t.Description)
	if g := t.Grammar; g != nil {
		e.dst = append(e.dst, `,"format":{"type":"grammar"`...)
		e.dst = jsonedit.AppendStringMember(e.dst, "syntax", g.Syntax)
		e.dst = append(jsonedit.AppendStringMember(e.dst, "definition", g.Definition), '}')
	}
	e.dst = append(e.dst, '}')
}

func (e *requestEncoder) toolChoice() {
	c := e.r.Choice
	switch {
	case c.Mode == conversation.ChoiceUnset:
		return
	case !e.hasTools:
		if len(e.r.Tools) > 0 && (c.Mode == conversation.ChoiceRequired || c.Mode == conversation.ChoiceTool) {
			e.refuse("tool_choice", "the request demands a call of tools that the provider of this model does not have")
		}
		return
	}
	e.dst = jsonedit.AppendKey(e.dst, "tool_choice")
	switch {
	case len(c.Allowed) > 0:
		e.dst = append(e.dst, `{"type":"allowed_tools"`...)
		e.dst = jsonedit.AppendStringMember(e.dst, "mode", choiceWord(c.Mode))
		e.dst = append(jsonedit.AppendKey(e.dst, "tools"), '[')
		custom := conversation.CustomTools(e.r.Tools)
		for _, name := range c.Allowed {
			e.dst = e.namedTool(jsonedit.AppendComma(e.dst), name, custom[name])
		}
		e.dst = append(e.dst, ']', '}')
	case c.Mode == conversation.ChoiceTool:
		e.dst = e.namedTool(e.dst, c.Name, conversation.CustomTools(e.r.Tools)[c.Name])
	default:
		e.dst = jsonedit.AppendString(e.dst, choiceWord(c.Mode))
	}
}

func (e *requestEncoder) namedTool(dst []byte, name string, custom bool) []byte {
	kind := "function"
	if custom && e.rules.openai {
		kind = "custom"
	}
	dst = jsonedit.AppendStringMember(append(dst, '{'), "type", kind)
	return append(jsonedit.AppendStringMember(dst, "name", toolName(name)), '}')
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

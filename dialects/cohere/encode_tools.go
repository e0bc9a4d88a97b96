package cohere

import (
	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// pickTools finds out which tools are sent. The API has no way to allow some of them only, or to force one: the others
// are left out then, which comes to the same.
func (e *requestEncoder) pickTools() {
	c := e.r.Choice
	if c.Mode == conversation.ChoiceTool {
		c.Allowed = []string{c.Name}
	}
	allows := c.Allows()
	for i := range e.r.Tools {
		t := &e.r.Tools[i]
		switch {
		case !allows(t.Name):
		case t.Raw != nil && !t.Custom:
			e.note(t.Name)
		default:
			e.tools = append(e.tools, t)
		}
	}
}

func (e *requestEncoder) writeTools() {
	if len(e.tools) == 0 {
		return
	}
	e.dst = append(jsonedit.AppendKey(e.dst, "tools"), '[')
	for _, t := range e.tools {
		e.tool(t)
	}
	e.dst = append(e.dst, ']')
	e.strict()
	switch e.r.Choice.Mode {
	case conversation.ChoiceNone:
		e.dst = jsonedit.AppendStringMember(e.dst, "tool_choice", "NONE")
	case conversation.ChoiceRequired, conversation.ChoiceTool:
		e.dst = jsonedit.AppendStringMember(e.dst, "tool_choice", "REQUIRED")
	}
	e.noteIf("parallel_tool_calls", e.r.ParallelTools != nil && !*e.r.ParallelTools)
}

func (e *requestEncoder) tool(t *conversation.Tool) {
	name, schema, description := e.functionName(t.Name), t.Schema, t.Description
	if t.Custom {
		schema = []byte(conversation.FreeTextSchema)
		description = conversation.FreeTextDescription(t)
		e.o.Rewrites.FreeText(name)
	}
	if len(schema) == 0 {
		schema = []byte(`{"type":"object","properties":{}}`)
	}
	e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"function","function":{`...)
	e.dst = jsonedit.AppendStringMember(e.dst, "name", name)
	e.dst = jsonedit.AppendTextMember(e.dst, "description", description)
	e.dst = jsonedit.AppendRawMember(e.dst, "parameters", schema)
	e.dst = append(e.dst, '}', '}')
	e.noteIf("cache_control", t.Cache != nil)
}

// strict asks for calls that keep to their schemas, which the API has for all tools or none, and only where none of them
// has nothing but optional parameters.
func (e *requestEncoder) strict() {
	asked, all := false, true
	for _, t := range e.tools {
		strict := t.Strict != nil && *t.Strict
		asked = asked || strict
		all = all && strict && requires(t.Schema)
	}
	if asked && all {
		e.dst = append(jsonedit.AppendKey(e.dst, "strict_tools"), "true"...)
	} else if asked {
		e.note("tools.strict")
	}
}

func requires(schema []byte) bool {
	s := gjson.ParseBytes(schema)
	some := false
	s.Get("properties").ForEach(func(_, _ gjson.Result) bool { some = true; return false })
	return !some || s.Get("required.0").Exists()
}

// functionNames is what the API takes for the name of a function. How long one may be is not documented; this is what
// others allow.
var functionNames = conversation.Names{Limit: 64, LetterFirst: true}

// functionName is a name as the API takes it.
func (e *requestEncoder) functionName(name string) string {
	ours := functionNames.Clean(name)
	e.o.Rewrites.Rename(name, ours)
	return ours
}

package chatcompletions

import (
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// maxCallID is the longest ID of a call at OpenAI, in bytes.
const maxCallID = 40

// toolNames is what the wire takes for the name of a function.
var toolNames = conversation.Names{Limit: 64, Also: "-"}

func (e *requestEncoder) tools() {
	start := len(e.dst)
	e.dst = append(jsonedit.AppendKey(e.dst, "tools"), '[')
	empty := len(e.dst)
	for i := range e.r.Tools {
		e.tool(&e.r.Tools[i])
	}
	if len(e.dst) == empty {
		e.dst = e.dst[:start] // an empty array is refused
		e.noteIf("parallel_tool_calls", e.r.ParallelTools != nil && len(e.r.Tools) > 0)
		return
	}
	e.declared = true
	e.dst = append(e.dst, ']')
	e.dst = jsonedit.AppendBoolMember(e.dst, "parallel_tool_calls", e.r.ParallelTools)
}

func (e *requestEncoder) tool(t *conversation.Tool) {
	if t.Custom {
		e.customTool(t)
		return
	}
	if t.Raw != nil {
		if t.Origin != origin {
			e.note(t.Name)
			return
		}
		e.dst = append(jsonedit.AppendComma(e.dst), t.Raw...)
		return
	}
	e.function(t, t.Description, t.Schema)
}

func (e *requestEncoder) function(t *conversation.Tool, description string, schema []byte) {
	e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"function","function":{`...)
	e.dst = jsonedit.AppendStringMember(e.dst, "name", e.toolName(t.Name))
	e.dst = jsonedit.AppendTextMember(e.dst, "description", description)
	if schema == nil {
		schema = []byte(`{"type":"object","properties":{}}`)
	}
	e.dst = jsonedit.AppendRawMember(e.dst, "parameters", schema)
	e.dst = append(jsonedit.AppendBoolMember(e.dst, "strict", t.Strict), '}')
	e.cacheMark(t.Cache)
	e.dst = append(e.dst, '}')
}

// customTool writes a free-text tool. Only OpenAI has them; elsewhere a function with one text stands for it, and the
// grammar, which nobody else enforces, is told in its description.
func (e *requestEncoder) customTool(t *conversation.Tool) {
	switch {
	case !e.rules.openai:
		e.rewrites.FreeText(e.toolName(t.Name))
		e.function(t, conversation.FreeTextDescription(t), []byte(conversation.FreeTextSchema))
	case t.Raw != nil && t.Origin == origin:
		e.dst = append(jsonedit.AppendComma(e.dst), t.Raw...)
	default:
		e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"custom","custom":{`...)
		e.dst = jsonedit.AppendStringMember(e.dst, "name", e.toolName(t.Name))
		e.dst = jsonedit.AppendTextMember(e.dst, "description", t.Description)
		if g := t.Grammar; g != nil {
			e.dst = append(jsonedit.AppendKey(e.dst, "format"), `{"type":"grammar","grammar":{`...)
			e.dst = jsonedit.AppendStringMember(e.dst, "syntax", g.Syntax)
			e.dst = append(jsonedit.AppendStringMember(e.dst, "definition", g.Definition), '}', '}')
		}
		e.dst = append(e.dst, '}', '}')
	}
}

// cacheMark writes a cache breakpoint for the vendors that take Anthropic's; elsewhere caching is automatic.
func (e *requestEncoder) cacheMark(c *conversation.CacheMark) {
	switch {
	case c == nil:
	case !e.rules.cacheMarks:
		e.note("cache_control")
	default:
		e.dst = append(jsonedit.AppendKey(e.dst, "cache_control"), `{"type":"ephemeral"`...)
		e.dst = append(jsonedit.AppendTextMember(e.dst, "ttl", c.TTL), '}')
	}
}

func (e *requestEncoder) toolChoice() {
	c := e.r.Choice
	if c.Mode == conversation.ChoiceUnset {
		return
	}
	if !e.declared { // a choice without tools is refused
		e.noteIf("tool_choice", len(e.r.Tools) > 0 && c.Mode != conversation.ChoiceAuto && c.Mode != conversation.ChoiceNone)
		return
	}
	if len(c.Allowed) > 0 {
		e.allowedTools(c)
		return
	}
	e.dst = jsonedit.AppendKey(e.dst, "tool_choice")
	switch c.Mode {
	case conversation.ChoiceTool:
		e.namedTool(c.Name, e.rules.openai && conversation.CustomTools(e.r.Tools)[c.Name])
	default:
		e.dst = jsonedit.AppendString(e.dst, e.choiceWord(c.Mode))
	}
}

// namedTool refers to a function, or to a free-text tool.
func (e *requestEncoder) namedTool(name string, custom bool) {
	kind := "function"
	if custom {
		kind = "custom"
	}
	e.dst = jsonedit.AppendStringMember(append(e.dst, '{'), "type", kind)
	e.dst = append(jsonedit.AppendKey(e.dst, kind), '{')
	e.dst = append(jsonedit.AppendStringMember(e.dst, "name", e.toolName(name)), '}', '}')
}

func (e *requestEncoder) choiceWord(m conversation.ChoiceMode) string {
	switch m {
	case conversation.ChoiceNone:
		return "none"
	case conversation.ChoiceRequired:
		return e.rules.required
	}
	return "auto"
}

// allowedTools writes the form that only OpenAI has. Elsewhere a single required tool is a named choice; more cannot be
// said, and the whole list is allowed.
func (e *requestEncoder) allowedTools(c conversation.ToolChoice) {
	if e.rules.openai {
		e.dst = append(jsonedit.AppendKey(e.dst, "tool_choice"), `{"type":"allowed_tools","allowed_tools":{`...)
		e.dst = jsonedit.AppendStringMember(e.dst, "mode", e.choiceWord(c.Mode))
		e.dst = append(jsonedit.AppendKey(e.dst, "tools"), '[')
		custom := conversation.CustomTools(e.r.Tools)
		for _, name := range c.Allowed {
			e.dst = jsonedit.AppendComma(e.dst)
			e.namedTool(name, custom[name])
		}
		e.dst = append(e.dst, ']', '}', '}')
		return
	}
	if len(c.Allowed) == 1 && c.Mode == conversation.ChoiceRequired {
		e.dst = jsonedit.AppendKey(e.dst, "tool_choice")
		e.namedTool(c.Allowed[0], false)
		return
	}
	e.note("allowed_tools")
	e.dst = jsonedit.AppendStringMember(e.dst, "tool_choice", e.choiceWord(c.Mode))
}

// toolName is a name as the wire takes it. Answers are given the client's name back.
func (e *requestEncoder) toolName(name string) string {
	provider := toolNames.Clean(name)
	e.rewrites.Rename(name, provider)
	return provider
}

// callID makes an ID that the vendor accepts. It depends on the given one alone, so that a call and its result agree.
func (e *requestEncoder) callID(id string) string {
	switch {
	case e.rules.shortIDs && !isShortID(id):
		return conversation.HashID(id, 9)
	case e.rules.openai && len(id) > maxCallID:
		return "call_" + conversation.HashID(id, 12)
	}
	return id
}

func isShortID(id string) bool {
	if len(id) != 9 {
		return false
	}
	for i := range len(id) {
		if !isAlphanumeric(id[i]) {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

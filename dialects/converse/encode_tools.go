package converse

import (
	"slices"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/claude"
)

// planTools picks the tools that can be sent. Where the client allows only some of them for this turn, the others are
// left out, and all of them where it allows none: the dialect has no other way to say so. It demands tools, though, as
// soon as the conversation holds calls.
func (e *requestEncoder) planTools() {
	e.choice = e.r.Choice
	history := e.hasToolBlocks()
	if e.choice.Mode == conversation.ChoiceNone {
		if !history {
			return
		}
		e.note("tool_choice")
	}
	allows := e.choice.Allows()
	for i := range e.r.Tools {
		t := &e.r.Tools[i]
		switch {
		case !allows(t.Name):
		case t.Raw != nil && !t.Custom:
			e.note("tools." + t.Name)
		default:
			e.tools = append(e.tools, t)
		}
	}
	if len(e.tools) > 0 || !history {
		return
	}
	if len(e.called) == 0 {
		e.called = []string{"tool"} // results of calls that are not part of the conversation any more
	}
	declared := map[string]bool{}
	for _, name := range e.called {
		if !declared[name] {
			declared[name] = true
			e.tools = append(e.tools, &conversation.Tool{Name: name})
		}
	}
}

// planChoice brings the tool choice into what the model takes.
func (e *requestEncoder) planChoice() {
	c := &e.choice
	switch {
	case len(e.tools) == 0:
		c.Mode = conversation.ChoiceUnset
	case c.Mode == conversation.ChoiceRequired || c.Mode == conversation.ChoiceTool:
		// Nova chooses for itself while it thinks, and the models of most makers always do.
		if e.thinking == "enabled" || !e.model.is(anthropic, nova, mistral) {
			e.note("tool_choice")
			c.Mode = conversation.ChoiceAuto
		} else if c.Mode == conversation.ChoiceTool && e.model.family == mistral {
			// Any of one tool is that tool.
			e.tools = slices.DeleteFunc(e.tools, func(t *conversation.Tool) bool { return t.Name != c.Name })
			c.Mode = conversation.ChoiceRequired
		}
	}
	if len(e.tools) == 0 || e.r.ParallelTools == nil || *e.r.ParallelTools {
		return
	}
	// Anthropic's own member holds the choice as well, and both must not be there.
	e.serial = e.model.family == anthropic && (c.Mode == conversation.ChoiceUnset || c.Mode == conversation.ChoiceAuto)
	if !e.serial {
		e.note("parallel_tool_calls")
	}
}

func (e *requestEncoder) writeTools() {
	if e.format.tool {
		e.writeAnswerTool()
		return
	}
	if len(e.tools) == 0 {
		return
	}
	e.key("toolConfig")
	e.raw(`{"tools":[`)
	for _, t := range e.tools {
		e.comma()
		e.tool(t)
		if e.model.is(anthropic) { // Nova takes cache points everywhere else
			e.mark(t.Cache)
		} else if t.Cache != nil {
			e.note("cache_control")
		}
	}
	e.raw("]")
	switch e.choice.Mode {
	case conversation.ChoiceAuto:
		if !e.serial {
			e.raw(`,"toolChoice":{"auto":{}}`)
		}
	case conversation.ChoiceRequired:
		e.raw(`,"toolChoice":{"any":{}}`)
	case conversation.ChoiceTool:
		e.raw(`,"toolChoice":{"tool":{`)
		e.text("name", e.toolName(e.choice.Name))
		e.raw("}}")
	}
	e.raw("}")
}

func (e *requestEncoder) tool(t *conversation.Tool) {
	description, schema := t.Description, t.Schema
	if t.Custom {
		description, schema = conversation.FreeTextDescription(t), []byte(conversation.FreeTextSchema)
		e.o.Rewrites.FreeText(names.Clean(t.Name))
	}
	e.raw(`{"toolSpec":{`)
	e.text("name", e.toolName(t.Name))
	if !blank(description) {
		e.text("description", description)
	}
	e.key("inputSchema")
	e.raw(`{"json":`)
	if e.strict(t) {
		e.dst = claude.AppendClosed(e.dst, schema)
		e.raw(`},"strict":true}}`)
		return
	}
	e.dst = claude.AppendToolSchema(e.dst, schema)
	e.raw("}}}")
}

// strict reports whether the model is to be held to the schema of a tool.
func (e *requestEncoder) strict(t *conversation.Tool) bool {
	if t.Strict == nil || !*t.Strict || t.Custom {
		return false
	}
	if e.model.formats() && claude.DescribesObject(t.Schema) && claude.Closable(t.Schema) {
		return true
	}
	e.note("strict")
	return false
}

// toolName is a name as the model gets it; what was changed is changed back in the answer.
func (e *requestEncoder) toolName(name string) string {
	ours := names.Clean(name)
	e.o.Rewrites.Rename(name, ours)
	return ours
}

// answerTool is the function that stands for structured output.
const answerTool = "json_answer"

// writeAnswerTool writes the one tool that the model has to call with its answer.
func (e *requestEncoder) writeAnswerTool() {
	f := e.r.Format
	e.o.Rewrites.Answer(answerTool)
	e.key("toolConfig")
	e.raw(`{"tools":[{"toolSpec":{`)
	e.text("name", answerTool)
	description := "Give the answer to the user with this tool."
	if f.Description != "" {
		description += " " + f.Description
	}
	e.text("description", description)
	e.key("inputSchema")
	e.raw(`{"json":`)
	e.dst = claude.AppendToolSchema(e.dst, f.Schema)
	if e.model.family == mistral {
		e.raw(`}}}],"toolChoice":{"any":{}}}`)
	} else {
		e.raw(`}}}],"toolChoice":{"tool":{"name":"` + answerTool + `"}}}`)
	}
}

package gemini

import (
	"encoding/json"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// functionNames is what Google takes for the name of a function.
var functionNames = conversation.Names{Limit: 64, Also: ".:-", LetterFirst: true}

// toolName is a name as Google takes it, and sees to it that the client will know the tool again in the answer.
func (e *encoder) toolName(name string) string {
	sent := functionNames.Clean(name)
	e.opts.Rewrites.Rename(name, sent)
	return sent
}

// tools appends the tools and how they are to be chosen. Functions go into one list of declarations, with their
// schemas as they stand. Server-side tools of other vendors are dropped with a note, unless the model is told to use
// one.
func (e *encoder) tools() error {
	var functions, own []conversation.Tool
	foreign := map[string]bool{}
	for _, t := range e.r.Tools {
		switch {
		case isFunction(t):
			functions = append(functions, t)
		case t.Origin == origin:
			own = append(own, t)
		default:
			foreign[t.Name] = true
			e.note("tools." + t.Name)
		}
		if t.Cache != nil {
			e.note("cache_control")
		}
	}
	if c := e.r.Choice; c.Mode == conversation.ChoiceTool && foreign[c.Name] {
		return dialects.BadRequest("tool_choice", "the tool %q is not available with Gemini models", c.Name)
	}
	if len(functions)+len(own) == 0 {
		if e.r.Choice.Mode == conversation.ChoiceRequired {
			return dialects.BadRequest("tool_choice", "a tool call is required, but no tool is available with Gemini models")
		}
		return nil
	}
	e.dst = append(jsonedit.AppendKey(e.dst, "tools"), '[')
	if len(functions) > 0 {
		e.dst = append(jsonedit.AppendComma(e.dst), `{"functionDeclarations":[`...)
		for _, t := range functions {
			e.declaration(&t)
		}
		e.dst = append(e.dst, "]}"...)
	}
	for _, t := range own {
		e.dst = append(jsonedit.AppendComma(e.dst), t.Raw...)
	}
	e.dst = append(e.dst, ']')
	if len(functions) > 0 {
		e.choice()
	}
	return nil
}

// isFunction tells what the client runs from what the vendor does.
func isFunction(t conversation.Tool) bool { return t.Raw == nil || t.Custom }

// declaration appends a function. A free-text tool, which the dialect has not, becomes a function with one text; what
// its grammar is can only be told to the model.
func (e *encoder) declaration(t *conversation.Tool) {
	name, description, schema := e.toolName(t.Name), t.Description, t.Schema
	if t.Custom {
		e.opts.Rewrites.FreeText(name)
		description, schema = conversation.FreeTextDescription(t), json.RawMessage(conversation.FreeTextSchema)
	}
	e.dst = append(jsonedit.AppendComma(e.dst), '{')
	e.dst = jsonedit.AppendStringMember(e.dst, "name", name)
	e.dst = jsonedit.AppendTextMember(e.dst, "description", description)
	// Models before Gemini 2 refuse an object without properties.
	if hasSchema(schema) && (!e.model.known || e.model.major >= 2 || gjson.GetBytes(schema, "properties.@keys.0").Exists()) {
		e.schema("parametersJsonSchema", "parameters", schema, "tools.parameters")
	}
	e.dst = append(e.dst, '}')
	if t.Strict != nil && *t.Strict {
		e.note("tools.strict")
	}
}

// choice appends toolConfig. A list of allowed functions goes with ANY and VALIDATED only; VALIDATED leaves the model
// the choice to answer in words, as AUTO does.
func (e *encoder) choice() {
	c := e.r.Choice
	mode, allowed := "", c.Allowed
	switch c.Mode {
	case conversation.ChoiceUnset:
		return
	case conversation.ChoiceAuto:
		if mode = "AUTO"; len(allowed) > 0 {
			mode = "VALIDATED"
		}
	case conversation.ChoiceNone:
		mode, allowed = "NONE", nil
	case conversation.ChoiceRequired:
		mode = "ANY"
	case conversation.ChoiceTool:
		mode, allowed = "ANY", []string{c.Name}
	}
	e.dst = append(e.dst, `,"toolConfig":{"functionCallingConfig":{"mode":"`...)
	e.dst = append(e.dst, mode...)
	e.dst = append(e.dst, '"')
	if len(allowed) > 0 {
		names := make([]string, len(allowed))
		for i, name := range allowed {
			names[i] = e.toolName(name)
		}
		e.dst = jsonedit.AppendStrings(jsonedit.AppendKey(e.dst, "allowedFunctionNames"), names)
	}
	e.dst = append(e.dst, "}}"...)
}

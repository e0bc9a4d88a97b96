package gemini

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// maxName is how long the name of a function may be.
const maxName = 64

// functionName makes a name that Google accepts: it begins with a letter or an underscore and goes on with letters,
// digits, "_", ".", ":" and "-". A name that has to be changed gets a hash of the original at its end, so that two
// never become one. The result depends on the name alone: declarations, calls and results agree without a table.
func functionName(name string) string {
	if validName(name) {
		return name
	}
	var b strings.Builder
	if name == "" || !isNameStart(name[0]) {
		b.WriteByte('_')
	}
	const suffix = 9 // "_" and eight hexadecimal digits
	for i := 0; i < len(name) && b.Len() < maxName-suffix; i++ {
		if isNameByte(name[i]) {
			b.WriteByte(name[i])
		} else {
			b.WriteByte('_')
		}
	}
	sum := sha256.Sum256([]byte(name))
	return b.String() + "_" + hex.EncodeToString(sum[:4])
}

func validName(name string) bool {
	if name == "" || len(name) > maxName || !isNameStart(name[0]) {
		return false
	}
	for i := range len(name) {
		if !isNameByte(name[i]) {
			return false
		}
	}
	return true
}

func isNameStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isNameByte(c byte) bool {
	return isNameStart(c) || c >= '0' && c <= '9' || c == '.' || c == ':' || c == '-'
}

// toolName is functionName, and sees to it that the client will know the tool again in the answer.
func (e *encoder) toolName(name string) string {
	sent := functionName(name)
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
		schema = json.RawMessage(conversation.FreeTextSchema)
		if g := t.Grammar; g != nil {
			description = strings.TrimLeft(description+"\n\nThe input must match this "+g.Syntax+" grammar:\n"+g.Definition, "\n")
		}
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

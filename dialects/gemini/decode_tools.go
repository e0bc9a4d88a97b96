package gemini

import (
	"slices"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// tools reads the tools. One entry may declare functions and switch on several of Google's own tools at once.
func (d *requestDecoder) tools(p *dialects.Place) {
	e := p.At(0)
	ok, single := d.list(p)
	for ; ok; ok = !single && d.in.Next() {
		for ok := d.object(&e); ok; ok = d.in.Next() {
			key := d.key()
			switch {
			case d.in.Peek() == 'n':
			case key == "functionDeclarations":
				in := e.In(key)
				d.declarations(&in)
			default:
				raw := append(jsonedit.AppendString([]byte{'{'}, key), ':')
				raw = append(append(raw, d.in.Raw()...), '}')
				d.req.Tools = append(d.req.Tools, conversation.Tool{Name: key, Raw: raw, Origin: origin})
			}
		}
		e.Index++
	}
}

func (d *requestDecoder) declarations(p *dialects.Place) {
	e := p.At(0)
	ok, single := d.list(p)
	for ; ok; ok = !single && d.in.Next() {
		d.declaration(&e)
		e.Index++
	}
}

// declaration reads a function. What it answers with, and whether it may answer late, only Google asks for.
func (d *requestDecoder) declaration(p *dialects.Place) {
	var t conversation.Tool
	for ok := d.object(p); ok; ok = d.in.Next() {
		key := d.key()
		in := p.In(key)
		switch key {
		case "name":
			t.Name = d.str(&in)
		case "description":
			t.Description = d.str(&in)
		case "parameters":
			if t.Schema == nil {
				t.Schema = d.schema(&in)
			}
		case "parametersJsonSchema":
			if d.in.Peek() == '{' {
				t.Schema = d.in.Raw()
			}
		case "response", "responseJsonSchema", "behavior":
			if d.in.Peek() != 'n' {
				d.lost("tools." + key)
			}
		}
	}
	if t.Name == "" {
		in := p.In("name")
		d.fail(&in, "a function must have a name")
		return
	}
	d.req.Tools = append(d.req.Tools, t)
}

// schema reads a schema of the dialect's own kind as JSON Schema.
func (d *requestDecoder) schema(p *dialects.Place) []byte {
	switch d.in.Peek() {
	case 'n':
		return nil
	case '{':
		here := d.in.Mark()
		d.in.Skip()
		size := d.in.Mark() - here
		d.in.Seek(here)
		return appendSchema(make([]byte, 0, size), &d.in)
	}
	d.fail(p, "%s must be an object", p.Path())
	return nil
}

func (d *requestDecoder) toolConfig(p *dialects.Place) {
	for ok := d.object(p); ok; ok = d.in.Next() {
		key := d.key()
		switch {
		case d.in.Peek() == 'n':
		case key == "functionCallingConfig":
			in := p.In(key)
			d.functionCalling(&in)
		case key == "includeServerSideToolInvocations":
			// It says how Google's own tools are to be shown, of which there are none elsewhere.
		default:
			d.extra("toolConfig." + key)
		}
	}
}

// callingModes are the values of functionCallingConfig.mode, at the place of their numbers.
var callingModes = []string{"MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"}

// functionCalling reads how tools are to be chosen. ANY with a single name demands that tool; VALIDATED leaves the model
// the choice to answer in words, as AUTO does.
func (d *requestDecoder) functionCalling(p *dialects.Place) {
	mode, allowed := "", []string(nil)
	for ok := d.object(p); ok; ok = d.in.Next() {
		key := d.key()
		in := p.In(key)
		switch {
		case d.in.Peek() == 'n':
		case key == "mode":
			mode = d.enum(&in, callingModes)
		case key == "allowedFunctionNames":
			allowed = d.texts(&in)
		case key == "streamFunctionCallArguments":
			// The calls come whole, which says the same.
		default:
			d.lost("toolConfig.functionCallingConfig." + key)
		}
	}
	c := &d.req.Choice
	switch mode {
	case "AUTO":
		c.Mode = conversation.ChoiceAuto
	case "NONE":
		c.Mode = conversation.ChoiceNone
	case "VALIDATED":
		c.Mode, c.Allowed = conversation.ChoiceAuto, allowed
	case "ANY":
		if c.Mode = conversation.ChoiceRequired; len(allowed) == 1 {
			c.Mode, c.Name = conversation.ChoiceTool, allowed[0]
		} else {
			c.Allowed = allowed
		}
	}
}

// enum reads a value by its name or its number.
func (d *requestDecoder) enum(p *dialects.Place, names []string) string {
	s := d.scalar()
	if name := strings.ToUpper(s); slices.Contains(names, name) {
		return name
	}
	if n, ok := jsonedit.Count(s); ok && s != "" && n < int64(len(names)) {
		return names[n]
	}
	d.fail(p, "%s must be one of %s", p.Path(), strings.Join(names[1:], ", "))
	return ""
}

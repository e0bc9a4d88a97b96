package responses

import (
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

func (d *requestDecoder) tools(p *place) {
	e := p.at(0)
	for ok := d.array(p); ok; ok = d.next(&e) {
		start := d.in.Mark()
		if kind := d.kindOf(&e); kind != "function" && d.err == nil {
			end := d.in.Mark()
			d.in.Seek(start)
			d.req.Tools = append(d.req.Tools, conversation.Tool{Name: kind, Raw: d.in.Raw(), Origin: origin})
			d.in.Seek(end)
			continue
		}
		end := d.in.Mark()
		d.in.Seek(start)
		d.req.Tools = append(d.req.Tools, d.function(&e))
		d.in.Seek(end)
	}
}

// kindOf reads the type of an object, which must have one.
func (d *requestDecoder) kindOf(p *place) string {
	var kind string
	for ok := d.object(p); ok; ok = d.in.Next() {
		if d.in.Key() == "type" {
			kind = d.text()
		}
	}
	if kind == "" {
		in := p.in("type")
		d.fail(&in, "%s must be a string", in.path())
	}
	return kind
}

// function reads a function. Unlike chat completions, the dialect is strict unless told otherwise; a schema that strict
// mode would have to rewrite first is taken as it is, and not strictly, because other vendors refuse it otherwise.
func (d *requestDecoder) function(p *place) (t conversation.Tool) {
	for ok := d.object(p); ok; ok = d.in.Next() {
		key := d.in.Key()
		if d.in.Peek() == 'n' {
			continue
		}
		in := p.in(key)
		switch key {
		case "name":
			t.Name = d.str(&in)
		case "description":
			t.Description = d.str(&in)
		case "parameters":
			if d.in.Peek() != '{' {
				d.fail(&in, "%s must be a JSON Schema object", in.path())
			}
			t.Schema = d.in.Raw()
		case "strict":
			t.Strict = d.boolean(&in)
		}
	}
	if t.Name == "" {
		in := p.in("name")
		d.fail(&in, "a function must have a name")
	}
	if t.Strict == nil && t.Schema != nil {
		in := jsonedit.NewReader(t.Schema)
		if isStrict(&in) {
			yes := true
			t.Strict = &yes
		}
	}
	return t
}

// isStrict reports whether a schema meets the demands of strict mode: objects take no other properties than those they
// name, and all of these are required.
func isStrict(in *jsonedit.Reader) bool {
	if in.Peek() == '[' {
		strict := true
		for ok := in.Array(); ok; ok = in.Next() {
			strict = isStrict(in) && strict
		}
		return strict
	}
	if in.Peek() != '{' {
		in.Skip()
		return true
	}
	properties, required, closed, strict := -1, 0, false, true
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "properties":
			if in.Peek() != '{' {
				strict = false
				continue
			}
			properties = 0
			for ok := in.Object(); ok; ok = in.Next() {
				in.Key()
				properties++
				strict = isStrict(in) && strict
			}
		case "required":
			for ok := in.Array(); ok; ok = in.Next() {
				required++
			}
		case "additionalProperties":
			closed = in.Peek() == 'f'
		case "enum", "const", "default", "examples":
			in.Skip()
		default:
			strict = isStrict(in) && strict
		}
	}
	return strict && (properties < 0 || closed && required == properties)
}

// toolChoice reads tool_choice. A choice of a server-side tool means something to this dialect alone.
func (d *requestDecoder) toolChoice(p *place) {
	c := &d.req.Choice
	if s, ok := d.in.Text(); ok {
		if c.Mode = choiceMode(s); c.Mode == conversation.ChoiceUnset {
			d.fail(p, "tool_choice must be none, auto, required or an object")
		}
		return
	}
	start := d.in.Mark()
	var kind, name, mode string
	var tools jsonedit.Mark
	for ok := d.object(p); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "type":
			kind = d.text()
		case "name":
			name = d.text()
		case "mode":
			mode = d.text()
		case "tools":
			tools = d.in.Mark()
		}
	}
	end := d.in.Mark()
	switch {
	case kind == "allowed_tools":
		if c.Mode = choiceMode(mode); c.Mode != conversation.ChoiceAuto && c.Mode != conversation.ChoiceRequired {
			in := p.in("mode")
			d.fail(&in, "the mode of allowed_tools must be auto or required")
			return
		}
		d.in.Seek(tools)
		in := p.in("tools")
		d.allowed(&in)
	case name != "" && (kind == "function" || kind == "custom"):
		c.Mode, c.Name = conversation.ChoiceTool, name
	case kind == "" || kind == "function" || kind == "custom":
		d.fail(p, "tool_choice must name a tool")
		return
	default:
		d.in.Seek(start)
		d.req.Extra = append(d.req.Extra, conversation.Field{Name: "tool_choice", Value: d.in.Raw()})
	}
	d.in.Seek(end)
}

func (d *requestDecoder) allowed(p *place) {
	for ok := d.array(p); ok; ok = d.in.Next() {
		if name := d.textIn("name"); name != "" {
			d.req.Choice.Allowed = append(d.req.Choice.Allowed, name)
		}
	}
}

func choiceMode(s string) conversation.ChoiceMode {
	switch s {
	case "auto":
		return conversation.ChoiceAuto
	case "none":
		return conversation.ChoiceNone
	case "required":
		return conversation.ChoiceRequired
	}
	return conversation.ChoiceUnset
}

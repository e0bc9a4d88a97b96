package chatcompletions

import (
	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// array enters an array, which must be one.
func (d *requestDecoder) array(p *dialects.Place) bool {
	if d.in.Peek() != '[' {
		d.fail(p, "%s must be an array", p.Path())
	}
	return d.in.Array()
}

func (d *requestDecoder) tools(p *dialects.Place) {
	e := p.At(0)
	for ok := d.array(p); ok; ok = d.next(&e) {
		if d.in.Peek() != '{' {
			d.fail(&e, "a tool must be an object")
			return
		}
		start := d.in.Mark()
		t, kind, named := d.wrappedTool(&e)
		end := d.in.Mark()
		d.in.Seek(start)
		switch {
		case t.Custom:
			t.Raw, t.Origin = d.in.Raw(), origin // to its own vendor it goes as it stands
		case t.Name == "":
			t = d.bareTool(&e, kind, named, t.Cache)
		}
		d.in.Seek(end)
		d.req.Tools = append(d.req.Tools, t)
	}
}

// next goes on to the next element, whose place is then e.
func (d *requestDecoder) next(e *dialects.Place) bool {
	e.Index++
	return d.in.Next()
}

// wrappedTool reads a tool in its usual form, where the function is an object of its own. The tool has no name when
// there is no function; then it matters of which kind it is, and whether it has a name outside of one.
func (d *requestDecoder) wrappedTool(p *dialects.Place) (t conversation.Tool, kind string, named bool) {
	var cache *conversation.CacheMark
	var custom jsonedit.Mark
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "type":
			kind = d.text()
		case "name":
			named = true
		case "cache_control":
			cache = d.cacheMark()
		case "function":
			if d.in.Peek() == '{' {
				in := p.In("function")
				t = d.function(&in)
			}
		case "custom":
			if d.in.Peek() == '{' {
				custom = d.in.Mark()
			}
		}
	}
	if kind == "custom" && custom != 0 {
		end, in := d.in.Mark(), p.In("custom")
		d.in.Seek(custom)
		t = d.customTool(&in)
		d.in.Seek(end)
	}
	t.Cache = cache
	return t, kind, named
}

// bareTool reads the other forms: the flat one of the Responses API, and the tools of vendors.
func (d *requestDecoder) bareTool(p *dialects.Place, kind string, named bool, cache *conversation.CacheMark) (t conversation.Tool) {
	switch {
	case kind == "function" || kind == "" && named:
		t = d.function(p)
	case kind == "":
		in := p.In("type")
		d.fail(&in, "a tool must have a type")
	default:
		t = conversation.Tool{Name: kind, Raw: d.in.Raw(), Origin: origin}
	}
	t.Cache = cache
	return t
}

// customTool reads what a free-text tool is.
func (d *requestDecoder) customTool(p *dialects.Place) conversation.Tool {
	t := conversation.Tool{Custom: true}
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "name":
			t.Name = d.text()
		case "description":
			t.Description = d.text()
		case "format":
			t.Grammar = d.grammar()
		}
	}
	if t.Name == "" {
		in := p.In("name")
		d.fail(&in, "a custom tool must have a name")
	}
	return t
}

// grammar reads the format of a free-text tool; nil when that is any text.
func (d *requestDecoder) grammar() *conversation.Grammar {
	var g conversation.Grammar
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "grammar":
			for ok := d.in.Object(); ok; ok = d.in.Next() {
				switch d.in.Key() {
				case "syntax":
					g.Syntax = d.text()
				case "definition":
					g.Definition = d.text()
				}
			}
		}
	}
	if g.Definition == "" {
		return nil
	}
	return &g
}

// functions reads the legacy form of tools.
func (d *requestDecoder) functions(p *dialects.Place) {
	e := p.At(0)
	for ok := d.array(p); ok; ok = d.next(&e) {
		d.req.Tools = append(d.req.Tools, d.function(&e))
	}
}

// function reads what a function is. It fails when that has no name.
func (d *requestDecoder) function(p *dialects.Place) (t conversation.Tool) {
	if d.in.Peek() != '{' {
		d.fail(p, "a function must be an object")
		return t
	}
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		key := d.in.Key()
		if d.in.Peek() == 'n' {
			continue
		}
		in := p.In(key)
		switch key {
		case "name":
			t.Name = d.str(&in)
		case "description":
			t.Description = d.str(&in)
		case "parameters", "input_schema":
			if d.in.Peek() != '{' {
				d.fail(&in, "%s must be a JSON Schema object", key)
			}
			t.Schema = d.in.Raw()
		case "strict":
			t.Strict = d.boolean(&in)
		}
	}
	if t.Name == "" {
		in := p.In("name")
		d.fail(&in, "a function must have a name")
	}
	return t
}

// cacheMark reads a cache breakpoint; anything but an object is none.
func (d *requestDecoder) cacheMark() *conversation.CacheMark {
	if d.in.Peek() != '{' {
		return nil
	}
	return &conversation.CacheMark{TTL: textIn(&d.in, "ttl")}
}

// wireChoice is a tool choice, or one of the allowed tools, as it stands.
type wireChoice struct {
	kind, function, custom, name string
	allowed                      jsonedit.Mark
}

func (d *requestDecoder) wireChoice() (c wireChoice) {
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "type":
			c.kind = d.text()
		case "name":
			c.name = d.text()
		case "function":
			c.function = textIn(&d.in, "name")
		case "custom":
			c.custom = textIn(&d.in, "name")
		case "allowed_tools":
			if d.in.Peek() == '{' {
				c.allowed = d.in.Mark()
			}
		}
	}
	return c
}

// tool is the tool that is named, in whichever form.
func (c *wireChoice) tool() string {
	switch {
	case c.function != "":
		return c.function
	case c.custom != "":
		return c.custom
	}
	return c.name
}

// toolChoice reads tool_choice and the legacy function_call.
func (d *requestDecoder) toolChoice(p *dialects.Place) {
	c := &d.req.Choice
	if s, ok := d.in.Text(); ok {
		if c.Mode = choiceMode(s); c.Mode == conversation.ChoiceUnset {
			d.fail(p, "%s must be none, auto, required or an object", p.Key)
		}
		return
	}
	if d.in.Peek() != '{' {
		d.fail(p, "%s must be a string or an object", p.Key)
		return
	}
	w := d.wireChoice()
	if w.allowed != 0 {
		end := d.in.Mark()
		d.in.Seek(w.allowed)
		in := p.In("allowed_tools")
		d.allowedTools(&in)
		d.in.Seek(end)
		return
	}
	if c.Name = w.tool(); c.Name != "" {
		c.Mode = conversation.ChoiceTool
	} else if c.Mode = choiceMode(w.kind); c.Mode == conversation.ChoiceUnset {
		d.fail(p, "%s must name a function", p.Key)
	}
}

func choiceMode(s string) conversation.ChoiceMode {
	switch s {
	case "auto":
		return conversation.ChoiceAuto
	case "none":
		return conversation.ChoiceNone
	case "required", "any":
		return conversation.ChoiceRequired
	}
	return conversation.ChoiceUnset
}

func (d *requestDecoder) allowedTools(p *dialects.Place) {
	c := &d.req.Choice
	c.Mode = conversation.ChoiceUnset
	listed := false
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "mode":
			c.Mode = choiceMode(d.text())
		case "tools":
			in := p.In("tools")
			listed = true
			for ok := d.array(&in); ok; ok = d.in.Next() {
				if w := d.wireChoice(); w.tool() != "" {
					c.Allowed = append(c.Allowed, w.tool())
				}
			}
		}
	}
	if c.Mode != conversation.ChoiceAuto && c.Mode != conversation.ChoiceRequired {
		in := p.In("mode")
		d.fail(&in, "the mode of allowed_tools must be auto or required")
	}
	if !listed {
		in := p.In("tools")
		d.fail(&in, "%s must be an array", in.Path())
	}
}

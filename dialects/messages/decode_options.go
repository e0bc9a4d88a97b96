package messages

import (
	"encoding/json"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

func (d *requestDecoder) tools(p *place) {
	if d.in.Peek() != '[' {
		d.fail(p, "input should be a valid list")
		return
	}
	e := p.at(0)
	for ok := d.in.Array(); ok; ok = d.in.Next() {
		d.tool(&e)
		e.index++
	}
}

// tool reads a function, or keeps a server tool as it came.
func (d *requestDecoder) tool(p *place) {
	if d.in.Peek() != '{' {
		d.fail(p, "input should be an object")
		return
	}
	var t conversation.Tool
	start, kind, extras := d.in.Mark(), "", len(d.r.Extra)
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch key := d.in.Key(); key {
		case "type":
			kind = d.text()
		case "name":
			t.Name = d.text()
		case "description":
			t.Description = d.text()
		case "input_schema":
			if d.in.Peek() == '{' {
				t.Schema = d.in.Raw()
			}
		case "strict":
			t.Strict = d.boolean()
		case "cache_control":
			t.Cache = decodeCache(&d.in)
		default:
			if c := d.in.Peek(); c != 'n' && c != 'f' {
				d.extra("tools."+key, d.in.Raw())
			}
		}
	}
	switch {
	case kind != "" && kind != "custom":
		end := d.in.Mark()
		d.in.Seek(start)
		t = conversation.Tool{Name: kind, Raw: d.in.Raw(), Origin: origin, Cache: t.Cache}
		d.in.Seek(end)
		d.r.Extra = d.r.Extra[:extras]
	case t.Name == "":
		in := p.in("name")
		d.fail(&in, "field required")
	case t.Schema == nil:
		in := p.in("input_schema")
		d.fail(&in, "field required")
	}
	d.r.Tools = append(d.r.Tools, t)
}

// boolean reads true or false; anything else is nil.
func (d *requestDecoder) boolean() *bool {
	c := d.in.Peek()
	if c != 't' && c != 'f' {
		return nil
	}
	b := c == 't'
	return &b
}

func (d *requestDecoder) choice(p *place) {
	var kind, name string
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "type":
			kind = d.text()
		case "name":
			name = d.text()
		case "disable_parallel_tool_use":
			if serial := d.boolean(); serial != nil {
				parallel := !*serial
				d.r.ParallelTools = &parallel
			}
		}
	}
	c := &d.r.Choice
	switch kind {
	case "auto":
		c.Mode = conversation.ChoiceAuto
	case "any":
		c.Mode = conversation.ChoiceRequired
	case "none":
		c.Mode = conversation.ChoiceNone
	case "tool":
		c.Mode, c.Name = conversation.ChoiceTool, name
		if in := p.in("name"); name == "" {
			d.fail(&in, "field required")
		}
	default:
		in := p.in("type")
		d.fail(&in, "input should be 'auto', 'any', 'tool' or 'none'")
	}
}

func (d *requestDecoder) reasoning() *conversation.Reasoning {
	if d.r.Reasoning == nil {
		d.r.Reasoning = &conversation.Reasoning{}
	}
	return d.r.Reasoning
}

func (d *requestDecoder) thinking(p *place) {
	var kind, display string
	var budget jsonedit.Mark
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "type":
			kind = d.text()
		case "display":
			display = d.text()
		case "budget_tokens":
			budget = d.in.Mark()
		}
	}
	switch kind {
	case "disabled":
		d.reasoning().Off = true
	case "adaptive":
		d.reasoning().Adaptive = true
	case "enabled":
		in, end := p.in("budget_tokens"), d.in.Mark()
		d.in.Seek(budget)
		r := d.reasoning()
		r.Budget = d.integer(&in)
		d.in.Seek(end)
		if r.Effort != "" { // a request has one or the other
			d.extra("output_config.effort", jsonedit.AppendString(nil, r.Effort))
			r.Effort = ""
		}
	default:
		in := p.in("type")
		d.fail(&in, "input should be 'enabled', 'adaptive' or 'disabled'")
	}
	switch display {
	case "summarized":
		d.reasoning().Summary = "auto"
	case "omitted":
		d.reasoning().Summary = "none"
	}
}

// outputConfig keeps the parts that the neutral form has no field for under dotted names.
func (d *requestDecoder) outputConfig(p *place) {
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		key := d.in.Key()
		switch in := p.in(key); {
		case d.in.Peek() == 'n':
		case key == "format":
			d.format(&in)
		case key == "effort" && (d.r.Reasoning == nil || d.r.Reasoning.Budget == nil):
			d.reasoning().Effort = d.text()
		default:
			d.extra("output_config."+key, d.in.Raw())
		}
	}
}

func (d *requestDecoder) format(p *place) {
	var kind string
	var schema []byte
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "type":
			kind = d.text()
		case "schema":
			schema = d.in.Raw()
		}
	}
	if kind != "json_schema" || len(schema) == 0 || schema[0] != '{' {
		d.fail(p, "input should be of type 'json_schema' with a schema")
		return
	}
	d.r.Format = &conversation.Format{Schema: json.RawMessage(schema)}
}

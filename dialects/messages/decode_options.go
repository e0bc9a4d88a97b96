package messages

import (
	"encoding/json"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

func (d *requestDecoder) tools(v gjson.Result) {
	if !v.IsArray() {
		d.fail("tools", "input should be a valid list")
		return
	}
	v.ForEach(func(_, v gjson.Result) bool {
		d.tool("tools."+strconv.Itoa(len(d.r.Tools)), v)
		return d.err == nil
	})
}

// tool reads a function, or keeps a server tool as it came.
func (d *requestDecoder) tool(param string, v gjson.Result) {
	if !v.IsObject() {
		d.fail(param, "input should be an object")
		return
	}
	if kind := v.Get("type").Str; kind != "" && kind != "custom" {
		d.r.Tools = append(d.r.Tools, conversation.Tool{
			Name: kind, Raw: json.RawMessage(v.Raw), Origin: origin, Cache: decodeCache(v.Get("cache_control")),
		})
		return
	}
	var t conversation.Tool
	v.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "name":
			t.Name = v.Str
		case "description":
			t.Description = v.Str
		case "input_schema":
			if v.IsObject() {
				t.Schema = json.RawMessage(v.Raw)
			}
		case "strict":
			if v.IsBool() {
				strict := v.Bool()
				t.Strict = &strict
			}
		case "cache_control":
			t.Cache = decodeCache(v)
		case "type":
		default:
			if v.Type != gjson.Null && v.Type != gjson.False {
				d.extra("tools."+k.Str, v)
			}
		}
		return true
	})
	if t.Name == "" {
		d.fail(param+".name", "field required")
	}
	if t.Schema == nil {
		d.fail(param+".input_schema", "field required")
	}
	d.r.Tools = append(d.r.Tools, t)
}

func (d *requestDecoder) choice(v gjson.Result) {
	c := &d.r.Choice
	switch v.Get("type").Str {
	case "auto":
		c.Mode = conversation.ChoiceAuto
	case "any":
		c.Mode = conversation.ChoiceRequired
	case "none":
		c.Mode = conversation.ChoiceNone
	case "tool":
		if c.Mode, c.Name = conversation.ChoiceTool, v.Get("name").Str; c.Name == "" {
			d.fail("tool_choice.name", "field required")
		}
	default:
		d.fail("tool_choice.type", "input should be 'auto', 'any', 'tool' or 'none'")
	}
	if p := v.Get("disable_parallel_tool_use"); p.IsBool() {
		parallel := !p.Bool()
		d.r.ParallelTools = &parallel
	}
}

func (d *requestDecoder) reasoning() *conversation.Reasoning {
	if d.r.Reasoning == nil {
		d.r.Reasoning = &conversation.Reasoning{}
	}
	return d.r.Reasoning
}

func (d *requestDecoder) thinking(v gjson.Result) {
	switch v.Get("type").Str {
	case "disabled":
		d.reasoning().Off = true
	case "adaptive":
		d.reasoning().Adaptive = true
	case "enabled":
		budget := d.integer("thinking.budget_tokens", v.Get("budget_tokens"))
		d.reasoning().Budget = budget
		if effort := d.r.Reasoning.Effort; effort != "" { // a request has one or the other
			d.r.Reasoning.Effort = ""
			d.extra("output_config.effort", gjson.Result{Type: gjson.String, Raw: string(jsonedit.AppendString(nil, effort))})
		}
	default:
		d.fail("thinking.type", "input should be 'enabled', 'adaptive' or 'disabled'")
	}
	switch v.Get("display").Str {
	case "summarized":
		d.reasoning().Summary = "auto"
	case "omitted":
		d.reasoning().Summary = "none"
	}
}

// outputConfig keeps the parts that the neutral form has no field for under dotted names.
func (d *requestDecoder) outputConfig(v gjson.Result) {
	v.ForEach(func(k, v gjson.Result) bool {
		switch {
		case v.Type == gjson.Null:
		case k.Str == "format":
			d.format("output_config.format", v)
		case k.Str == "effort" && (d.r.Reasoning == nil || d.r.Reasoning.Budget == nil):
			d.reasoning().Effort = v.Str
		default:
			d.extra("output_config."+k.Str, v)
		}
		return true
	})
}

func (d *requestDecoder) format(param string, v gjson.Result) {
	schema := v.Get("schema")
	if v.Get("type").Str != "json_schema" || !schema.IsObject() {
		d.fail(param, "input should be of type 'json_schema' with a schema")
		return
	}
	d.r.Format = &conversation.Format{Schema: json.RawMessage(schema.Raw)}
}

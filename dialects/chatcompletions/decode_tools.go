package chatcompletions

import (
	"encoding/json"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

// at makes the path of an element.
func at(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// each calls f for every element of an array.
func (d *requestDecoder) each(param string, v gjson.Result, f func(i int, v gjson.Result)) {
	if !v.IsArray() {
		d.fail(param, "%s must be an array", param)
		return
	}
	i := 0
	v.ForEach(func(_, v gjson.Result) bool {
		f(i, v)
		i++
		return d.err == nil
	})
}

func (d *requestDecoder) tools(v gjson.Result) {
	d.each("tools", v, func(i int, v gjson.Result) {
		path := at("tools", i)
		if !v.IsObject() {
			d.fail(path, "a tool must be an object")
			return
		}
		kind, function := text(v.Get("type")), v.Get("function")
		var t conversation.Tool
		switch {
		case function.IsObject():
			t = d.function(path+".function", function)
		case kind == "function" || kind == "" && v.Get("name").Exists():
			t = d.function(path, v) // the flat form of the Responses API
		case kind == "":
			d.fail(path+".type", "a tool must have a type")
		default:
			t = conversation.Tool{Name: kind, Raw: json.RawMessage(v.Raw), Origin: origin}
		}
		t.Cache = cacheMark(v.Get("cache_control"))
		d.req.Tools = append(d.req.Tools, t)
	})
}

// functions reads the legacy form of tools.
func (d *requestDecoder) functions(v gjson.Result) {
	d.each("functions", v, func(i int, v gjson.Result) {
		d.req.Tools = append(d.req.Tools, d.function(at("functions", i), v))
	})
}

func (d *requestDecoder) function(path string, v gjson.Result) conversation.Tool {
	var t conversation.Tool
	if !v.IsObject() {
		d.fail(path, "a function must be an object")
		return t
	}
	v.ForEach(func(key, v gjson.Result) bool {
		switch {
		case isNull(v):
		case key.Str == "name":
			t.Name = d.str(path+".name", v)
		case key.Str == "description":
			t.Description = d.str(path+".description", v)
		case key.Str == "parameters", key.Str == "input_schema":
			if !v.IsObject() {
				d.fail(path+"."+key.Str, "%s must be a JSON Schema object", key.Str)
			}
			t.Schema = json.RawMessage(v.Raw)
		case key.Str == "strict":
			t.Strict = d.boolean(path+".strict", v)
		}
		return d.err == nil
	})
	if t.Name == "" {
		d.fail(path+".name", "a function must have a name")
	}
	return t
}

func cacheMark(v gjson.Result) *conversation.CacheMark {
	if !v.IsObject() {
		return nil
	}
	return &conversation.CacheMark{TTL: text(v.Get("ttl"))}
}

// toolChoice reads tool_choice and the legacy function_call.
func (d *requestDecoder) toolChoice(key string, v gjson.Result) {
	c := &d.req.Choice
	switch {
	case v.Type == gjson.String:
		if c.Mode = choiceMode(v.Str); c.Mode == conversation.ChoiceUnset {
			d.fail(key, "%s must be none, auto, required or an object", key)
		}
	case !v.IsObject():
		d.fail(key, "%s must be a string or an object", key)
	case v.Get("allowed_tools").IsObject():
		d.allowedTools(key, v.Get("allowed_tools"))
	default:
		for _, path := range [...]string{"function.name", "custom.name", "name"} {
			if c.Name = text(v.Get(path)); c.Name != "" {
				c.Mode = conversation.ChoiceTool
				return
			}
		}
		if c.Mode = choiceMode(text(v.Get("type"))); c.Mode == conversation.ChoiceUnset {
			d.fail(key, "%s must name a function", key)
		}
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

func (d *requestDecoder) allowedTools(key string, v gjson.Result) {
	c := &d.req.Choice
	c.Mode = choiceMode(text(v.Get("mode")))
	if c.Mode != conversation.ChoiceAuto && c.Mode != conversation.ChoiceRequired {
		d.fail(key+".allowed_tools.mode", "the mode of allowed_tools must be auto or required")
	}
	d.each(key+".allowed_tools.tools", v.Get("tools"), func(_ int, t gjson.Result) {
		for _, path := range [...]string{"function.name", "custom.name", "name"} {
			if name := text(t.Get(path)); name != "" {
				c.Allowed = append(c.Allowed, name)
				return
			}
		}
	})
}

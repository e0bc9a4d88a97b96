package converse

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// format is how structured output is asked for: natively, by a tool that has to be called, or with words.
type format struct {
	native, tool bool
	hint         string
}

// planFormat decides how to ask for structured output. Models without outputConfig are made to call a tool, unless that
// would be one of several, or the model may not be made to; then it is asked kindly.
func (e *requestEncoder) planFormat() {
	f := e.r.Format
	switch {
	case f == nil:
	case f.Schema != nil && e.model.formats():
		e.format.native = true
	case f.Schema != nil && len(e.tools) == 0 && e.thinking == "" && e.model.is(anthropic, nova, mistral) &&
		e.o.Rewrites != nil && gjson.GetBytes(f.Schema, "type").Str == "object":
		e.format.tool = true
	default:
		e.note("response_format")
		e.format.hint = "Respond with a single valid JSON object and nothing else: no explanations and no code fences."
		if f.Schema != nil {
			e.format.hint += " It must conform to this JSON Schema:\n" + string(f.Schema)
		}
	}
}

// writeFormat writes outputConfig, in which the schema is a text.
func (e *requestEncoder) writeFormat() {
	if !e.format.native {
		return
	}
	f := e.r.Format
	e.key("outputConfig")
	e.raw(`{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{`)
	name := f.Name
	if name == "" {
		name = "answer"
	}
	e.text("name", names.Clean(name))
	e.dst = jsonedit.AppendTextMember(e.dst, "description", f.Description)
	e.key("schema")
	e.dst = jsonedit.AppendString(e.dst, appendClosed(nil, gjson.Parse(jsonedit.View(f.Schema))))
	e.raw("}}}}")
}

// appendClosed appends a schema for structured output. "additionalProperties": false is demanded of every object; where
// a schema says nothing about it, it is added. Nothing else changes, and keys keep their order.
func appendClosed(dst []byte, schema gjson.Result) []byte {
	if !schema.IsObject() {
		return append(dst, schema.Raw...)
	}
	isObject, hasRule := false, false
	dst = append(dst, '{')
	schema.ForEach(func(k, v gjson.Result) bool {
		dst = append(append(jsonedit.AppendComma(dst), k.Raw...), ':')
		switch k.Str {
		case "type":
			isObject = v.Str == "object" || v.IsArray() && strings.Contains(v.Raw, `"object"`)
		case "additionalProperties":
			hasRule = true
		}
		switch k.Str {
		case "properties", "$defs", "definitions":
			dst = appendEach(dst, v, '{', '}')
		case "anyOf", "oneOf", "allOf", "prefixItems":
			dst = appendEach(dst, v, '[', ']')
		case "items":
			dst = appendClosed(dst, v)
		default:
			dst = append(dst, v.Raw...)
		}
		return true
	})
	if isObject && !hasRule {
		dst = append(dst, `,"additionalProperties":false`...)
	}
	return append(dst, '}')
}

// appendEach appends an object or array of schemas.
func appendEach(dst []byte, list gjson.Result, open, end byte) []byte {
	if list.Raw == "" || list.Raw[0] != open {
		return append(dst, list.Raw...)
	}
	dst = append(dst, open)
	list.ForEach(func(k, v gjson.Result) bool {
		dst = jsonedit.AppendComma(dst)
		if open == '{' {
			dst = append(append(dst, k.Raw...), ':')
		}
		dst = appendClosed(dst, v)
		return true
	})
	return append(dst, end)
}

package messages

import (
	"strings"

	"github.com/tidwall/gjson"
)

// appendToolSchema appends the parameters of a tool. Anthropic wants an object schema in any case.
func appendToolSchema(dst []byte, schema []byte) []byte {
	doc := gjson.Parse(view(schema))
	if !doc.IsObject() {
		return append(dst, `{"type":"object","properties":{}}`...)
	}
	if doc.Get("type").Exists() {
		return append(dst, schema...)
	}
	dst = append(dst, `{"type":"object"`...)
	doc.ForEach(func(k, v gjson.Result) bool {
		dst = append(append(append(dst, ','), k.Raw...), ':')
		dst = append(dst, v.Raw...)
		return true
	})
	return append(dst, '}')
}

// appendClosed appends a schema for structured output. Anthropic demands "additionalProperties": false of every object;
// where a schema says nothing about it, it is added, as the vendor's own SDKs do. Nothing else changes, and keys keep
// their order.
func appendClosed(dst []byte, schema gjson.Result) []byte {
	if !schema.IsObject() {
		return append(dst, schema.Raw...)
	}
	isObject, hasRule, first := false, false, true
	dst = append(dst, '{')
	schema.ForEach(func(k, v gjson.Result) bool {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(dst, k.Raw...), ':')
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
	first := true
	list.ForEach(func(k, v gjson.Result) bool {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		if open == '{' {
			dst = append(append(dst, k.Raw...), ':')
		}
		dst = appendClosed(dst, v)
		return true
	})
	return append(dst, end)
}

// appendWithout appends an object less one member.
func appendWithout(dst []byte, doc []byte, key string) []byte {
	dst = append(dst, '{')
	first := true
	gjson.Parse(view(doc)).ForEach(func(k, v gjson.Result) bool {
		if k.Str == key {
			return true
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(dst, k.Raw...), ':')
		dst = append(dst, v.Raw...)
		return true
	})
	return append(dst, '}')
}

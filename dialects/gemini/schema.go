package gemini

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// schemaTypes are the types of a schema, at the place of their numbers.
var schemaTypes = []string{"", "string", "number", "integer", "boolean", "array", "object", "null"}

// appendSchema reads a schema of the dialect's own kind, a subset of OpenAPI 3.0, and appends it as JSON Schema. Keys
// keep their order, for reordered keys spoil prompt caches, and what the two have in common stays as it stands:
//
//	type: "STRING"                  type: "string"
//	nullable: true                  "null" among the types, the values of an enum, or the alternatives
//	any_of, min_items, ...          anyOf, minItems, ...
//	ref, defs                       $ref, $defs
//	minItems: "3"                   minItems: 3
//	propertyOrdering, format: enum  nothing: no such thing in JSON Schema
func appendSchema(dst []byte, in *jsonedit.Reader) []byte {
	if in.Peek() != '{' {
		return append(dst, in.Raw()...)
	}
	here := in.Mark()
	nullable := in.Get("nullable")
	end := in.Mark()
	if nullable != 0 {
		in.Seek(nullable)
	}
	null := nullable != 0 && in.Peek() == 't'
	in.Seek(here)
	dst = append(dst, '{')
	for ok := in.Object(); ok; ok = in.Next() {
		dst = appendKeyword(dst, in, canonical(in.Key()), null)
	}
	in.Seek(end)
	return append(dst, '}')
}

// appendKeyword appends one member of a schema. null says that the schema is nullable.
func appendKeyword(dst []byte, in *jsonedit.Reader, key string, null bool) []byte {
	switch key {
	case "nullable", "propertyOrdering":
		return dst
	case "type":
		return appendType(dst, in, null)
	case "format":
		if raw := in.Raw(); string(raw) != `"enum"` {
			dst = append(appendKey(dst, key), raw...)
		}
		return dst
	case "enum":
		dst = append(appendKey(dst, key), in.Raw()...)
		if n := len(dst) - 1; null && dst[n] == ']' {
			dst = append(append(appendComma(dst[:n]), "null"...), ']')
		}
		return dst
	case "anyOf", "oneOf":
		dst = appendSchemas(appendKey(dst, key), in)
		if n := len(dst) - 1; null && dst[n] == ']' {
			dst = append(append(appendComma(dst[:n]), `{"type":"null"}`...), ']')
		}
		return dst
	case "defs", "ref":
		key = "$" + key
	}
	dst = jsonedit.AppendString(appendComma(dst), key)
	dst = append(dst, ':')
	switch key {
	case "properties", "patternProperties", "$defs":
		return appendNamedSchemas(dst, in)
	case "items", "additionalProperties":
		return appendSchema(dst, in)
	case "allOf", "prefixItems":
		return appendSchemas(dst, in)
	case "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties":
		raw := in.Raw()
		if n := len(raw); n > 2 && raw[0] == '"' && gjson.Valid(jsonedit.View(raw[1:n-1])) {
			raw = raw[1 : n-1]
		}
		return append(dst, raw...)
	}
	return append(dst, in.Raw()...)
}

// appendType appends the type or types of a schema. One that is not specified is left out.
func appendType(dst []byte, in *jsonedit.Reader, null bool) []byte {
	var room [2]string
	types := room[:0]
	add := func() {
		if name := schemaType(in.Raw()); name != "" && !slices.Contains(types, name) {
			types = append(types, name)
		}
	}
	if in.Peek() == '[' {
		for ok := in.Array(); ok; ok = in.Next() {
			add()
		}
	} else {
		add()
	}
	if null && len(types) > 0 && !slices.Contains(types, "null") {
		types = append(types, "null")
	}
	switch len(types) {
	case 0:
		return dst
	case 1:
		return appendStringMember(dst, "type", types[0])
	}
	return appendStrings(appendKey(dst, "type"), types)
}

// schemaType is a type in the words of JSON Schema; "" for what is none.
func schemaType(raw []byte) string {
	name := strings.Trim(jsonedit.View(raw), `"`)
	for _, t := range schemaTypes[1:] {
		if strings.EqualFold(t, name) {
			return t
		}
	}
	if n, ok := jsonedit.Count(name); ok && n < int64(len(schemaTypes)) {
		return schemaTypes[n]
	}
	return ""
}

func appendSchemas(dst []byte, in *jsonedit.Reader) []byte {
	if in.Peek() != '[' {
		return append(dst, in.Raw()...)
	}
	dst = append(dst, '[')
	for ok := in.Array(); ok; ok = in.Next() {
		dst = appendSchema(appendComma(dst), in)
	}
	return append(dst, ']')
}

// appendNamedSchemas appends schemas by name. The names are the client's and stay as they are.
func appendNamedSchemas(dst []byte, in *jsonedit.Reader) []byte {
	if in.Peek() != '{' {
		return append(dst, in.Raw()...)
	}
	dst = append(dst, '{')
	for ok := in.Object(); ok; ok = in.Next() {
		dst = jsonedit.AppendString(appendComma(dst), in.Key())
		dst = appendSchema(append(dst, ':'), in)
	}
	return append(dst, '}')
}

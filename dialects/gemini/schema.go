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
//	propertyOrdering                the properties in that order
//	format: enum                    nothing: no such thing in JSON Schema
func appendSchema(dst []byte, in *jsonedit.Reader) []byte {
	if in.Peek() != '{' {
		return append(dst, in.Raw()...)
	}
	here := in.Mark()
	t := readTraits(in)
	end := in.Mark()
	in.Seek(here)
	dst = append(dst, '{')
	for ok := in.Object(); ok; ok = in.Next() {
		dst = appendKeyword(dst, in, canonical(in.Key()), t)
	}
	in.Seek(end)
	return append(dst, '}')
}

// traits are the members of a schema that change how others are written.
type traits struct {
	null  bool
	order []string // of the properties
}

func readTraits(in *jsonedit.Reader) (t traits) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch canonical(in.Key()) {
		case "nullable":
			t.null = in.Peek() == 't'
		case "propertyOrdering":
			for ok := in.Array(); ok; ok = in.Next() {
				if name, isText := in.Text(); isText {
					t.order = append(t.order, name)
				}
			}
		}
	}
	return t
}

// appendKeyword appends one member of a schema with the given traits.
func appendKeyword(dst []byte, in *jsonedit.Reader, key string, t traits) []byte {
	null := t.null
	switch key {
	case "nullable", "propertyOrdering":
		return dst
	case "type":
		return appendType(dst, in, null)
	case "format":
		if raw := in.Raw(); string(raw) != `"enum"` {
			dst = append(jsonedit.AppendKey(dst, key), raw...)
		}
		return dst
	case "enum":
		dst = append(jsonedit.AppendKey(dst, key), in.Raw()...)
		if n := len(dst) - 1; null && dst[n] == ']' {
			dst = append(append(jsonedit.AppendComma(dst[:n]), "null"...), ']')
		}
		return dst
	case "anyOf", "oneOf":
		dst = appendSchemas(jsonedit.AppendKey(dst, key), in)
		if n := len(dst) - 1; null && dst[n] == ']' {
			dst = append(append(jsonedit.AppendComma(dst[:n]), `{"type":"null"}`...), ']')
		}
		return dst
	case "defs", "ref":
		key = "$" + key
	}
	dst = jsonedit.AppendString(jsonedit.AppendComma(dst), key)
	dst = append(dst, ':')
	switch key {
	case "properties":
		return appendNamedSchemas(dst, in, t.order)
	case "patternProperties", "$defs":
		return appendNamedSchemas(dst, in, nil)
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
		return jsonedit.AppendStringMember(dst, "type", types[0])
	}
	return jsonedit.AppendStrings(jsonedit.AppendKey(dst, "type"), types)
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
		dst = appendSchema(jsonedit.AppendComma(dst), in)
	}
	return append(dst, ']')
}

// appendNamedSchemas appends schemas by name: first those that order names, then the others as they stand. The names are
// the client's and stay as they are.
func appendNamedSchemas(dst []byte, in *jsonedit.Reader, order []string) []byte {
	if in.Peek() != '{' {
		return append(dst, in.Raw()...)
	}
	dst = append(dst, '{')
	var left map[string]jsonedit.Mark // the schemas that were not written yet, where there is an order
	if len(order) > 0 {
		left = map[string]jsonedit.Mark{}
		here := in.Mark()
		for ok := in.Object(); ok; ok = in.Next() {
			left[in.Key()] = in.Mark()
		}
		for _, name := range order {
			if m := left[name]; m != 0 {
				in.Seek(m)
				dst = append(jsonedit.AppendString(jsonedit.AppendComma(dst), name), ':')
				dst = appendSchema(dst, in)
				delete(left, name)
			}
		}
		in.Seek(here)
	}
	for ok := in.Object(); ok; ok = in.Next() {
		name := in.Key()
		if left != nil && left[name] == 0 {
			continue
		}
		dst = append(jsonedit.AppendString(jsonedit.AppendComma(dst), name), ':')
		dst = appendSchema(dst, in)
	}
	return append(dst, '}')
}

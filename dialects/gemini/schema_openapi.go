package gemini

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// openAPI rewrites JSON Schema for the models before Gemini 2, which know the dialect's own kind of schema only:
//
//	type: ["string", "null"]        type: "STRING", nullable: true
//	anyOf or oneOf with a null      the other alternatives, nullable: true
//	const: "x"                      enum: ["x"]
//	$ref                            what it refers to
//	allOf with a single schema      that schema
//
// The rest that the two have in common stays; what they have not is dropped, and lossy says so.
type openAPI struct {
	root  gjson.Result
	refs  []string // being followed
	size  int      // schemas written so far
	lossy bool
}

// Bounds of what a schema becomes. One whose definitions refer to each other twice doubles with every definition.
const (
	maxSchemaDepth = 64
	maxSchemas     = 10_000
)

// appendOpenAPI appends a schema for a model before Gemini 2. It reports false when something had to be dropped.
func appendOpenAPI(dst, schema []byte) ([]byte, bool) {
	o := openAPI{root: gjson.ParseBytes(schema)}
	dst = append(o.members(append(dst, '{'), o.root, 0), '}')
	return dst, !o.lossy
}

// members appends the members of what a schema becomes.
func (o *openAPI) members(dst []byte, s gjson.Result, depth int) []byte {
	if o.size++; !s.IsObject() || depth > maxSchemaDepth || o.size > maxSchemas {
		o.lossy = true
		return dst
	}
	nullable := false
	s.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "type":
			var null bool
			dst, null = o.types(dst, v)
			nullable = nullable || null
		case "enum":
			var null bool
			dst, null = o.enum(dst, v)
			nullable = nullable || null
		case "const":
			if v.Type == gjson.String {
				dst = append(append(append(jsonedit.AppendKey(dst, "enum"), '['), v.Raw...), ']')
			} else {
				o.lossy = true
			}
		case "anyOf", "oneOf", "allOf":
			var null bool
			dst, null = o.alternatives(dst, key.Str, v, depth)
			nullable = nullable || null
		case "$ref":
			dst = o.ref(dst, v.Str, depth)
		case "properties":
			dst = append(jsonedit.AppendKey(dst, key.Str), '{')
			v.ForEach(func(name, property gjson.Result) bool {
				dst = append(jsonedit.AppendString(jsonedit.AppendComma(dst), name.String()), ":{"...)
				dst = append(o.members(dst, property, depth+1), '}')
				return true
			})
			dst = append(dst, '}')
		case "items":
			dst = append(jsonedit.AppendKey(dst, key.Str), '{')
			dst = append(o.members(dst, v, depth+1), '}')
		case "nullable":
			nullable = v.Bool()
		case "format":
			if slices.Contains(openAPIFormats, v.Str) {
				dst = jsonedit.AppendRawMember(dst, key.Str, v.Raw)
			} else {
				o.lossy = true
			}
		case "title", "description", "required", "default", "example", "pattern", "minimum", "maximum", "propertyOrdering",
			"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties":
			dst = jsonedit.AppendRawMember(dst, key.Str, v.Raw)
		case "$defs", "definitions", "$schema", "$id", "$comment":
		default:
			o.lossy = true
		}
		return true
	})
	if nullable {
		dst = append(jsonedit.AppendKey(dst, "nullable"), "true"...)
	}
	return dst
}

var openAPIFormats = []string{"float", "double", "int32", "int64", "enum", "date-time"}

// types appends a type, or an alternative for each of several.
func (o *openAPI) types(dst []byte, v gjson.Result) (_ []byte, null bool) {
	var types []string
	for _, t := range v.Array() { // of a single value, it is a list of that
		if t.Str == "null" {
			null = true
		} else {
			types = append(types, strings.ToUpper(t.Str))
		}
	}
	switch len(types) {
	case 0:
		return dst, null
	case 1:
		return jsonedit.AppendStringMember(dst, "type", types[0]), null
	}
	dst = append(jsonedit.AppendKey(dst, "anyOf"), '[')
	for _, t := range types {
		dst = append(jsonedit.AppendStringMember(append(jsonedit.AppendComma(dst), '{'), "type", t), '}')
	}
	return append(dst, ']'), null
}

// enum appends the values of an enum, which have to be strings.
func (o *openAPI) enum(dst []byte, v gjson.Result) (_ []byte, null bool) {
	before := len(dst)
	dst = append(jsonedit.AppendKey(dst, "enum"), '[')
	for _, value := range v.Array() {
		switch value.Type {
		case gjson.Null:
			null = true
		case gjson.String:
			dst = append(jsonedit.AppendComma(dst), value.Raw...)
		default:
			o.lossy = true
			return dst[:before], null
		}
	}
	return append(dst, ']'), null
}

// alternatives appends anyOf, of which a single schema is left where the others are null. Of allOf only a single schema
// can be said.
func (o *openAPI) alternatives(dst []byte, key string, v gjson.Result, depth int) (_ []byte, null bool) {
	var list []gjson.Result
	for _, s := range v.Array() {
		if s.Get("type").Str == "null" {
			null = true
		} else {
			list = append(list, s)
		}
	}
	switch {
	case len(list) == 1:
		return o.members(dst, list[0], depth+1), null
	case key == "allOf" || len(list) == 0:
		o.lossy = true
		return dst, null
	}
	dst = append(jsonedit.AppendKey(dst, "anyOf"), '[')
	for _, s := range list {
		dst = append(o.members(append(jsonedit.AppendComma(dst), '{'), s, depth+1), '}')
	}
	return append(dst, ']'), null
}

// ref appends what a reference within the document leads to. One that leads back to where it stands has no end and is
// an object of any kind.
func (o *openAPI) ref(dst []byte, ref string, depth int) []byte {
	path, ok := strings.CutPrefix(ref, "#/")
	target := o.root
	for step := range strings.SplitSeq(path, "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		var next gjson.Result
		target.ForEach(func(key, v gjson.Result) bool {
			if key.String() == step {
				next = v
			}
			return !next.Exists()
		})
		target = next
	}
	if !ok || !target.Exists() || slices.Contains(o.refs, ref) || len(o.refs) > maxSchemaDepth {
		o.lossy = true
		return jsonedit.AppendStringMember(dst, "type", "OBJECT")
	}
	o.refs = append(o.refs, ref)
	dst = o.members(dst, target, depth+1)
	o.refs = o.refs[:len(o.refs)-1]
	return dst
}

package claude

import (
	"slices"
	"strings"

	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// AppendToolSchema appends the parameters of a tool. The models take nearly any schema, but at the top it has to be an
// object's: another type is replaced, and alternatives are said in the description.
func AppendToolSchema(dst []byte, schema []byte) []byte {
	in := jsonedit.NewReader(schema)
	switch {
	case in.Peek() != '{':
		return append(dst, `{"type":"object","properties":{}}`...)
	case DescribesObject(schema):
		return append(dst, schema...)
	}
	s := schemaWriter{dst: append(dst, `{"type":"object"`...)}
	for ok := in.Object(); ok; ok = in.Next() {
		switch key := in.Key(); key {
		case "type":
		case "anyOf", "oneOf", "allOf":
			s.move(key, in.Raw())
		default:
			s.member(key, in.Raw())
		}
	}
	return s.end()
}

// DescribesObject reports whether a schema is that of an object in the first place, and can so stand for the input of a
// tool as it is.
func DescribesObject(schema []byte) bool {
	var kind string
	in := jsonedit.NewReader(schema)
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "type":
			kind, _ = in.Text()
		case "anyOf", "oneOf", "allOf":
			return false
		}
	}
	return kind == "object"
}

// AppendClosed appends a schema in the subset that the models are held to, in structured output and strict tools: every
// object is closed, oneOf is said as anyOf, and what the API refuses is said in the description. Anthropic's own SDKs do the
// same. Nothing else changes, and keys keep their order. The keywords in taken stay where they are: not everybody who serves the
// models refuses them.
func AppendClosed(dst, schema []byte, taken ...string) []byte {
	in := jsonedit.NewReader(schema)
	return appendClosed(dst, &in, taken)
}

func appendClosed(dst []byte, in *jsonedit.Reader, taken []string) []byte {
	if in.Peek() != '{' {
		return append(dst, in.Raw()...)
	}
	start := in.Mark()
	alternatives := in.Get("anyOf") != 0
	in.Seek(start)
	isObject, closed := false, false
	s := schemaWriter{dst: append(dst, '{'), taken: taken}
	for ok := in.Object(); ok; ok = in.Next() {
		switch key := in.Key(); key {
		case "properties", "$defs", "definitions":
			s.key(key)
			s.each(in, '{', '}')
		case "anyOf":
			s.key(key)
			s.each(in, '[', ']')
		case "oneOf", "allOf": // an allOf of several is not closable
			if alternatives {
				s.move(key, in.Raw())
			} else {
				s.key("anyOf")
				s.each(in, '[', ']')
			}
		case "items":
			if in.Peek() != '{' {
				s.move(key, in.Raw())
			} else {
				s.key(key)
				s.dst = appendClosed(s.dst, in, s.taken)
			}
		case "additionalProperties":
			in.Skip()
			s.member(key, []byte("false"))
			closed = true
		default:
			raw := in.Raw()
			if key == "type" {
				isObject = namesObject(raw)
			}
			if refused(key, raw) && !slices.Contains(taken, key) {
				s.move(key, raw)
			} else {
				s.member(key, raw)
			}
		}
	}
	if isObject && !closed {
		s.member("additionalProperties", []byte("false"))
	}
	return s.end()
}

// namesObject reports whether a type, or one of several, is that of objects.
func namesObject(raw []byte) bool {
	in := jsonedit.NewReader(raw)
	if s, ok := in.Text(); ok {
		return s == "object"
	}
	for ok := in.Array(); ok; ok = in.Next() {
		if s, _ := in.Text(); s == "object" {
			return true
		}
	}
	return false
}

// formats are the string formats that the models can be held to. Others are refused.
var formats = []string{"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}

// refused tells the keywords that are answered with an error. Those that nobody knows are not.
func refused(key string, value []byte) bool {
	switch key {
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
		"maxItems", "uniqueItems", "prefixItems", "contains", "minContains", "maxContains", "unevaluatedItems",
		"minProperties", "maxProperties", "patternProperties", "propertyNames", "unevaluatedProperties",
		"dependentRequired", "dependentSchemas", "if", "then", "else", "not":
		return true
	case "minItems":
		return string(value) != "0" && string(value) != "1"
	case "format":
		in := jsonedit.NewReader(value)
		s, ok := in.Text()
		return ok && !slices.Contains(formats, s)
	}
	return false
}

// schemaWriter writes one schema object.
type schemaWriter struct {
	dst         []byte
	taken       []string // keywords that stay
	moved       []byte   // the keywords that go to the description, as text
	description string
	described   bool
	at, after   int // where the description stands
}

func (s *schemaWriter) key(key string) {
	s.dst = append(jsonedit.AppendString(jsonedit.AppendComma(s.dst), key), ':')
}

func (s *schemaWriter) member(key string, raw []byte) {
	s.key(key)
	at := len(s.dst)
	s.dst = append(s.dst, raw...)
	if in := jsonedit.NewReader(raw); key == "description" {
		s.description, s.described = in.Text()
		s.at, s.after = at, len(s.dst)
	}
}

// move puts a keyword into the description.
func (s *schemaWriter) move(key string, raw []byte) {
	if len(s.moved) > 0 {
		s.moved = append(s.moved, ", "...)
	}
	s.moved = append(append(s.moved, key...), ": "...)
	s.moved = append(s.moved, raw...)
}

// each writes an object or array of schemas.
func (s *schemaWriter) each(in *jsonedit.Reader, open, end byte) {
	if in.Peek() != open {
		s.dst = append(s.dst, in.Raw()...)
		return
	}
	s.dst = append(s.dst, open)
	if open == '{' {
		for ok := in.Object(); ok; ok = in.Next() {
			s.key(in.Key())
			s.dst = appendClosed(s.dst, in, s.taken)
		}
	} else {
		for ok := in.Array(); ok; ok = in.Next() {
			s.dst = appendClosed(jsonedit.AppendComma(s.dst), in, s.taken)
		}
	}
	s.dst = append(s.dst, end)
}

func (s *schemaWriter) end() []byte {
	if len(s.moved) == 0 {
		return append(s.dst, '}')
	}
	text := "{" + string(s.moved) + "}"
	if s.description != "" {
		text = s.description + "\n\n" + text
	}
	if s.described {
		s.dst = slices.Replace(s.dst, s.at, s.after, jsonedit.AppendString(nil, text)...)
	} else {
		s.member("description", jsonedit.AppendString(nil, text))
	}
	return append(s.dst, '}')
}

// Closable reports whether [AppendClosed] can bring a schema into the subset. It cannot where objects are maps, where
// several schemas hold at once, and where a schema refers to itself or to another document.
func Closable(schema []byte) bool {
	w := schemaWalk{refs: map[string][]string{}, open: map[string]bool{}}
	in := jsonedit.NewReader(schema)
	w.walk(&in, "#")
	return !w.beyond && !w.recursive("#")
}

// schemaWalk collects what Closable has to know.
type schemaWalk struct {
	beyond bool                // there is something that the subset has no word for
	refs   map[string][]string // from a definition to those that it refers to
	open   map[string]bool     // the definitions that recursive came by; false for those that it is done with
}

// walk reads a schema that is part of the definition named at.
func (w *schemaWalk) walk(in *jsonedit.Reader, at string) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch key := in.Key(); key {
		case "$ref":
			if s, ok := in.Text(); ok {
				w.refs[at] = append(w.refs[at], s)
				w.beyond = w.beyond || !strings.HasPrefix(s, "#")
			}
		case "$defs", "definitions":
			for ok := in.Object(); ok; ok = in.Next() {
				w.walk(in, "#/"+key+"/"+in.Key())
			}
		case "properties":
			for ok := in.Object(); ok; ok = in.Next() {
				in.Key()
				w.walk(in, at)
			}
		case "anyOf", "oneOf", "allOf":
			n := 0
			for ok := in.Array(); ok; ok = in.Next() {
				w.walk(in, at)
				n++
			}
			w.beyond = w.beyond || key == "allOf" && n > 1
		case "items":
			w.walk(in, at)
		case "patternProperties":
			w.beyond = true
		case "additionalProperties":
			value := jsonedit.NewReader(in.Raw())
			w.beyond = w.beyond || value.Object() // an empty one says nothing
		}
	}
}

// recursive reports whether a definition refers to itself, be it by others. It looks at each definition once.
func (w *schemaWalk) recursive(at string) bool {
	if open, seen := w.open[at]; seen {
		return open
	}
	w.open[at] = true
	if slices.ContainsFunc(w.refs[at], w.recursive) {
		return true
	}
	w.open[at] = false
	return false
}

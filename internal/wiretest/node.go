package wiretest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"slices"
	"strings"
)

// node is a place in a decoded JSON document, which may not exist.
type node struct{ value any }

// parse decodes one document. Numbers keep their digits.
func parse(doc []byte) (node, error) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return node{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return node{}, errors.New("something follows the document")
	}
	return node{v}, nil
}

// get follows members of objects.
func (n node) get(keys ...string) node {
	for _, k := range keys {
		m, _ := n.value.(map[string]any)
		n = node{m[k]}
	}
	return n
}

// either is the first member that exists: dialects that were renamed, and JSON of protocol buffers in both spellings.
func (n node) either(keys ...string) node {
	for _, k := range keys {
		if m := n.get(k); m.exists() {
			return m
		}
	}
	return node{}
}

// exists reports whether there is a value other than null.
func (n node) exists() bool { return n.value != nil }

// has reports whether there is a member, even if it is null.
func (n node) has(key string) bool {
	m, _ := n.value.(map[string]any)
	_, ok := m[key]
	return ok
}

func (n node) str(keys ...string) string {
	s, _ := n.get(keys...).value.(string)
	return s
}

func (n node) isString() bool {
	_, ok := n.value.(string)
	return ok
}

func (n node) yes(keys ...string) bool {
	b, _ := n.get(keys...).value.(bool)
	return b
}

func (n node) isObject() bool {
	_, ok := n.value.(map[string]any)
	return ok
}

func (n node) isList() bool {
	_, ok := n.value.([]any)
	return ok
}

func (n node) list(keys ...string) []node {
	l, _ := n.get(keys...).value.([]any)
	out := make([]node, len(l))
	for i := range l {
		out[i] = node{l[i]}
	}
	return out
}

// keys are the names of the members that are not null, sorted.
func (n node) keys() []string {
	m, _ := n.value.(map[string]any)
	var out []string
	for k, v := range m {
		if v != nil {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// number is a number in its shortest form, or "".
func (n node) number(keys ...string) string {
	v, ok := n.get(keys...).value.(json.Number)
	if !ok {
		return ""
	}
	return plainNumber(string(v))
}

// count is a number of tokens and the like; 0 where there is none.
func (n node) count(keys ...string) int64 {
	r, ok := rational(n.number(keys...))
	if !ok || !r.IsInt() || !r.Num().IsInt64() {
		return 0
	}
	return r.Num().Int64()
}

// canonical is the value as JSON with sorted keys and numbers in their shortest form, so that equal values are equal
// texts. Nothing is "".
func (n node) canonical() string {
	if !n.exists() {
		return ""
	}
	var b strings.Builder
	writeCanonical(&b, n.value)
	return b.String()
}

func writeCanonical(b *strings.Builder, v any) {
	switch v := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		b.WriteByte('{')
		for i, k := range keys {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(quoted(k))
			b.WriteByte(':')
			writeCanonical(b, v[k])
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			writeCanonical(b, v[i])
		}
		b.WriteByte(']')
	case json.Number:
		b.WriteString(plainNumber(string(v)))
	default:
		b.Write(quoted(v))
	}
}

func quoted(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return []byte("null") // of decoded JSON, never
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// plainNumber writes 1.0, 1e0 and 1 alike.
func plainNumber(s string) string {
	if len(s) > 40 {
		return s // a huge exponent: not worth expanding
	}
	r, ok := rational(s)
	switch {
	case !ok:
		return s
	case r.IsInt():
		return r.Num().String()
	}
	return strings.TrimRight(r.FloatString(20), "0")
}

// canonicalText is the canonical form of a JSON text; no text is an empty object, and what is no JSON stays as it is.
func canonicalText(s string) string {
	if strings.TrimSpace(s) == "" {
		return "{}"
	}
	n, err := parse([]byte(s))
	if err != nil {
		return s
	}
	return n.canonical()
}

// short cuts a text for a message.
func short(s string) string {
	const most = 160
	if len(s) <= most {
		return s
	}
	return s[:most*2/3] + "…" + s[len(s)-most/3:]
}

func rational(s string) (*big.Rat, bool) { return new(big.Rat).SetString(s) }

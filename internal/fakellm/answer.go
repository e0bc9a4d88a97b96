package fakellm

import (
	"hash/fnv"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// created is the creation time of every answer, in Unix seconds: a clock would make answers differ.
const created = 1767225600 // 2026-01-01T00:00:00Z

// answer is what the model says, before it is written in a dialect.
type answer struct {
	id           string // 24 hexadecimal digits, by the prompt
	model        string
	pieces       []string // of the text, or of the tool call's arguments; one token each
	tool         string   // name of the tool that is called; empty for text
	input        int      // tokens
	truncated    bool     // the output limit was reached
	stream       bool
	usage        bool // tell the usage at all
	includeUsage bool // Chat Completions streams: tell the usage in a last chunk
}

func (a *answer) text() string { return strings.Join(a.pieces, "") }
func (a *answer) output() int  { return len(a.pieces) }

func (s *Server) answer(q *Request, b *Behavior) *answer {
	seed := hash(q.Model, q.Prompt)
	a := &answer{
		id:    strconv.FormatUint(seed|1<<63, 16) + strconv.FormatUint(seed>>32|1<<31, 16)[:8],
		model: q.Model, input: q.InputTokens, stream: q.Stream,
		usage: !b.OmitUsage, includeUsage: q.includeUsage,
	}
	t := q.callTool()
	switch {
	case b.Text != "":
		a.pieces = split(b.Text)
	case b.Echo:
		a.pieces = split(q.Prompt)
	case t != nil:
		a.tool = t.name
		a.pieces = chop(string(appendExample(nil, gjson.Parse(t.schema), 0)))
		return a // arguments are never cut short
	default:
		n := s.opts.Tokens
		if n <= 0 {
			n = 16 + int(seed%32)
		}
		a.pieces = append(split(s.opts.Preamble), babble(seed, n)...)
		a.pieces[0] = strings.TrimPrefix(a.pieces[0], " ")
	}
	if q.maxTokens > 0 && len(a.pieces) > q.maxTokens {
		a.pieces, a.truncated = a.pieces[:q.maxTokens], true
	}
	return a
}

func hash(parts ...string) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		_, _ = h.Write([]byte(p)) // never fails
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}

var vocabulary = strings.Fields(`the a one every some this that model gateway token answer question stream request
	river mountain forest window garden letter number morning evening winter summer road bridge harbor engine signal
	carries finds sends keeps counts opens turns follows measures remembers and or but while because before after
	quiet bright careful steady small large early late plain exact honest gentle café naïve 日本 zażółć`)

// babble makes n words out of the seed, each with a blank before it, by the linear congruential generator of Knuth's
// MMIX.
func babble(seed uint64, n int) []string {
	words := make([]string, n)
	for i := range words {
		seed = seed*6364136223846793005 + 1442695040888963407
		word := vocabulary[(seed>>33)%uint64(len(vocabulary))]
		words[i] = " " + word
	}
	words[n-1] += "."
	return words
}

// split cuts a text into words that carry the blanks before them.
func split(text string) []string {
	var out []string
	start, inWord := 0, false
	for i := range len(text) {
		blank := text[i] == ' ' || text[i] == '\n' || text[i] == '\t'
		if blank && inWord {
			out = append(out, text[start:i])
			start = i
		}
		inWord = !blank
	}
	if start < len(text) {
		out = append(out, text[start:])
	}
	return out
}

// chop cuts tool arguments into pieces of about 16 bytes, never through a character.
func chop(s string) []string {
	var out []string
	for len(s) > 16 {
		n := 16
		for !utf8.RuneStart(s[n]) {
			n++
		}
		out, s = append(out, s[:n]), s[n:]
	}
	return append(out, s)
}

// appendExample appends the smallest value that fits a JSON schema, as far as types, enums and required members go.
func appendExample(dst []byte, schema gjson.Result, depth int) []byte {
	if depth > 16 {
		return append(dst, "null"...)
	}
	for _, key := range [...]string{"const", "enum.0", "default"} {
		if v := schema.Get(key); v.Exists() {
			return append(dst, v.Raw...)
		}
	}
	for _, key := range [...]string{"anyOf.0", "oneOf.0", "allOf.0"} {
		if v := schema.Get(key); v.Exists() {
			return appendExample(dst, v, depth+1)
		}
	}
	kind := schema.Get("type")
	if kind.IsArray() {
		kind = kind.Get("0")
	}
	switch strings.ToLower(kind.String()) {
	case "string":
		return append(dst, `"example"`...)
	case "integer", "number":
		if v := schema.Get("minimum"); v.Type == gjson.Number {
			return append(dst, v.Raw...)
		}
		return append(dst, '1')
	case "boolean":
		return append(dst, "true"...)
	case "array":
		dst = append(dst, '[')
		if schema.Get("minItems").Int() > 0 {
			dst = appendExample(dst, schema.Get("items"), depth+1)
		}
		return append(dst, ']')
	case "null":
		return append(dst, "null"...)
	}
	return appendObject(dst, schema, depth)
}

func appendObject(dst []byte, schema gjson.Result, depth int) []byte {
	required := schema.Get("required")
	wanted := make(map[string]bool)
	required.ForEach(func(_, name gjson.Result) bool {
		wanted[name.String()] = true
		return true
	})
	dst = append(dst, '{')
	first := true
	schema.Get("properties").ForEach(func(name, property gjson.Result) bool {
		if required.Exists() && !wanted[name.String()] {
			return true
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(jsonedit.AppendString(dst, name.String()), ':')
		dst = appendExample(dst, property, depth+1)
		return true
	})
	return append(dst, '}')
}

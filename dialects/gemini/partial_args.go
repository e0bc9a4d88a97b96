package gemini

import (
	"errors"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// Bounds of what is put together from pieces: a path of a few bytes must not make an array of millions.
const (
	maxPathSteps = 64
	maxPathIndex = 9_999
	maxArgNodes  = 100_000
)

var errPartialArgs = errors.New("the provider's pieces of call arguments do not fit together")

// partialArgs puts the arguments of a call together that are streamed as paths and values: Vertex does so when
// streamFunctionCallArguments is set. Members keep the order in which they came.
type partialArgs struct {
	root  argNode
	nodes int
}

// argNode is a JSON value that is being built.
type argNode struct {
	kind     argKind
	text     []byte // of a string, unescaped; of a scalar, as written
	keys     []string
	children []*argNode // of an object, by key; of an array, by index
}

type argKind uint8

const (
	argNull argKind = iota
	argObject
	argArray
	argString
	argScalar
)

// step is one step of a path: into a member or, with an empty key, to an index.
type step struct {
	key   string
	index int
}

// add takes one piece: a value at a path. Strings of one path are appended to each other. A piece without a value ends
// a string and adds nothing.
func (p *partialArgs) add(piece gjson.Result) error {
	steps, err := parsePath(piece.Get("jsonPath").String())
	if err != nil {
		return err
	}
	kind, value := argNull, gjson.Result{}
	piece.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "stringValue":
			kind, value = argString, v
		case "numberValue", "boolValue":
			kind, value = argScalar, v
		case "nullValue":
			kind, value = argNull, v
		}
		return true
	})
	if !value.Exists() {
		return nil
	}
	n := &p.root
	for _, s := range steps {
		if n = p.child(n, s); n == nil {
			return errPartialArgs
		}
	}
	switch {
	case kind == argString && n.kind == argString:
		n.text = append(n.text, value.String()...)
	case kind == argString:
		*n = argNode{kind: kind, text: []byte(value.String())}
	case kind == argScalar:
		*n = argNode{kind: kind, text: []byte(value.Raw)}
	default:
		*n = argNode{}
	}
	return nil
}

// child is where a step leads to; it is made when it is missing. What was of another kind is replaced.
func (p *partialArgs) child(n *argNode, s step) *argNode {
	kind, at := argArray, s.index
	if s.key != "" {
		kind = argObject
	}
	if n.kind != kind {
		*n = argNode{kind: kind}
	}
	if kind == argObject {
		for at = range n.keys {
			if n.keys[at] == s.key {
				return n.children[at]
			}
		}
		n.keys = append(n.keys, strings.Clone(s.key))
		at = len(n.children)
	}
	for len(n.children) <= at {
		if p.nodes++; p.nodes > maxArgNodes {
			return nil
		}
		n.children = append(n.children, new(argNode))
	}
	return n.children[at]
}

// String is the JSON text of what there is so far. Arguments are an object even when nothing came.
func (p *partialArgs) String() string {
	if p.root.kind != argObject {
		return "{}"
	}
	return string(p.root.append(nil))
}

func (n *argNode) append(dst []byte) []byte {
	switch n.kind {
	case argObject:
		dst = append(dst, '{')
		for i, key := range n.keys {
			dst = append(jsonedit.AppendString(jsonedit.AppendComma(dst), key), ':')
			dst = n.children[i].append(dst)
		}
		return append(dst, '}')
	case argArray:
		dst = append(dst, '[')
		for _, c := range n.children {
			dst = c.append(jsonedit.AppendComma(dst))
		}
		return append(dst, ']')
	case argString:
		return jsonedit.AppendString(dst, n.text)
	case argScalar:
		return append(dst, n.text...)
	}
	return append(dst, "null"...)
}

// parsePath reads the part of JSONPath (RFC 9535) that names a single value: $.name, $['name'], $["name"], $[0].
func parsePath(path string) (steps []step, err error) {
	rest, ok := strings.CutPrefix(path, "$")
	if !ok || rest == "" {
		return nil, errPartialArgs
	}
	for rest != "" {
		var s step
		if s, rest, ok = parseStep(rest); !ok || len(steps) == maxPathSteps {
			return nil, errPartialArgs
		}
		steps = append(steps, s)
	}
	if steps[0].key == "" {
		return nil, errPartialArgs // arguments are an object
	}
	return steps, nil
}

func parseStep(path string) (s step, rest string, ok bool) {
	if path[0] == '.' {
		path = path[1:]
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		return step{key: path[:end]}, path[end:], end > 0
	}
	if path[0] != '[' || len(path) < 3 {
		return s, "", false
	}
	if quote := path[1]; quote == '\'' || quote == '"' {
		key, rest, ok := unquoteStep(path[2:], quote)
		return step{key: key}, rest, ok && key != ""
	}
	digits, rest, ok := strings.Cut(path[1:], "]")
	index, err := strconv.Atoi(digits)
	return step{index: index}, rest, ok && err == nil && index >= 0 && index <= maxPathIndex
}

// unquoteStep reads a quoted name up to its quote and bracket; a backslash takes the next byte as it is.
func unquoteStep(path string, quote byte) (key, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\' && i+1 < len(path):
			i++
			b.WriteByte(path[i])
		case c == quote:
			rest, ok = strings.CutPrefix(path[i+1:], "]")
			return b.String(), rest, ok
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

package chatcompletions

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

// deltaFacts is a message, or a piece of one, as it stands.
type deltaFacts struct {
	content     gjson.Result
	reasoning   string
	refusal     string
	calls, call gjson.Result // tool_calls and the legacy function_call
	annotations gjson.Result
	audio       gjson.Result
	images      gjson.Result // OpenRouter's
}

// readDelta finds the members of a message or a delta in one pass.
func readDelta(v gjson.Result) (m deltaFacts) {
	if !v.IsObject() {
		return m
	}
	v.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "content":
			m.content = v
		case "reasoning_content":
			if s := text(v); s != "" {
				m.reasoning = s
			}
		case "reasoning":
			if m.reasoning == "" {
				m.reasoning = text(v)
			}
		case "refusal":
			m.refusal = text(v)
		case "tool_calls":
			m.calls = v
		case "function_call":
			m.call = v
		case "annotations":
			m.annotations = v
		case "audio":
			m.audio = v
		case "images":
			m.images = v
		}
		return true
	})
	return m
}

// forEachChunk reads a content that is an array, as Mistral writes it.
func forEachChunk(content gjson.Result, f func(kind conversation.Kind, s string)) {
	if !content.IsArray() {
		return
	}
	content.ForEach(func(_, chunk gjson.Result) bool {
		switch text(chunk.Get("type")) {
		case "text":
			f(conversation.Text, text(chunk.Get("text")))
		case "thinking":
			f(conversation.Thinking, chunkText(chunk.Get("thinking")))
		}
		return true
	})
}

// callFragment is a tool call, or a piece of one.
type callFragment struct {
	index               int64 // -1 when not given
	id, name, arguments string
	custom              bool
}

// forEachCall reads the calls of a message or delta. The legacy function_call is a call without index and ID.
func (m *deltaFacts) forEachCall(f func(i int, c callFragment)) {
	if m.calls.IsArray() {
		i := 0
		m.calls.ForEach(func(_, v gjson.Result) bool {
			f(i, readCall(v))
			i++
			return true
		})
	}
	if m.call.IsObject() {
		c := callFragment{index: -1}
		c.body(m.call)
		f(0, c)
	}
}

func readCall(v gjson.Result) callFragment {
	c := callFragment{index: -1}
	v.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "index":
			if n, ok := wholeNumber(v); ok && n >= 0 {
				c.index = n
			}
		case "id":
			c.id = text(v)
		case "function":
			c.body(v)
		case "custom": // some vendors fill in an empty one beside the function
			before := c
			c.body(v)
			c.custom = c.name != before.name || c.arguments != before.arguments
		}
		return true
	})
	return c
}

// body reads name and arguments. Arguments that are JSON instead of JSON text, as Ollama's own API has them, are taken
// as they stand; null is no arguments.
func (c *callFragment) body(v gjson.Result) {
	if !v.IsObject() {
		return
	}
	v.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "name":
			if s := text(v); s != "" {
				c.name = s
			}
		case "arguments", "input":
			switch {
			case v.Type == gjson.String && v.Str != "":
				c.arguments = v.Str
			case v.IsObject():
				c.arguments = v.Raw
			}
		}
		return true
	})
}

// chunkText joins Mistral's thinking, which is a list of text chunks.
func chunkText(v gjson.Result) string {
	if v.Type == gjson.String {
		return v.Str
	}
	var b strings.Builder
	v.ForEach(func(_, chunk gjson.Result) bool {
		b.WriteString(text(chunk.Get("text")))
		return true
	})
	return b.String()
}

package chatcompletions

import (
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// deltaFacts is a message, or a piece of one, as it stands. The marks are read after all members were found, because of
// the order that blocks have to come in.
type deltaFacts struct {
	content   jsonedit.Mark
	text      string // the content, when that is a string
	reasoning string
	refusal   string
	// calls and call are tool_calls and the legacy function_call.
	calls, call jsonedit.Mark
	annotations jsonedit.Mark
	audio       jsonedit.Mark
	images      jsonedit.Mark // OpenRouter's, and so are the details
	details     jsonedit.Mark
}

// readDelta finds the members of a message or a delta in one pass.
func readDelta(in *jsonedit.Reader) (m deltaFacts) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "content":
			m.content = in.Mark()
			m.text, _ = in.Text()
		case "reasoning_content":
			if s, _ := in.Text(); s != "" {
				m.reasoning = s
			}
		case "reasoning":
			if s, _ := in.Text(); m.reasoning == "" {
				m.reasoning = s
			}
		case "refusal":
			m.refusal, _ = in.Text()
		case "tool_calls":
			m.calls = in.Mark()
		case "function_call":
			m.call = in.Mark()
		case "annotations":
			m.annotations = in.Mark()
		case "audio":
			m.audio = in.Mark()
		case "images":
			m.images = in.Mark()
		case "reasoning_details":
			m.details = in.Mark()
		}
	}
	return m
}

// forEachText calls f for the pieces of the content: a string or, as Mistral writes it, an array.
func (m *deltaFacts) forEachText(in *jsonedit.Reader, f func(kind conversation.Kind, s string)) {
	f(conversation.Text, m.text)
	in.Seek(m.content)
	for ok := in.Array(); ok; ok = in.Next() {
		var kind, text, thinking string
		for ok := in.Object(); ok; ok = in.Next() {
			switch in.Key() {
			case "type":
				kind, _ = in.Text()
			case "text":
				text, _ = in.Text()
			case "thinking":
				thinking = thinkingText(in)
			}
		}
		switch kind {
		case "text":
			f(conversation.Text, text)
		case "thinking":
			f(conversation.Thinking, thinking)
		}
	}
}

// thinkingText joins Mistral's thinking, which is a list of text chunks.
func thinkingText(in *jsonedit.Reader) string {
	if s, ok := in.Text(); ok {
		return s
	}
	var b strings.Builder
	for ok := in.Array(); ok; ok = in.Next() {
		b.WriteString(textIn(in, "text"))
	}
	return b.String()
}

// callFragment is a tool call, or a piece of one.
type callFragment struct {
	index               int64 // -1 when not given
	id, name, arguments string
	signature           string
	custom              bool
}

// forEachCall reads the calls of a message or delta. The legacy function_call is a call without index and ID.
func (m *deltaFacts) forEachCall(in *jsonedit.Reader, f func(c *callFragment)) {
	in.Seek(m.calls)
	for ok := in.Array(); ok; ok = in.Next() {
		c := readCall(in)
		f(&c)
	}
	if in.Seek(m.call); in.Peek() == '{' {
		c := callFragment{index: -1}
		c.body(in)
		f(&c)
	}
}

func readCall(in *jsonedit.Reader) callFragment {
	c := callFragment{index: -1}
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "index":
			if n, ok := wholeNumber(in); ok && n >= 0 {
				c.index = n
			}
		case "id":
			c.id, _ = in.Text()
		case "function":
			c.body(in)
		case "custom": // some vendors fill in an empty one beside the function
			before := c
			c.body(in)
			c.custom = c.name != before.name || c.arguments != before.arguments
		case "extra_content":
			c.signature = callSignature(in)
		}
	}
	return c
}

// body reads name and arguments. Arguments that are JSON instead of JSON text, as Ollama's own API has them, are taken
// as they stand; null is no arguments.
func (c *callFragment) body(in *jsonedit.Reader) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "name":
			if s, _ := in.Text(); s != "" {
				c.name = s
			}
		case "arguments", "input":
			switch in.Peek() {
			case '"':
				if s, _ := in.Text(); s != "" {
					c.arguments = s
				}
			case '{':
				c.arguments = jsonedit.View(in.Raw())
			}
		}
	}
}

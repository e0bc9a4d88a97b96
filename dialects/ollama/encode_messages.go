package ollama

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

const (
	// imagesFollow stands in for the text of a tool result that has none, because its content is in the next message.
	imagesFollow = "The result is in the next message."
	// jsonHint is what a model is told that has to answer with JSON of any shape, and that nobody has told so: it may write
	// blanks without end otherwise.
	jsonHint = "Answer with one JSON object and nothing else."
	// paragraph separates the texts of one message, of which the API takes one.
	paragraph = "\n\n"
)

func (e *requestEncoder) messages() {
	e.dst = append(jsonedit.AppendKey(e.dst, "messages"), '[')
	if f := e.r.Format; f != nil && f.Schema == nil && !conversation.MentionJSON(e.r.Messages) {
		e.open("system", jsonHint)
		e.dst = append(e.dst, '}')
	}
	start, turns := len(e.dst), conversation.Turns(e.r.Messages)
	for i := range turns {
		e.message(&turns[i])
	}
	if len(e.dst) == start {
		e.refuse("messages", "the conversation has no message that can be sent") // the API would only load the model
	}
	e.dst = append(e.dst, ']')
}

func (e *requestEncoder) message(m *conversation.Message) {
	e.noteIf("name", m.Name != "")
	switch m.Role {
	case conversation.System, conversation.Developer:
		e.spoken("system", m.Blocks)
	case conversation.Assistant:
		e.assistant(m.Blocks)
	default:
		e.user(m.Blocks)
	}
}

// open begins a message with its text.
func (e *requestEncoder) open(role, content string) {
	e.dst = append(jsonedit.AppendComma(e.dst), '{')
	e.dst = jsonedit.AppendStringMember(e.dst, "role", role)
	e.dst = jsonedit.AppendStringMember(e.dst, "content", content)
}

// user writes tool results as messages of their own, and what else the user said after them. Images in results move to
// the user's message, where models look for them.
func (e *requestEncoder) user(blocks []conversation.Block) {
	if !slices.ContainsFunc(blocks, func(b conversation.Block) bool { return b.Kind == conversation.Result }) {
		e.spoken("user", blocks)
		return
	}
	var media, rest []conversation.Block
	for i := range blocks {
		if b := &blocks[i]; b.Kind == conversation.Result {
			media = append(media, e.result(b)...)
		} else {
			rest = append(rest, *b)
		}
	}
	e.spoken("user", append(media, rest...))
}

// spoken writes what is not the model's. A message has one text and the images after it: where a text follows an image,
// another message begins, so that the order is kept.
func (e *requestEncoder) spoken(role string, blocks []conversation.Block) {
	var texts, images []string
	flush := func() {
		if len(texts) == 0 && len(images) == 0 {
			return
		}
		e.open(role, strings.Join(texts, paragraph))
		if len(images) > 0 {
			e.images(images)
		}
		e.dst = append(e.dst, '}')
		texts, images = texts[:0], images[:0]
	}
	for i := range blocks {
		b := &blocks[i]
		e.noteIf("cache_control", b.Cache != nil)
		if b.Kind == conversation.Image {
			if data := e.image(b.Media); data != "" {
				images = append(images, data)
			}
			continue
		}
		if s := e.text(b); s != "" {
			if len(images) > 0 {
				flush()
			}
			texts = append(texts, s)
		}
	}
	flush()
}

// images appends base64, which needs no escaping.
func (e *requestEncoder) images(list []string) {
	e.dst = append(jsonedit.AppendKey(e.dst, "images"), '[')
	for _, data := range list {
		e.dst = jsonedit.AppendString(jsonedit.AppendComma(e.dst), data)
	}
	e.dst = append(e.dst, ']')
}

func (e *requestEncoder) image(m *conversation.Media) string {
	switch {
	case m == nil:
		return ""
	case m.URL != "":
		e.refuse("messages", "the provider takes images as base64 data only, not by URL")
	case m.Data == "":
		e.refuse("messages", "the provider takes images as base64 data only, not by file id")
	}
	return m.Data
}

// text is what a block says; empty for one that cannot be said.
func (e *requestEncoder) text(b *conversation.Block) string {
	switch b.Kind {
	case conversation.Text, conversation.Refusal:
		e.noteIf("citations", len(b.Citations) > 0)
		return b.Text
	case conversation.Document:
		return e.document(b.Media)
	case conversation.Audio, conversation.Video:
		e.refuse("messages", "the provider takes neither audio nor video")
	case conversation.Thinking:
		e.note("thinking")
	case conversation.Opaque:
		e.note(rawType(b))
	}
	return ""
}

// document is the text of a plain text document; the API reads no other files.
func (e *requestEncoder) document(m *conversation.Media) string {
	if m == nil {
		return ""
	}
	text := dialects.PlainText(m)
	if text == "" {
		e.refuse("messages", "the provider takes no documents but plain text")
		return ""
	}
	e.noteIf("title", m.Title != "")
	e.noteIf("context", m.Context != "")
	return text
}

// assistant writes what the model did: its thoughts, if they are Ollama's, its texts, joined as they are, and its calls.
func (e *requestEncoder) assistant(blocks []conversation.Block) {
	var said, thought strings.Builder
	calls := false
	for i := range blocks {
		b := &blocks[i]
		e.noteIf("cache_control", b.Cache != nil)
		switch b.Kind {
		case conversation.Call:
			calls = calls || b.Call != nil
		case conversation.Thinking:
			if b.Origin == origin {
				thought.WriteString(b.Text)
			} else {
				e.note("thinking")
			}
		case conversation.Text, conversation.Refusal, conversation.Opaque:
			said.WriteString(e.text(b))
		default:
			e.note("assistant media")
		}
	}
	if said.Len() == 0 && thought.Len() == 0 && !calls {
		return
	}
	e.open("assistant", said.String())
	e.dst = jsonedit.AppendTextMember(e.dst, "thinking", thought.String())
	if calls {
		e.calls(blocks)
	}
	e.dst = append(e.dst, '}')
}

func (e *requestEncoder) calls(blocks []conversation.Block) {
	e.dst = append(jsonedit.AppendKey(e.dst, "tool_calls"), '[')
	for i := range blocks {
		c := blocks[i].Call
		if blocks[i].Kind != conversation.Call || c == nil {
			continue
		}
		e.dst = append(jsonedit.AppendComma(e.dst), '{')
		e.dst = jsonedit.AppendTextMember(e.dst, "id", c.ID)
		e.dst = append(jsonedit.AppendKey(e.dst, "function"), '{')
		e.dst = jsonedit.AppendStringMember(e.dst, "name", e.toolName(c.Name))
		e.dst = appendArguments(jsonedit.AppendKey(e.dst, "arguments"), c)
		e.dst = append(e.dst, '}', '}')
		if c.ID != "" {
			if e.called == nil {
				e.called = map[string]string{}
			}
			e.called[c.ID] = c.Name
		}
	}
	e.dst = append(e.dst, ']')
}

// appendArguments appends arguments as the object that the API wants. What is none, because it was cut off or is plain
// text, becomes the one member of one.
func appendArguments(dst []byte, c *conversation.ToolCall) []byte {
	switch {
	case c.Custom:
		return append(dst, conversation.FreeTextArguments(c.Arguments)...)
	case strings.TrimSpace(c.Arguments) == "":
		return append(dst, "{}"...)
	case gjson.Valid(c.Arguments) && gjson.Parse(c.Arguments).IsObject():
		return append(dst, c.Arguments...)
	}
	dst = append(dst, `{"input":`...)
	return append(jsonedit.AppendString(dst, c.Arguments), '}')
}

// result writes a tool message and returns the media that it cannot hold. Older versions know a result by the tool's name,
// newer ones by the call's ID as well.
func (e *requestEncoder) result(b *conversation.Block) (media []conversation.Block) {
	r := b.Result
	var texts []string
	for i := range r.Content {
		c := &r.Content[i]
		e.noteIf("cache_control", c.Cache != nil)
		switch {
		case c.Kind == conversation.Text, c.Kind == conversation.Refusal:
			texts = append(texts, c.Text)
		case c.Media != nil && c.Media.Text != "":
			texts = append(texts, c.Media.Text)
		case c.Media != nil:
			media = append(media, *c)
		default:
			e.note(rawType(c))
		}
	}
	text := strings.Join(texts, "\n")
	if text == "" && len(media) > 0 {
		text = imagesFollow
	}
	e.noteIf("cache_control", b.Cache != nil)
	e.noteIf("is_error", r.IsError && e.r.Origin != string(providers.Gemini)) // Gemini's say so in their text
	name := r.Name
	if called := e.called[r.CallID]; called != "" {
		name = called
	}
	e.open("tool", text)
	e.dst = jsonedit.AppendTextMember(e.dst, "tool_name", e.toolName(name))
	e.dst = jsonedit.AppendTextMember(e.dst, "tool_call_id", r.CallID)
	e.dst = append(e.dst, '}')
	return media
}

// rawType names a block for the notes.
func rawType(b *conversation.Block) string {
	if t := gjson.GetBytes(b.Raw, "type").Str; t != "" {
		return t
	}
	return "content"
}

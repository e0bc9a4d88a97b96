package cohere

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

// imagesFollow stands in for the text of a tool result that has none, because its content is in the next message.
const imagesFollow = "The result is in the next message."

func (e *requestEncoder) messages() {
	e.dst = append(jsonedit.AppendKey(e.dst, "messages"), '[')
	if words := e.formatInWords(); words != "" {
		e.spoken("system", []conversation.Block{{Kind: conversation.Text, Text: words}})
	}
	start, turns := len(e.dst), conversation.Turns(e.r.Messages)
	for i := range turns {
		e.message(&turns[i])
	}
	if len(e.dst) == start {
		e.refuse("messages", "the conversation has no message that can be sent")
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

func (e *requestEncoder) open(role string) {
	e.dst = append(jsonedit.AppendComma(e.dst), '{')
	e.dst = jsonedit.AppendStringMember(e.dst, "role", role)
}

// user writes tool results as messages of their own, and what else the user said after them. Media in results move to
// the user's message, because tool messages carry text only.
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

// spoken writes a message that is not the model's. The API refuses empty ones, which say nothing, so they are left out.
func (e *requestEncoder) spoken(role string, blocks []conversation.Block) {
	start := len(e.dst)
	e.open(role)
	e.dst = jsonedit.AppendKey(e.dst, "content")
	list := len(e.dst)
	e.dst = append(e.dst, '[')
	only, parts := "", 0
	for i := range blocks {
		text, ok := e.part(&blocks[i])
		if !ok {
			continue
		}
		if parts++; parts == 1 {
			only = text
		}
	}
	switch {
	case parts == 0:
		e.dst = e.dst[:start]
	case parts == 1 && only != "":
		e.dst = append(jsonedit.AppendString(e.dst[:list], only), '}')
	default:
		e.dst = append(e.dst, ']', '}')
	}
}

// part writes one part of a content, or nothing when there is no way to say it. It returns the text of a text.
func (e *requestEncoder) part(b *conversation.Block) (text string, ok bool) {
	e.noteIf("cache_control", b.Cache != nil)
	switch b.Kind {
	case conversation.Text, conversation.Refusal:
		return e.textPart(b.Text)
	case conversation.Image:
		return "", e.image(b.Media)
	case conversation.Document:
		return e.document(b.Media)
	case conversation.Audio, conversation.Video:
		e.refuse("messages", "the provider takes neither audio nor video")
	case conversation.Thinking:
		e.note("thinking")
	case conversation.Opaque:
		e.note(rawType(b))
	}
	return "", false
}

func (e *requestEncoder) textPart(s string) (string, bool) {
	if s == "" {
		return "", false
	}
	e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"text","text":`...)
	e.dst = append(jsonedit.AppendString(e.dst, s), '}')
	return s, true
}

func (e *requestEncoder) image(m *conversation.Media) bool {
	if m == nil || m.Data == "" && m.URL == "" {
		e.refuse("messages", "the provider takes no images by file id")
		return false
	}
	e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"image_url","image_url":{"url":`...)
	if m.Data == "" {
		e.dst = jsonedit.AppendString(e.dst, m.URL)
	} else {
		e.dst = appendDataURL(e.dst, m)
	}
	e.dst = jsonedit.AppendTextMember(e.dst, "detail", m.Detail)
	e.dst = append(e.dst, '}', '}')
	return true
}

// appendDataURL appends a data: URL as a JSON string. The data, which may be megabytes, is not copied more than once.
func appendDataURL(dst []byte, m *conversation.Media) []byte {
	mime := m.MIME
	if mime == "" {
		mime = "image/png"
	}
	dst = jsonedit.AppendString(dst, "data:"+mime+";base64")
	comma := len(dst) - 1 // where the quote is now, and the next string's opening quote will be
	dst = jsonedit.AppendString(dst[:comma], m.Data)
	dst[comma] = ','
	return dst
}

// document writes a plain text document as a text; the API reads no other files.
func (e *requestEncoder) document(m *conversation.Media) (string, bool) {
	if m == nil {
		return "", false
	}
	text := dialects.PlainText(m)
	if text == "" {
		e.refuse("messages", "the provider takes no documents but plain text")
		return "", false
	}
	e.noteIf("title", m.Title != "")
	e.noteIf("context", m.Context != "")
	return e.textPart(text)
}

// assistant writes what the model did. Its plan and its thoughts go back only if they are Cohere's. The API refuses texts
// beside calls: what the model said before it called is a plan there.
func (e *requestEncoder) assistant(blocks []conversation.Block) {
	start := len(e.dst)
	e.open("assistant")
	calls := slices.ContainsFunc(blocks, func(b conversation.Block) bool { return b.Kind == conversation.Call && b.Call != nil })
	if calls {
		e.plan(blocks)
	}
	said := e.contents(blocks, calls)
	if calls {
		e.calls(blocks)
	}
	if !said && !calls {
		e.dst = e.dst[:start]
		return
	}
	e.dst = append(e.dst, '}')
}

// plan writes the plan before calls, and what the model said. Pieces of one text are joined as they are.
func (e *requestEncoder) plan(blocks []conversation.Block) {
	var plan strings.Builder
	last := conversation.Call
	for i := range blocks {
		b := &blocks[i]
		if b.Text == "" || !e.isPlan(b) && b.Kind != conversation.Text && b.Kind != conversation.Refusal {
			continue
		}
		if plan.Len() > 0 && b.Kind != last {
			plan.WriteString("\n\n")
		}
		plan.WriteString(b.Text)
		last = b.Kind
	}
	e.dst = jsonedit.AppendTextMember(e.dst, "tool_plan", plan.String())
}

func isOurs(b *conversation.Block) bool { return b.Kind == conversation.Thinking && b.Origin == origin }

// isPlan reports whether a block is one of Cohere's plans. For a model that does not think, its thoughts are as well.
func (e *requestEncoder) isPlan(b *conversation.Block) bool {
	return isOurs(b) && (b.Signature == signPlan || e.isPlain())
}

// contents writes thoughts and, unless there are calls, texts. One text alone is written as a string.
func (e *requestEncoder) contents(blocks []conversation.Block, calls bool) bool {
	start := len(e.dst)
	e.dst = jsonedit.AppendKey(e.dst, "content")
	list := len(e.dst)
	e.dst = append(e.dst, '[')
	only, parts := "", 0
	for i := range blocks {
		text, ok := e.assistantPart(&blocks[i], calls)
		if !ok {
			continue
		}
		if parts++; parts == 1 {
			only = text
		}
	}
	switch {
	case parts == 0:
		e.dst = e.dst[:start]
	case parts == 1 && only != "":
		e.dst = jsonedit.AppendString(e.dst[:list], only)
	default:
		e.dst = append(e.dst, ']')
	}
	return parts > 0
}

func (e *requestEncoder) assistantPart(b *conversation.Block, calls bool) (text string, ok bool) {
	e.noteIf("citations", len(b.Citations) > 0)
	e.noteIf("cache_control", b.Cache != nil)
	switch {
	case b.Kind == conversation.Call, calls && e.isPlan(b):
	case b.Kind == conversation.Text, b.Kind == conversation.Refusal:
		if !calls {
			return e.textPart(b.Text)
		}
	case isOurs(b) && !e.isPlan(b):
		if b.Text != "" {
			e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"thinking","thinking":`...)
			e.dst = append(jsonedit.AppendString(e.dst, b.Text), '}')
			return "", true
		}
	case b.Kind == conversation.Thinking:
		e.note("thinking")
	case b.Kind == conversation.Opaque:
		e.note(rawType(b))
	default:
		e.note("assistant media")
	}
	return "", false
}

func (e *requestEncoder) calls(blocks []conversation.Block) {
	e.pending = e.pending[:0]
	e.dst = append(jsonedit.AppendKey(e.dst, "tool_calls"), '[')
	for i := range blocks {
		if c := blocks[i].Call; blocks[i].Kind == conversation.Call && c != nil {
			e.call(c)
		}
	}
	e.dst = append(e.dst, ']')
}

func (e *requestEncoder) call(c *conversation.ToolCall) {
	id := c.ID
	if id == "" {
		e.made++
		id = "call_" + strconv.Itoa(e.made)
		e.pending = append(e.pending, openCall{id, c.Name})
	}
	arguments := c.Arguments
	switch {
	case c.Custom:
		arguments = conversation.FreeTextArguments(arguments)
	case arguments == "":
		arguments = "{}"
	}
	e.dst = append(jsonedit.AppendComma(e.dst), '{')
	e.dst = jsonedit.AppendStringMember(e.dst, "id", id)
	e.dst = append(e.dst, `,"type":"function","function":{`...)
	e.dst = jsonedit.AppendStringMember(e.dst, "name", e.functionName(c.Name))
	e.dst = jsonedit.AppendStringMember(e.dst, "arguments", arguments)
	e.dst = append(e.dst, '}', '}')
}

// result writes a tool message and returns the media that it cannot hold.
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
	e.open("tool")
	e.dst = jsonedit.AppendStringMember(e.dst, "tool_call_id", e.resultID(r))
	e.dst = append(jsonedit.AppendStringMember(e.dst, "content", text), '}')
	return media
}

// resultID is the ID of the call that a result answers. A dialect without IDs pairs them by name and order.
func (e *requestEncoder) resultID(r *conversation.ToolResult) string {
	if r.CallID != "" {
		return r.CallID
	}
	for i, c := range e.pending {
		if r.Name == "" || c.name == r.Name {
			e.pending = slices.Delete(e.pending, i, i+1)
			return c.id
		}
	}
	e.refuse("messages", "a tool result answers no tool call")
	return ""
}

// rawType names a block for the notes.
func rawType(b *conversation.Block) string {
	if t := gjson.GetBytes(b.Raw, "type").Str; t != "" {
		return t
	}
	return "content"
}

package chatcompletions

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// imagesFollow stands in for the text of a tool result that has none, because its content is in the next message.
const imagesFollow = "The result is in the next message."

func (e *requestEncoder) message(m *conversation.Message, last bool) {
	switch m.Role {
	case conversation.System:
		e.spoken(m, "system", m.Blocks)
	case conversation.Developer:
		role := "system"
		if e.rules.openai {
			role = "developer"
		}
		e.spoken(m, role, m.Blocks)
	case conversation.Assistant:
		e.assistant(m, last)
	default:
		e.user(m)
	}
}

// open begins a message.
func (e *requestEncoder) open(role, name string) {
	e.dst = append(jsonedit.AppendComma(e.dst), '{')
	e.dst = jsonedit.AppendStringMember(e.dst, "role", role)
	if e.rules.names {
		e.dst = jsonedit.AppendTextMember(e.dst, "name", name)
	} else {
		e.noteIf("name", name != "")
	}
	e.afterTool = role == "tool"
}

// user writes tool results as messages of their own, and what else the user said after them. Media in results move to
// the user's message, because tool messages carry text only.
func (e *requestEncoder) user(m *conversation.Message) {
	if !slices.ContainsFunc(m.Blocks, func(b conversation.Block) bool { return b.Kind == conversation.Result }) {
		e.spoken(m, "user", m.Blocks)
		return
	}
	var media, rest []conversation.Block
	for i := range m.Blocks {
		if b := &m.Blocks[i]; b.Kind == conversation.Result {
			media = append(media, e.result(b)...)
		} else {
			rest = append(rest, *b)
		}
	}
	if rest = append(media, rest...); len(rest) > 0 {
		e.spoken(m, "user", rest)
	}
}

// spoken writes a message that is not the model's. One whose blocks all had to be dropped is left out.
func (e *requestEncoder) spoken(m *conversation.Message, role string, blocks []conversation.Block) {
	start, afterTool := len(e.dst), e.afterTool
	if role == "user" && afterTool && e.rules.answerTools {
		e.open("assistant", "")
		e.dst = append(e.dst, `,"content":"OK."}`...)
	}
	e.open(role, m.Name)
	if !e.content(blocks) && len(blocks) > 0 {
		e.dst, e.afterTool = e.dst[:start], afterTool
		return
	}
	e.dst = append(e.dst, '}')
}

// content writes the content member: a string where one text is all there is, else an array of parts. It reports
// whether it wrote anything but an empty string.
func (e *requestEncoder) content(blocks []conversation.Block) bool {
	e.dst = jsonedit.AppendKey(e.dst, "content")
	if len(blocks) == 1 && blocks[0].Kind == conversation.Text && (blocks[0].Cache == nil || !e.rules.cacheMarks) {
		e.noteIf("cache_control", blocks[0].Cache != nil)
		e.dst = jsonedit.AppendString(e.dst, blocks[0].Text)
		return true
	}
	start := len(e.dst)
	e.dst = append(e.dst, '[')
	for i := range blocks {
		e.part(&blocks[i])
	}
	if len(e.dst) == start+1 {
		e.dst = append(e.dst[:start], `""`...)
		return false
	}
	e.dst = append(e.dst, ']')
	return true
}

func (e *requestEncoder) assistant(m *conversation.Message, last bool) {
	start, afterTool := len(e.dst), e.afterTool
	e.open("assistant", m.Name)
	empty := len(e.dst)
	e.thoughts(m.Blocks)
	said := e.assistantContent(m.Blocks)
	called := e.calls(m.Blocks)
	if !said && !called && len(m.Blocks) > 0 {
		// All of it was dropped, or was thoughts alone; empty messages are refused.
		e.dst, e.afterTool = e.dst[:start], afterTool
		e.noteIf("thinking", hasKind(m.Blocks, conversation.Thinking))
		return
	}
	if !said {
		// The content member goes before the calls for the sake of those who read along.
		value := "null"
		if !called {
			value = `""`
		}
		e.dst = slices.Insert(e.dst, empty, []byte(`,"content":`+value)...)
	}
	if !called && last {
		e.prefill()
	}
	e.dst = append(e.dst, '}')
}

// prefill marks a last message of the assistant, which the model is to go on with. OpenAI's models begin a new one.
func (e *requestEncoder) prefill() {
	if e.rules.prefix {
		e.dst = append(e.dst, `,"prefix":true`...)
	}
	e.noteIf("prefill", e.rules.openai && e.r.Origin == "messages")
}

// assistantContent writes what the model said. Its texts are parts for the vendors that are known to take several, and
// joined as they are for all others.
func (e *requestEncoder) assistantContent(blocks []conversation.Block) (said bool) {
	var (
		texts    []string
		refusals strings.Builder
		parts    bool
	)
	for i := range blocks {
		b := &blocks[i]
		switch b.Kind {
		case conversation.Text:
			texts = append(texts, b.Text)
			parts = parts || b.Cache != nil && e.rules.cacheMarks || len(texts) > 1 && e.rules.textParts
			e.noteIf("citations", len(b.Citations) > 0)
		case conversation.Refusal:
			refusals.WriteString(b.Text)
		case conversation.Opaque:
			parts = parts || b.Origin == origin
			e.noteIf(rawType(b), b.Origin != origin)
		case conversation.Audio:
			said = e.spokenAudio(b) || said
		case conversation.Thinking:
			parts = parts || e.rules.thinkingParts && isPlainThought(b)
		case conversation.Call:
		default:
			e.note("assistant media")
		}
		e.noteIf("cache_control", b.Cache != nil && !e.rules.cacheMarks)
	}
	if refusals.Len() > 0 && !e.rules.openai {
		texts = append(texts, refusals.String())
	}
	if refusals.Len() > 0 && e.rules.openai {
		e.dst = jsonedit.AppendStringMember(e.dst, "refusal", refusals.String())
		if len(texts) == 0 {
			e.dst = append(jsonedit.AppendKey(e.dst, "content"), "null"...)
		}
		said = true
	}
	switch {
	case parts:
		e.assistantParts(blocks)
		return true
	case len(texts) > 0:
		e.dst = jsonedit.AppendStringMember(e.dst, "content", strings.Join(texts, ""))
		return true
	}
	return said
}

// assistantParts writes the content as an array: for cache marks, and for parts that only this dialect has.
func (e *requestEncoder) assistantParts(blocks []conversation.Block) {
	e.dst = append(jsonedit.AppendKey(e.dst, "content"), '[')
	for i := range blocks {
		switch b := &blocks[i]; b.Kind {
		case conversation.Text:
			if b.Text != "" {
				e.part(b)
			}
		case conversation.Refusal:
			if !e.rules.openai { // there it is a member of its own
				e.part(b)
			}
		case conversation.Opaque:
			if b.Origin == origin {
				e.part(b)
			}
		case conversation.Thinking:
			if e.rules.thinkingParts && isPlainThought(b) {
				e.thinkingPart(b.Text)
			}
		}
	}
	e.dst = append(e.dst, ']')
}

// spokenAudio refers to an earlier answer in audio by its ID.
func (e *requestEncoder) spokenAudio(b *conversation.Block) bool {
	if b.Media == nil || b.Media.FileID == "" || b.Media.Origin != origin {
		e.note("audio")
		return false
	}
	e.dst = append(jsonedit.AppendKey(e.dst, "audio"), '{')
	e.dst = append(jsonedit.AppendStringMember(e.dst, "id", b.Media.FileID), '}')
	return true
}

func (e *requestEncoder) calls(blocks []conversation.Block) bool {
	e.pending = e.pending[:0]
	first := true
	for i := range blocks {
		c := blocks[i].Call
		if blocks[i].Kind != conversation.Call || c == nil {
			continue
		}
		if first {
			e.dst = append(jsonedit.AppendKey(e.dst, "tool_calls"), '[')
			first = false
		}
		e.call(&blocks[i])
	}
	if first {
		return false
	}
	e.dst = append(e.dst, ']')
	return true
}

func (e *requestEncoder) call(b *conversation.Block) {
	c := b.Call
	id := c.ID
	if id == "" {
		e.made++
		id = "call_" + conversation.HashID(c.Name+" "+strconv.Itoa(e.made), 12)
		e.pending = append(e.pending, openCall{id, c.Name})
	}
	e.dst = append(jsonedit.AppendComma(e.dst), '{')
	e.dst = jsonedit.AppendStringMember(e.dst, "id", e.callID(id))
	if c.Custom && e.rules.openai {
		e.dst = append(e.dst, `,"type":"custom","custom":{`...)
		e.dst = jsonedit.AppendStringMember(e.dst, "name", e.toolName(c.Name))
		e.dst = jsonedit.AppendStringMember(e.dst, "input", c.Arguments)
		e.dst = append(e.dst, '}', '}')
		return
	}
	arguments := c.Arguments
	switch {
	case c.Custom:
		arguments = conversation.FreeTextArguments(arguments)
	case arguments == "":
		arguments = "{}" // some servers parse it
	}
	e.dst = append(e.dst, `,"type":"function","function":{`...)
	e.dst = jsonedit.AppendStringMember(e.dst, "name", e.toolName(c.Name))
	e.dst = append(jsonedit.AppendStringMember(e.dst, "arguments", arguments), '}')
	if e.rules.signatures && b.Origin == gemini && b.Signature != "" {
		e.dst = append(jsonedit.AppendKey(e.dst, "extra_content"), `{"google":{"thought_signature":`...)
		e.dst = append(jsonedit.AppendString(e.dst, b.Signature), '}', '}')
	}
	e.dst = append(e.dst, '}')
}

// result writes a tool message and returns the media that it cannot hold. What only another dialect understands is given
// as the JSON it was written in: the model reads that as well.
func (e *requestEncoder) result(b *conversation.Block) (media []conversation.Block) {
	r := b.Result
	var texts []string
	for i := range r.Content {
		c := &r.Content[i]
		switch {
		case c.Kind == conversation.Text, c.Kind == conversation.Refusal:
			texts = append(texts, c.Text)
		case c.Media != nil && c.Media.Text != "":
			texts = append(texts, c.Media.Text)
		case c.Media != nil:
			media = append(media, *c)
		case c.Kind == conversation.Opaque && len(c.Raw) > 0:
			texts = append(texts, string(c.Raw))
		default:
			e.note(rawType(c))
		}
	}
	if len(texts) == 0 && len(media) > 0 {
		texts = append(texts, imagesFollow)
	}
	e.open("tool", "")
	e.dst = jsonedit.AppendStringMember(e.dst, "tool_call_id", e.callID(e.resultID(r)))
	e.dst = jsonedit.AppendKey(e.dst, "content")
	e.resultTexts(b, texts)
	e.dst = append(e.dst, '}')
	return media
}

// resultTexts writes the content of a tool message. The wire has no way to say that a tool failed: where the client said
// so with the name of a member, the text stays in it.
func (e *requestEncoder) resultTexts(b *conversation.Block, texts []string) {
	if b.Result.IsError && e.r.Origin == gemini && len(texts) == 1 && !strings.HasPrefix(texts[0], "{") {
		texts[0] = string(append(jsonedit.AppendStringMember([]byte{'{'}, "error", texts[0]), '}'))
	} else {
		e.noteIf("is_error", b.Result.IsError && e.r.Origin != gemini)
	}
	cache := b.Cache != nil && e.rules.cacheMarks
	e.noteIf("cache_control", b.Cache != nil && !cache)
	if !cache && (len(texts) < 2 || !e.rules.textParts) {
		e.dst = jsonedit.AppendString(e.dst, strings.Join(texts, "\n"))
		return
	}
	e.dst = append(e.dst, '[')
	for i, s := range texts {
		part := conversation.Block{Kind: conversation.Text, Text: s}
		if i == len(texts)-1 {
			part.Cache = b.Cache
		}
		e.part(&part)
	}
	e.dst = append(e.dst, ']')
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

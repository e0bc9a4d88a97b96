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

func (e *requestEncoder) message(m *conversation.Message) {
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
		e.assistant(m)
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

func (e *requestEncoder) assistant(m *conversation.Message) {
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
	e.dst = append(e.dst, '}')
}

// thoughts replays reasoning to the vendors that want it back.
func (e *requestEncoder) thoughts(blocks []conversation.Block) {
	var all strings.Builder
	for i := range blocks {
		b := &blocks[i]
		if b.Kind != conversation.Thinking {
			continue
		}
		ours := b.Origin == origin || e.rules.needsThinking && b.Signature == ""
		if e.rules.thinking == "" || !ours || b.Redacted {
			e.note("thinking")
			continue
		}
		all.WriteString(b.Text)
	}
	e.dst = jsonedit.AppendTextMember(e.dst, e.rules.thinking, all.String())
}

// assistantContent writes what the model said. Its texts are pieces of one text and joined as they are, so that vendors
// need not know arrays here.
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
			parts = parts || b.Cache != nil && e.rules.cacheMarks
			e.noteIf("citations", len(b.Citations) > 0)
		case conversation.Refusal:
			refusals.WriteString(b.Text)
		case conversation.Opaque:
			parts = parts || b.Origin == origin
			e.noteIf(rawType(b), b.Origin != origin)
		case conversation.Audio:
			said = e.spokenAudio(b) || said
		case conversation.Thinking, conversation.Call:
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
		if b := &blocks[i]; b.Kind == conversation.Text || b.Kind == conversation.Opaque && b.Origin == origin {
			e.part(b)
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
		e.call(c)
	}
	if first {
		return false
	}
	e.dst = append(e.dst, ']')
	return true
}

func (e *requestEncoder) call(c *conversation.ToolCall) {
	id := c.ID
	if id == "" {
		e.made++
		id = "call_" + hashID(c.Name+" "+strconv.Itoa(e.made), 12)
		e.pending = append(e.pending, openCall{id, c.Name})
	}
	e.dst = append(jsonedit.AppendComma(e.dst), '{')
	e.dst = jsonedit.AppendStringMember(e.dst, "id", e.callID(id))
	if c.Custom && e.rules.openai {
		e.dst = append(e.dst, `,"type":"custom","custom":{`...)
		e.dst = jsonedit.AppendStringMember(e.dst, "name", c.Name)
		e.dst = jsonedit.AppendStringMember(e.dst, "input", c.Arguments)
		e.dst = append(e.dst, '}', '}')
		return
	}
	arguments := c.Arguments
	switch {
	case c.Custom:
		arguments = string(append(jsonedit.AppendStringMember([]byte{'{'}, "input", arguments), '}'))
	case arguments == "":
		arguments = "{}" // some servers parse it
	}
	e.dst = append(e.dst, `,"type":"function","function":{`...)
	e.dst = jsonedit.AppendStringMember(e.dst, "name", e.toolName(c.Name))
	e.dst = jsonedit.AppendStringMember(e.dst, "arguments", arguments)
	e.dst = append(e.dst, '}', '}')
}

// result writes a tool message and returns the media that it cannot hold.
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
		default:
			e.note(rawType(c))
		}
	}
	content := strings.Join(texts, "\n")
	if content == "" && len(media) > 0 {
		content = imagesFollow
	}
	e.open("tool", "")
	e.dst = jsonedit.AppendStringMember(e.dst, "tool_call_id", e.callID(e.resultID(r)))
	e.dst = jsonedit.AppendKey(e.dst, "content")
	if b.Cache != nil && e.rules.cacheMarks {
		e.dst = append(e.dst, '[')
		e.part(&conversation.Block{Kind: conversation.Text, Text: content, Cache: b.Cache})
		e.dst = append(e.dst, ']', '}')
		return media
	}
	e.noteIf("cache_control", b.Cache != nil)
	e.dst = append(jsonedit.AppendString(e.dst, content), '}')
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

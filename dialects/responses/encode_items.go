package responses

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

func (e *requestEncoder) message(m *conversation.Message, last bool) {
	e.noteIf("name", m.Name != "")
	switch m.Role {
	case conversation.System:
		e.spoken("system", m.Blocks)
	case conversation.Developer:
		role := "system"
		if e.rules.openai {
			role = "developer"
		}
		e.spoken(role, m.Blocks)
	case conversation.Assistant:
		e.assistant(m.Blocks)
		// OpenAI's models do not go on with a last message of theirs, but begin a new one.
		e.noteIf("prefill", last && e.rules.openai && e.r.Origin == string(providers.Messages) && !hasCalls(m.Blocks))
	default:
		e.user(m.Blocks)
	}
}

func hasCalls(blocks []conversation.Block) bool {
	return slices.ContainsFunc(blocks, func(b conversation.Block) bool { return b.Kind == conversation.Call })
}

// user writes results as items of their own, and what the user said as a message after them.
func (e *requestEncoder) user(blocks []conversation.Block) {
	var rest []conversation.Block
	for i := range blocks {
		switch b := &blocks[i]; {
		case b.Kind == conversation.Result:
			e.result(b)
		case isItem(b):
			e.dst = append(jsonedit.AppendComma(e.dst), b.Raw...)
		default:
			rest = append(rest, *b)
		}
	}
	if len(rest) > 0 || len(blocks) == 0 {
		e.spoken("user", rest)
	}
}

// isItem tells items that only this dialect understands from parts of that kind.
func isItem(b *conversation.Block) bool {
	if len(b.Raw) == 0 || b.Origin != origin {
		return false
	}
	kind := rawType(b)
	return strings.HasSuffix(kind, "_output") || strings.HasSuffix(kind, "_response")
}

// spoken writes a message that is not the model's: its content is a string where one text is all there is, else an array
// of parts. One whose blocks all had to be dropped is left out.
func (e *requestEncoder) spoken(role string, blocks []conversation.Block) {
	start := len(e.dst)
	e.dst = append(jsonedit.AppendComma(e.dst), '{')
	e.dst = jsonedit.AppendKey(jsonedit.AppendStringMember(e.dst, "role", role), "content")
	switch {
	case len(blocks) == 0:
		e.dst = append(e.dst, `""}`...)
		return
	case len(blocks) == 1 && blocks[0].Kind == conversation.Text && blocks[0].Cache == nil:
		e.dst = append(jsonedit.AppendString(e.dst, blocks[0].Text), '}')
		return
	}
	if !e.parts(blocks) {
		e.dst = e.dst[:start]
		return
	}
	e.dst = append(e.dst, '}')
}

// parts writes an array of parts and reports whether it has any.
func (e *requestEncoder) parts(blocks []conversation.Block) bool {
	e.dst = append(e.dst, '[')
	start := len(e.dst)
	for i := range blocks {
		e.part(&blocks[i])
	}
	said := len(e.dst) > start
	e.dst = append(e.dst, ']')
	return said
}

// assistant writes what the model did as items, in its order. Texts in a row are one message.
func (e *requestEncoder) assistant(blocks []conversation.Block) {
	e.pending = e.pending[:0]
	open, last := false, len(blocks)-1 // the last one that is an output
	for last >= 0 && !isOutput(blocks[last]) {
		last--
	}
	for i := range blocks {
		b := &blocks[i]
		item := len(b.Raw) > 0 && b.Origin == origin
		said := !item && (b.Kind == conversation.Text || b.Kind == conversation.Refusal) && b.Text != ""
		if open && !said && (item || b.Kind != conversation.Text) {
			e.dst, open = append(e.dst, ']', '}'), false
		}
		if item {
			e.dst = append(jsonedit.AppendComma(e.dst), b.Raw...)
			continue
		}
		switch b.Kind {
		case conversation.Text, conversation.Refusal:
			if !said {
				continue
			}
			if !open {
				e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"message","role":"assistant","content":[`...)
				open = true
			}
			e.said(b)
		case conversation.Call:
			e.call(b.Call)
		case conversation.Thinking:
			e.thinking(b, i < last)
		case conversation.Opaque:
			e.note(rawType(b))
		default:
			e.note("assistant media")
		}
	}
	if open {
		e.dst = append(e.dst, ']', '}')
	}
}

// said writes a part of a message of the model.
func (e *requestEncoder) said(b *conversation.Block) {
	e.noteIf("cache_control", b.Cache != nil)
	e.noteIf("citations", len(b.Citations) > 0)
	if b.Kind == conversation.Refusal {
		e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"refusal","refusal":`...)
	} else {
		e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"output_text","text":`...)
	}
	e.dst = append(jsonedit.AppendString(e.dst, b.Text), '}')
}

// isOutput reports whether a block of the assistant is written as something that it said or did.
func isOutput(b conversation.Block) bool {
	switch b.Kind {
	case conversation.Text, conversation.Refusal:
		return b.Text != ""
	case conversation.Call:
		return true
	}
	return b.Origin == origin && len(b.Raw) > 0
}

// thinking replays reasoning that this dialect has encrypted. The API refuses reasoning that no output follows.
func (e *requestEncoder) thinking(b *conversation.Block, followed bool) {
	if b.Origin != origin || b.Signature == "" || !followed || e.rules.openai && !e.rules.reasoningModel {
		e.note("thinking")
		return
	}
	e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"reasoning","summary":[`...)
	if b.Text != "" {
		e.dst = append(e.dst, `{"type":"summary_text","text":`...)
		e.dst = append(jsonedit.AppendString(e.dst, b.Text), '}')
	}
	e.dst = append(e.dst, `],"encrypted_content":`...)
	e.dst = append(jsonedit.AppendString(e.dst, b.Signature), '}')
}

func (e *requestEncoder) call(c *conversation.ToolCall) {
	id := c.ID
	if id == "" {
		e.made++
		id = "call_" + conversation.HashID(c.Name+" "+strconv.Itoa(e.made), 12)
		e.pending = append(e.pending, openCall{id, c.Name})
	}
	custom := c.Custom && e.rules.openai
	kind, key, arguments := "function_call", "arguments", c.Arguments
	switch {
	case custom:
		kind, key = "custom_tool_call", "input"
		if e.custom == nil {
			e.custom = make(map[string]bool)
		}
		e.custom[id] = true
	case c.Custom:
		arguments = conversation.FreeTextArguments(arguments)
	case arguments == "":
		arguments = "{}" // some servers parse it
	}
	e.dst = append(jsonedit.AppendComma(e.dst), '{')
	e.dst = jsonedit.AppendStringMember(e.dst, "type", kind)
	e.dst = jsonedit.AppendStringMember(e.dst, "call_id", callID(id))
	e.dst = jsonedit.AppendStringMember(e.dst, "name", toolName(c.Name))
	e.dst = append(jsonedit.AppendStringMember(e.dst, key, arguments), '}')
}

// result writes the output of a tool: a string, or parts where it holds more than text. There is no mark for one that failed.
func (e *requestEncoder) result(b *conversation.Block) {
	r := b.Result
	e.noteIf("cache_control", b.Cache != nil)
	e.noteIf("is_error", r.IsError && e.r.Origin != string(providers.Gemini)) // Gemini's say so in their text
	id := e.resultID(r)
	kind := "function_call_output"
	if e.custom[id] {
		kind = "custom_tool_call_output"
	}
	e.dst = append(jsonedit.AppendComma(e.dst), '{')
	e.dst = jsonedit.AppendStringMember(e.dst, "type", kind)
	e.dst = jsonedit.AppendStringMember(e.dst, "call_id", callID(id))
	e.dst = jsonedit.AppendKey(e.dst, "output")
	texts, plain := make([]string, 0, 4), true
	for i := range r.Content {
		c := &r.Content[i]
		if plain = plain && c.Kind == conversation.Text && c.Cache == nil; plain {
			texts = append(texts, c.Text)
		}
	}
	if plain {
		e.dst = jsonedit.AppendString(e.dst, strings.Join(texts, "\n"))
	} else if start := len(e.dst); !e.parts(r.Content) {
		e.dst = append(e.dst[:start], `""`...)
	}
	e.dst = append(e.dst, '}')
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
	return orElse(gjson.GetBytes(b.Raw, "type").Str, "content")
}

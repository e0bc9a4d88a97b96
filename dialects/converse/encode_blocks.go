package converse

import (
	"encoding/base64"
	"slices"
	"strings"
	"unsafe"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// block writes a block that keep let through.
func (e *requestEncoder) block(b *conversation.Block) {
	switch b.Kind {
	case conversation.Text, conversation.Refusal:
		e.raw("{")
		e.text("text", b.Text)
		e.raw("}")
	case conversation.Image, conversation.Document, conversation.Video:
		e.media(b)
	case conversation.Call:
		e.raw(`{"toolUse":{`)
		e.text("toolUseId", names.Clean(b.Call.ID))
		e.text("name", e.toolName(b.Call.Name))
		e.key("input")
		e.dst = appendInput(e.dst, b.Call, &e.scratch)
		e.raw("}}")
	case conversation.Result:
		e.result(b.Result)
	case conversation.Thinking:
		e.reasoning(b)
	}
}

// reasoning writes thinking. What Anthropic's API calls the data of redacted thinking are the bytes of the blob here.
func (e *requestEncoder) reasoning(b *conversation.Block) {
	e.raw(`{"reasoningContent":{`)
	switch {
	case b.Redacted && b.Origin == anthropicOrigin:
		e.text("redactedContent", base64.StdEncoding.EncodeToString([]byte(b.Signature)))
	case b.Redacted:
		e.text("redactedContent", b.Signature)
	default:
		e.raw(`"reasoningText":{`)
		e.text("text", b.Text)
		e.dst = jsonedit.AppendTextMember(e.dst, "signature", b.Signature)
		e.raw("}")
	}
	e.raw("}}")
}

// result writes a tool result. Empty texts are refused in it as elsewhere, an empty list is not.
func (e *requestEncoder) result(r *conversation.ToolResult) {
	e.raw(`{"toolResult":{`)
	e.text("toolUseId", names.Clean(r.CallID))
	e.key("content")
	e.raw("[")
	for i := range r.Content {
		switch b := &r.Content[i]; b.Kind {
		case conversation.Text, conversation.Refusal:
			if blank(b.Text) {
				continue
			}
			e.comma()
			e.block(b)
		case conversation.Image, conversation.Document, conversation.Video:
			e.comma()
			e.block(b)
		}
	}
	e.raw("]")
	switch {
	case !r.IsError:
	case !e.model.is(anthropic, nova): // the others refuse a status
		e.note("is_error")
	case e.model.family == anthropic && slices.ContainsFunc(r.Content, func(b conversation.Block) bool { return b.Media != nil }):
		e.note("is_error") // Claude takes an error for a text
	default:
		e.text("status", "error")
	}
	e.raw("}}")
}

// appendInput appends the arguments of a call as the object that this dialect wants. No arguments are {}. What is no
// JSON object, because the model's output was cut, is wrapped: {"_raw":"..."}.
func appendInput(dst []byte, c *conversation.ToolCall, scratch *jsonedit.Object) []byte {
	args := strings.TrimSpace(c.Arguments)
	switch {
	case c.Custom:
		return append(dst, conversation.FreeTextArguments(c.Arguments)...)
	case args == "":
		return append(dst, "{}"...)
	case jsonedit.Scan(unsafe.Slice(unsafe.StringData(args), len(args)), nil, jsonedit.Limits{}, scratch) == nil:
		return append(dst, args...)
	}
	dst = jsonedit.AppendString(append(dst, `{"_raw":`...), c.Arguments)
	return append(dst, '}')
}

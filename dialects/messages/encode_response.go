package messages

import (
	"cmp"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

// EncodeResponse appends a unary answer: the first of several. Media that a model made and blocks that only another
// dialect understands have no place in it and are left out.
func (Codec) EncodeResponse(dst []byte, r *conversation.Response, requestModel string) []byte {
	var c conversation.Choice
	if len(r.Choices) > 0 {
		c = r.Choices[0]
	}
	dst = append(dst, `{"id":`...)
	dst = appendMessageID(dst, r.ID)
	dst = append(dst, `,"type":"message","role":"assistant","model":`...)
	dst = jsonedit.AppendString(dst, requestModel)
	dst = append(dst, `,"content":[`...)
	var scratch jsonedit.Object
	calls := false
	for i := range c.Blocks {
		b := &c.Blocks[i]
		if !visible(b) {
			continue
		}
		if proof, ok := carried(b); ok {
			dst = appendBlock(jsonedit.AppendComma(dst), &proof, &scratch)
		}
		calls = calls || b.Kind == conversation.Call
		dst = appendBlock(jsonedit.AppendComma(dst), b, &scratch)
	}
	dst = append(dst, `],`...)
	dst = appendStop(dst, stopName(c.Stop, calls), c.StopSequence, c.StopDetail)
	dst = append(dst, `,"usage":`...)
	dst = appendUsage(dst, r.Usage)
	if tier := tierName(r.ServiceTier); tier != "" {
		dst = append(dst[:len(dst)-1], `,"service_tier":"`...)
		dst = append(append(dst, tier...), `"}`...)
	}
	return append(dst, '}')
}

// visible tells the blocks that an answer in this dialect can hold. The API never sends an empty text.
func visible(b *conversation.Block) bool {
	switch b.Kind {
	case conversation.Text, conversation.Refusal:
		return b.Text != ""
	case conversation.Call:
		return true
	case conversation.Thinking:
		return b.Text != "" || b.Signature != ""
	}
	return b.Kind == conversation.Opaque && b.Origin == origin
}

// appendBlock appends a visible block.
func appendBlock(dst []byte, b *conversation.Block, scratch *jsonedit.Object) []byte {
	switch b.Kind {
	case conversation.Call:
		if len(b.Raw) > 0 && b.Origin == origin {
			return append(dst, b.Raw...)
		}
		dst = appendCallHead(dst, b.Call)
		dst = appendInput(dst, b.Call, scratch)
	case conversation.Thinking:
		dst = appendThinkingHead(dst, b)
		if b.Redacted {
			break
		}
		dst = jsonedit.AppendString(dst, b.Text)
		dst = append(dst, `,"signature":`...)
		dst = jsonedit.AppendString(dst, label(b.Signature, b.Origin))
	case conversation.Opaque:
		return append(dst, b.Raw...)
	default:
		dst = append(dst, `{"type":"text","text":`...)
		dst = jsonedit.AppendString(dst, b.Text)
		for i := range b.Citations {
			if i == 0 {
				dst = append(dst, `,"citations":[`...)
			} else {
				dst = append(dst, ',')
			}
			dst = appendCitation(dst, &b.Citations[i])
		}
		if len(b.Citations) > 0 {
			dst = append(dst, ']')
		}
	}
	return append(dst, '}')
}

// appendCallHead appends a tool_use block up to its input.
func appendCallHead(dst []byte, c *conversation.ToolCall) []byte {
	dst = append(dst, `{"type":"tool_use","id":`...)
	if c.ID == "" {
		dst = appendRandomID(append(dst, `"toolu_`...))
		dst = append(dst, '"')
	} else {
		dst = jsonedit.AppendString(dst, c.ID)
	}
	dst = append(dst, `,"name":`...)
	dst = jsonedit.AppendString(dst, c.Name)
	return append(dst, `,"input":`...)
}

// appendThinkingHead appends a thinking block up to its text, or a redacted one but for its brace.
func appendThinkingHead(dst []byte, b *conversation.Block) []byte {
	if b.Redacted {
		dst = append(dst, `{"type":"redacted_thinking","data":`...)
		return jsonedit.AppendString(dst, label(b.Signature, b.Origin))
	}
	return append(dst, `{"type":"thinking","thinking":`...)
}

// appendCitation appends a citation. Those of other vendors become search results, the kind that SDKs know how to show; they are
// labelled in place of Anthropic's own index, which it wants back, so that they are known when the client replays them.
func appendCitation(dst []byte, c *conversation.Citation) []byte {
	if c.Origin == origin && len(c.Raw) > 0 {
		return append(dst, c.Raw...)
	}
	dst = append(dst, `{"type":"web_search_result_location","cited_text":`...)
	dst = jsonedit.AppendString(dst, c.Quote)
	dst = append(dst, `,"url":`...)
	dst = jsonedit.AppendString(dst, c.URL)
	dst = append(dst, `,"title":`...)
	dst = jsonedit.AppendString(dst, c.Title)
	dst = append(dst, `,"encrypted_index":`...)
	dst = jsonedit.AppendString(dst, label("", cmp.Or(c.Origin, string(providers.Chat))))
	return append(dst, '}')
}

// appendStop appends the members that say why a message ended.
func appendStop(dst []byte, reason, sequence, detail string) []byte {
	dst = append(dst, `"stop_reason":"`...)
	dst = append(append(dst, reason...), `","stop_sequence":`...)
	if sequence == "" {
		dst = append(dst, "null"...)
	} else {
		dst = jsonedit.AppendString(dst, sequence)
	}
	if reason == "refusal" && detail != "" {
		dst = append(dst, `,"stop_details":{"type":"refusal","category":null,"explanation":`...)
		dst = append(jsonedit.AppendString(dst, detail), '}')
	}
	return dst
}

// tierName is the service tier in this dialect's words; "" for what it has no word for.
func tierName(s string) string {
	switch s {
	case "standard", "priority", "batch":
		return s
	case "default":
		return "standard"
	}
	return ""
}

// appendMessageID appends an id with the prefix that Anthropic's have. Another vendor's id is kept behind it.
func appendMessageID(dst []byte, id string) []byte {
	if strings.HasPrefix(id, "msg_") {
		return jsonedit.AppendString(dst, id)
	}
	for _, prefix := range [...]string{"chatcmpl-", "resp_"} {
		id = strings.TrimPrefix(id, prefix)
	}
	if id == "" {
		dst = appendRandomID(append(dst, `"msg_`...))
		return append(dst, '"')
	}
	return jsonedit.AppendString(dst, "msg_"+id)
}

// appendRandomID appends letters and digits that no other message of a conversation has. They are no secret.
func appendRandomID(dst []byte) []byte {
	dst = strconv.AppendUint(dst, rand.Uint64()|1<<63, 36)
	return strconv.AppendUint(dst, rand.Uint64()|1<<63, 36)
}

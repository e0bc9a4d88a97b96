package chatcompletions

import (
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// blockStart writes what is known of a block when it begins.
func (w *eventWriter) blockStart(dst []byte, c *writerChoice, b *conversation.Block) []byte {
	c.kind, c.base = b.Kind, c.runes
	switch b.Kind {
	case conversation.Call:
		return w.callStart(dst, c, b)
	case conversation.Image:
		return w.image(dst, c, b)
	case conversation.Audio:
		if b.Media != nil && b.Media.Data != "" {
			dst = append(w.open(dst, c.n), `"audio":{`...)
			dst = w.close(append(appendSound(dst, b), '}'))
		}
		return dst
	case conversation.Thinking:
		return w.thoughtStart(dst, c, b)
	}
	if b.Text != "" {
		dst = w.textDelta(dst, c, b.Text, nil)
	}
	for i := range b.Citations {
		dst = w.citation(dst, c, &b.Citations[i])
	}
	return dst
}

func (w *eventWriter) image(dst []byte, c *writerChoice, b *conversation.Block) []byte {
	if b.Media == nil {
		return dst
	}
	start := len(dst)
	dst = w.open(dst, c.n)
	empty := len(dst)
	if dst = appendImages(dst, []conversation.Block{*b}); len(dst) == empty {
		return dst[:start]
	}
	return w.close(dst)
}

// thoughtStart begins a thought. One that is opaque comes whole.
func (w *eventWriter) thoughtStart(dst []byte, c *writerChoice, b *conversation.Block) []byte {
	c.from, c.signature = b.Origin, append(c.signature[:0], b.Signature...)
	if b.Redacted {
		return w.thoughtStop(dst, c, true)
	}
	if b.Text != "" {
		dst = w.thought(dst, c, b.Text)
	}
	return dst
}

// thought writes a piece of a thought. Where it may turn out to be signed it is written twice: for clients that show it,
// and as an entry of reasoning_details, which has to be given back as a whole.
func (w *eventWriter) thought(dst []byte, c *writerChoice, s string) []byte {
	if !signs(c.from) {
		return w.member(dst, c.n, "reasoning_content", s)
	}
	dst = jsonedit.AppendStringMember(w.open(dst, c.n), "reasoning_content", s)
	dst = append(dst, `,"reasoning_details":[{"type":"`+textDetail+`"`...)
	dst = jsonedit.AppendStringMember(dst, "text", s)
	dst = append(appendDetailTail(dst, c.from, c.thoughts), '}', ']')
	return w.close(dst)
}

// thoughtStop writes the signature of a thought.
func (w *eventWriter) thoughtStop(dst []byte, c *writerChoice, redacted bool) []byte {
	b := conversation.Block{Kind: conversation.Thinking, Signature: jsonedit.View(c.signature), Origin: c.from, Redacted: redacted}
	if len(c.signature) > 0 && c.from != "" && (c.from != origin || isPacked(&b)) {
		dst = append(w.open(dst, c.n), `"reasoning_details":[`...)
		dst = w.close(append(appendDetail(dst, &b, c.thoughts), ']'))
	}
	c.signature = c.signature[:0]
	c.thoughts++
	return dst
}

func (w *eventWriter) callStart(dst []byte, c *writerChoice, b *conversation.Block) []byte {
	call := b.Call
	c.calls++
	c.custom, c.legacy, c.empty = call.Custom, call.Legacy, call.Arguments == ""
	if c.legacy {
		if c.calls > 1 {
			return dst // there is room for one
		}
		dst = append(w.open(dst, c.n), `"function_call":{`...)
		dst = jsonedit.AppendStringMember(dst, "name", call.Name)
		return w.close(append(jsonedit.AppendStringMember(dst, "arguments", call.Arguments), '}'))
	}
	dst = w.call(dst, c)
	dst = jsonedit.AppendStringMember(dst, "id", call.ID)
	body, input := `,"type":"function","function":{`, "arguments"
	if call.Custom {
		body, input = `,"type":"custom","custom":{`, "input"
	}
	dst = append(dst, body...)
	dst = jsonedit.AppendStringMember(dst, "name", call.Name)
	dst = append(jsonedit.AppendStringMember(dst, input, call.Arguments), '}')
	return w.close(append(appendCallSignature(dst, b), '}', ']'))
}

// call begins a fragment of the open call.
func (w *eventWriter) call(dst []byte, c *writerChoice) []byte {
	return appendInt(append(w.open(dst, c.n), `"tool_calls":[{"index":`...), int64(c.calls-1))
}

func (w *eventWriter) delta(dst []byte, c *writerChoice, ev *conversation.Event) []byte {
	switch ev.Delta {
	case conversation.DeltaText, conversation.DeltaThinking:
		if ev.Text != "" {
			return w.textDelta(dst, c, ev.Text, ev.Logprobs)
		}
	case conversation.DeltaArguments:
		if ev.Text != "" {
			return w.arguments(dst, c, ev.Text)
		}
	case conversation.DeltaSignature:
		c.signature = append(c.signature, ev.Text...)
	case conversation.DeltaCitation:
		return w.citation(dst, c, ev.Citation)
	}
	return dst
}

// textDelta writes text as what the open block makes of it.
func (w *eventWriter) textDelta(dst []byte, c *writerChoice, s string, logprobs []byte) []byte {
	key := "content"
	switch c.kind {
	case conversation.Thinking:
		return w.thought(dst, c, s)
	case conversation.Refusal:
		key, c.refused = "refusal", true
	case conversation.Text:
		c.runes += runeCount(s)
	default:
		return dst
	}
	if len(logprobs) == 0 {
		return w.member(dst, c.n, key, s)
	}
	dst = jsonedit.AppendStringMember(w.open(dst, c.n), key, s)
	dst = append(append(dst, `},"logprobs":{"content":[`...), logprobs...)
	return w.finish(append(dst, `],"refusal":null},"finish_reason":null`...))
}

// runeCount counts the characters of a piece of text that need not end on the border of one.
func runeCount(s string) (n int) {
	for i := range len(s) {
		if s[i]&0xC0 != 0x80 {
			n++
		}
	}
	return n
}

func (w *eventWriter) arguments(dst []byte, c *writerChoice, s string) []byte {
	c.empty = false
	if c.legacy {
		if c.calls > 1 {
			return dst
		}
		dst = append(w.open(dst, c.n), `"function_call":{`...)
		return w.close(append(jsonedit.AppendStringMember(dst, "arguments", s), '}'))
	}
	dst = w.call(dst, c)
	if c.custom {
		dst = append(dst, `,"custom":{"input":`...)
	} else {
		dst = append(dst, `,"function":{"arguments":`...)
	}
	dst = jsonedit.AppendString(dst, s)
	return w.close(append(dst, '}', '}', ']'))
}

// blockStop gives a call without arguments the empty object that clients parse, and writes the signatures that came after
// what they sign; late is where some of them are.
func (w *eventWriter) blockStop(dst []byte, c *writerChoice, late *conversation.Block) []byte {
	switch {
	case c == nil:
	case c.kind == conversation.Thinking:
		if late != nil && late.Signature != "" {
			c.from, c.signature = late.Origin, append(c.signature[:0], late.Signature...)
		}
		if signs(c.from) || len(c.signature) > 0 {
			dst = w.thoughtStop(dst, c, false)
		}
	case c.kind == conversation.Call:
		if c.empty && !c.custom {
			dst = w.arguments(dst, c, "{}")
		}
		if late != nil && !c.legacy && late.Signature != "" && late.Origin == gemini {
			dst = w.close(append(appendCallSignature(w.call(dst, c), late), '}', ']'))
		}
	}
	return dst
}

func (w *eventWriter) citation(dst []byte, c *writerChoice, cite *conversation.Citation) []byte {
	if cite == nil || !isCited(cite) {
		return dst
	}
	dst = append(w.open(dst, c.n), `"annotations":[`...)
	dst = appendAnnotation(dst, cite, c.base)
	return w.close(append(dst, ']'))
}

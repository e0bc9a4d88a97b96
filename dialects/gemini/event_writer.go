package gemini

import (
	"crypto/rand"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// eventWriter writes a stream of chunks, each of them a whole response with the parts that are new.
//
// Texts and thoughts are written as they come, calls once they are whole. The reasons for the end, the sources and the
// usage stand in the last chunk, and other dialects may report usage after the reason; so that chunk waits for the end
// of the stream. There is no end marker after it.
type eventWriter struct {
	o       dialects.WriterOptions
	id      string
	choices []*writing
	usage   conversation.Usage
	known   bool
	over    bool
}

// writing is one answer on its way.
type writing struct {
	block     conversation.Block // the open one, without its text
	call      conversation.ToolCall
	arguments []byte
	signature []byte
	worded    bool   // the open thought has words
	carry     string // the signature of a thought of another vendor, for the next text or call
	alone     string // the same, to stand alone

	// Of the open text, for the offsets of citations.
	said      []byte
	citations []conversation.Citation
	past      int // bytes of text before it
	sources   grounding

	called bool
	stop   conversation.StopReason
	detail string
}

// NewEventWriter returns a writer for one stream.
func (Codec) NewEventWriter(o dialects.WriterOptions) dialects.EventWriter {
	return &eventWriter{o: o, id: o.RequestID}
}

// Append appends what an event amounts to, which may be nothing.
func (w *eventWriter) Append(dst []byte, ev *conversation.Event) []byte {
	if w.over {
		return dst
	}
	if ev.UsageKnown {
		w.usage, w.known = ev.Usage, true
	}
	switch ev.Type {
	case conversation.EventPing:
		return Codec{}.AppendKeepAlive(dst)
	case conversation.EventError:
		w.over = true
		return Codec{}.AppendErrorEvent(dst, ev.Error, nil)
	case conversation.EventStart:
		if ev.ID != "" {
			w.id = ev.ID
		}
	case conversation.EventUsage:
		w.usage, w.known = ev.Usage, true
	case conversation.EventBlockStart:
		return w.begin(dst, ev)
	case conversation.EventDelta:
		return w.delta(dst, ev)
	case conversation.EventBlockStop:
		return w.end(dst, ev)
	case conversation.EventStop:
		c := w.choice(ev.Choice)
		c.stop, c.detail = ev.Stop, ev.StopDetail
	case conversation.EventEnd:
		w.over = true
		return w.last(dst)
	}
	return dst
}

func (w *eventWriter) choice(n int) *writing {
	n = min(max(n, 0), maxChoice)
	for len(w.choices) <= n {
		w.choices = append(w.choices, new(writing))
	}
	return w.choices[n]
}

// begin opens a block and writes what is known of it already.
func (w *eventWriter) begin(dst []byte, ev *conversation.Event) []byte {
	c, b := w.choice(ev.Choice), ev.Block
	c.block = *b
	c.block.Text, c.block.Citations = "", nil
	c.arguments, c.signature, c.citations = c.arguments[:0], c.signature[:0], append(c.citations[:0], b.Citations...)
	if b.Kind == conversation.Thinking || b.Origin == origin {
		c.signature = append(c.signature, b.Signature...)
	}
	if b.Kind == conversation.Thinking {
		c.worded = false
		dst = w.flush(dst, ev.Choice)
	}
	switch b.Kind {
	case conversation.Text, conversation.Refusal, conversation.Thinking:
		return w.text(dst, ev.Choice, b.Text, nil)
	case conversation.Call:
		if b.Call != nil {
			c.call = *b.Call
			c.arguments = append(c.arguments, b.Call.Arguments...)
		}
		return dst
	}
	return w.part(dst, ev.Choice, b, false, "")
}

// delta adds to the open block. A delta of another kind than the block's has no place in the stream.
func (w *eventWriter) delta(dst []byte, ev *conversation.Event) []byte {
	c := w.choice(ev.Choice)
	kind := c.block.Kind
	switch ev.Delta {
	case conversation.DeltaText:
		if kind == conversation.Text || kind == conversation.Refusal {
			return w.text(dst, ev.Choice, ev.Text, ev.Logprobs)
		}
	case conversation.DeltaThinking:
		if kind == conversation.Thinking {
			return w.text(dst, ev.Choice, ev.Text, nil)
		}
	case conversation.DeltaArguments:
		c.arguments = append(c.arguments, ev.Text...)
	case conversation.DeltaSignature:
		if kind == conversation.Thinking || c.block.Origin == origin {
			c.signature = append(c.signature, ev.Text...)
		}
	case conversation.DeltaCitation:
		if kind == conversation.Text && ev.Citation != nil {
			c.citations = append(c.citations, *ev.Citation)
		}
	}
	return dst
}

// end closes the open block. A signature of Google comes with an empty text, as it does in Google's own streams, that of
// another vendor with what is written next.
func (w *eventWriter) end(dst []byte, ev *conversation.Event) []byte {
	c := w.choice(ev.Choice)
	b := &c.block
	if ev.Block != nil && len(c.signature) == 0 && (b.Kind == conversation.Thinking || ev.Block.Origin == origin) {
		c.signature, b.Origin = append(c.signature, ev.Block.Signature...), ev.Block.Origin
	}
	b.Signature = string(c.signature)
	switch b.Kind {
	case conversation.Text, conversation.Refusal:
		c.sources.add(0, jsonedit.View(c.said), shifted(c.citations, c.said, c.past))
		c.past = len(c.said)
		if b.Signature != "" {
			dst = w.part(dst, ev.Choice, b, false, "")
		}
	case conversation.Thinking:
		if isProof(b) {
			if c.alone = clientSignature(b); c.worded {
				c.carry = labelled(b, wordedLabel)
			} else {
				c.carry = c.alone
			}
		} else if b.Signature != "" {
			dst = w.part(dst, ev.Choice, b, false, "")
		}
	case conversation.Call:
		c.call.Arguments = jsonedit.View(c.arguments)
		b.Call = &c.call
		dst = w.part(dst, ev.Choice, b, !c.called, c.carry)
		c.called, c.carry = true, ""
	}
	c.block, c.call = conversation.Block{Kind: conversation.Opaque}, conversation.ToolCall{}
	return dst
}

// text writes a piece of the open text or thought, and the log probabilities of its tokens where there are any.
func (w *eventWriter) text(dst []byte, choice int, s string, logprobs []byte) []byte {
	c := w.choice(choice)
	if s == "" && len(logprobs) == 0 || c.block.Redacted {
		return dst
	}
	if c.block.Kind != conversation.Thinking {
		c.said = append(c.said, s...)
	}
	dst = append(dst, `data: {"candidates":[{"content":{"parts":[{"text":`...)
	dst = jsonedit.AppendString(dst, s)
	if c.block.Kind == conversation.Thinking {
		dst, c.worded = append(dst, `,"thought":true`...), true
	} else if c.carry != "" && s != "" {
		dst, c.carry = jsonedit.AppendStringMember(dst, "thoughtSignature", c.carry), ""
	}
	dst = append(dst, `}],"role":"model"}`...)
	if len(logprobs) > 0 {
		dst = appendLogprobs(dst, gjson.Parse("["+jsonedit.View(logprobs)+"]"))
	}
	return w.close(dst, choice)
}

// flush writes a signature that found nothing to go with.
func (w *eventWriter) flush(dst []byte, choice int) []byte {
	c := w.choice(choice)
	if c.carry == "" {
		return dst
	}
	dst = appendProof(append(dst, `data: {"candidates":[{"content":{"parts":[`...), c.alone)
	c.carry = ""
	return w.close(append(dst, `],"role":"model"}`...), choice)
}

// part writes a block in one piece.
func (w *eventWriter) part(dst []byte, choice int, b *conversation.Block, first bool, carry string) []byte {
	before := len(dst)
	dst = append(dst, `data: {"candidates":[{"content":{"parts":[`...)
	start := len(dst)
	if dst = appendPart(dst, b, first, carry); len(dst) == start {
		return dst[:before]
	}
	oneLine(dst[start:])
	return w.close(append(dst, `],"role":"model"}`...), choice)
}

// close ends a chunk of one candidate.
func (w *eventWriter) close(dst []byte, choice int) []byte {
	dst = append(jsonedit.AppendIntMember(dst, "index", int64(choice)), "}]"...)
	return w.sign(dst)
}

// sign ends a chunk.
func (w *eventWriter) sign(dst []byte) []byte {
	if w.id == "" {
		w.id = rand.Text()
	}
	return append(appendIdentity(dst, w.id, w.o.Model), "}\r\n\r\n"...)
}

// last writes the chunk that ends the stream. An answer that ended without a word is one all the same.
func (w *eventWriter) last(dst []byte) []byte {
	if len(w.choices) == 0 {
		w.choice(0)
	}
	for i := range w.choices {
		dst = w.flush(dst, i)
	}
	dst = append(dst, `data: {"candidates":[`...)
	for i, c := range w.choices {
		dst = append(jsonedit.AppendComma(dst), `{"content":{"parts":[{"text":""}],"role":"model"}`...)
		dst = appendFinish(dst, c.stop, c.detail)
		dst = c.sources.append(dst)
		dst = append(jsonedit.AppendIntMember(dst, "index", int64(i)), '}')
	}
	dst = append(dst, ']')
	if w.known {
		dst = appendUsage(jsonedit.AppendKey(dst, "usageMetadata"), w.usage)
	}
	return w.sign(dst)
}

// oneLine replaces the line ends of a JSON document, which would end the line of an event. Inside of strings they are
// escaped anyway.
func oneLine(doc []byte) {
	for i, c := range doc {
		if c == '\n' || c == '\r' {
			doc[i] = ' '
		}
	}
}

var _ dialects.EventWriter = (*eventWriter)(nil)

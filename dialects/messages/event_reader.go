package messages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// eventReader turns a stream into neutral events. Its output keeps the grammar even where the input does not: blocks
// are numbered as they come, a block that is never stopped is closed by the next, and there is one start and one stop.
type eventReader struct {
	event  event
	counts counts
	told   dialects.Reported // may fall, when the history is compacted

	started, ended bool
	open           bool // a block is open
	index          int  // of the open block, or of the next one
	kind           conversation.Kind

	// A block that only this dialect understands is held back until it is complete.
	opaque  []byte // as content_block_start has it
	partial []byte // its deltas: JSON text of the input, or a text for content

	stop stop
}

// NewEventReader returns a reader for one stream.
func (Codec) NewEventReader() dialects.EventReader { return &eventReader{} }

// Read reads one frame. Events it does not know are skipped; data that is no JSON object is an error.
func (r *eventReader) Read(ev sse.Event, out []conversation.Event) ([]conversation.Event, error) {
	if r.ended || len(ev.Data) == 0 {
		return out, nil
	}
	if err := r.event.scan(ev.Data); err != nil {
		return out, fmt.Errorf("the provider sent an event that is not valid: %w", err)
	}
	switch r.event.name(ev.Name) {
	case "content_block_delta":
		out = r.delta(out)
	case "content_block_start":
		out = r.blockStart(out, r.event.read("content_block"))
	case "content_block_stop":
		out = r.blockStop(out)
	case "message_start":
		out = r.messageStart(out, r.event.read("message"))
	case "message_delta":
		out = r.messageDelta(out)
	case "message_stop":
		out = r.messageStop(out)
	case "ping":
		out = append(out, conversation.Event{Type: conversation.EventPing})
	case "error":
		r.ended = true
		out = append(out, conversation.Event{Type: conversation.EventError, Error: streamError(ev.Data)})
	}
	return out, nil
}

// End reports a stream that was cut off.
func (r *eventReader) End(out []conversation.Event) ([]conversation.Event, error) {
	if !r.ended {
		return out, dialects.ErrTruncated
	}
	return out, nil
}

// messageStart reads the head of the message. In turns of programmatic tool calling the whole content is in it, and the
// stop reason, too.
func (r *eventReader) messageStart(out []conversation.Event, in *jsonedit.Reader) []conversation.Event {
	start := conversation.Event{Type: conversation.EventStart}
	var content jsonedit.Mark
	var stop stop
	for ok := in.Object(); ok; ok = in.Next() {
		switch key := in.Key(); key {
		case "id":
			start.ID = clone(in)
		case "model":
			start.Model = clone(in)
		case "content":
			content = in.Mark()
		case "usage":
			r.counts.merge(in)
		default:
			stop.read(key, in)
		}
	}
	if r.started {
		return out
	}
	r.started = true
	r.told = r.counts.told()
	start.Usage, start.UsageKnown = r.told.Usage, r.told.UsageKnown
	out = append(out, start)
	in.Seek(content)
	for ok := in.Array(); ok; ok = in.Next() {
		out = r.blockStop(r.blockStart(out, in))
	}
	r.stop.merge(stop)
	return out
}

// blockStart opens a block. What it says already goes out as deltas, so that writers need to know but one way.
func (r *eventReader) blockStart(out []conversation.Event, in *jsonedit.Reader) []conversation.Event {
	if out = r.blockStop(out); in.Peek() != '{' {
		return out
	}
	r.open = true
	b := responseBlock(in)
	r.kind = b.Kind
	start := conversation.Event{Type: conversation.EventBlockStart, Index: r.index, Block: &b}
	switch b.Kind {
	case conversation.Call:
		input := b.Call.Arguments
		b.Call.Arguments = ""
		b.Call.ID, b.Call.Name = strings.Clone(b.Call.ID), strings.Clone(b.Call.Name)
		b.Raw, b.Origin = nil, "" // it would lack the arguments
		out = append(out, start)
		if emptyObject(input) {
			return out
		}
		return r.say(out, conversation.DeltaArguments, input)
	case conversation.Text:
		text, citations := b.Text, b.Citations
		b.Text, b.Citations = "", nil
		out = r.say(append(out, start), conversation.DeltaText, text)
		for i := range citations {
			citations[i].Raw = append(json.RawMessage(nil), citations[i].Raw...)
			out = append(out, conversation.Event{
				Type: conversation.EventDelta, Index: r.index, Delta: conversation.DeltaCitation, Citation: &citations[i],
			})
		}
		return out
	case conversation.Thinking:
		text, sig := b.Text, b.Signature
		b.Signature = strings.Clone(sig)
		b.Text = ""
		if !b.Redacted {
			b.Signature = ""
		}
		out = r.say(append(out, start), conversation.DeltaThinking, text)
		if b.Redacted {
			return out
		}
		return r.say(out, conversation.DeltaSignature, sig)
	}
	r.kind = conversation.Opaque
	r.opaque = append(r.opaque[:0], b.Raw...)
	r.partial = r.partial[:0]
	return out
}

// say appends a delta, unless it is empty.
func (r *eventReader) say(out []conversation.Event, t conversation.DeltaType, text string) []conversation.Event {
	if text == "" {
		return out
	}
	return append(out, conversation.Event{Type: conversation.EventDelta, Index: r.index, Delta: t, Text: text})
}

// delta adds to the open block. Empty deltas say nothing, and neither do those outside of a block.
func (r *eventReader) delta(out []conversation.Event) []conversation.Event {
	d := r.event.delta()
	if !r.open {
		return out
	}
	if r.kind == conversation.Opaque {
		r.partial = append(r.partial, d.text...)
		return out
	}
	var t conversation.DeltaType
	switch d.kind {
	case "text_delta":
	case "input_json_delta":
		t = conversation.DeltaArguments
	case "thinking_delta":
		t = conversation.DeltaThinking
	case "signature_delta":
		t = conversation.DeltaSignature
	case "citations_delta":
		in := r.event.read("delta")
		in.Seek(d.citation)
		in = new(jsonedit.NewReader(bytes.Clone(in.Raw()))) // the citation is kept
		c := decodeCitation(in)
		return append(out, conversation.Event{
			Type: conversation.EventDelta, Index: r.index, Delta: conversation.DeltaCitation, Citation: &c,
		})
	default:
		return out
	}
	return r.say(out, t, d.text)
}

func (r *eventReader) blockStop(out []conversation.Event) []conversation.Event {
	if !r.open {
		return out
	}
	if r.kind == conversation.Opaque {
		out = append(out, conversation.Event{
			Type: conversation.EventBlockStart, Index: r.index,
			Block: &conversation.Block{Kind: conversation.Opaque, Raw: r.wholeBlock(), Origin: origin},
		})
	}
	out = append(out, conversation.Event{Type: conversation.EventBlockStop, Index: r.index})
	r.open = false
	r.index++
	return out
}

// wholeBlock is the opaque block with its deltas put in their place: input for calls of server tools, content for
// compactions.
func (r *eventReader) wholeBlock() json.RawMessage {
	if len(r.partial) == 0 {
		return append(json.RawMessage(nil), r.opaque...)
	}
	in := jsonedit.NewReader(r.opaque)
	key, value := "input", r.partial
	switch {
	case in.Get("input") == 0:
		key, value = "content", jsonedit.AppendString(nil, r.partial)
	case jsonedit.Validate(value, jsonedit.Limits{}) != nil:
		value = []byte("{}")
	}
	out := appendWithout(nil, r.opaque, key)
	if out = out[:len(out)-1]; len(out) > 1 { // it had other members
		out = append(out, ',')
	}
	out = append(append(append(out, '"'), key...), `":`...)
	return append(append(out, value...), '}')
}

func (r *eventReader) messageDelta(out []conversation.Event) []conversation.Event {
	var stop stop
	in := r.event.read("delta")
	for ok := in.Object(); ok; ok = in.Next() {
		stop.read(in.Key(), in)
	}
	r.stop.merge(stop)
	usage := r.event.read("usage")
	if usage.Peek() != '{' {
		return out
	}
	r.counts.merge(usage)
	if told := r.counts.told(); !told.UsageInvalid {
		r.told = told
	}
	return append(out, conversation.Event{Type: conversation.EventUsage, Usage: r.told.Usage, UsageKnown: r.told.UsageKnown})
}

func (r *eventReader) messageStop(out []conversation.Event) []conversation.Event {
	out = r.blockStop(out)
	r.ended = true
	return append(out,
		conversation.Event{
			Type: conversation.EventStop, Stop: r.stop.reason, StopSequence: r.stop.sequence, StopDetail: r.stop.detail,
		},
		conversation.Event{Type: conversation.EventEnd})
}

// clone copies a string out of the buffer of an event.
func clone(in *jsonedit.Reader) string {
	s, _ := in.Text()
	return strings.Clone(s)
}

// emptyObject recognizes the {} that a streamed call starts with.
func emptyObject(input string) bool {
	in := jsonedit.NewReader([]byte(input))
	return !in.Object()
}

var _ dialects.EventReader = (*eventReader)(nil)

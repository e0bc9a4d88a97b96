package ollama

import (
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// eventReader implements [dialects.EventReader].
type eventReader struct {
	in             jsonedit.Reader
	started, ended bool

	open   bool // there is an open block
	kind   conversation.Kind
	index  int // of the open block, or the next one
	called bool
	// logprobs are those that wait for their text, which may come some lines later; sent says that they were handed over.
	logprobs []byte
	sent     bool
}

// Read implements [dialects.EventReader].
func (r *eventReader) Read(ev sse.Event, out []conversation.Event) ([]conversation.Event, error) {
	switch {
	case r.ended || len(ev.Data) == 0:
		return out, nil
	case !valid(ev.Data):
		if ev.Incomplete {
			return out, nil // End tells that the stream was cut
		}
		return out, errNotJSON
	}
	r.in.Reset(ev.Data)
	defer r.in.Stop()
	d := readDocument(&r.in)
	if d.failure != "" {
		r.ended = true
		return append(out, conversation.Event{Type: conversation.EventError, Error: inStream(d.status, d.failure)}), nil
	}
	if !r.started {
		r.started = true
		out = append(out, conversation.Event{Type: conversation.EventStart, Model: strings.Clone(d.model), Created: d.unix()})
	}
	out = r.message(&d, out)
	if d.done {
		out = r.finish(&d, out)
	}
	return out, nil
}

// End implements [dialects.EventReader]: only a line that says so ends a stream.
func (r *eventReader) End(out []conversation.Event) ([]conversation.Event, error) {
	if r.ended {
		return out, nil
	}
	return out, dialects.ErrTruncated
}

// collect takes the log probabilities of a line. Those of thoughts are nobody's.
func (r *eventReader) collect(d *document, m *message) {
	if r.sent {
		r.logprobs, r.sent = r.logprobs[:0], false
	}
	if m.thinking != "" && m.content == "" {
		return
	}
	r.in.Seek(d.logprobs)
	for ok := r.in.Array(); ok; ok = r.in.Next() {
		r.logprobs = appendLogprob(r.logprobs, &r.in)
	}
}

func (r *eventReader) message(d *document, out []conversation.Event) []conversation.Event {
	in := &r.in
	in.Seek(d.message)
	m := readMessage(in)
	r.collect(d, &m)
	out = r.say(conversation.Thinking, m.thinking, out)
	if out = r.say(conversation.Text, m.content, out); m.content != "" && len(r.logprobs) > 0 {
		out[len(out)-1].Logprobs, r.sent = r.logprobs, true
	}
	in.Seek(m.calls)
	for ok := in.Array(); ok; ok = in.Next() {
		out = r.call(readCall(in), out)
	}
	return out
}

// say appends a piece of a text or thought, in a block of its own unless one of its kind is open.
func (r *eventReader) say(kind conversation.Kind, text string, out []conversation.Event) []conversation.Event {
	if text == "" {
		return out
	}
	if !r.open || r.kind != kind {
		b := &conversation.Block{Kind: kind}
		if kind == conversation.Thinking {
			b.Origin = origin
		}
		out = r.begin(b, r.close(out))
	}
	delta := conversation.DeltaText
	if kind == conversation.Thinking {
		delta = conversation.DeltaThinking
	}
	return append(out, r.delta(delta, text))
}

func (r *eventReader) call(c conversation.ToolCall, out []conversation.Event) []conversation.Event {
	r.called = true
	call := &conversation.ToolCall{ID: strings.Clone(c.ID), Name: strings.Clone(c.Name)}
	out = r.begin(&conversation.Block{Kind: conversation.Call, Call: call}, r.close(out))
	if c.Arguments != "" {
		out = append(out, r.delta(conversation.DeltaArguments, c.Arguments))
	}
	return r.close(out)
}

func (r *eventReader) finish(d *document, out []conversation.Event) []conversation.Event {
	r.ended = true
	out = r.close(out)
	if u := d.usage(); u.UsageKnown {
		out = append(out, conversation.Event{Type: conversation.EventUsage, Usage: u.Usage, UsageKnown: true})
	}
	stop := stopReason(d.reason, r.called)
	return append(out, conversation.Event{Type: conversation.EventStop, Stop: stop}, conversation.Event{Type: conversation.EventEnd})
}

func (r *eventReader) begin(b *conversation.Block, out []conversation.Event) []conversation.Event {
	r.open, r.kind = true, b.Kind
	return append(out, conversation.Event{Type: conversation.EventBlockStart, Index: r.index, Block: b})
}

func (r *eventReader) delta(kind conversation.DeltaType, text string) conversation.Event {
	return conversation.Event{Type: conversation.EventDelta, Index: r.index, Delta: kind, Text: text}
}

// close ends the open block, if there is one. A thought ends with what says whose it is.
func (r *eventReader) close(out []conversation.Event) []conversation.Event {
	if !r.open {
		return out
	}
	if r.kind == conversation.Thinking {
		out = append(out, r.delta(conversation.DeltaSignature, signThought))
	}
	out = append(out, conversation.Event{Type: conversation.EventBlockStop, Index: r.index})
	r.open = false
	r.index++
	return out
}

var _ dialects.EventReader = (*eventReader)(nil)

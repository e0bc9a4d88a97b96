package chatcompletions

import (
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// choiceReader puts the pieces of one answer in order: blocks one after the other, none of them overlapping.
//
// Pieces of parallel tool calls may come interleaved. The first track in the queue streams; the others collect what
// comes for them until those before them are complete.
type choiceReader struct {
	r       *eventReader
	n       int
	index   int // of the block that streams, or the next one
	queue   []*track
	calls   []*track // all of them, also closed ones
	made    int      // IDs made up
	refused bool
	stop    conversation.StopReason
	// held are citations that came before the text they belong to.
	held []conversation.Citation
}

// begun reports whether the answer has any content yet.
func (c *choiceReader) begun() bool { return c.index > 0 || len(c.queue) > 0 }

// hold keeps a citation until there is a text.
func (c *choiceReader) hold(cite conversation.Citation) { c.held = append(c.held, keepCitation(cite)) }

// keepCitation copies what points into the reader's buffer.
func keepCitation(c conversation.Citation) conversation.Citation {
	c.URL, c.Title, c.Quote = strings.Clone(c.URL), strings.Clone(c.Title), strings.Clone(c.Quote)
	return c
}

// read appends the events of one delta.
func (c *choiceReader) read(in *jsonedit.Reader, out []conversation.Event) []conversation.Event {
	m := readDelta(in)
	out = c.text(conversation.Thinking, m.reasoning, out)
	m.forEachText(in, func(kind conversation.Kind, s string) { out = c.text(kind, s, out) })
	out = c.text(conversation.Refusal, m.refusal, out)
	c.refused = c.refused || m.refusal != ""
	in.Seek(m.annotations)
	for ok := in.Array(); ok; ok = in.Next() {
		if cite := readCitation(in); cite.URL != "" {
			c.hold(cite)
		}
	}
	out = c.release(out)
	m.forEachCall(in, func(f *callFragment) { out = c.call(f, out) })
	return out
}

// text adds a piece of text to the last track, or to a new one when that is of another kind.
func (c *choiceReader) text(kind conversation.Kind, s string, out []conversation.Event) []conversation.Event {
	if s == "" {
		return out
	}
	n := len(c.queue)
	if n == 0 || c.queue[n-1].kind != kind {
		out = c.push(&track{kind: kind}, out)
		n = len(c.queue)
	}
	t := c.queue[n-1]
	if n > 1 {
		t.buf = append(t.buf, s...)
		return out
	}
	return append(out, c.delta(t, s))
}

func (c *choiceReader) delta(t *track, s string) conversation.Event {
	return conversation.Event{Type: conversation.EventDelta, Choice: c.n, Index: c.index, Delta: t.delta(), Text: s}
}

// call adds a fragment to the call it belongs to.
func (c *choiceReader) call(f *callFragment, out []conversation.Event) []conversation.Event {
	t := c.find(f)
	if t == nil {
		if f.name == "" && f.arguments == "" && f.id == "" {
			return out // Snowflake fills in empty calls
		}
		t = &track{kind: conversation.Call, wire: f.index}
		t.merge(f)
		c.calls = append(c.calls, t)
		out = c.push(t, out)
	}
	if t.closed {
		return out // its arguments were complete: what can come is white space
	}
	t.merge(f)
	t.buf = append(t.buf, f.arguments...)
	if c.queue[0] != t {
		return out
	}
	out = c.advance(t, out)
	return c.promote(out)
}

// find returns the call that a fragment continues, or nil.
func (c *choiceReader) find(f *callFragment) *track {
	for i := len(c.calls) - 1; i >= 0; i-- {
		t := c.calls[i]
		if f.index >= 0 && t.wire != f.index {
			continue
		}
		if t.continues(f) {
			return t
		}
		return nil
	}
	return nil
}

// push adds a track. Those before it are closed if they are complete.
func (c *choiceReader) push(t *track, out []conversation.Event) []conversation.Event {
	c.queue = append(c.queue, t)
	if len(c.queue) == 1 {
		return c.advance(t, out)
	}
	return c.promote(out)
}

// promote closes complete tracks for as long as others wait behind them.
func (c *choiceReader) promote(out []conversation.Event) []conversation.Event {
	for len(c.queue) > 1 && c.queue[0].complete() {
		out = c.close(out)
		out = c.advance(c.queue[0], out)
	}
	return out
}

// advance starts the first track, if its name is known, and sends what it has collected.
func (c *choiceReader) advance(t *track, out []conversation.Event) []conversation.Event {
	if !t.started && (t.kind != conversation.Call || t.name != "") {
		out = c.start(t, out)
	}
	if t.started && t.sent < len(t.buf) {
		out = append(out, c.delta(t, jsonedit.View(t.buf[t.sent:])))
		t.sent = len(t.buf)
	}
	return out
}

func (c *choiceReader) start(t *track, out []conversation.Event) []conversation.Event {
	t.started = true
	if t.kind == conversation.Call && t.id == "" {
		c.made++
	}
	block := t.block(c.r, c.n, c.made-1)
	return append(out, conversation.Event{Type: conversation.EventBlockStart, Choice: c.n, Index: c.index, Block: block})
}

// close ends the first track.
func (c *choiceReader) close(out []conversation.Event) []conversation.Event {
	t := c.queue[0]
	if !t.started {
		out = c.start(t, out) // a call that never got a name
		out = c.advance(t, out)
	}
	out = c.releaseTo(t, out)
	t.closed = true
	c.queue = c.queue[1:]
	out = append(out, conversation.Event{Type: conversation.EventBlockStop, Choice: c.n, Index: c.index})
	c.index++
	return out
}

// flush ends all tracks.
func (c *choiceReader) flush(out []conversation.Event) []conversation.Event {
	for len(c.queue) > 0 {
		out = c.advance(c.queue[0], out)
		out = c.close(out)
	}
	return out
}

// release sends citations that were held back, if a text is streaming.
func (c *choiceReader) release(out []conversation.Event) []conversation.Event {
	if len(c.held) == 0 || len(c.queue) == 0 {
		return out
	}
	return c.releaseTo(c.queue[0], out)
}

func (c *choiceReader) releaseTo(t *track, out []conversation.Event) []conversation.Event {
	if t.kind != conversation.Text || !t.started {
		return out
	}
	for i := range c.held {
		out = append(out, conversation.Event{
			Type: conversation.EventDelta, Choice: c.n, Index: c.index, Delta: conversation.DeltaCitation, Citation: &c.held[i],
		})
	}
	c.held = nil
	return out
}

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
	// sequence is the stop sequence that was found.
	sequence string
	// late are blocks that came whole while another one was open, and that go after all others.
	late []conversation.Block
	// sound and transcript are an answer in audio, which comes in pieces of no use by themselves.
	sound, transcript []byte
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
	in.Seek(m.details)
	thought := false
	for ok := in.Array(); ok; ok = in.Next() {
		d := readDetail(in)
		out = c.detail(&d, out)
		thought = thought || d.text != ""
	}
	if !thought {
		out = c.text(conversation.Thinking, m.reasoning, out)
	}
	m.forEachText(in, func(kind conversation.Kind, s string) { out = c.text(kind, s, out) })
	out = c.text(conversation.Refusal, m.refusal, out)
	c.refused = c.refused || m.refusal != ""
	in.Seek(m.annotations)
	for ok := in.Array(); ok; ok = in.Next() {
		if cite := readCitation(in); isCited(&cite) {
			c.hold(cite)
		}
	}
	out = c.release(out)
	m.forEachCall(in, func(f *callFragment) { out = c.call(f, out) })
	in.Seek(m.images)
	forEachImage(in, func(b conversation.Block) { c.late = append(c.late, keepImage(b)) })
	in.Seek(m.audio)
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "data":
			s, _ := in.Text()
			c.sound = append(c.sound, s...)
		case "transcript":
			s, _ := in.Text()
			c.transcript = append(c.transcript, s...)
		}
	}
	return out
}

// keepImage copies what points into the reader's buffer.
func keepImage(b conversation.Block) conversation.Block {
	m := *b.Media
	m.URL, m.Data, m.MIME = strings.Clone(m.URL), strings.Clone(m.Data), strings.Clone(m.MIME)
	b.Media = &m
	return b
}

// detail adds a piece of an entry of reasoning_details. One that comes when the thoughts are over, such as the signature
// of a text that is being written, goes after the text: it is opaque, and its place says nothing.
func (c *choiceReader) detail(d *thoughtDetail, out []conversation.Event) []conversation.Event {
	if d.text == "" && d.signature == "" {
		return out
	}
	var t *track
	if n := len(c.queue); n > 0 {
		t = c.queue[n-1]
	}
	if d.text == "" && t != nil && t.kind != conversation.Thinking || d.kind == encryptedDetail {
		b := d.block()
		b.Signature, b.Origin = strings.Clone(b.Signature), strings.Clone(b.Origin)
		if t != nil && t.kind != conversation.Thinking {
			c.late = append(c.late, b)
			return out
		}
		return c.push(&track{kind: b.Kind, whole: &b}, out)
	}
	if t == nil || t.kind != conversation.Thinking || t.whole != nil || t.detail != "" && !d.continues(t.detail, t.entry) {
		t = &track{kind: conversation.Thinking}
		out = c.push(t, out)
	}
	if t.detail == "" {
		t.detail, t.entry = strings.Clone(d.kind), d.index
	}
	if d.signature != "" {
		from, signature := d.seal()
		t.from, t.signature = strings.Clone(from), strings.Clone(signature)
	}
	return c.append(t, d.text, out)
}

// append adds a piece of text to the last track.
func (c *choiceReader) append(t *track, s string, out []conversation.Event) []conversation.Event {
	switch {
	case s == "":
		return out
	case len(c.queue) > 1:
		t.buf = append(t.buf, s...)
		return out
	}
	return append(out, c.delta(t, s))
}

// text adds a piece of text to the last track, or to a new one when that is of another kind.
func (c *choiceReader) text(kind conversation.Kind, s string, out []conversation.Event) []conversation.Event {
	if s == "" {
		return out
	}
	n := len(c.queue)
	if n == 0 || c.queue[n-1].kind != kind || c.queue[n-1].whole != nil {
		out = c.push(&track{kind: kind}, out)
		n = len(c.queue)
	}
	return c.append(c.queue[n-1], s, out)
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
	stop := conversation.Event{Type: conversation.EventBlockStop, Choice: c.n, Index: c.index}
	switch {
	case t.signature == "":
	case t.from == origin:
		out = append(out, conversation.Event{
			Type: conversation.EventDelta, Choice: c.n, Index: c.index, Delta: conversation.DeltaSignature, Text: t.signature,
		})
	default:
		stop.Block = &conversation.Block{Kind: t.kind, Signature: t.signature, Origin: t.from}
	}
	out = append(out, stop)
	c.index++
	return out
}

// flush ends all tracks.
func (c *choiceReader) flush(out []conversation.Event) []conversation.Event {
	for len(c.queue) > 0 {
		out = c.advance(c.queue[0], out)
		out = c.close(out)
	}
	if len(c.sound) > 0 {
		media := &conversation.Media{Data: string(c.sound)}
		c.late = append(c.late, conversation.Block{Kind: conversation.Audio, Media: media, Text: string(c.transcript)})
	}
	for i := range c.late {
		out = c.push(&track{kind: c.late[i].Kind, whole: &c.late[i]}, out)
		out = c.close(out)
	}
	return c.cite(out)
}

// cite gives the citations that came after the text they belong to, or without any, an empty text to stand on. They say
// where in the answer, which is nowhere in this one.
func (c *choiceReader) cite(out []conversation.Event) []conversation.Event {
	if len(c.held) == 0 {
		return out
	}
	for i := range c.held {
		c.held[i].Start, c.held[i].End = 0, 0
	}
	return c.close(c.push(&track{kind: conversation.Text}, out))
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

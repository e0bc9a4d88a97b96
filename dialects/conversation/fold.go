package conversation

import (
	"bytes"
	"encoding/json"
	"iter"
)

// Events returns the stream that would have ended in r, for clients that asked for a stream of a provider that answered
// in one piece.
func (r *Response) Events() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		if !yield(Event{Type: EventStart, ID: r.ID, Model: r.Model, Created: r.Created, Usage: r.Usage, UsageKnown: r.UsageKnown}) {
			return
		}
		for i := range r.Choices {
			if !r.Choices[i].events(i, yield) {
				return
			}
		}
		if r.UsageKnown && !yield(Event{Type: EventUsage, Usage: r.Usage, UsageKnown: true}) {
			return
		}
		yield(Event{Type: EventEnd})
	}
}

func (c *Choice) events(choice int, yield func(Event) bool) bool {
	logprobs := c.tokens()
	for i := range c.Blocks {
		b := &c.Blocks[i]
		start := Event{Type: EventBlockStart, Choice: choice, Index: i, Block: b.opening()}
		if !yield(start) {
			return false
		}
		for _, ev := range b.deltas() {
			ev.Type, ev.Choice, ev.Index = EventDelta, choice, i
			if b.Kind == Text && ev.Delta == DeltaText {
				ev.Logprobs, logprobs = logprobs, nil
			}
			if !yield(ev) {
				return false
			}
		}
		if !yield(Event{Type: EventBlockStop, Choice: choice, Index: i}) {
			return false
		}
	}
	return yield(Event{Type: EventStop, Choice: choice, Stop: c.Stop, StopSequence: c.StopSequence, StopDetail: c.StopDetail})
}

// tokens are the log probabilities of the answer's text, as events have them. All of them belong to its first text: which
// token is whose is not told.
func (c *Choice) tokens() json.RawMessage {
	var l struct{ Content json.RawMessage }
	if c.Logprobs == nil || json.Unmarshal(c.Logprobs, &l) != nil || len(l.Content) < 3 || l.Content[0] != '[' {
		return nil
	}
	return bytes.TrimSpace(l.Content[1 : len(l.Content)-1])
}

// opening is the block as a stream announces it: without what its deltas will bring.
func (b *Block) opening() *Block {
	o := *b
	switch b.Kind {
	case Text, Refusal:
		o.Text, o.Citations = "", nil
	case Thinking:
		if !b.Redacted {
			o.Text, o.Signature = "", ""
		}
	case Call:
		call := *b.Call
		call.Arguments = ""
		o.Call = &call
	}
	return &o
}

func (b *Block) deltas() []Event {
	var out []Event
	switch {
	case b.Kind == Text || b.Kind == Refusal:
		if b.Text != "" {
			out = append(out, Event{Delta: DeltaText, Text: b.Text})
		}
		for i := range b.Citations {
			out = append(out, Event{Delta: DeltaCitation, Citation: &b.Citations[i]})
		}
	case b.Kind == Thinking && !b.Redacted:
		if b.Text != "" {
			out = append(out, Event{Delta: DeltaThinking, Text: b.Text})
		}
		if b.Signature != "" {
			out = append(out, Event{Delta: DeltaSignature, Text: b.Signature})
		}
	case b.Kind == Call && b.Call.Arguments != "":
		out = append(out, Event{Delta: DeltaArguments, Text: b.Call.Arguments})
	}
	return out
}

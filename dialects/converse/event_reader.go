package converse

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// eventReader turns a stream into neutral events. Only calls announce their block; that of a text or of thinking is
// opened by its first delta. The usage comes after the stop reason, so both are held back until it is there.
type eventReader struct {
	in     jsonedit.Reader
	counts counts

	started, stopped, metered, ended bool

	open    bool  // a block is open
	index   int   // of the open block, or of the next one
	theirs  int64 // the provider's number of the open block
	kind    conversation.Kind
	unnamed bool // the open block is one that no client could be given

	redacted []byte // redacted thinking, held back until it is complete

	stop                     conversation.StopReason
	stopSequence, stopDetail string
}

// NewEventReader returns a reader for one stream.
func (Codec) NewEventReader() dialects.EventReader { return &eventReader{} }

// Read reads one frame. Events it does not know are skipped; data that is no JSON object is an error.
func (r *eventReader) Read(ev sse.Event, out []conversation.Event) ([]conversation.Event, error) {
	if r.ended {
		return out, nil
	}
	if isError(ev.Name) {
		r.ended = true
		return append(out, conversation.Event{Type: conversation.EventError, Error: frameError(ev.Name, ev.Data)}), nil
	}
	if len(ev.Data) == 0 {
		return out, nil
	}
	if err := jsonedit.Validate(ev.Data, jsonedit.Limits{}); err != nil {
		return out, fmt.Errorf("the provider sent an event that is not valid: %w", err)
	}
	r.in.Reset(ev.Data)
	switch jsonedit.View(ev.Name) {
	case "contentBlockDelta":
		out = r.delta(r.start(out))
	case "contentBlockStart":
		out = r.blockStart(r.start(out))
	case "contentBlockStop":
		out = r.blockStop(out)
	case "messageStart":
		out = r.start(out)
	case "messageStop":
		out = r.messageStop(r.start(out))
	case "metadata":
		out = r.metadata(r.start(out))
	}
	return out, nil
}

// End ends a stream whose usage never came, and reports one that was cut off.
func (r *eventReader) End(out []conversation.Event) ([]conversation.Event, error) {
	switch {
	case r.ended:
		return out, nil
	case r.stopped:
		return r.finish(out), nil
	}
	return out, dialects.ErrTruncated
}

func (r *eventReader) start(out []conversation.Event) []conversation.Event {
	if r.started {
		return out
	}
	r.started = true
	return append(out, conversation.Event{Type: conversation.EventStart})
}

// blockStart opens the block of a call. Those of the model's own tools are left out, as in whole answers.
func (r *eventReader) blockStart(out []conversation.Event) []conversation.Event {
	if r.stopped {
		return out
	}
	out = r.blockStop(out)
	var call *conversation.ToolCall
	ours, theirs := false, false
	for ok := r.in.Object(); ok; ok = r.in.Next() {
		switch r.in.Key() {
		case "contentBlockIndex":
			blockNumber(&r.theirs, &r.in)
		case "start":
			for ok := r.in.Object(); ok; ok = r.in.Next() {
				if r.in.Key() == "toolUse" {
					call, ours = readCall(&r.in)
				}
				theirs = !ours
			}
		}
	}
	if !ours {
		r.open, r.unnamed = theirs, theirs
		return out
	}
	c := conversation.ToolCall{ID: strings.Clone(call.ID), Name: strings.Clone(call.Name)}
	return r.begin(out, &conversation.Block{Kind: conversation.Call, Call: &c})
}

func (r *eventReader) begin(out []conversation.Event, b *conversation.Block) []conversation.Event {
	r.open, r.unnamed, r.kind = true, false, b.Kind
	return append(out, conversation.Event{Type: conversation.EventBlockStart, Index: r.index, Block: b})
}

// delta adds to the open block, or opens one.
func (r *eventReader) delta(out []conversation.Event) []conversation.Event {
	if r.stopped {
		return out
	}
	var delta jsonedit.Mark
	theirs := r.theirs
	for ok := r.in.Object(); ok; ok = r.in.Next() {
		switch r.in.Key() {
		case "contentBlockIndex":
			blockNumber(&theirs, &r.in)
		case "delta":
			delta = r.in.Mark()
		}
	}
	if r.open && theirs != r.theirs {
		out = r.blockStop(out)
	}
	r.theirs = theirs
	r.in.Seek(delta)
	for ok := r.in.Object(); ok; ok = r.in.Next() {
		switch r.in.Key() {
		case "text":
			text, _ := r.in.Text()
			out = r.say(out, conversation.Text, conversation.DeltaText, text)
		case "toolUse":
			out = r.say(out, conversation.Call, conversation.DeltaArguments, textIn(&r.in, "input"))
		case "reasoningContent":
			out = r.reasoning(out)
		case "citation":
			if out = r.ensure(out, conversation.Text); r.kind == conversation.Text && !r.unnamed {
				c := readCitation(&r.in)
				c.URL, c.Title, c.Quote = strings.Clone(c.URL), strings.Clone(c.Title), strings.Clone(c.Quote)
				out = append(out, conversation.Event{Type: conversation.EventDelta, Index: r.index, Delta: conversation.DeltaCitation, Citation: &c})
			}
		}
	}
	return out
}

func (r *eventReader) reasoning(out []conversation.Event) []conversation.Event {
	for ok := r.in.Object(); ok; ok = r.in.Next() {
		switch r.in.Key() {
		case "text":
			text, _ := r.in.Text()
			out = r.say(out, conversation.Thinking, conversation.DeltaThinking, text)
		case "signature":
			text, _ := r.in.Text()
			out = r.say(out, conversation.Thinking, conversation.DeltaSignature, text)
		case "redactedContent":
			data, _ := r.in.Text()
			if data == "" {
				continue
			}
			if r.open && r.redacted == nil && !r.unnamed {
				out = r.blockStop(out)
			}
			r.open = true
			r.redacted = appendBlob(r.redacted, data)
		}
	}
	return out
}

// appendBlob appends the bytes of a piece of a blob. What is no base64 is kept as it stands.
func appendBlob(dst []byte, data string) []byte {
	if out, err := base64.StdEncoding.AppendDecode(dst, []byte(data)); err == nil {
		return out
	}
	return append(dst, data...)
}

// say appends a delta for a block of that kind, unless it is empty.
func (r *eventReader) say(out []conversation.Event, k conversation.Kind, d conversation.DeltaType, text string) []conversation.Event {
	if text == "" {
		return out
	}
	if out = r.ensure(out, k); r.unnamed || r.kind != k {
		return out
	}
	return append(out, conversation.Event{Type: conversation.EventDelta, Index: r.index, Delta: d, Text: text})
}

// ensure opens a block of that kind unless one is open. Calls cannot be opened so: they have names.
func (r *eventReader) ensure(out []conversation.Event, k conversation.Kind) []conversation.Event {
	if r.open && (r.unnamed || r.kind == k && r.redacted == nil) || k == conversation.Call {
		return out
	}
	b := &conversation.Block{Kind: k}
	if k == conversation.Thinking {
		b.Origin = origin
	}
	return r.begin(r.blockStop(out), b)
}

func (r *eventReader) blockStop(out []conversation.Event) []conversation.Event {
	if !r.open {
		return out
	}
	r.open = false
	if r.redacted != nil {
		out = r.begin(out, &conversation.Block{
			Kind: conversation.Thinking, Redacted: true, Origin: origin,
			Signature: base64.StdEncoding.EncodeToString(r.redacted),
		})
		r.open, r.redacted = false, nil
	} else if r.unnamed {
		r.unnamed = false
		return out
	}
	out = append(out, conversation.Event{Type: conversation.EventBlockStop, Index: r.index})
	r.index++
	return out
}

func (r *eventReader) messageStop(out []conversation.Event) []conversation.Event {
	if r.stopped {
		return out
	}
	out = r.blockStop(out)
	r.stopped = true
	for ok := r.in.Object(); ok; ok = r.in.Next() {
		switch r.in.Key() {
		case "stopReason":
			s, _ := r.in.Text()
			r.stop = parseStop(s)
		case "additionalModelResponseFields":
			r.stopSequence = strings.Clone(textIn(&r.in, "stop_sequence"))
		}
	}
	if r.metered {
		return r.finish(out)
	}
	return out
}

func (r *eventReader) metadata(out []conversation.Event) []conversation.Event {
	for ok := r.in.Object(); ok; ok = r.in.Next() {
		switch r.in.Key() {
		case "usage":
			r.counts.merge(&r.in)
		case "trace":
			r.stopDetail = strings.Clone(guardrailReason(&r.in))
		}
	}
	r.metered = true
	if r.stopped {
		return r.finish(out)
	}
	return out
}

// finish appends what was held back.
func (r *eventReader) finish(out []conversation.Event) []conversation.Event {
	r.ended = true
	if r.metered {
		u := r.counts.report()
		out = append(out, conversation.Event{Type: conversation.EventUsage, Usage: u.Usage, UsageKnown: u.UsageKnown})
	}
	stop := conversation.Event{Type: conversation.EventStop, Stop: r.stop, StopSequence: r.stopSequence}
	switch {
	case r.stop == conversation.StopFiltered:
		stop.StopDetail = r.stopDetail
	case r.stop == conversation.StopEnd && r.stopSequence != "":
		stop.Stop = conversation.StopSequence
	}
	return append(out, stop, conversation.Event{Type: conversation.EventEnd})
}

// blockNumber reads a contentBlockIndex, if what comes next is one.
func blockNumber(n *int64, in *jsonedit.Reader) {
	if x, ok := jsonedit.Count(jsonedit.View(in.Raw())); ok {
		*n = x
	}
}

var _ dialects.EventReader = (*eventReader)(nil)

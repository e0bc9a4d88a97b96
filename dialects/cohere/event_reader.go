package cohere

import (
	"bytes"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

var doneMarker = []byte("[DONE]")

// eventReader implements [dialects.EventReader].
//
// A block that the provider has ended stays open until something else begins, because citations of a text may come after
// its end.
type eventReader struct {
	in             jsonedit.Reader
	started, ended bool

	open      bool // there is an open block
	over      bool // the provider has ended it
	kind      conversation.Kind
	signature string
	index     int // of the open block, or the next one
	argued    bool
	calls     bool
	logprobs  []byte
}

// Read implements [dialects.EventReader].
func (r *eventReader) Read(ev sse.Event, out []conversation.Event) ([]conversation.Event, error) {
	data := ev.Data
	switch {
	case r.ended:
		return out, nil
	case len(data) == 0:
		if bytes.IndexByte(ev.Raw, ':') < 0 {
			return out, nil // a blank line
		}
		return append(out, conversation.Event{Type: conversation.EventPing}), nil
	case bytes.Equal(bytes.TrimSpace(data), doneMarker):
		return out, nil // comes after the end, or in place of it; End knows
	case !valid(data):
		if ev.Incomplete {
			return out, nil // End tells that the stream was cut
		}
		return out, errNotJSON
	}
	r.in.Reset(data)
	defer r.in.Stop()
	return r.event(out)
}

// End implements [dialects.EventReader]: only message-end ends a stream.
func (r *eventReader) End(out []conversation.Event) ([]conversation.Event, error) {
	if r.ended {
		return out, nil
	}
	return out, dialects.ErrTruncated
}

// frame is what the members of an event are.
type frame struct {
	kind, id, failure       string
	message, delta, logprob jsonedit.Mark
}

func readFrame(in *jsonedit.Reader) (f frame) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "type":
			f.kind, _ = in.Text()
		case "id":
			f.id, _ = in.Text()
		case "delta":
			f.delta = in.Mark()
		case "logprobs":
			f.logprob = in.Mark()
		case "message", "error":
			if s, ok := in.Text(); ok {
				f.failure = s
			}
		}
	}
	in.Seek(f.delta)
	f.message = in.Get("message")
	return f
}

func (r *eventReader) event(out []conversation.Event) ([]conversation.Event, error) {
	in := &r.in
	f := readFrame(in)
	if f.failure != "" {
		return r.fail("", f.failure, out), nil
	}
	if !r.started {
		r.started = true
		out = append(out, conversation.Event{Type: conversation.EventStart, ID: strings.Clone(f.id)})
	}
	switch f.kind {
	case "content-start", "content-delta":
		return r.content(&f, out), nil
	case "tool-plan-delta":
		in.Seek(f.message)
		in.Seek(in.Get("tool_plan"))
		text, _ := in.Text()
		return r.say(conversation.Thinking, signPlan, text, out), nil
	case "tool-call-start", "tool-call-delta":
		in.Seek(f.message)
		in.Seek(in.Get("tool_calls"))
		return r.call(f.kind == "tool-call-start", readCall(in), out)
	case "content-end", "tool-call-end":
		r.over = true
	case "citation-start":
		in.Seek(f.message)
		in.Seek(in.Get("citations"))
		return r.cite(out), nil
	case "message-end":
		in.Seek(f.delta)
		return r.finish(out), nil
	}
	return out, nil
}

// content takes the beginning or a piece of a content.
func (r *eventReader) content(f *frame, out []conversation.Event) []conversation.Event {
	in := &r.in
	in.Seek(f.message)
	in.Seek(in.Get("content"))
	if in.Peek() == '[' {
		in.Array()
	}
	c := readContent(in)
	if f.kind == "content-start" {
		r.over = true // also where the provider did not say so
	}
	if c.thought {
		return r.say(conversation.Thinking, signThought, c.text, out)
	}
	out = r.say(conversation.Text, "", c.text, out)
	if f.logprob != 0 && c.text != "" {
		in.Seek(f.logprob)
		r.logprobs = r.logprobs[:0]
		if r.logprobs = appendLogprob(r.logprobs, in); len(r.logprobs) > 0 {
			out[len(out)-1].Logprobs = r.logprobs
		}
	}
	return out
}

// say appends a piece of a text or thought, in a block of its own unless one of its kind is open.
func (r *eventReader) say(kind conversation.Kind, signature, text string, out []conversation.Event) []conversation.Event {
	if text == "" {
		return out
	}
	if !r.open || r.over || r.kind != kind || r.signature != signature {
		b := &conversation.Block{Kind: kind}
		if kind == conversation.Thinking {
			b.Origin = origin
		}
		out = r.begin(b, r.close(out))
		r.signature = signature
	}
	delta := conversation.DeltaText
	if kind == conversation.Thinking {
		delta = conversation.DeltaThinking
	}
	return append(out, r.delta(delta, text))
}

// call takes the beginning or a piece of a tool call.
func (r *eventReader) call(begins bool, c conversation.ToolCall, out []conversation.Event) ([]conversation.Event, error) {
	arguments := c.Arguments
	if begins {
		r.calls = true
		call := &conversation.ToolCall{ID: strings.Clone(c.ID), Name: strings.Clone(c.Name)}
		if call.ID == "" {
			call.ID = madeCallID()
		}
		out = r.begin(&conversation.Block{Kind: conversation.Call, Call: call}, r.close(out))
		r.argued = false
	} else if !r.open || r.kind != conversation.Call {
		return out, errNoCall
	}
	if arguments == "" || !r.argued && arguments == "null" { // what models write for tools without parameters
		return out, nil
	}
	r.argued = true
	return append(out, r.delta(conversation.DeltaArguments, arguments)), nil
}

// cite takes a citation of the text that is open, or was until now.
func (r *eventReader) cite(out []conversation.Event) []conversation.Event {
	if !r.open || r.kind != conversation.Text {
		return out
	}
	if r.in.Peek() == '[' {
		r.in.Array()
	}
	c := readCitation(&r.in)
	if !c.text {
		return out
	}
	for i := range c.sources {
		ev := r.delta(conversation.DeltaCitation, "")
		ev.Citation = &c.sources[i]
		out = append(out, ev)
	}
	return out
}

// finish reads the delta of message-end.
func (r *eventReader) finish(out []conversation.Event) []conversation.Event {
	in := &r.in
	var end finale
	end.read(in)
	if end.failure != "" {
		return r.fail(end.failureType, end.failure, out)
	}
	out = r.close(out)
	if u := end.usage.told(); u.UsageKnown {
		out = append(out, conversation.Event{Type: conversation.EventUsage, Usage: u.Usage, UsageKnown: true})
	}
	r.ended = true
	stop := settleStop(stopReason(end.finish), r.calls)
	return append(out, conversation.Event{Type: conversation.EventStop, Stop: stop}, conversation.Event{Type: conversation.EventEnd})
}

// finale is the delta of message-end.
type finale struct {
	finish, failure, failureType string
	usage                        usage
}

func (f *finale) read(in *jsonedit.Reader) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "finish_reason":
			f.finish, _ = in.Text()
		case "usage":
			f.usage = readUsage(in)
		case "error":
			f.failure, _ = in.Text()
		case "error_type":
			f.failureType, _ = in.Text()
		}
	}
}

func (r *eventReader) fail(kind, message string, out []conversation.Event) []conversation.Event {
	r.ended = true
	return append(out, conversation.Event{Type: conversation.EventError, Error: inStream(kind, message)})
}

func (r *eventReader) begin(b *conversation.Block, out []conversation.Event) []conversation.Event {
	r.open, r.over, r.kind, r.signature = true, false, b.Kind, ""
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
	if r.signature != "" {
		out = append(out, r.delta(conversation.DeltaSignature, r.signature))
	}
	out = append(out, conversation.Event{Type: conversation.EventBlockStop, Index: r.index})
	r.open, r.signature = false, ""
	r.index++
	return out
}

var _ dialects.EventReader = (*eventReader)(nil)

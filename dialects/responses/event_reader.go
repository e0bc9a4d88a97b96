package responses

import (
	"bytes"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// maxItems bounds the output items of one stream that are told apart.
const maxItems = 4096

// eventReader turns a stream into neutral events. One item at a time is passed on as it is written. Items that a vendor
// writes at the same time, or without saying that they begin, are passed on whole when they are done, or at the latest
// with the final event, which has them all.
type eventReader struct {
	in jsonedit.Reader

	started, ended bool
	seen           []bool // by output_index: the item was passed on
	item           int    // output_index of the open item; -1 when there is none
	kind           string // its type
	said           bool   // the open item has given a block already
	part           int    // content_index or summary_index of the open part
	summary        bool   // the open reasoning is a summary, not the reasoning itself

	index int // of the open block, or of the next one
	block conversation.Kind
	open  bool // a block is open
	empty bool // nothing was added to it
	cited int  // the sources of the open text so far
}

// NewEventReader implements [dialects.Encoder].
func (Codec) NewEventReader() dialects.EventReader { return &eventReader{item: -1} }

// streamed holds the members of an event.
type streamed struct {
	kind, delta                   string
	output, part                  int
	item, response, failure, note jsonedit.Mark
	logprobs                      []byte // the elements of the array
}

// Read implements [dialects.EventReader]. Events of types that it does not know are skipped.
func (r *eventReader) Read(ev sse.Event, out []conversation.Event) ([]conversation.Event, error) {
	if r.ended || len(ev.Data) == 0 || string(bytes.TrimSpace(ev.Data)) == "[DONE]" {
		return out, nil
	}
	if !valid(ev.Data) {
		if ev.Incomplete {
			return out, nil // End tells that the stream was cut
		}
		return out, errNotJSON
	}
	r.in.Reset(ev.Data)
	s := r.members()
	if s.kind == "" {
		s.kind = jsonedit.View(ev.Name)
	}
	switch s.kind {
	case "response.output_text.delta", "response.refusal.delta":
		return r.text(out, &s), nil
	case "response.reasoning_summary_text.delta", "response.reasoning_text.delta":
		return r.thought(out, &s), nil
	case "response.function_call_arguments.delta", "response.custom_tool_call_input.delta":
		if r.item == s.output && r.open && r.block == conversation.Call {
			out = r.say(out, conversation.DeltaArguments, s.delta)
		}
	case "response.output_text.annotation.added":
		return r.citation(out, &s), nil
	case "response.output_item.added":
		return r.added(out, &s), nil
	case "response.output_item.done":
		return r.done(out, s.output, s.item), nil
	case "response.created", "response.in_progress", "response.queued":
		return r.start(out, s.response), nil
	case "response.completed", "response.incomplete", "response.failed", "response.cancelled":
		return r.final(out, s.response), nil
	case "error":
		return r.fail(out, ev.Data, &s), nil
	}
	return out, nil
}

// End implements [dialects.EventReader].
func (r *eventReader) End(out []conversation.Event) ([]conversation.Event, error) {
	if !r.ended {
		return out, dialects.ErrTruncated
	}
	return out, nil
}

func (r *eventReader) members() (s streamed) {
	for ok := r.in.Object(); ok; ok = r.in.Next() {
		switch r.in.Key() {
		case "type":
			s.kind, _ = r.in.Text()
		case "delta":
			s.delta, _ = r.in.Text()
		case "output_index":
			s.output = offset(&r.in)
		case "content_index", "summary_index":
			s.part = offset(&r.in)
		case "item":
			s.item = r.in.Mark()
		case "response":
			s.response = r.in.Mark()
		case "error":
			s.failure = r.in.Mark()
		case "annotation":
			s.note = r.in.Mark()
		case "logprobs":
			if list := r.in.Raw(); len(list) > len("[]") && list[0] == '[' {
				s.logprobs = bytes.TrimSpace(list[1 : len(list)-1])
			}
		}
	}
	return s
}

// raw is a copy of a value: blocks outlive the buffer of an event.
func (r *eventReader) raw(m jsonedit.Mark) []byte {
	r.in.Seek(m)
	return bytes.Clone(r.in.Raw())
}

func (r *eventReader) start(out []conversation.Event, response jsonedit.Mark) []conversation.Event {
	if r.started {
		return out
	}
	r.started = true
	start := conversation.Event{Type: conversation.EventStart}
	r.in.Seek(response)
	for ok := r.in.Object(); ok; ok = r.in.Next() {
		switch r.in.Key() {
		case "id":
			s, _ := r.in.Text()
			start.ID = strings.Clone(s)
		case "model":
			s, _ := r.in.Text()
			start.Model = strings.Clone(s)
		case "created_at":
			start.Created = int64(offset(&r.in))
		}
	}
	return append(out, start)
}

// added opens an item, unless another one is open still.
func (r *eventReader) added(out []conversation.Event, s *streamed) []conversation.Event {
	if r.item >= 0 || r.passed(s.output) || s.item == 0 {
		return out
	}
	out = r.start(out, 0)
	item := r.raw(s.item)
	r.item, r.kind, r.said, r.part, r.summary = s.output, typeOf(jsonedit.View(item)), false, 0, false
	if r.kind != "function_call" && r.kind != "custom_tool_call" {
		return out
	}
	in := jsonedit.NewReader(item)
	call := readCall(&in)
	arguments := call.Arguments
	if call.ID == "" || call.Name == "" {
		r.item = -1 // passed on when it is complete
		return out
	}
	call.Arguments = ""
	out = r.begin(out, conversation.Block{Kind: conversation.Call, Call: call})
	return r.say(out, conversation.DeltaArguments, arguments)
}

// done passes on what an item still owes.
func (r *eventReader) done(out []conversation.Event, output int, item jsonedit.Mark) []conversation.Event {
	if item == 0 || r.passed(output) {
		return out
	}
	out = r.start(out, 0)
	raw := r.raw(item)
	r.pass(output)
	if r.item != output {
		if r.item >= 0 && r.open {
			r.unpass(output) // blocks do not overlap: it has to wait for the final event
			return out
		}
		return r.whole(out, raw)
	}
	r.item = -1
	if !r.said {
		return r.whole(out, raw)
	}
	blocks := appendItem(nil, raw)
	if r.open && len(blocks) > 0 {
		switch last := &blocks[len(blocks)-1]; {
		case last.Kind != r.block:
		case r.block == conversation.Call && r.empty:
			out = r.say(out, conversation.DeltaArguments, last.Call.Arguments)
		case r.block == conversation.Thinking:
			out = r.say(out, conversation.DeltaSignature, last.Signature)
		case r.block == conversation.Text:
			for i := r.cited; i < len(last.Citations); i++ { // some servers name them only now
				out = r.cite(out, &last.Citations[i])
			}
		}
	}
	return r.close(out)
}

// whole passes on an item of which nothing was passed on before.
func (r *eventReader) whole(out []conversation.Event, item []byte) []conversation.Event {
	out = r.close(out)
	c := conversation.Choice{Blocks: appendItem(nil, item)}
	one := conversation.Response{Choices: []conversation.Choice{c}}
	for ev := range one.Events() {
		switch ev.Type {
		case conversation.EventBlockStart, conversation.EventDelta:
			ev.Index = r.index
			out = append(out, ev)
		case conversation.EventBlockStop:
			ev.Index = r.index
			out = append(out, ev)
			r.index++
		}
	}
	return out
}

func (r *eventReader) passed(output int) bool { return output < len(r.seen) && r.seen[output] }

func (r *eventReader) pass(output int) {
	for len(r.seen) <= output && len(r.seen) < maxItems {
		r.seen = append(r.seen, false)
	}
	if output < len(r.seen) {
		r.seen[output] = true
	}
}

func (r *eventReader) unpass(output int) {
	if output < len(r.seen) {
		r.seen[output] = false
	}
}

// begin opens a block of the open item.
func (r *eventReader) begin(out []conversation.Event, b conversation.Block) []conversation.Event {
	out = r.close(out)
	r.open, r.empty, r.said, r.block = true, true, true, b.Kind
	return append(out, conversation.Event{Type: conversation.EventBlockStart, Index: r.index, Block: &b})
}

func (r *eventReader) close(out []conversation.Event) []conversation.Event {
	if !r.open {
		return out
	}
	r.open = false
	out = append(out, conversation.Event{Type: conversation.EventBlockStop, Index: r.index})
	r.index++
	return out
}

// say adds to the open block. An empty delta says nothing.
func (r *eventReader) say(out []conversation.Event, t conversation.DeltaType, text string) []conversation.Event {
	if text == "" || !r.open {
		return out
	}
	r.empty = false
	return append(out, conversation.Event{Type: conversation.EventDelta, Index: r.index, Delta: t, Text: text})
}

// text adds to a text or a refusal, and begins it if need be.
func (r *eventReader) text(out []conversation.Event, s *streamed) []conversation.Event {
	if r.item != s.output || s.delta == "" || r.kind != "message" {
		return out
	}
	kind := conversation.Text
	if s.kind == "response.refusal.delta" {
		kind = conversation.Refusal
	}
	if !r.open || r.block != kind || r.part != s.part {
		r.part, r.cited = s.part, 0
		out = r.begin(out, conversation.Block{Kind: kind})
	}
	out = r.say(out, conversation.DeltaText, s.delta)
	out[len(out)-1].Logprobs = s.logprobs
	return out
}

// thought adds to the reasoning. Parts of a summary are paragraphs of one block.
func (r *eventReader) thought(out []conversation.Event, s *streamed) []conversation.Event {
	if r.item != s.output || s.delta == "" || r.kind != "reasoning" {
		return out
	}
	summary := s.kind == "response.reasoning_summary_text.delta"
	if !r.open {
		r.part, r.summary = s.part, summary
		out = r.begin(out, conversation.Block{Kind: conversation.Thinking, Origin: origin})
	}
	if summary != r.summary {
		return out // the same thoughts in other words
	}
	if r.part != s.part {
		r.part = s.part
		out = r.say(out, conversation.DeltaThinking, paragraph)
	}
	return r.say(out, conversation.DeltaThinking, s.delta)
}

func (r *eventReader) citation(out []conversation.Event, s *streamed) []conversation.Event {
	if r.item != s.output || !r.open || r.block != conversation.Text || s.note == 0 {
		return out
	}
	if r.part != s.part {
		return out // too late
	}
	in := jsonedit.NewReader(r.raw(s.note))
	c := readCitation(&in)
	return r.cite(out, &c)
}

// cite adds a source to the open text.
func (r *eventReader) cite(out []conversation.Event, c *conversation.Citation) []conversation.Event {
	r.cited++
	return append(out, conversation.Event{
		Type: conversation.EventDelta, Index: r.index, Delta: conversation.DeltaCitation, Citation: c,
	})
}

// final ends the stream with what the whole response says, and passes on the items that have not been so far.
func (r *eventReader) final(out []conversation.Event, response jsonedit.Mark) []conversation.Event {
	out = r.start(out, response)
	r.ended = true
	if r.item >= 0 && r.said {
		r.pass(r.item)
	}
	out = r.close(out)
	doc := r.raw(response)
	f := readFinal(doc)
	if f.failure != nil && f.response.Choices[0].Stop == conversation.StopError {
		return append(out, conversation.Event{Type: conversation.EventError, Error: f.failure})
	}
	in := jsonedit.NewReader(doc)
	in.Seek(f.output)
	i := 0
	for ok := in.Array(); ok; ok = in.Next() {
		if in.Peek() == '{' && !r.passed(i) {
			out = r.whole(out, in.Raw())
		}
		i++
	}
	if f.response.UsageKnown {
		out = append(out, conversation.Event{Type: conversation.EventUsage, Usage: f.response.Usage, UsageKnown: true})
	}
	c := &f.response.Choices[0]
	return append(out,
		conversation.Event{Type: conversation.EventStop, Stop: c.Stop, StopDetail: c.StopDetail},
		conversation.Event{Type: conversation.EventEnd})
}

// fail ends the stream with an error: an error object, or the flat members that streams had before 2026.
func (r *eventReader) fail(out []conversation.Event, data []byte, s *streamed) []conversation.Event {
	r.ended = true
	e := new(conversation.Error)
	if r.in.Seek(s.failure); r.in.Peek() == '{' || r.in.Peek() == '"' {
		readError(string(r.in.Raw()), e)
	} else {
		readError(string(data), e)
		e.Type = ""
	}
	complete(e, 500)
	return append(out, conversation.Event{Type: conversation.EventError, Error: e})
}

var _ dialects.EventReader = (*eventReader)(nil)

package chatcompletions

import (
	"slices"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// eventWriter implements [dialects.EventWriter].
type eventWriter struct {
	o dialects.WriterOptions
	// head is what every chunk begins with, up to and including the "choices" key.
	head       []byte
	choices    []writerChoice
	usage      conversation.Usage
	usageKnown bool
	// held is the last chunk of an answer, up to its end. It waits for the usage, which a client that did not ask for a
	// chunk of its own finds there, as with most vendors.
	held []byte
}

// writerChoice is the state of one answer.
type writerChoice struct {
	n       int
	kind    conversation.Kind // of the open block
	calls   int               // begun so far: their index on the wire is one less
	custom  bool
	legacy  bool // calls are function_call
	empty   bool // the open call has no arguments yet
	refused bool
	runes   int // length of the content so far, in characters: citations count from its start
	base    int // runes when the open block began
	// from is the dialect of the open thought, thoughts the number of those begun that may be signed, and signature what
	// has come of its signature.
	from      string
	thoughts  int
	signature []byte
}

func newEventWriter(o dialects.WriterOptions) *eventWriter { return &eventWriter{o: o} }

// Append implements [dialects.EventWriter].
func (w *eventWriter) Append(dst []byte, ev *conversation.Event) []byte {
	switch ev.Type {
	case conversation.EventUsage, conversation.EventEnd, conversation.EventError, conversation.EventPing:
	default:
		dst = w.release(dst)
	}
	switch ev.Type {
	case conversation.EventStart:
		w.start(ev)
		w.learn(ev)
		return w.begin(dst, 0)
	case conversation.EventBlockStart:
		dst = w.begin(dst, ev.Choice)
		return w.blockStart(dst, w.choice(ev.Choice), ev.Block)
	case conversation.EventDelta:
		dst = w.begin(dst, ev.Choice)
		return w.delta(dst, w.choice(ev.Choice), ev)
	case conversation.EventBlockStop:
		return w.blockStop(dst, w.choice(ev.Choice), ev.Block)
	case conversation.EventUsage:
		w.learn(ev)
	case conversation.EventStop:
		dst = w.begin(dst, ev.Choice)
		return w.stop(dst, w.choice(ev.Choice), ev)
	case conversation.EventEnd:
		return w.end(dst)
	case conversation.EventError:
		return Codec{}.AppendErrorEvent(dst, ev.Error, nil)
	case conversation.EventPing:
		return Codec{}.AppendKeepAlive(dst)
	}
	return dst
}

func (w *eventWriter) start(ev *conversation.Event) {
	id, created, model := ev.ID, ev.Created, w.o.Model
	if id == "" {
		id = w.o.RequestID
	}
	if created == 0 {
		created = w.o.Created
	}
	if model == "" {
		model = ev.Model
	}
	w.head = append(w.head[:0], `data: {`...)
	w.head = jsonedit.AppendStringMember(w.head, "id", completionID(id))
	w.head = append(w.head, `,"object":"chat.completion.chunk"`...)
	w.head = jsonedit.AppendIntMember(w.head, "created", created)
	w.head = jsonedit.AppendStringMember(w.head, "model", model)
	w.head = append(w.head, `,"choices":[`...)
}

func (w *eventWriter) learn(ev *conversation.Event) {
	if ev.UsageKnown {
		w.usage, w.usageKnown = ev.Usage, true
	}
}

// choice returns the state of an answer, or nil before it has begun.
func (w *eventWriter) choice(n int) *writerChoice {
	for i := range w.choices {
		if w.choices[i].n == n {
			return &w.choices[i]
		}
	}
	return nil
}

// begin opens an answer with the chunk that names the role.
func (w *eventWriter) begin(dst []byte, n int) []byte {
	if w.choice(n) != nil {
		return dst
	}
	w.choices = append(w.choices, writerChoice{n: n})
	dst = w.open(dst, n)
	dst = append(dst, `"role":"assistant","content":""`...)
	return w.close(dst)
}

// open begins a chunk, up to the brace of the delta.
func (w *eventWriter) open(dst []byte, n int) []byte {
	dst = append(dst, w.head...)
	dst = appendInt(append(dst, `{"index":`...), int64(n))
	return append(dst, `,"delta":{`...)
}

// close ends a chunk that is not the last one of its answer.
func (w *eventWriter) close(dst []byte) []byte {
	return w.finish(append(dst, `},"logprobs":null,"finish_reason":null`...))
}

// finish ends a chunk behind the members of its choice. All but the usage chunk say that they have no usage, if the
// client asked for it.
func (w *eventWriter) finish(dst []byte) []byte {
	dst = append(dst, '}', ']')
	if w.o.IncludeUsage {
		dst = append(dst, `,"usage":null`...)
	}
	return append(dst, "}\n\n"...)
}

// member writes a chunk whose delta is one string.
func (w *eventWriter) member(dst []byte, n int, key, value string) []byte {
	return w.close(jsonedit.AppendStringMember(w.open(dst, n), key, value))
}

// stop writes the last chunk of an answer, or holds it until the usage is known.
func (w *eventWriter) stop(dst []byte, c *writerChoice, ev *conversation.Event) []byte {
	if ev.Stop == conversation.StopRefusal && !c.refused && ev.StopDetail != "" {
		dst = w.member(dst, c.n, "refusal", ev.StopDetail)
	}
	reason := choiceReason(ev.Stop, c.refused)
	if ev.Stop == conversation.StopToolCalls && c.legacy {
		reason = "function_call"
	}
	last := dst
	if !w.o.IncludeUsage {
		last = w.held[:0]
	}
	last = append(w.open(last, c.n), `},"logprobs":null`...)
	last = jsonedit.AppendStringMember(last, "finish_reason", reason)
	last = jsonedit.AppendTextMember(last, "stop_reason", ev.StopSequence)
	if w.o.IncludeUsage {
		return w.finish(last)
	}
	w.held = last
	return dst
}

// release writes the chunk that was held, without usage: another answer follows.
func (w *eventWriter) release(dst []byte) []byte {
	if len(w.held) > 0 {
		dst = w.finish(append(dst, w.held...))
		w.held = w.held[:0]
	}
	return dst
}

// end writes the usage, if the provider told, and the terminator.
func (w *eventWriter) end(dst []byte) []byte {
	switch {
	case len(w.held) > 0 && w.usageKnown:
		dst = append(slices.Grow(dst, len(w.held)+256), w.held...)
		dst = append(dst, `}],"usage":`...)
		dst = append(appendUsage(dst, w.usage), "}\n\n"...)
		w.held = w.held[:0]
	case w.o.IncludeUsage && w.usageKnown:
		dst = append(slices.Grow(dst, len(w.head)+256), w.head...)
		dst = append(dst, `],"usage":`...)
		dst = append(appendUsage(dst, w.usage), "}\n\n"...)
	}
	return append(w.release(dst), "data: [DONE]\n\n"...)
}

var _ dialects.EventWriter = (*eventWriter)(nil)

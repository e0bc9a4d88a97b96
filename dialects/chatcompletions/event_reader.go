package chatcompletions

import (
	"bytes"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// eventReader implements [dialects.EventReader]. Stop events wait for the end of the stream: several vendors send the
// finish reason more than once, or more content after it.
type eventReader struct {
	in             jsonedit.Reader
	started, ended bool
	id, model      string
	created        int64
	choices        []*choiceReader
	usage          dialects.Reported
	// sources says that the sources of the answer were seen: Perplexity repeats them in every chunk.
	sources bool
}

func newEventReader() *eventReader { return &eventReader{} }

// Read implements [dialects.EventReader].
func (r *eventReader) Read(ev sse.Event, out []conversation.Event) ([]conversation.Event, error) {
	data := bytes.TrimSpace(ev.Data)
	switch {
	case r.ended:
		return out, nil
	case len(data) == 0:
		if bytes.IndexByte(ev.Raw, ':') < 0 {
			return out, nil // a blank line
		}
		return append(out, conversation.Event{Type: conversation.EventPing}), nil
	case bytes.Equal(data, doneMarker):
		return r.finish(out), nil
	case string(ev.Name) == "error":
		return r.fail(data, out), nil
	case !valid(data):
		if ev.Incomplete {
			return out, nil // End tells that the stream was cut
		}
		return out, errNotJSON
	}
	return r.chunk(data, out), nil
}

// End implements [dialects.EventReader]. Several vendors leave out [DONE]: once all answers have their finish reason,
// the response is complete.
func (r *eventReader) End(out []conversation.Event) ([]conversation.Event, error) {
	if r.ended {
		return out, nil
	}
	if len(r.choices) == 0 {
		return out, dialects.ErrTruncated
	}
	for _, c := range r.choices {
		if c.stop == conversation.StopUnknown {
			return out, dialects.ErrTruncated
		}
	}
	return r.finish(out), nil
}

func (r *eventReader) fail(data []byte, out []conversation.Event) []conversation.Event {
	r.ended = true
	return append(out, conversation.Event{Type: conversation.EventError, Error: inStream(data)})
}

// chunkMembers are the members of a chunk that are read after all were found, because of what has to come first.
type chunkMembers struct {
	choices     jsonedit.Mark
	usage, groq dialects.Reported
	sources     sourceList
	failed      bool
}

func (r *eventReader) members() (m chunkMembers) {
	in := &r.in
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "id":
			setOnce(&r.id, in)
		case "model":
			setOnce(&r.model, in)
		case "created":
			if r.created == 0 {
				r.created, _ = wholeNumber(in)
			}
		case "choices":
			m.choices = in.Mark()
		case "usage":
			m.usage = readUsage(in)
		case "x_groq":
			m.groq = readGroq(in)
		case "citations", "search_results":
			m.sources.prefer(in)
		case "error":
			m.failed = m.failed || in.Peek() != 'n'
		case "object":
			s, _ := in.Text()
			m.failed = m.failed || s == "error"
		}
	}
	return m
}

func (r *eventReader) chunk(data []byte, out []conversation.Event) []conversation.Event {
	r.in.Reset(data)
	defer r.in.Stop()
	m := r.members()
	if m.failed {
		return r.fail(data, out)
	}
	r.in.Seek(m.choices)
	some := r.in.Array()
	// Azure opens with a chunk that has the filter results of the prompt, and neither ID nor model.
	if !r.started && (r.id != "" || some) {
		out = r.start(out)
	}
	for first := true; some; some, first = r.in.Next(), false {
		out = r.readChoice(&m, first, out)
	}
	if m.failed {
		return r.fail(data, out)
	}
	if m.usage == (dialects.Reported{}) {
		m.usage = m.groq
	}
	if r.usage.Update(m.usage) && r.started {
		out = append(out, conversation.Event{Type: conversation.EventUsage, Usage: r.usage.Usage, UsageKnown: true})
	}
	return out
}

func (r *eventReader) start(out []conversation.Event) []conversation.Event {
	r.started = true
	return append(out, conversation.Event{Type: conversation.EventStart, ID: r.id, Model: r.model, Created: r.created})
}

// readChoice reads what a chunk adds to one answer.
func (r *eventReader) readChoice(m *chunkMembers, first bool, out []conversation.Event) []conversation.Event {
	var (
		number         int64
		finish, native string
		sequence       string
		logprobs       []byte
		delta, message jsonedit.Mark
	)
	in := &r.in
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "index":
			number, _ = wholeNumber(in)
		case "delta":
			delta = in.Mark()
		case "message":
			message = in.Mark()
		case "finish_reason":
			finish, _ = in.Text()
		case "native_finish_reason":
			native, _ = in.Text()
		case "stop_reason":
			sequence, _ = in.Text()
		case "logprobs":
			logprobs = tokens(in)
		case "error":
			m.failed = m.failed || in.Peek() != 'n'
		}
	}
	c := r.choice(int(number))
	if c == nil {
		return out
	}
	end := in.Mark()
	if first && !r.sources && m.sources.at != 0 {
		r.sources = true
		in.Seek(m.sources.at)
		forEachSource(in, c.hold)
	}
	if delta == 0 && !c.begun() {
		delta = message // a whole answer in one chunk
	}
	in.Seek(delta)
	before := len(out)
	out = c.read(in, out)
	in.Seek(end)
	giveTokens(out[before:], logprobs)
	if s := finishedBy(finish, native); s != conversation.StopUnknown {
		c.stop = s
	}
	if sequence != "" {
		c.sequence = strings.Clone(sequence)
	}
	return out
}

// tokens reads the elements of logprobs.content.
func tokens(in *jsonedit.Reader) (elements []byte) {
	for ok := in.Object(); ok; ok = in.Next() {
		if in.Key() == "content" && in.Peek() == '[' {
			raw := in.Raw()
			elements = bytes.TrimSpace(raw[1 : len(raw)-1])
		}
	}
	return elements
}

// giveTokens puts the log probabilities of a chunk on its text.
func giveTokens(events []conversation.Event, logprobs []byte) {
	if len(logprobs) == 0 {
		return
	}
	for i := range events {
		if ev := &events[i]; ev.Type == conversation.EventDelta && ev.Delta == conversation.DeltaText {
			ev.Logprobs = logprobs
			return
		}
	}
}

// choice returns the reader of one answer; nil for more answers than can have been asked for.
func (r *eventReader) choice(n int) *choiceReader {
	for _, c := range r.choices {
		if c.n == n {
			return c
		}
	}
	if len(r.choices) >= maxAnswers || n < 0 || n >= maxAnswers {
		return nil
	}
	c := &choiceReader{r: r, n: n}
	r.choices = append(r.choices, c)
	return c
}

// finish ends the stream: everything held back, the stop reasons, the end.
func (r *eventReader) finish(out []conversation.Event) []conversation.Event {
	if !r.started {
		out = r.start(out)
	}
	r.ended = true
	r.choice(0) // a stream without any answer has an empty one
	slices.SortFunc(r.choices, func(a, b *choiceReader) int { return a.n - b.n })
	for _, c := range r.choices {
		out = c.flush(out)
		ev := conversation.Event{Type: conversation.EventStop, Choice: c.n, Stop: settleStop(c.stop, len(c.calls) > 0, c.refused)}
		ev.Stop, ev.StopSequence = matched(ev.Stop, c.sequence)
		out = append(out, ev)
	}
	return append(out, conversation.Event{Type: conversation.EventEnd})
}

// track is one block of a streamed answer, open or waiting to be opened.
type track struct {
	kind     conversation.Kind
	wire     int64 // the index that the vendor gave a call
	id, name string
	custom   bool
	started  bool
	closed   bool
	// detail is the type and entry the number of the reasoning_details that a thought consists of, and signature what has to
	// go back with it: the signature of a call, or the entry as it stood. from is the dialect that it belongs to. whole is a
	// block that came in one piece. signed says that the signature went out with the start.
	signed    bool
	detail    string
	entry     int64
	signature string
	from      string
	whole     *conversation.Block
	// buf holds all arguments of a call, and what came for other tracks that had to wait; sent of it went out.
	buf  []byte
	sent int
}

// complete reports whether nothing more is to be expected for a track that others wait behind. Texts go on in a block
// of their own; calls are complete when their arguments are valid JSON, which is looked at only where an object may end:
// it takes as long as there are arguments.
func (t *track) complete() bool {
	if t.kind != conversation.Call || t.custom && t.name != "" {
		return true
	}
	return t.name != "" && bytes.HasSuffix(bytes.TrimRight(t.buf, " \t\r\n"), []byte("}")) && gjson.ValidBytes(t.buf)
}

// continues reports whether a fragment belongs to this call rather than to a new one. Most vendors tell by the index,
// some by the ID only, and the most careless by sending whole calls one after the other.
func (t *track) continues(f *callFragment) bool {
	if f.name == "" {
		return true
	}
	if f.id != "" && t.id != "" {
		return f.id == t.id
	}
	return f.arguments == "" || len(t.buf) == 0 || !gjson.ValidBytes(t.buf)
}

func (t *track) delta() conversation.DeltaType {
	switch t.kind {
	case conversation.Call:
		return conversation.DeltaArguments
	case conversation.Thinking:
		return conversation.DeltaThinking
	}
	return conversation.DeltaText
}

func (t *track) block(r *eventReader, choice, call int) *conversation.Block {
	if t.whole != nil {
		return t.whole
	}
	b := &conversation.Block{Kind: t.kind}
	switch t.kind {
	case conversation.Thinking:
		b.Origin = origin
	case conversation.Call:
		if t.signature != "" {
			b.Signature, b.Origin = t.signature, gemini
			t.signature, t.signed = "", true
		}
		if t.id == "" {
			t.id = madeCallID(r.id, choice, call)
		}
		b.Call = &conversation.ToolCall{ID: t.id, Name: t.name, Custom: t.custom}
	}
	return b
}

// merge takes over what a fragment says about its call.
func (t *track) merge(f *callFragment) {
	if t.id == "" && f.id != "" {
		t.id = strings.Clone(f.id)
	}
	if t.name == "" && f.name != "" {
		t.name = strings.Clone(f.name)
	}
	if f.signature != "" && !t.signed {
		_, s, _ := maker(f.signature)
		t.signature, t.from = strings.Clone(s), gemini
	}
	t.custom = t.custom || f.custom
}

var _ dialects.EventReader = (*eventReader)(nil)

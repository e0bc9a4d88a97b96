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
}

// writerChoice is the state of one answer.
type writerChoice struct {
	n       int
	kind    conversation.Kind // of the open block
	calls   int               // begun so far: their index on the wire is one less
	custom  bool
	empty   bool // the open call has no arguments yet
	refused bool
	runes   int // length of the content so far, in characters: citations count from its start
	base    int // runes when the open block began
}

func newEventWriter(o dialects.WriterOptions) *eventWriter { return &eventWriter{o: o} }

// Append implements [dialects.EventWriter].
func (w *eventWriter) Append(dst []byte, ev *conversation.Event) []byte {
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
		return w.blockStop(dst, w.choice(ev.Choice))
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
	return w.close(dst, "")
}

// open begins a chunk, up to the brace of the delta.
func (w *eventWriter) open(dst []byte, n int) []byte {
	dst = append(dst, w.head...)
	dst = appendInt(append(dst, `{"index":`...), int64(n))
	return append(dst, `,"delta":{`...)
}

// close ends a chunk. All but the usage chunk say that they have no usage, if the client asked for it.
func (w *eventWriter) close(dst []byte, finish string) []byte {
	dst = append(dst, `},"logprobs":null,"finish_reason":`...)
	if finish == "" {
		dst = append(dst, "null"...)
	} else {
		dst = jsonedit.AppendString(dst, finish)
	}
	dst = append(dst, '}', ']')
	if w.o.IncludeUsage {
		dst = append(dst, `,"usage":null`...)
	}
	return append(dst, "}\n\n"...)
}

// member writes a chunk whose delta is one string.
func (w *eventWriter) member(dst []byte, n int, key, value string) []byte {
	dst = w.open(dst, n)
	dst = jsonedit.AppendStringMember(dst, key, value)
	return w.close(dst, "")
}

func (w *eventWriter) blockStart(dst []byte, c *writerChoice, b *conversation.Block) []byte {
	c.kind, c.base = b.Kind, c.runes
	switch b.Kind {
	case conversation.Call:
		return w.callStart(dst, c, b.Call)
	case conversation.Image:
		images := []conversation.Block{*b}
		if start := len(dst); b.Media != nil {
			dst = w.open(dst, c.n)
			empty := len(dst)
			if dst = appendImages(dst, images); len(dst) == empty {
				return dst[:start]
			}
			dst = w.close(dst, "")
		}
		return dst
	}
	if b.Text != "" {
		dst = w.textDelta(dst, c, b.Text)
	}
	for i := range b.Citations {
		dst = w.citation(dst, c, &b.Citations[i])
	}
	return dst
}

func (w *eventWriter) callStart(dst []byte, c *writerChoice, call *conversation.ToolCall) []byte {
	c.calls++
	c.custom, c.empty = call.Custom, call.Arguments == ""
	dst = w.open(dst, c.n)
	dst = appendInt(append(dst, `"tool_calls":[{"index":`...), int64(c.calls-1))
	dst = jsonedit.AppendStringMember(dst, "id", call.ID)
	body, input := `,"type":"function","function":{`, "arguments"
	if call.Custom {
		body, input = `,"type":"custom","custom":{`, "input"
	}
	dst = append(dst, body...)
	dst = jsonedit.AppendStringMember(dst, "name", call.Name)
	dst = jsonedit.AppendStringMember(dst, input, call.Arguments)
	return w.close(append(dst, '}', '}', ']'), "")
}

func (w *eventWriter) delta(dst []byte, c *writerChoice, ev *conversation.Event) []byte {
	switch ev.Delta {
	case conversation.DeltaText, conversation.DeltaThinking:
		if ev.Text != "" {
			return w.textDelta(dst, c, ev.Text)
		}
	case conversation.DeltaArguments:
		if ev.Text != "" {
			return w.arguments(dst, c, ev.Text)
		}
	case conversation.DeltaCitation:
		return w.citation(dst, c, ev.Citation)
	}
	return dst // signatures have no place here
}

// textDelta writes text as what the open block makes of it.
func (w *eventWriter) textDelta(dst []byte, c *writerChoice, s string) []byte {
	key := "content"
	switch c.kind {
	case conversation.Thinking:
		key = "reasoning_content"
	case conversation.Refusal:
		key, c.refused = "refusal", true
	case conversation.Text:
		c.runes += runeCount(s)
	default:
		return dst
	}
	return w.member(dst, c.n, key, s)
}

// runeCount counts the characters of a piece of text that need not end on the border of one.
func runeCount(s string) (n int) {
	for i := range len(s) {
		if s[i]&0xC0 != 0x80 {
			n++
		}
	}
	return n
}

func (w *eventWriter) arguments(dst []byte, c *writerChoice, s string) []byte {
	c.empty = false
	dst = w.open(dst, c.n)
	dst = appendInt(append(dst, `"tool_calls":[{"index":`...), int64(c.calls-1))
	if c.custom {
		dst = append(dst, `,"custom":{"input":`...)
	} else {
		dst = append(dst, `,"function":{"arguments":`...)
	}
	dst = jsonedit.AppendString(dst, s)
	return w.close(append(dst, '}', '}', ']'), "")
}

// blockStop gives a call without arguments the empty object that clients parse.
func (w *eventWriter) blockStop(dst []byte, c *writerChoice) []byte {
	if c == nil || c.kind != conversation.Call || !c.empty || c.custom {
		return dst
	}
	return w.arguments(dst, c, "{}")
}

func (w *eventWriter) citation(dst []byte, c *writerChoice, cite *conversation.Citation) []byte {
	if cite == nil || cite.URL == "" {
		return dst
	}
	dst = append(w.open(dst, c.n), `"annotations":[`...)
	dst = appendAnnotation(dst, cite, c.base)
	return w.close(append(dst, ']'), "")
}

func (w *eventWriter) stop(dst []byte, c *writerChoice, ev *conversation.Event) []byte {
	if ev.Stop == conversation.StopRefusal && !c.refused {
		dst = w.member(dst, c.n, "refusal", refusalText(ev.StopDetail))
	}
	return w.close(w.open(dst, c.n), finishReason(ev.Stop))
}

// end writes the usage chunk, if the client asked for one and the provider told, and the terminator.
func (w *eventWriter) end(dst []byte) []byte {
	if w.o.IncludeUsage && w.usageKnown {
		dst = append(slices.Grow(dst, len(w.head)+256), w.head...)
		dst = append(dst, `],"usage":`...)
		dst = append(appendUsage(dst, w.usage), "}\n\n"...)
	}
	return append(dst, "data: [DONE]\n\n"...)
}

var _ dialects.EventWriter = (*eventWriter)(nil)

package responses

import (
	"strconv"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// eventWriter writes the stream of one answer. Texts in a row become the parts of one message; every other block is an
// item of its own.
//
// The final event repeats the whole response. So each item is kept as it was written when it was done, and the usage,
// which some dialects report after the stop reason, is waited for until the stream has ended.
type eventWriter struct {
	o     dialects.WriterOptions
	unary bool // nothing is written but what response returns
	tail  []byte
	tier  string

	created           int64
	started, finished bool
	sequence          int64
	index             int // of the open item, or of the next one
	item              itemState
	part              partState
	output            []byte // the finished items

	refused    bool
	usage      conversation.Usage
	usageKnown bool
	stop       conversation.StopReason
	detail     string
	failure    *conversation.Error
}

// NewEventWriter implements [dialects.Decoder].
func (Codec) NewEventWriter(o dialects.WriterOptions) dialects.EventWriter { return &eventWriter{o: o} }

// Append implements [dialects.EventWriter]. There is one answer in this dialect: the first.
func (w *eventWriter) Append(dst []byte, ev *conversation.Event) []byte {
	if ev.Choice != 0 || w.finished {
		return dst
	}
	switch ev.Type {
	case conversation.EventPing:
		return Codec{}.AppendKeepAlive(dst)
	case conversation.EventError:
		return w.fail(dst, ev.Error)
	}
	dst = w.start(dst, ev)
	switch ev.Type {
	case conversation.EventStart, conversation.EventUsage:
		if ev.UsageKnown {
			w.usage, w.usageKnown = ev.Usage, true
		}
	case conversation.EventBlockStart:
		dst = w.blockStart(dst, ev.Block)
	case conversation.EventDelta:
		dst = w.delta(dst, ev)
	case conversation.EventBlockStop:
		if b := ev.Block; b != nil && b.Signature != "" && (w.item.kind == reasoningItem || w.item.kind == pendingReasoning) {
			w.item.signature, w.item.origin = append(w.item.signature[:0], b.Signature...), b.Origin
		}
		dst = w.blockStop(dst)
	case conversation.EventStop:
		w.stop, w.detail = ev.Stop, ev.StopDetail
		dst = w.explain(dst)
		dst = w.itemDone(dst)
	case conversation.EventEnd:
		dst = w.end(dst)
	}
	return dst
}

// fail ends the stream with an error that continues its numbering, and with the response as far as it came. A call that
// is not complete is not in it: a client might act on it.
func (w *eventWriter) fail(dst []byte, e *conversation.Error) []byte {
	w.finished = true
	if !w.started {
		return Codec{}.AppendErrorEvent(dst, e, nil)
	}
	dst = appendErrorEvent(dst, e, w.sequence)
	w.sequence++
	w.failure = e
	if w.item.kind == messageItem || w.item.kind == reasoningItem {
		w.unary = true // the item is for the response alone
		w.partDone(nil)
		w.keepItem("incomplete")
	}
	dst = append(w.event(dst, "response.failed"), `,"response":`...)
	return w.close(w.response(dst, "failed"))
}

// start writes the two events that every stream begins with.
func (w *eventWriter) start(dst []byte, ev *conversation.Event) []byte {
	if w.started {
		return dst
	}
	w.started = true
	w.tail = idTail(orElse(ev.ID, w.o.RequestID))
	if w.created = ev.Created; w.created == 0 {
		w.created = w.o.Created
	}
	if w.o.Model == "" {
		w.o.Model = ev.Model
	}
	if w.unary {
		return dst
	}
	for _, name := range [...]string{"response.created", "response.in_progress"} {
		dst = append(w.event(dst, name), `,"response":`...)
		dst = w.close(w.response(dst, "in_progress"))
	}
	return dst
}

// end writes the final event.
func (w *eventWriter) end(dst []byte) []byte {
	dst = w.itemDone(dst)
	w.finished = true
	if w.unary {
		return dst
	}
	status := w.status()
	dst = append(w.event(dst, "response."+status), `,"response":`...)
	return w.close(w.response(dst, status))
}

// explain says that the model refused, if it did so without a word: nothing but a refusal in the output tells a refused
// answer from an empty one.
func (w *eventWriter) explain(dst []byte) []byte {
	if w.stop != conversation.StopRefusal || w.refused {
		return dst
	}
	text := orElse(w.detail, "The model refused to answer.")
	return w.blockStop(w.blockStart(dst, &conversation.Block{Kind: conversation.Refusal, Text: text}))
}

// event begins an event.
func (w *eventWriter) event(dst []byte, name string) []byte {
	dst = append(append(dst, "event: "...), name...)
	dst = append(append(dst, "\ndata: {\"type\":\""...), name...)
	dst = strconv.AppendInt(append(dst, `","sequence_number":`...), w.sequence, 10)
	w.sequence++
	return dst
}

func (w *eventWriter) close(dst []byte) []byte { return append(dst, "}\n\n"...) }

// itemEvent begins an event about the open item.
func (w *eventWriter) itemEvent(dst []byte, name string) []byte {
	dst = append(w.event(dst, name), `,"item_id":"`...)
	dst = w.itemID(dst)
	return strconv.AppendInt(append(dst, `","output_index":`...), int64(w.index), 10)
}

// partEvent begins an event about the open part of the open item.
func (w *eventWriter) partEvent(dst []byte, name string) []byte {
	dst = append(w.itemEvent(dst, name), ',', '"')
	dst = append(dst, w.item.indexKey()...)
	return strconv.AppendInt(append(dst, `":`...), int64(w.item.parts), 10)
}

// blockStart begins a block, and closes the open item unless the block is a further part of it.
func (w *eventWriter) blockStart(dst []byte, b *conversation.Block) []byte {
	kind := itemOf(b)
	if w.item.kind != kind || kind != messageItem {
		dst = w.itemDone(dst)
	}
	switch kind {
	case messageItem:
		if w.item.kind == noItem {
			dst = w.itemAdded(dst, itemState{kind: kind})
		}
		w.refused = w.refused || b.Kind == conversation.Refusal
		dst = w.partAdded(dst, b.Kind == conversation.Refusal)
		dst = w.say(dst, b.Text, nil)
		for i := range b.Citations {
			dst = w.citation(dst, &b.Citations[i])
		}
	case reasoningItem: // begins with what it holds, which may be nothing
		w.item = itemState{kind: pendingReasoning, signature: append(w.item.signature[:0], b.Signature...), origin: b.Origin, redacted: b.Redacted}
		dst = w.say(dst, b.Text, nil)
	case callItem, customItem, searchItem:
		if b.Signature != "" && b.Origin != origin { // nothing but reasoning can hold it for the time it comes back
			w.item = itemState{kind: pendingReasoning, signature: append(w.item.signature[:0], b.Signature...), origin: b.Origin}
			dst = w.itemDone(dst)
		}
		dst = w.itemAdded(dst, itemState{kind: kind, call: *b.Call})
		w.part.open, w.part.text = true, w.part.text[:0]
		dst = w.say(dst, b.Call.Arguments, nil)
	case imageItem, opaqueItem:
		dst = w.itemAdded(dst, itemState{kind: kind, whole: b})
		dst = w.itemDone(dst)
	}
	return dst
}

// delta adds to the open block. A delta of another kind than the block's has no place in the stream.
func (w *eventWriter) delta(dst []byte, ev *conversation.Event) []byte {
	kind := w.item.kind
	switch ev.Delta {
	case conversation.DeltaText:
		if kind == messageItem && w.part.open {
			return w.say(dst, ev.Text, ev.Logprobs)
		}
	case conversation.DeltaThinking:
		if kind == reasoningItem || kind == pendingReasoning {
			return w.say(dst, ev.Text, ev.Logprobs)
		}
	case conversation.DeltaArguments:
		if kind == callItem || kind == customItem || kind == searchItem {
			return w.say(dst, ev.Text, ev.Logprobs)
		}
	case conversation.DeltaSignature:
		w.item.signature = append(w.item.signature, ev.Text...)
	case conversation.DeltaCitation:
		if kind == messageItem && w.part.open && ev.Citation != nil {
			return w.citation(dst, ev.Citation)
		}
	}
	return dst
}

// say writes a delta of whatever is open, and keeps its text, escaped, for the events that repeat it. A text may come
// with log probabilities: the elements of an array.
func (w *eventWriter) say(dst []byte, s string, logprobs []byte) []byte {
	if s == "" && len(logprobs) == 0 {
		return dst
	}
	switch w.item.kind {
	case pendingReasoning:
		dst = w.beginReasoning(dst)
		dst = w.partAdded(dst, false)
	case searchItem: // has no deltas; its arguments are no text but an object
		w.part.text = append(w.part.text, s...)
		return dst
	}
	if len(logprobs) > 0 {
		if len(w.part.logprobs) > 0 {
			w.part.logprobs = append(w.part.logprobs, ',')
		}
		w.part.logprobs = appendOneLine(w.part.logprobs, logprobs)
	}
	if w.unary {
		w.part.text = appendInside(w.part.text, s)
		return dst
	}
	name := w.deltaName()
	if w.item.hasParts() {
		dst = w.partEvent(dst, name)
	} else {
		dst = w.itemEvent(dst, name)
	}
	dst = append(dst, `,"delta":`...)
	start := len(dst)
	dst = jsonedit.AppendString(dst, s)
	w.part.text = append(w.part.text, dst[start+1:len(dst)-1]...)
	if w.item.kind == messageItem && !w.part.refusal {
		dst = append(appendOneLine(append(dst, `,"logprobs":[`...), logprobs), ']')
	}
	return w.close(dst)
}

// appendInside appends a JSON string without its quotes.
func appendInside(dst []byte, s string) []byte {
	at := len(dst)
	dst = jsonedit.AppendString(dst, s)
	copy(dst[at:], dst[at+1:])
	return dst[:len(dst)-2]
}

func (w *eventWriter) deltaName() string {
	switch w.item.kind {
	case reasoningItem:
		return "response.reasoning_summary_text.delta"
	case callItem:
		return "response.function_call_arguments.delta"
	case customItem:
		return "response.custom_tool_call_input.delta"
	}
	if w.part.refusal {
		return "response.refusal.delta"
	}
	return "response.output_text.delta"
}

// blockStop ends the open block. A message stays open for the next text.
func (w *eventWriter) blockStop(dst []byte) []byte {
	switch w.item.kind {
	case messageItem:
		return w.partDone(dst)
	case noItem:
		return dst
	}
	return w.itemDone(dst)
}

var _ dialects.EventWriter = (*eventWriter)(nil)

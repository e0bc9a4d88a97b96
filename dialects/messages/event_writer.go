package messages

import (
	"strconv"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// eventWriter writes the stream of one answer in Anthropic's order: message_start, the blocks one after the other,
// message_delta, message_stop.
//
// Other dialects report usage after the stop reason. Since message_delta holds both, it waits for whichever comes last.
type eventWriter struct {
	o dialects.WriterOptions

	started, stopped, finished bool // message_start was written; a stop came; message_delta was written
	next                       int  // index of the next block

	open    bool // a block is open
	pending bool // its content_block_start was not written yet
	skip    bool // the current block has no place in this dialect
	kind    conversation.Kind
	custom  bool   // the open call has free text for arguments
	sig     []byte // the signature of the open block, written when it ends
	from    string // whose it is
	calls   bool
	scratch []byte

	usage                    conversation.Usage
	stop                     conversation.StopReason
	stopSequence, stopDetail string
}

// startTokens is output_tokens in message_start: the first token, as Anthropic counts it. LangChain adds this number to
// the final one, so it has to be small.
const startTokens = 1

// NewEventWriter returns a writer for one stream.
func (Codec) NewEventWriter(o dialects.WriterOptions) dialects.EventWriter { return &eventWriter{o: o} }

// Append appends what an event amounts to, which may be nothing. There is one answer in this dialect: the first.
func (w *eventWriter) Append(dst []byte, ev *conversation.Event) []byte {
	if ev.Choice != 0 || w.finished && ev.Type != conversation.EventEnd && ev.Type != conversation.EventError {
		return dst
	}
	switch ev.Type {
	case conversation.EventPing:
		return Codec{}.AppendKeepAlive(dst)
	case conversation.EventError:
		return Codec{}.AppendErrorEvent(dst, ev.Error, nil)
	case conversation.EventStart:
		if ev.UsageKnown {
			w.usage = ev.Usage
		}
		return w.start(dst, ev.ID)
	}
	dst = w.start(dst, "")
	switch ev.Type {
	case conversation.EventBlockStart:
		dst = w.blockStart(w.blockStop(dst), ev.Block)
	case conversation.EventDelta:
		dst = w.delta(dst, ev)
	case conversation.EventBlockStop:
		dst = w.blockStop(dst)
	case conversation.EventUsage:
		w.usage = ev.Usage
		if w.stopped {
			dst = w.finish(dst)
		}
	case conversation.EventStop:
		dst = w.blockStop(dst)
		w.stopped, w.stop, w.stopSequence, w.stopDetail = true, ev.Stop, ev.StopSequence, ev.StopDetail
	case conversation.EventEnd:
		dst = w.finish(w.blockStop(dst))
		dst = append(dst, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"...)
	}
	return dst
}

func (w *eventWriter) start(dst []byte, id string) []byte {
	if w.started {
		return dst
	}
	w.started = true
	if id == "" {
		id = w.o.RequestID
	}
	dst = append(dst, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":"...)
	dst = appendMessageID(dst, id)
	dst = append(dst, `,"type":"message","role":"assistant","model":`...)
	dst = jsonedit.AppendString(dst, w.o.Model)
	dst = append(dst, `,"content":[],"stop_reason":null,"stop_sequence":null,"usage":`...)
	u := w.usage
	u.Output, u.Reasoning, u.OutputAudio, u.OutputImage, u.WebSearches = startTokens, 0, 0, 0, 0
	dst = appendUsage(dst, u)
	return append(dst, "}}\n\n"...)
}

// blockStart opens a block and writes what is known of it already. Text and thinking begin with their first delta:
// clients send blocks back as they got them, and the API refuses empty ones.
func (w *eventWriter) blockStart(dst []byte, b *conversation.Block) []byte {
	w.skip = false
	if proof, ok := carried(b); ok {
		dst = w.blockStop(w.blockStart(dst, &proof))
	}
	switch b.Kind {
	case conversation.Text, conversation.Refusal, conversation.Call, conversation.Thinking:
	case conversation.Opaque:
		if w.skip = b.Origin != origin; w.skip {
			return dst
		}
	default:
		w.skip = true
		return dst
	}
	w.open, w.kind, w.custom, w.sig, w.from = true, b.Kind, false, w.sig[:0], b.Origin
	switch {
	case b.Kind == conversation.Call:
		w.calls, w.custom = true, b.Call.Custom
		dst = append(appendCallHead(w.head(dst), b.Call), "{}}}\n\n"...)
		if w.custom {
			dst = w.partial(dst, `{"input":"`)
		}
		return w.arguments(dst, b.Call.Arguments)
	case b.Kind == conversation.Opaque:
		return append(appendOneLine(w.head(dst), b.Raw), "}\n\n"...)
	case b.Kind == conversation.Thinking && b.Redacted:
		w.kind = conversation.Opaque // nothing is added to it
		return append(appendThinkingHead(w.head(dst), b), "}}\n\n"...)
	}
	w.pending, w.sig = true, append(w.sig, b.Signature...)
	dst = w.text(dst, b.Text)
	for i := range b.Citations {
		dst = w.citation(dst, &b.Citations[i])
	}
	return dst
}

func (w *eventWriter) head(dst []byte) []byte {
	dst = append(dst, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":"...)
	dst = strconv.AppendInt(dst, int64(w.next), 10)
	return append(dst, `,"content_block":`...)
}

// delta adds to the open block. A delta of another kind than the block's has no place in the stream.
func (w *eventWriter) delta(dst []byte, ev *conversation.Event) []byte {
	if !w.open || w.skip {
		return dst
	}
	switch ev.Delta {
	case conversation.DeltaText:
		if w.kind == conversation.Text || w.kind == conversation.Refusal {
			dst = w.text(dst, ev.Text)
		}
	case conversation.DeltaThinking:
		if w.kind == conversation.Thinking {
			dst = w.text(dst, ev.Text)
		}
	case conversation.DeltaArguments:
		if w.kind == conversation.Call {
			dst = w.arguments(dst, ev.Text)
		}
	case conversation.DeltaSignature:
		w.sig = append(w.sig, ev.Text...)
	case conversation.DeltaCitation:
		if w.kind == conversation.Text && ev.Citation != nil {
			dst = w.citation(dst, ev.Citation)
		}
	}
	return dst
}

// deltaHead appends a delta up to its type, after the start of a block that was waiting for it.
func (w *eventWriter) deltaHead(dst []byte) []byte {
	if w.pending {
		w.pending = false
		if dst = w.head(dst); w.kind == conversation.Thinking {
			dst = append(dst, `{"type":"thinking","thinking":"","signature":""}`...)
		} else {
			dst = append(dst, `{"type":"text","text":""}`...)
		}
		dst = append(dst, "}\n\n"...)
	}
	dst = append(dst, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":"...)
	dst = strconv.AppendInt(dst, int64(w.next), 10)
	return append(dst, `,"delta":{"type":"`...)
}

// text appends a delta of text or thinking.
func (w *eventWriter) text(dst []byte, s string) []byte {
	if s == "" {
		return dst
	}
	dst = w.deltaHead(dst)
	if w.kind == conversation.Thinking {
		dst = append(dst, `thinking_delta","thinking":`...)
	} else {
		dst = append(dst, `text_delta","text":`...)
	}
	return append(jsonedit.AppendString(dst, s), "}}\n\n"...)
}

// arguments appends a delta of a call's input. Free text becomes the inside of a JSON string.
func (w *eventWriter) arguments(dst []byte, s string) []byte {
	if s == "" {
		return dst
	}
	if w.custom {
		w.scratch = jsonedit.AppendString(w.scratch[:0], s)
		return w.partial(dst, jsonedit.View(w.scratch[1:len(w.scratch)-1]))
	}
	return w.partial(dst, s)
}

func (w *eventWriter) partial(dst []byte, s string) []byte {
	dst = append(w.deltaHead(dst), `input_json_delta","partial_json":`...)
	return append(jsonedit.AppendString(dst, s), "}}\n\n"...)
}

func (w *eventWriter) citation(dst []byte, c *conversation.Citation) []byte {
	dst = append(w.deltaHead(dst), `citations_delta","citation":`...)
	if c.Origin == origin && len(c.Raw) > 0 {
		dst = appendOneLine(dst, c.Raw)
	} else {
		dst = appendCitation(dst, c)
	}
	return append(dst, "}}\n\n"...)
}

func (w *eventWriter) blockStop(dst []byte) []byte {
	w.skip = false
	if !w.open {
		return dst
	}
	if w.custom {
		dst = w.partial(dst, `"}`)
	}
	if w.kind == conversation.Thinking && (!w.pending || len(w.sig) > 0) {
		if sig := label(jsonedit.View(w.sig), w.from); sig != "" {
			dst = append(w.deltaHead(dst), `signature_delta","signature":`...)
			dst = append(jsonedit.AppendString(dst, sig), "}}\n\n"...)
		}
	}
	w.open, w.custom = false, false
	if w.pending {
		w.pending = false
		return dst
	}
	dst = append(dst, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":"...)
	dst = strconv.AppendInt(dst, int64(w.next), 10)
	w.next++
	return append(dst, "}\n\n"...)
}

// finish writes message_delta, once.
func (w *eventWriter) finish(dst []byte) []byte {
	if w.finished {
		return dst
	}
	w.finished = true
	dst = append(dst, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{"...)
	dst = appendStop(dst, stopName(w.stop, w.calls), w.stopSequence, w.stopDetail)
	dst = append(dst, `},"usage":`...)
	dst = appendUsage(dst, w.usage)
	return append(dst, "}\n\n"...)
}

// appendOneLine appends a JSON document without line ends, which would end the line of an event. Inside of strings
// they are escaped anyway.
func appendOneLine(dst, doc []byte) []byte {
	at := len(dst)
	dst = append(dst, doc...)
	for i := at; i < len(dst); i++ {
		if dst[i] == '\n' || dst[i] == '\r' {
			dst[i] = ' '
		}
	}
	return dst
}

var _ dialects.EventWriter = (*eventWriter)(nil)

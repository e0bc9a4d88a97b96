package messages

import (
	"strings"
	"sync"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// meter watches one response. Ordinary deltas are only measured.
type meter struct {
	obs    dialects.Observation
	counts counts
	event  event
	err    *conversation.Error
}

var meters = sync.Pool{New: func() any { return new(meter) }}

// NewMeter returns a pooled meter.
func (Codec) NewMeter() dialects.Meter { return meters.Get().(*meter) }

// Release gives the meter back. It must not be used afterwards.
func (m *meter) Release() {
	outer, in := m.event.outer, m.event.in // keep the room for members and texts
	outer.Reset()
	in.Reset(nil)
	*m = meter{event: event{outer: outer, in: in}}
	meters.Put(m)
}

func (m *meter) Observation() *dialects.Observation { return &m.obs }
func (m *meter) Err() *conversation.Error           { return m.err }

// Event looks at one frame. What is not JSON says nothing; the event reader reports it.
func (m *meter) Event(ev sse.Event) dialects.Signal {
	if len(ev.Data) == 0 || m.event.scan(ev.Data) != nil {
		return 0
	}
	switch m.event.name(ev.Name) {
	case "content_block_delta":
		return m.delta()
	case "content_block_start":
		return m.block(m.event.read("content_block"))
	case "message_start":
		sig := m.message(m.event.read("message"))
		// A message that begins with its end has its usage, too. Of others it is what they begin with.
		if m.obs.UsageFinal = m.obs.UsageKnown && m.obs.Stop != conversation.StopUnknown; !m.obs.UsageFinal {
			m.obs.Guess()
		}
		return sig
	case "message_delta":
		in := jsonedit.NewReader(ev.Data)
		m.messageDelta(&in)
	case "message_stop":
		return dialects.SignalTerminal
	case "error":
		m.err = streamError(ev.Data)
		m.obs.Stop = conversation.StopError
		return dialects.SignalError
	}
	return 0
}

func (m *meter) delta() dialects.Signal {
	kind, n := m.event.deltaLen()
	if kind == "" || kind == "signature_delta" || n == 0 {
		return 0
	}
	m.obs.OutputBytes += int64(n)
	return dialects.SignalContent
}

// block signals content for blocks that say something before their first delta: calls, and whatever comes whole.
func (m *meter) block(in *jsonedit.Reader) dialects.Signal {
	var kind, text, thinking, model string
	var input int
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "type":
			kind, _ = in.Text()
		case "text":
			text, _ = in.Text()
		case "thinking":
			thinking, _ = in.Text()
		case "input":
			input = len(in.Raw())
		case "to":
			model = textIn(in, "model")
		}
	}
	switch kind {
	case "text":
		return m.visible(text)
	case "thinking":
		return m.visible(thinking)
	case "tool_use":
		if input > len("{}") {
			m.obs.OutputBytes += int64(input)
		}
		return dialects.SignalContent
	case "compaction", "":
		return 0
	case "fallback":
		m.setModel(model)
		return 0
	}
	return dialects.SignalContent
}

func (m *meter) visible(text string) dialects.Signal {
	m.obs.OutputBytes += int64(len(text))
	if text == "" {
		return 0
	}
	return dialects.SignalContent
}

// message reads a message object. That of message_start is empty but in turns of programmatic tool calling, where it
// holds the finished calls and the stop reason.
func (m *meter) message(in *jsonedit.Reader) (sig dialects.Signal) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "id":
			if s, _ := in.Text(); s != m.obs.ID {
				m.obs.ID = strings.Clone(s)
			}
		case "model":
			s, _ := in.Text()
			m.setModel(s)
		case "stop_reason":
			m.setStop(in)
		case "usage":
			m.usage(in)
		case "content":
			for ok := in.Array(); ok; ok = in.Next() {
				sig |= m.block(in)
			}
		}
	}
	return sig
}

func (m *meter) messageDelta(in *jsonedit.Reader) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "delta":
			for ok := in.Object(); ok; ok = in.Next() {
				if in.Key() == "stop_reason" {
					m.setStop(in)
				}
			}
		case "usage":
			if m.usage(in) {
				m.obs.UsageFinal = m.obs.UsageKnown
			}
		}
	}
}

// usage reads a usage object, and reports whether it has the output.
func (m *meter) usage(in *jsonedit.Reader) (output bool) {
	output = m.counts.merge(in)
	m.obs.Update(m.counts.billed())
	if m.obs.SetTier(m.counts.tier); m.counts.fast {
		m.obs.Tier = "fast"
	}
	return output
}

func (m *meter) setModel(name string) {
	if name != "" && name != m.obs.Model {
		m.obs.Model = strings.Clone(name)
	}
}

func (m *meter) setStop(in *jsonedit.Reader) {
	if s, ok := in.Text(); ok {
		m.obs.Stop = parseStop(s)
	}
}

// Body looks at a unary answer. The answer to count_tokens, {"input_tokens":n}, is free of charge: it changes nothing.
func (m *meter) Body(body []byte) dialects.Signal {
	in := jsonedit.NewReader(body)
	start, answer, kind := in.Mark(), false, ""
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "type":
			kind, _ = in.Text()
		case "content":
			answer = in.Peek() == '['
		}
	}
	if kind == "error" {
		m.err = streamError(body)
		m.obs.Stop = conversation.StopError
		return dialects.SignalError
	}
	if !answer {
		return 0
	}
	in.Seek(start)
	m.message(&in)
	m.obs.UsageFinal = m.obs.UsageKnown
	return dialects.SignalContent | dialects.SignalTerminal
}

var _ dialects.Meter = (*meter)(nil)

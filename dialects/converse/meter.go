package converse

import (
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
	err    *conversation.Error
}

var meters = sync.Pool{New: func() any { return new(meter) }}

// NewMeter returns a pooled meter.
func (Codec) NewMeter() dialects.Meter { return meters.Get().(*meter) }

// Release gives the meter back. It must not be used afterwards.
func (m *meter) Release() {
	*m = meter{}
	meters.Put(m)
}

func (m *meter) Observation() *dialects.Observation { return &m.obs }
func (m *meter) Err() *conversation.Error           { return m.err }

// Event looks at one frame. What is not JSON says nothing; the event reader reports it.
func (m *meter) Event(ev sse.Event) dialects.Signal {
	if isError(ev.Name) {
		m.err = frameError(ev.Name, ev.Data)
		m.obs.Stop = conversation.StopError
		return dialects.SignalError
	}
	in := jsonedit.NewReader(ev.Data)
	switch jsonedit.View(ev.Name) {
	case "contentBlockDelta":
		for ok := in.Object(); ok; ok = in.Next() {
			if in.Key() == "delta" {
				return m.delta(&in)
			}
		}
	case "contentBlockStart":
		for ok := in.Object(); ok; ok = in.Next() {
			if in.Key() == "start" && in.Object() {
				return dialects.SignalContent // only calls and their like announce themselves
			}
		}
	case "messageStop":
		m.answer(&in)
		return dialects.SignalTerminal
	case "metadata":
		m.answer(&in)
		m.obs.UsageFinal = m.obs.UsageKnown
	}
	return 0
}

func (m *meter) delta(in *jsonedit.Reader) dialects.Signal {
	n := 0
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "text":
			n += textLen(in)
		case "toolUse":
			for ok := in.Object(); ok; ok = in.Next() {
				if in.Key() == "input" {
					n += textLen(in)
				}
			}
		case "reasoningContent":
			for ok := in.Object(); ok; ok = in.Next() {
				if in.Key() == "text" {
					n += textLen(in)
				}
			}
		}
	}
	m.obs.OutputBytes += int64(n)
	if n == 0 {
		return 0
	}
	return dialects.SignalContent
}

func textLen(in *jsonedit.Reader) int {
	n, _ := in.TextLen()
	return n
}

// answer reads what whole answers and the last events of a stream have in common. It reports whether there is a message.
func (m *meter) answer(in *jsonedit.Reader) (message bool) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "output":
			for ok := in.Object(); ok; ok = in.Next() {
				if in.Key() == "message" {
					message = in.Peek() == '{'
					m.message(in)
				}
			}
		case "stopReason":
			s, _ := in.Text()
			m.obs.Stop = parseStop(s)
		case "usage":
			m.counts.merge(in)
			m.obs.Update(m.counts.report())
		case "serviceTier":
			m.obs.SetTier(textIn(in, "type"))
		}
	}
	return message
}

// message measures the blocks of a whole answer.
func (m *meter) message(in *jsonedit.Reader) {
	for ok := in.Object(); ok; ok = in.Next() {
		if in.Key() != "content" {
			continue
		}
		for ok := in.Array(); ok; ok = in.Next() {
			for ok := in.Object(); ok; ok = in.Next() {
				b, _ := readBlock(in, in.Key())
				m.obs.OutputBytes += int64(len(b.Text))
				if b.Call != nil {
					m.obs.OutputBytes += int64(len(b.Call.Arguments))
				}
			}
		}
	}
}

// Body looks at a unary answer. The answer to a question about tokens, {"inputTokens":n}, is free of charge: it changes
// nothing.
func (m *meter) Body(body []byte) dialects.Signal {
	in := jsonedit.NewReader(body)
	if m.answer(&in) {
		m.obs.UsageFinal = m.obs.UsageKnown
		return dialects.SignalContent | dialects.SignalTerminal
	}
	e := Codec{}.ParseError(0, body)
	if e.Message == "" && e.Type == "" {
		return 0
	}
	m.err = frameError([]byte(e.Type), body)
	m.obs.Stop = conversation.StopError
	return dialects.SignalError
}

var _ dialects.Meter = (*meter)(nil)

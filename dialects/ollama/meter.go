package ollama

import (
	"strings"
	"sync"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// meter implements [dialects.Meter].
type meter struct {
	obs    dialects.Observation
	err    *conversation.Error
	called bool
}

var meters = sync.Pool{New: func() any { return new(meter) }}

// NewMeter implements [dialects.Codec].
func (Codec) NewMeter() dialects.Meter { return meters.Get().(*meter) }

// Release implements [dialects.Meter].
func (m *meter) Release() {
	*m = meter{}
	meters.Put(m)
}

// Observation implements [dialects.Meter].
func (m *meter) Observation() *dialects.Observation { return &m.obs }

// Err implements [dialects.Meter].
func (m *meter) Err() *conversation.Error { return m.err }

// Event implements [dialects.Meter].
func (m *meter) Event(ev sse.Event) dialects.Signal {
	if len(ev.Data) == 0 || ev.Incomplete && !valid(ev.Data) {
		return 0
	}
	return m.document(ev.Data)
}

// Body implements [dialects.Meter]: a whole response has the form of a line.
func (m *meter) Body(body []byte) dialects.Signal {
	in := jsonedit.NewReader(body)
	if in.Peek() != '{' {
		return 0
	}
	return m.document(body)
}

func (m *meter) document(data []byte) (sig dialects.Signal) {
	in := jsonedit.NewReader(data)
	d := readDocument(&in)
	if d.failure != "" {
		m.err = inStream(d.status, d.failure)
		m.obs.Stop = conversation.StopError
		return dialects.SignalError
	}
	if m.obs.Model == "" && d.model != "" {
		m.obs.Model = strings.Clone(d.model)
	}
	in.Seek(d.message)
	if n := m.output(&in); n > 0 {
		m.obs.OutputBytes += n
		sig = dialects.SignalContent
	}
	m.obs.Update(d.usage())
	if d.done {
		m.obs.Stop = stopReason(d.reason, m.called)
		m.obs.UsageFinal = m.obs.UsageKnown
		sig |= dialects.SignalTerminal
	}
	return sig
}

// output counts what is in a message. A call without arguments is output as well.
func (m *meter) output(in *jsonedit.Reader) (n int64) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "content", "thinking":
			length, _ := in.TextLen()
			n += int64(length)
		case "tool_calls":
			for ok := in.Array(); ok; ok = in.Next() {
				m.called = true
				n += int64(len(in.Raw()))
			}
		}
	}
	return n
}

var _ dialects.Meter = (*meter)(nil)

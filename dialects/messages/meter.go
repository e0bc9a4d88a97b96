package messages

import (
	"strings"
	"sync"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// meter watches one response. Ordinary deltas are only measured; the few other events are read with gjson.
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
	outer, inner := m.event.outer, m.event.inner // keep the room for members
	outer.Reset()
	inner.Reset()
	*m = meter{event: event{outer: outer, inner: inner}}
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
		return m.block(gjson.Parse(m.event.raw("content_block")))
	case "message_start":
		return m.message(gjson.Parse(m.event.raw("message")))
	case "message_delta":
		m.messageDelta(gjson.Parse(view(ev.Data)))
	case "message_stop":
		m.obs.UsageFinal = m.obs.UsageKnown
		return dialects.SignalTerminal
	case "error":
		m.err = streamError(gjson.ParseBytes(ev.Data))
		m.obs.Stop = conversation.StopError
		return dialects.SignalError
	}
	return 0
}

func (m *meter) delta() dialects.Signal {
	d, ok := m.event.delta()
	if !ok || d.kind == "signature_delta" {
		return 0
	}
	n := textLen(d.text)
	m.obs.OutputBytes += int64(n)
	if n == 0 {
		return 0
	}
	return dialects.SignalContent
}

// block signals content for blocks that say something before their first delta: calls, and whatever comes whole.
func (m *meter) block(b gjson.Result) dialects.Signal {
	switch b.Get("type").Str {
	case "text":
		return m.visible(b.Get("text"))
	case "thinking":
		return m.visible(b.Get("thinking"))
	case "tool_use":
		if input := b.Get("input"); len(input.Raw) > len("{}") {
			m.obs.OutputBytes += int64(len(input.Raw))
		}
		return dialects.SignalContent
	case "compaction", "":
		return 0
	case "fallback":
		m.setModel(b.Get("to.model"))
		return 0
	}
	return dialects.SignalContent
}

func (m *meter) visible(text gjson.Result) dialects.Signal {
	m.obs.OutputBytes += int64(len(text.Str))
	if text.Str == "" {
		return 0
	}
	return dialects.SignalContent
}

// message reads a message object. That of message_start is empty but in turns of programmatic tool calling, where it
// holds the finished calls and the stop reason.
func (m *meter) message(msg gjson.Result) (sig dialects.Signal) {
	msg.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "id":
			m.obs.ID = strings.Clone(v.Str)
		case "model":
			m.setModel(v)
		case "stop_reason":
			m.setStop(v)
		case "usage":
			m.usage(v)
		case "content":
			v.ForEach(func(_, b gjson.Result) bool {
				sig |= m.block(b)
				return true
			})
		}
		return true
	})
	return sig
}

func (m *meter) messageDelta(doc gjson.Result) {
	m.setStop(doc.Get("delta.stop_reason"))
	usage := doc.Get("usage")
	m.usage(usage)
	if _, ok := count(usage.Get("output_tokens")); ok {
		m.obs.UsageFinal = m.obs.UsageKnown
	}
}

func (m *meter) usage(v gjson.Result) {
	m.counts.merge(v)
	m.obs.Usage, m.obs.UsageKnown = m.counts.billed(), m.counts.known()
	if tier := v.Get("service_tier"); tier.Type == gjson.String {
		m.obs.ServiceTier = strings.Clone(tier.Str)
	}
}

func (m *meter) setModel(v gjson.Result) {
	if v.Type == gjson.String && v.Str != "" {
		m.obs.Model = strings.Clone(v.Str)
	}
}

func (m *meter) setStop(v gjson.Result) {
	if v.Type == gjson.String {
		m.obs.Stop = parseStop(v.Str)
	}
}

// Body looks at a unary answer. The answer to count_tokens, {"input_tokens":n}, is free of charge: it changes nothing.
func (m *meter) Body(body []byte) dialects.Signal {
	doc := gjson.Parse(view(body))
	if doc.Get("type").Str == "error" {
		m.err = streamError(gjson.ParseBytes(body))
		m.obs.Stop = conversation.StopError
		return dialects.SignalError
	}
	if !doc.Get("content").IsArray() {
		return 0
	}
	m.message(doc)
	m.obs.UsageFinal = m.obs.UsageKnown
	return dialects.SignalContent | dialects.SignalTerminal
}

var _ dialects.Meter = (*meter)(nil)

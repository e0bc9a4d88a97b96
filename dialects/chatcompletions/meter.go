package chatcompletions

import (
	"bytes"
	"strings"
	"sync"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

var doneMarker = []byte("[DONE]")

// meter implements [dialects.Meter].
type meter struct {
	obs      dialects.Observation
	err      *conversation.Error
	answered bool // there was a choice
	calls    bool // a tool was called
	refused  bool
	known    bool // ID and model are known: ordinary deltas need not be parsed in full
	shape    deltaShape
}

var meters = sync.Pool{New: func() any { return new(meter) }}

// NewMeter implements [dialects.Codec].
func (Codec) NewMeter() dialects.Meter { return meters.Get().(*meter) }

// Release implements [dialects.Meter].
func (m *meter) Release() {
	m.shape.reset()
	*m = meter{shape: m.shape}
	meters.Put(m)
}

// Observation implements [dialects.Meter].
func (m *meter) Observation() *dialects.Observation { return &m.obs }

// Err implements [dialects.Meter].
func (m *meter) Err() *conversation.Error { return m.err }

// Event implements [dialects.Meter].
func (m *meter) Event(ev sse.Event) dialects.Signal {
	data := ev.Data
	switch {
	case string(ev.Name) == "error":
		return m.fail(gjson.Parse(view(data)))
	case len(data) == 0:
		return 0
	case bytes.Equal(bytes.TrimSpace(data), doneMarker):
		m.settle()
		return dialects.SignalTerminal
	case ev.Incomplete && !gjson.ValidBytes(data):
		return 0 // half a number is another number
	}
	if m.known {
		if n, ok := m.shape.match(data); ok {
			return m.output(n)
		}
	}
	return m.chunk(gjson.Parse(view(data)))
}

// Body implements [dialects.Meter]. Bodies that are not JSON objects, such as audio, carry no signal.
func (m *meter) Body(body []byte) dialects.Signal {
	v := gjson.Parse(view(bytes.TrimSpace(body)))
	if !v.IsObject() {
		return 0
	}
	sig := m.chunk(v) &^ dialects.SignalUsageOnly
	if sig&dialects.SignalError != 0 {
		return sig
	}
	m.settle()
	return sig | dialects.SignalTerminal
}

// settle draws the conclusions of a response that is complete.
func (m *meter) settle() {
	m.obs.UsageFinal = m.obs.UsageKnown
	if m.answered {
		m.obs.Stop = settleStop(m.obs.Stop, m.calls, m.refused)
	}
}

func (m *meter) output(n int64) dialects.Signal {
	if n == 0 {
		return 0
	}
	m.obs.OutputBytes += n
	return dialects.SignalContent
}

func (m *meter) fail(v gjson.Result) dialects.Signal {
	m.err = inStream(v)
	m.obs.Stop = conversation.StopError
	return dialects.SignalError
}

// chunk reads a chunk of a stream or a whole unary response: they have the same members but for delta and message.
func (m *meter) chunk(v gjson.Result) dialects.Signal {
	if !v.IsObject() {
		return 0
	}
	var c chunkFacts
	v.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "id":
			setOnce(&m.obs.ID, v)
		case "model":
			setOnce(&m.obs.Model, v)
		case "service_tier":
			if s := text(v); s != "" && s != m.obs.ServiceTier {
				m.obs.ServiceTier = strings.Clone(s)
			}
		case "choices":
			m.choices(v, &c)
		case "usage":
			c.usage = m.usage(v)
		case "x_groq":
			if !c.usage {
				c.usage = m.usage(v.Get("usage"))
			}
		case "error":
			c.failed = c.failed || !isNull(v)
		case "object":
			c.failed = c.failed || v.Str == "error"
		}
		return true
	})
	m.known = m.obs.ID != "" && m.obs.Model != ""
	if c.failed {
		return m.fail(v)
	}
	sig := m.output(c.bytes)
	if c.usage && c.choices == 0 {
		sig |= dialects.SignalUsageOnly
	}
	return sig
}

// chunkFacts is what one chunk turned out to hold.
type chunkFacts struct {
	choices       int
	bytes         int64
	usage, failed bool
}

func (m *meter) usage(v gjson.Result) bool {
	u, ok := parseUsage(v)
	if ok {
		m.obs.Usage, m.obs.UsageKnown = u, true
	}
	return ok
}

func (m *meter) choices(v gjson.Result, c *chunkFacts) {
	if !v.IsArray() {
		return
	}
	v.ForEach(func(_, choice gjson.Result) bool {
		c.choices++
		m.answered = true
		var finish string
		var whole, partial int64
		choice.ForEach(func(key, v gjson.Result) bool {
			switch key.Str {
			case "delta":
				partial += m.message(v)
			case "message":
				whole += m.message(v)
			case "text": // legacy completions
				partial += int64(len(text(v)))
			case "finish_reason":
				finish = text(v)
			case "error":
				c.failed = c.failed || !isNull(v)
			}
			return true
		})
		// Perplexity repeats the whole message so far beside every delta.
		if partial == 0 && m.obs.OutputBytes == 0 {
			partial = whole
		}
		c.bytes += partial
		if s := stopReason(finish); s != conversation.StopUnknown {
			m.obs.Stop = settleStop(s, m.calls, m.refused)
		}
		return true
	})
}

// message counts the output in a message or a delta.
func (m *meter) message(v gjson.Result) (n int64) {
	if !v.IsObject() {
		return 0
	}
	v.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "content":
			n += contentLength(v)
		case "reasoning_content", "reasoning":
			n += int64(len(text(v)))
		case "refusal":
			m.refused = m.refused || text(v) != ""
			n += int64(len(text(v)))
		case "tool_calls":
			if v.IsArray() {
				v.ForEach(func(_, call gjson.Result) bool {
					n += m.call(call)
					return true
				})
			}
		case "function_call":
			n += m.callBody(v)
		case "audio":
			n += int64(len(text(v.Get("data"))) + len(text(v.Get("transcript"))))
		case "images":
			n += int64(len(v.Raw))
		}
		return true
	})
	return n
}

func (m *meter) call(v gjson.Result) int64 {
	n := m.callBody(v.Get("function"))
	return n + m.callBody(v.Get("custom"))
}

// callBody counts the name, too: a call without arguments is output as well.
func (m *meter) callBody(v gjson.Result) (n int64) {
	if !v.IsObject() {
		return 0
	}
	v.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "name", "arguments", "input":
			n += int64(len(v.String()))
		}
		return true
	})
	m.calls = m.calls || n > 0
	return n
}

// contentLength counts the text of a content: a string, or Mistral's list of chunks.
func contentLength(v gjson.Result) (n int64) {
	if !v.IsArray() {
		return int64(len(text(v)))
	}
	v.ForEach(func(_, part gjson.Result) bool {
		part.ForEach(func(key, v gjson.Result) bool {
			switch key.Str {
			case "text":
				n += int64(len(text(v)))
			case "thinking":
				n += contentLength(v)
			}
			return true
		})
		return true
	})
	return n
}

func setOnce(dst *string, v gjson.Result) {
	if *dst == "" {
		*dst = strings.Clone(text(v))
	}
}

var _ dialects.Meter = (*meter)(nil)

package cohere

import (
	"bytes"
	"strings"
	"sync"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// meter implements [dialects.Meter].
type meter struct {
	obs   dialects.Observation
	err   *conversation.Error
	calls bool
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
	data := ev.Data
	if len(data) == 0 || bytes.Equal(bytes.TrimSpace(data), doneMarker) || ev.Incomplete && !valid(data) {
		return 0
	}
	in := jsonedit.NewReader(data)
	f := readFrame(&in)
	if m.obs.ID == "" && f.id != "" {
		m.obs.ID = strings.Clone(f.id)
	}
	if f.failure != "" {
		return m.fail("", f.failure)
	}
	in.Seek(f.message)
	switch f.kind {
	case "content-start", "content-delta", "tool-plan-delta", "tool-call-start", "tool-call-delta":
		return m.output(m.message(&in))
	case "message-end":
		in.Seek(f.delta)
		return m.end(&in)
	}
	return 0
}

// Body implements [dialects.Meter].
func (m *meter) Body(body []byte) dialects.Signal {
	in := jsonedit.NewReader(body)
	if in.Peek() != '{' {
		return 0
	}
	var failure string
	var n int64
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "id":
			m.obs.ID = textOf(&in)
		case "message":
			if s, ok := in.Text(); ok {
				failure = s
			} else {
				n = m.message(&in)
			}
		case "error":
			failure, _ = in.Text()
		case "finish_reason":
			s, _ := in.Text()
			m.obs.Stop = stopReason(s)
		case "usage":
			m.usage(readUsage(&in))
		}
	}
	if failure != "" {
		return m.fail("", failure)
	}
	m.settle()
	return m.output(n) | dialects.SignalTerminal
}

func (m *meter) output(n int64) dialects.Signal {
	m.obs.OutputBytes += n
	if n == 0 {
		return 0
	}
	return dialects.SignalContent
}

func (m *meter) usage(u usage) { m.obs.Update(u.charged()) }

func (m *meter) settle() {
	m.obs.Stop = settleStop(m.obs.Stop, m.calls)
	m.obs.UsageFinal = m.obs.UsageKnown
}

// end reads the delta of message-end.
func (m *meter) end(in *jsonedit.Reader) dialects.Signal {
	var end finale
	end.read(in)
	m.usage(end.usage)
	if end.failure != "" {
		return m.fail(end.failureType, end.failure)
	}
	m.obs.Stop = stopReason(end.finish)
	m.settle()
	return dialects.SignalTerminal
}

func (m *meter) fail(kind, message string) dialects.Signal {
	m.err = inStream(kind, message)
	m.obs.Stop = conversation.StopError
	return dialects.SignalError
}

// message counts the output in a message or a piece of one, where lists may be single elements.
func (m *meter) message(in *jsonedit.Reader) (n int64) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "tool_plan":
			n += textLen(in)
		case "content":
			n += textLen(in)
			if in.Peek() == '{' {
				n += contentLen(in)
			}
			for ok := in.Array(); ok; ok = in.Next() {
				n += contentLen(in)
			}
		case "tool_calls":
			if in.Peek() == '{' {
				n += m.callLen(in)
			}
			for ok := in.Array(); ok; ok = in.Next() {
				n += m.callLen(in)
			}
		}
	}
	return n
}

func contentLen(in *jsonedit.Reader) (n int64) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "text", "thinking":
			n += textLen(in)
		}
	}
	return n
}

// callLen counts the name, too: a call without arguments is output as well.
func (m *meter) callLen(in *jsonedit.Reader) (n int64) {
	m.calls = true
	for ok := in.Object(); ok; ok = in.Next() {
		if in.Key() != "function" {
			continue
		}
		for ok := in.Object(); ok; ok = in.Next() {
			switch in.Key() {
			case "name", "arguments":
				n += textLen(in)
				if in.Peek() == '{' {
					n += int64(len(in.Raw()))
				}
			}
		}
	}
	return n
}

// textLen reads a text, if one comes next, and returns its length.
func textLen(in *jsonedit.Reader) int64 {
	n, _ := in.TextLen()
	return int64(n)
}

var _ dialects.Meter = (*meter)(nil)

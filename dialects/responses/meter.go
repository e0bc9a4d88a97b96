package responses

import (
	"strings"
	"sync"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

var meters = sync.Pool{New: func() any { return new(meter) }}

// NewMeter returns a meter from a pool.
func (Codec) NewMeter() dialects.Meter { return meters.Get().(*meter) }

// meter reads one response of the dialect.
type meter struct {
	obs     dialects.Observation
	err     conversation.Error
	failed  bool
	ended   bool  // a final event was seen
	created int64 // Unix seconds, for the response object of an error event
	next    int64 // the sequence number after the last one seen

	calls, refused bool  // what a completed response is to be told apart by
	searches       int64 // finished web searches
}

// Release gives the meter back to the pool.
func (m *meter) Release() {
	*m = meter{}
	meters.Put(m)
}

// Observation is what is known so far.
func (m *meter) Observation() *dialects.Observation { return &m.obs }

// Err is the error of the response, or nil.
func (m *meter) Err() *conversation.Error {
	if !m.failed {
		return nil
	}
	return &m.err
}

// frame holds the members of an event that matter here, raw.
type frame struct {
	kind, sequence, delta, item, response string
	failure                               string // a nested error object
	code, message, param                  string // the flat error of older streams
}

func readFrame(data string) (f frame) {
	jsonedit.EachMember(data, func(key, raw string) bool {
		switch key {
		case "type":
			f.kind = strings.Trim(raw, `"`)
		case "sequence_number":
			f.sequence = raw
		case "delta":
			f.delta = raw
		case "item":
			f.item = raw
		case "response":
			f.response = raw
		case "error":
			f.failure = raw
		case "code":
			f.code = raw
		case "message":
			f.message = raw
		case "param":
			f.param = raw
		}
		return true
	})
	return f
}

// Event looks at one frame of a stream. The event's own type is believed before the SSE event name, because that is
// what clients go by and because OpenRouter sends no names.
func (m *meter) Event(ev sse.Event) dialects.Signal {
	data := jsonedit.View(ev.Data)
	if len(data) == 0 || ev.Incomplete && data != "[DONE]" && !gjson.Valid(data) {
		return 0 // of half an event nothing is believed
	}
	if data == "[DONE]" {
		if m.ended {
			return dialects.SignalTerminal
		}
		return 0 // no end of its own: without a final event the answer is cut off
	}
	f := readFrame(data)
	if f.kind == "" {
		f.kind = jsonedit.View(ev.Name)
	}
	if n, ok := jsonedit.Count(f.sequence); ok && n >= m.next {
		m.next = n + 1
	}
	switch {
	case strings.HasSuffix(f.kind, ".delta"):
		return m.delta(&f)
	case f.kind == "response.output_item.added":
		return m.added(f.item)
	case f.kind == "response.output_item.done":
		return m.done(f.item)
	case f.kind == "response.image_generation_call.partial_image":
		return dialects.SignalContent
	case f.kind == "response.created", f.kind == "response.queued", f.kind == "response.in_progress":
		if m.obs.ID == "" {
			m.identify(f.response)
		}
	case f.kind == "response.completed", f.kind == "response.incomplete", f.kind == "response.failed",
		f.kind == "response.cancelled":
		return m.finish(strings.TrimPrefix(f.kind, "response."), f.response)
	case f.kind == "error", f.kind == "" && isSet(f.failure):
		m.fail(&f)
		return dialects.SignalError
	}
	return 0
}

// delta counts what the model wrote. The output of a hosted shell is shown to the client but is no output of the
// model.
func (m *meter) delta(f *frame) dialects.Signal {
	n := jsonedit.RawTextLen(f.delta)
	if n == 0 && (f.delta == "" || f.delta[0] == '"') {
		return 0
	}
	switch f.kind {
	case "response.shell_call_output_content.delta":
		n = 0
	case "response.refusal.delta":
		m.refused = true
	}
	m.obs.OutputBytes += n
	return dialects.SignalContent
}

// added reports calls as content: a client may act on one before its arguments are complete. A message or a reasoning
// item that has only been announced shows nothing yet.
func (m *meter) added(item string) dialects.Signal {
	kind := typeOf(item)
	m.noteCall(kind)
	if strings.HasSuffix(kind, "_call") {
		return dialects.SignalContent
	}
	return 0
}

// done reports items as content that come whole, without deltas.
func (m *meter) done(item string) dialects.Signal {
	kind := typeOf(item)
	m.noteCall(kind)
	if kind == "web_search_call" && isSearch(item) {
		m.searches++
	}
	if kind == "" || kind == "reasoning" {
		return 0
	}
	return dialects.SignalContent
}

func (m *meter) noteCall(kind string) {
	if kind == "function_call" || kind == "custom_tool_call" {
		m.calls = true
	}
}

// identify notes whose response this is.
func (m *meter) identify(response string) {
	jsonedit.EachMember(response, func(key, raw string) bool {
		switch key {
		case "id":
			m.obs.ID = jsonedit.ScalarText(raw)
		case "model":
			m.obs.Model = jsonedit.ScalarText(raw)
		case "created_at":
			m.created, _ = jsonedit.Count(raw)
		case "service_tier":
			if raw[0] == '"' {
				m.obs.SetTier(strings.Trim(raw, `"`))
			}
		}
		return true
	})
}

// finish reads the final response object of a stream.
func (m *meter) finish(status, response string) dialects.Signal {
	m.ended = true
	m.identify(response)
	o := readOutput(gjson.Get(response, "output"))
	m.calls, m.refused = m.calls || o.calls, m.refused || o.refused
	m.searches = max(m.searches, o.searches)
	m.obs.OutputBytes = max(m.obs.OutputBytes, o.bytes)
	m.conclude(status, response)
	if m.failed {
		return dialects.SignalTerminal | dialects.SignalError
	}
	return dialects.SignalTerminal
}

// conclude takes usage, stop reason and error from a finished response.
func (m *meter) conclude(status, response string) {
	m.obs.Stop = m.stopReason(status, response)
	u := readUsage(gjson.Get(response, "usage").Raw)
	u.Usage.WebSearches = m.searches
	m.obs.Update(u)
	m.obs.UsageFinal = m.obs.UsageKnown
	failure := gjson.Get(response, "error").Raw
	if status == "failed" || isSet(failure) && status != "completed" && status != "incomplete" {
		m.failed = true
		readError(failure, &m.err)
		complete(&m.err, 500)
	}
}

func (m *meter) stopReason(status, response string) conversation.StopReason {
	switch status {
	case "completed":
		switch {
		case m.calls:
			return conversation.StopToolCalls
		case m.refused:
			return conversation.StopRefusal
		}
		return conversation.StopEnd
	case "incomplete":
		if gjson.Get(response, "incomplete_details.reason").Str == "content_filter" {
			return conversation.StopFiltered
		}
		return conversation.StopLength
	case "failed", "cancelled":
		return conversation.StopError
	}
	return conversation.StopUnknown
}

// fail reads an error event: its error object, or the flat members that streams had before 2026.
func (m *meter) fail(f *frame) {
	m.failed = true
	m.obs.Stop = conversation.StopError
	if isSet(f.failure) {
		readError(f.failure, &m.err)
	} else {
		m.err.Code, m.err.Message, m.err.Param = jsonedit.ScalarText(f.code), jsonedit.ScalarText(f.message), jsonedit.ScalarText(f.param)
	}
	complete(&m.err, 500)
}

// Body looks at a whole response. A failed response is an error unless it has output that was worth paying for.
func (m *meter) Body(body []byte) dialects.Signal {
	response := jsonedit.View(body)
	if !gjson.Valid(response) || !gjson.Parse(response).IsObject() {
		return 0
	}
	m.identify(response)
	output := gjson.Get(response, "output")
	o := readOutput(output)
	m.calls, m.refused, m.searches, m.obs.OutputBytes = o.calls, o.refused, o.searches, o.bytes
	status := gjson.Get(response, "status").Str
	if status == "complete" { // seen instead of the documented word
		status = "completed"
	}
	m.conclude(status, response)
	m.ended = true
	signal := dialects.SignalTerminal
	if output.Get("0").Exists() {
		signal |= dialects.SignalContent
	}
	if m.failed && signal&dialects.SignalContent == 0 {
		signal |= dialects.SignalError
	}
	return signal
}

func typeOf(item string) (kind string) {
	jsonedit.EachMember(item, func(key, raw string) bool {
		if key == "type" {
			kind = strings.Trim(raw, `"`)
		}
		return key != "type"
	})
	return kind
}

// isSet reports whether a raw value is there and not null.
func isSet(raw string) bool { return raw != "" && raw != "null" }

var _ dialects.Meter = (*meter)(nil)

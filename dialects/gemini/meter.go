package gemini

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
	obs    dialects.Observation
	err    conversation.Error
	failed bool
	ended  bool

	// seen and finished are sets of candidate indices: a stream of several answers is complete when each of them is.
	seen, finished uint64
	calls          bool
	queries        int64 // web searches that the answer is grounded in
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

// Event looks at one frame of a stream.
func (m *meter) Event(ev sse.Event) dialects.Signal {
	data := jsonedit.View(ev.Data)
	if len(data) == 0 || ev.Incomplete && !gjson.Valid(data) {
		return 0 // of half an event nothing is believed
	}
	return m.whole(data)
}

// Body looks at a whole response: of generateContent, of a stream that was asked for without alt=sse and is one JSON
// array, or of the embedding and counting methods, whose answer is complete as it stands.
func (m *meter) Body(body []byte) dialects.Signal {
	doc := jsonedit.View(body)
	if !gjson.Valid(doc) {
		return 0
	}
	signal := m.whole(doc)
	if signal == 0 {
		jsonedit.EachMember(doc, func(key, _ string) bool {
			if key == "embedding" || key == "embeddings" || key == "totalTokens" || key == "predictions" {
				signal = dialects.SignalContent | dialects.SignalTerminal
			}
			return signal == 0
		})
	}
	m.ended = true
	m.obs.UsageFinal = m.obs.UsageKnown
	return signal
}

// whole reads a response, or an array of responses.
func (m *meter) whole(doc string) (signal dialects.Signal) {
	if strings.HasPrefix(strings.TrimLeft(doc, " \t\r\n"), "[") {
		gjson.Parse(doc).ForEach(func(_, chunk gjson.Result) bool {
			signal |= m.chunk(chunk.Raw)
			return true
		})
		return signal
	}
	return m.chunk(doc)
}

// chunk reads one response object.
func (m *meter) chunk(doc string) (signal dialects.Signal) {
	usage := ""
	jsonedit.EachMember(doc, func(key, raw string) bool {
		switch key {
		case "candidates":
			gjson.Parse(raw).ForEach(func(_, candidate gjson.Result) bool {
				signal |= m.candidate(candidate.Raw)
				return true
			})
		case "usageMetadata":
			usage = raw
		case "modelVersion":
			if m.obs.Model == "" {
				m.obs.Model = jsonedit.ScalarText(raw)
			}
		case "responseId":
			if m.obs.ID == "" {
				m.obs.ID = jsonedit.ScalarText(raw)
			}
		case "promptFeedback":
			if isSet(gjson.Get(raw, "blockReason").Raw) {
				m.obs.Stop, m.ended = conversation.StopFiltered, true
				signal |= dialects.SignalTerminal
			}
		case "error":
			if isSet(raw) {
				m.fail(raw)
				signal |= dialects.SignalError
			}
		}
		return true
	})
	if m.seen != 0 && m.seen == m.finished {
		m.ended = true
		signal |= dialects.SignalTerminal
	}
	m.usage(usage)
	m.obs.Usage.WebSearches = webSearches(m.obs.Model, m.queries)
	m.obs.UsageFinal = m.ended && m.obs.UsageKnown
	return signal
}

// usage reads the usage of a chunk. Where the model runs code in between, the counts start again with every step, and
// only the last chunk has their sum.
func (m *meter) usage(raw string) {
	if raw == "" {
		return
	}
	if u := readUsage(raw); m.ended {
		m.obs.Update(u)
	} else {
		m.obs.Raise(u)
	}
	m.obs.SetTier(tierWord(raw))
}

func (m *meter) fail(raw string) {
	m.failed = true
	m.obs.Stop = conversation.StopError
	readError(raw, &m.err)
	if m.err.Status == 0 {
		m.err.Status = 500
	}
}

func (m *meter) candidate(doc string) (signal dialects.Signal) {
	var index int64
	var finish string
	jsonedit.EachMember(doc, func(key, raw string) bool {
		switch key {
		case "index":
			index, _ = jsonedit.Count(raw)
		case "finishReason":
			finish = raw
		case "content":
			if m.content(raw) {
				signal |= dialects.SignalContent
			}
		case "groundingMetadata":
			m.queries = max(m.queries, gjson.Get(raw, "webSearchQueries.#").Int())
		}
		return true
	})
	bit := uint64(1) << min(index, 63)
	m.seen |= bit
	if stop, done := stopReason(finish); done {
		m.finished |= bit
		if stop == conversation.StopEnd && m.calls {
			stop = conversation.StopToolCalls
		}
		m.obs.Stop = stop
	}
	return signal
}

// content reports whether there is anything in the parts that a client can see.
func (m *meter) content(doc string) (visible bool) {
	jsonedit.EachMember(doc, func(key, raw string) bool {
		if key == "parts" {
			gjson.Parse(raw).ForEach(func(_, part gjson.Result) bool {
				visible = m.part(part.Raw) || visible
				return true
			})
		}
		return true
	})
	return visible
}

// part measures one part: text and thoughts, calls, and code that the model wrote. Images and audio are visible but
// are not measured in bytes of text.
func (m *meter) part(doc string) (visible bool) {
	jsonedit.EachMember(doc, func(key, raw string) bool {
		switch key {
		case "text":
			n := jsonedit.RawTextLen(raw)
			m.obs.OutputBytes += n
			visible = visible || n > 0
		case "functionCall":
			m.calls = true
			m.obs.OutputBytes += callBytes(raw)
			visible = true
		case "executableCode":
			m.obs.OutputBytes += int64(len(raw))
			visible = true
		case "inlineData", "fileData", "codeExecutionResult", "toolCall", "toolResponse":
			visible = true
		}
		return true
	})
	return visible
}

// callBytes is the length of a call's name and arguments, or of the pieces of arguments in it.
func callBytes(call string) (n int64) {
	jsonedit.EachMember(call, func(key, raw string) bool {
		switch key {
		case "name":
			n += jsonedit.RawTextLen(raw)
		case "args":
			n += int64(len(raw))
		case "partialArgs":
			gjson.Parse(raw).ForEach(func(_, piece gjson.Result) bool {
				jsonedit.EachMember(piece.Raw, func(key, raw string) bool {
					if key == "stringValue" {
						n += jsonedit.RawTextLen(raw)
					} else if key == "numberValue" || key == "boolValue" {
						n += int64(len(raw))
					}
					return true
				})
				return true
			})
		}
		return true
	})
	return n
}

// isSet reports whether a raw value is there and not null.
func isSet(raw string) bool { return raw != "" && raw != "null" }

var _ dialects.Meter = (*meter)(nil)

package chatcompletions

import (
	"bytes"
	"strings"
	"sync"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
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
		return m.fail(data)
	case len(data) == 0:
		return 0
	case bytes.Equal(bytes.TrimSpace(data), doneMarker):
		m.settle()
		return dialects.SignalTerminal
	case ev.Incomplete && !valid(data):
		return 0 // half a number is another number
	}
	if m.known {
		if n, ok := m.shape.match(data); ok {
			return m.output(n)
		}
	}
	return m.chunk(data)
}

// Body implements [dialects.Meter]. Bodies that are not JSON objects, such as audio, carry no signal.
func (m *meter) Body(body []byte) dialects.Signal {
	in := jsonedit.NewReader(body)
	if in.Peek() != '{' {
		return 0
	}
	sig := m.chunk(body) &^ dialects.SignalUsageOnly
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

func (m *meter) fail(data []byte) dialects.Signal {
	m.err = inStream(data)
	m.obs.Stop = conversation.StopError
	return dialects.SignalError
}

// chunk reads a chunk of a stream or a whole unary response: they have the same members but for delta and message.
func (m *meter) chunk(data []byte) dialects.Signal {
	in := jsonedit.NewReader(data)
	var c chunkFacts
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "id":
			setOnce(&m.obs.ID, &in)
		case "model":
			setOnce(&m.obs.Model, &in)
		case "service_tier":
			s, _ := in.Text()
			m.obs.SetTier(s)
		case "choices":
			m.choices(&in, &c)
		case "usage":
			c.usage = readUsage(&in)
		case "meta":
			c.other = readBilled(&in)
		case "x_groq":
			c.other = readGroq(&in)
		case "data":
			c.data = in.Mark()
		case "b64_json":
			c.picture = true
		case "type":
			c.kind, _ = in.Text()
		case "error":
			c.failed = c.failed || in.Peek() != 'n'
		case "object":
			s, _ := in.Text()
			c.failed = c.failed || s == "error"
		}
	}
	m.known = m.obs.ID != "" && m.obs.Model != ""
	if c.failed {
		return m.fail(data)
	}
	in.Seek(c.data)
	c.picture = c.picture || isPicture(&in)
	m.usage(&c)
	if sig := m.media(&c); sig != 0 {
		return sig
	}
	sig := m.output(c.bytes)
	if c.choices == 0 && c.usage != (dialects.Reported{}) {
		sig |= dialects.SignalUsageOnly
	}
	return sig
}

// chunkFacts is what one chunk turned out to hold.
type chunkFacts struct {
	choices int
	bytes   int64
	usage   dialects.Reported
	other   dialects.Reported // where usage stands in another place
	failed  bool

	data    jsonedit.Mark // of embeddings or pictures
	picture bool
	kind    string // events of streams of pictures and speech have a type
}

// usage notes what a chunk says of the usage.
func (m *meter) usage(c *chunkFacts) {
	if c.usage == (dialects.Reported{}) {
		c.usage = c.other
	}
	u := &c.usage.Usage
	switch {
	case c.picture && u.OutputImage == 0: // not all models say that the output was pictures
		u.Output, u.OutputImage = 0, u.Output
	case c.kind == speechDone:
		u.Output, u.OutputAudio = 0, u.Output
	}
	m.obs.Update(c.usage)
}

const speechDone = "speech.audio.done"

// media reads the type of an event in a stream of pictures, speech or transcripts.
func (m *meter) media(c *chunkFacts) dialects.Signal {
	switch c.kind {
	case "image_generation.partial_image", "image_edit.partial_image", "speech.audio.delta", "transcript.text.delta":
		return dialects.SignalContent
	case "image_generation.completed", "image_edit.completed":
		m.settle()
		return dialects.SignalContent | dialects.SignalTerminal
	case speechDone, "transcript.text.done":
		m.settle()
		return dialects.SignalTerminal
	}
	return 0
}

// isPicture tells a list of pictures from one of embeddings.
func isPicture(in *jsonedit.Reader) bool {
	if !in.Array() {
		return false
	}
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "b64_json", "url":
			return true
		case "embedding":
			return false
		}
	}
	return false
}

func (m *meter) choices(in *jsonedit.Reader, c *chunkFacts) {
	for ok := in.Array(); ok; ok = in.Next() {
		c.choices++
		m.answered = true
		var finish string
		var whole, partial int64
		for ok := in.Object(); ok; ok = in.Next() {
			switch in.Key() {
			case "delta":
				partial += m.message(in)
			case "message":
				whole += m.message(in)
			case "text": // legacy completions
				partial += textLen(in)
			case "finish_reason":
				finish, _ = in.Text()
			case "error":
				c.failed = c.failed || in.Peek() != 'n'
			}
		}
		// Perplexity repeats the whole message so far beside every delta.
		if partial == 0 && m.obs.OutputBytes == 0 {
			partial = whole
		}
		c.bytes += partial
		if s := stopReason(finish); s != conversation.StopUnknown {
			m.obs.Stop = settleStop(s, m.calls, m.refused)
		}
	}
}

// message counts the output in a message or a delta.
func (m *meter) message(in *jsonedit.Reader) (n int64) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "content":
			n += contentLength(in)
		case "reasoning_content", "reasoning":
			n += textLen(in)
		case "refusal":
			length := textLen(in)
			m.refused = m.refused || length > 0
			n += length
		case "tool_calls":
			for ok := in.Array(); ok; ok = in.Next() {
				for ok := in.Object(); ok; ok = in.Next() {
					if key := in.Key(); key == "function" || key == "custom" {
						n += m.callBody(in)
					}
				}
			}
		case "function_call":
			n += m.callBody(in)
		case "audio":
			for ok := in.Object(); ok; ok = in.Next() {
				if key := in.Key(); key == "data" || key == "transcript" {
					n += textLen(in)
				}
			}
		case "images":
			n += int64(len(in.Raw()))
		}
	}
	return n
}

// callBody counts the name, too: a call without arguments is output as well.
func (m *meter) callBody(in *jsonedit.Reader) (n int64) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "name", "arguments", "input":
			switch in.Peek() {
			case '"':
				n += textLen(in)
			case 'n':
			default:
				n += int64(len(in.Raw()))
			}
		}
	}
	m.calls = m.calls || n > 0
	return n
}

// contentLength counts the text of a content: a string, or Mistral's list of chunks.
func contentLength(in *jsonedit.Reader) (n int64) {
	if in.Peek() == '"' {
		return textLen(in)
	}
	for ok := in.Array(); ok; ok = in.Next() {
		for ok := in.Object(); ok; ok = in.Next() {
			switch in.Key() {
			case "text":
				n += textLen(in)
			case "thinking":
				n += contentLength(in)
			}
		}
	}
	return n
}

func textLen(in *jsonedit.Reader) int64 {
	n, _ := in.TextLen()
	return int64(n)
}

func setOnce(dst *string, in *jsonedit.Reader) {
	if *dst == "" {
		s, _ := in.Text()
		*dst = strings.Clone(s)
	}
}

var _ dialects.Meter = (*meter)(nil)

package llmgateway

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/providers"
)

// streamShape is a stream of a provider's dialect: what comes before, at and after its pieces of text.
type streamShape struct {
	contentType       string
	head, event, tail string
}

const responsesHead = `event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1,"status":"in_progress","model":"m-1","output":[]}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}}

event: response.content_part.added
data: {"type":"response.content_part.added","sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}

`

const responsesTail = `event: response.completed
data: {"type":"response.completed","sequence_number":200,"response":{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m-1","output":[{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"hello","annotations":[]}]}],"usage":{"input_tokens":10,"output_tokens":5,"total_tokens":15}}}

`

// shapes are streams of all dialects of providers that are text.
var shapes = map[providers.Dialect]streamShape{
	providers.Chat:     {"text/event-stream", chatRole, chatDelta, chatFinish + chatUsage + chatDone},
	providers.Messages: {"text/event-stream", messagesHead, messagesDelta, messagesTail},
	providers.Responses: {
		"text/event-stream", responsesHead,
		"event: response.output_text.delta\ndata: " + `{"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"hello","logprobs":[]}` + "\n\n",
		responsesTail,
	},
	providers.Gemini: {
		"text/event-stream", "",
		`data: {"candidates":[{"content":{"parts":[{"text":"hello"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15},"modelVersion":"m-1","responseId":"r1"}` + "\r\n\r\n",
		`data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15},"modelVersion":"m-1","responseId":"r1"}` + "\r\n\r\n",
	},
	providers.Cohere: {
		"text/event-stream",
		"event: message-start\ndata: " + `{"type":"message-start","id":"c1","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}` + "\n\n" +
			"event: content-start\ndata: " + `{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}` + "\n\n",
		"event: content-delta\ndata: " + `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"hello"}}}}` + "\n\n",
		"event: content-end\ndata: " + `{"type":"content-end","index":0}` + "\n\n" +
			"event: message-end\ndata: " + `{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":10,"output_tokens":5},"tokens":{"input_tokens":10,"output_tokens":5}}}}` + "\n\n",
	},
	providers.Ollama: {
		"application/x-ndjson", "",
		`{"model":"m-1","created_at":"2026-01-02T03:04:05Z","message":{"role":"assistant","content":"hello"},"done":false}` + "\n",
		`{"model":"m-1","created_at":"2026-01-02T03:04:05Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":10,"eval_count":5}` + "\n",
	},
}

func init() {
	shapes[providers.Converse] = streamShape{
		"application/vnd.amazon.eventstream", eventFrame("messageStart", `{"role":"assistant"}`),
		eventFrame("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"hello"},"p":"abcdefgh"}`),
		eventFrame("contentBlockStop", `{"contentBlockIndex":0}`) + eventFrame("messageStop", `{"stopReason":"end_turn"}`) +
			eventFrame("metadata", `{"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":15},"metrics":{"latencyMs":100}}`),
	}
}

// eventFrame is a frame of AWS's event streams.
func eventFrame(event, payload string) string {
	var headers []byte
	for _, h := range [...][2]string{{":message-type", "event"}, {":event-type", event}, {":content-type", "application/json"}} {
		headers = append(append(headers, byte(len(h[0]))), h[0]...)
		headers = append(binary.BigEndian.AppendUint16(append(headers, 7), uint16(len(h[1]))), h[1]...)
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(12+len(headers)+len(payload)+4))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(headers)))
	frame = binary.BigEndian.AppendUint32(frame, crc32.ChecksumIEEE(frame))
	frame = append(append(frame, headers...), payload...)
	return string(binary.BigEndian.AppendUint32(frame, crc32.ChecksumIEEE(frame)))
}

// asks are requests for a stream in the clients' dialects.
var asks = map[providers.Dialect]struct{ path, body string }{
	providers.Chat:      {chatPath, askStream("m")},
	providers.Messages:  {"/v1/messages", `{"model":"m","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"hi"}]}`},
	providers.Responses: {"/v1/responses", `{"model":"m","stream":true,"input":"hi"}`},
	providers.Gemini:    {"/v1beta/models/m:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`},
}

// streamsOf answers with a stream of so many pieces of text.
func (s streamShape) of(events int) answer {
	return func(r *http.Request) (*http.Response, error) {
		resp, err := streamFrom(func(context.Context) io.ReadCloser {
			return io.NopCloser(&repeated{head: s.head, event: s.event, tail: s.tail, n: events})
		})(r)
		resp.Header.Set("Content-Type", s.contentType)
		return resp, err
	}
}

// BenchmarkStream100 sends a whole request for a stream of 100 events through the gateway, for each pair of a client's and a
// provider's dialect. x/pass is how many times as long that takes as passing the same stream through to a client of its own
// dialect; of dialects that no client speaks, as passing the same text through in chat completions.
func BenchmarkStream100(b *testing.B) {
	const events = 100
	for _, to := range slices.Sorted(maps.Keys(shapes)) {
		own := to
		if asks[own].path == "" {
			own = providers.Chat
		}
		pass := nsPerStream(b, own, shapes[own].of(events))
		for _, from := range slices.Sorted(maps.Keys(asks)) {
			b.Run(string(from)+"_from_"+string(to), func(b *testing.B) {
				c := newClient(b, benchGateway(b, string(to), shapes[to].of(events)), asks[from].path, asks[from].body)
				b.ReportAllocs()
				for b.Loop() {
					c.send(b)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/pass, "x/pass")
			})
		}
	}
}

// nsPerStream is how long it takes to pass a stream through: the median of some rounds.
func nsPerStream(b *testing.B, dialect providers.Dialect, a answer) float64 {
	c := newClient(b, benchGateway(b, string(dialect), a), asks[dialect].path, asks[dialect].body)
	const rounds, streams = 15, 200
	took := make([]float64, rounds)
	for i := range took {
		start := time.Now()
		for range streams {
			c.send(b)
		}
		took[i] = float64(time.Since(start).Nanoseconds()) / streams
	}
	slices.Sort(took)
	return took[rounds/2]
}

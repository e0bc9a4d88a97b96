package messages

import (
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// requests are a question of 200 bytes and an agent's turn of 100 KB.
var requests = map[string]string{
	"200B":  ask(`"system":"Be brief and polite, and answer in the language of the question.","stream":true,"temperature":0.5`),
	"100KB": ask(`"system":"` + strings.Repeat("Follow the rules of the project. ", 600) + `","stream":true,"tools":[` + strings.Repeat(`{"name":"read_file","description":"`+strings.Repeat("Reads a file. ", 60)+`","input_schema":{"type":"object","properties":{"path":{"type":"string"}}}},`, 40) + `{"name":"last","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"` + strings.Repeat(`line\n`, 6000) + `"},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"last","input":{"path":"x"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"ok"}]}]`),
}

func BenchmarkDecodeRequest(b *testing.B) {
	for name, body := range requests {
		b.Run(name, func(b *testing.B) {
			doc, h := []byte(body), dialects.Head{Model: "claude-opus-4-6"}
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := (Codec{}).DecodeRequest(doc, h); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncodeRequest(b *testing.B) {
	for name, body := range requests {
		b.Run(name, func(b *testing.B) {
			r := dialecttest.MustDecode(b, Codec{}, body)
			var dst []byte
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if dst, _, err = (Codec{}).EncodeRequest(dst[:0], r, dialects.EncodeOptions{Model: "claude-opus-4-6"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

var deltaEvent = sse.Event{
	Name: []byte("content_block_delta"),
	Data: []byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" a few words,\nand a line"}}`),
}

func BenchmarkMeterDelta(b *testing.B) {
	m := Codec{}.NewMeter()
	defer m.Release()
	b.ReportAllocs()
	for b.Loop() {
		m.Event(deltaEvent)
	}
}

func BenchmarkReadDelta(b *testing.B) {
	r := Codec{}.NewEventReader()
	start := sse.Event{Data: []byte(`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`)}
	out, err := r.Read(start, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if out, err = r.Read(deltaEvent, out[:0]); err != nil || len(out) != 1 {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriteDelta(b *testing.B) {
	w := Codec{}.NewEventWriter(dialects.WriterOptions{Model: "m"})
	dst := w.Append(nil, &conversation.Event{Type: conversation.EventBlockStart, Block: &conversation.Block{Text: "x"}})
	ev := conversation.Event{Type: conversation.EventDelta, Text: " a few words,\nand a line"}
	b.ReportAllocs()
	for b.Loop() {
		dst = w.Append(dst[:0], &ev)
	}
}

func BenchmarkMeterBody(b *testing.B) {
	body := []byte(fullBody)
	b.ReportAllocs()
	for b.Loop() {
		m := Codec{}.NewMeter()
		m.Body(body)
		m.Release()
	}
}

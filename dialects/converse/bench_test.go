package converse

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

const deltaPayload = `{"contentBlockIndex":0,"delta":{"text":" a few words,\nand a line"},"p":"abcdefghijklmnop"}`

var deltaEvent = sse.Event{Name: []byte("contentBlockDelta"), Data: []byte(deltaPayload)}

func BenchmarkFrame(b *testing.B) {
	r := Codec{}.NewFrameReader(&endless{s: stream("contentBlockDelta " + deltaPayload)}, 0)
	defer r.Release()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
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
	out, err := r.Read(deltaEvent, nil)
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

func BenchmarkMeterBody(b *testing.B) {
	body := []byte(wholeBody)
	b.ReportAllocs()
	for b.Loop() {
		m := Codec{}.NewMeter()
		m.Body(body)
		m.Release()
	}
}

func BenchmarkDecodeResponse(b *testing.B) {
	body := []byte(wholeBody)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (Codec{}).DecodeResponse(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeRequest(b *testing.B) {
	small := &conversation.Request{Messages: hi, Temperature: "0.5"}
	large := &conversation.Request{Messages: []conversation.Message{
		{Role: conversation.System, Blocks: []conversation.Block{text(strings.Repeat("Follow the rules of the project. ", 600))}},
		user(text(strings.Repeat("line\n", 6000))), assistant(call("toolu_1", "tool0", `{"path":"x"}`)), user(result("toolu_1", text("ok"))),
	}}
	for range 40 {
		large.Tools = append(large.Tools, conversation.Tool{
			Name: "tool0", Description: strings.Repeat("Reads a file. ", 60), Schema: json.RawMessage(`{"type":"object","properties":{"path":{"type":"string"}}}`),
		})
	}
	for name, r := range map[string]*conversation.Request{"small": small, "100KB": large} {
		b.Run(name, func(b *testing.B) {
			var dst []byte
			o := dialects.EncodeOptions{Model: sonnet45, Rewrites: new(conversation.Rewrites)}
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if dst, _, err = (Codec{}).EncodeRequest(dst[:0], r, o); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(dst)))
		})
	}
}

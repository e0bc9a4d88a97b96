package gemini

import (
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

func BenchmarkMeterEvent(b *testing.B) {
	m := Codec{}.NewMeter()
	defer m.Release()
	ev := sse.Event{Data: []byte(ordinaryChunk)}
	b.SetBytes(int64(len(ev.Data)))
	b.ReportAllocs()
	for b.Loop() {
		m.Event(ev)
	}
}

func BenchmarkEventReader(b *testing.B) {
	r := Codec{}.NewEventReader()
	ev := sse.Event{Data: []byte(ordinaryChunk)}
	events := make([]conversation.Event, 0, 8)
	b.SetBytes(int64(len(ev.Data)))
	b.ReportAllocs()
	for b.Loop() {
		events, _ = r.Read(ev, events[:0])
		r.(*eventReader).choices[0].said = nil // an answer has an end
	}
	if len(events) != 1 {
		b.Fatalf("%d events", len(events))
	}
}

func BenchmarkDecodeResponse(b *testing.B) {
	body := []byte(ordinaryChunk)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (Codec{}).DecodeResponse(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeRequest(b *testing.B) {
	r := conversation.Request{Messages: []conversation.Message{say(conversation.System, words("Be brief."))}}
	for range 20 {
		r.Messages = append(r.Messages, say(user, words("What is the weather in Paris?")), say(assistant, callOf("c", "weather", `{"city":"Paris"}`)),
			say(user, resultOf("c", words("sunny"))), say(assistant, words("It is sunny.")))
	}
	dst := make([]byte, 0, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := (Codec{}).EncodeRequest(dst, &r, dialects.EncodeOptions{Model: "gemini-3-pro"}); err != nil {
			b.Fatal(err)
		}
	}
}

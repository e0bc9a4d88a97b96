package gemini

import (
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
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
		r.(*eventReader).choices[0].said = r.(*eventReader).choices[0].said[:0] // an answer has an end
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

// requests are a question of 200 bytes and an agent's turn of 100 KB.
var requests = map[string]string{
	"200B": `{"systemInstruction":{"parts":[{"text":"Be brief and polite, and answer in the language of the question."}]},"contents":[{"role":"user","parts":[{"text":"What is new?"}]}],"generationConfig":{"temperature":0.5}}`,
	"100KB": `{"systemInstruction":{"parts":[{"text":"` + strings.Repeat("Follow the rules of the project. ", 600) + `"}]},"tools":[{"functionDeclarations":[` +
		strings.Repeat(`{"name":"read_file","description":"`+strings.Repeat("Reads a file. ", 60)+`","parameters":{"type":"OBJECT","properties":{"path":{"type":"STRING"}}}},`, 40) + `{"name":"last"}]}],` +
		`"contents":[{"role":"user","parts":[{"text":"` + strings.Repeat(`line\n`, 6000) + `"}]},{"role":"model","parts":[{"functionCall":{"name":"last","args":{"path":"x"}}}]},{"role":"user","parts":[{"functionResponse":{"name":"last","response":{"output":"ok"}}}]}]}`,
}

func BenchmarkDecodeRequest(b *testing.B) {
	for name, body := range requests {
		b.Run(name, func(b *testing.B) {
			doc, h := []byte(body), dialects.Head{Model: "m"}
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

func BenchmarkWriteDelta(b *testing.B) {
	w := Codec{}.NewEventWriter(dialects.WriterOptions{Model: "m"})
	dst := w.Append(nil, &conversation.Event{Type: conversation.EventBlockStart, Block: &conversation.Block{Text: "x"}})
	ev := conversation.Event{Type: conversation.EventDelta, Text: " a few words,\nand a line"}
	b.ReportAllocs()
	for b.Loop() {
		dst = w.Append(dst[:0], &ev)
		w.(*eventWriter).choices[0].said = w.(*eventWriter).choices[0].said[:0] // an answer has an end
	}
}

func BenchmarkEncodeResponse(b *testing.B) {
	r, dst := foreign(), make([]byte, 0, 4<<10)
	b.ReportAllocs()
	for b.Loop() {
		dst = Codec{}.EncodeResponse(dst[:0], r, "m")
	}
}

func BenchmarkSplice(b *testing.B) {
	doc := []byte(requests["100KB"])
	obj := dialecttest.Scan(b, Codec{}, requests["100KB"])
	var room [4]jsonedit.Edit
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		Codec{}.Splice(doc, obj, dialects.Head{}, dialects.SpliceOptions{Model: "m"}, room[:0])
	}
}

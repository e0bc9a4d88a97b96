package chatcompletions

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

const smallRequest = `{"model":"gpt-4.1","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"What is the capital of France? Answer in one word."}],"temperature":0.2,"stream":true}`

// largeRequest is the size of what a coding agent sends: tools, a long system prompt, many turns.
func largeRequest() string {
	var b strings.Builder
	b.WriteString(`{"model":"gpt-4.1","stream":true,"messages":[{"role":"system","content":"`)
	b.WriteString(strings.Repeat(`Read the files before you change them.\n`, 500))
	b.WriteString(`"}`)
	for i := range 40 {
		fmt.Fprintf(&b, `,{"role":"user","content":"Step %d"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_%d","type":"function","function":{"name":"read","arguments":"{\"path\":\"a/b/c%d.go\"}"}}]},{"role":"tool","tool_call_id":"call_%d","content":"%s"}`,
			i, i, i, i, strings.Repeat(`func main() { println(\"x\") }\n`, 50))
	}
	b.WriteString(`],"tools":[`)
	for i := range 30 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"type":"function","function":{"name":"tool_%d","description":"%s","parameters":{"type":"object","properties":{"path":{"type":"string"},"line":{"type":"integer"}},"required":["path"]}}}`, i, strings.Repeat("Use it with care. ", 30))
	}
	b.WriteString(`]}`)
	return b.String()
}

func BenchmarkRequest(b *testing.B) {
	for _, bb := range []struct{ name, doc string }{{"200B", smallRequest}, {"100KB", largeRequest()}} {
		doc := []byte(bb.doc)
		_, h, err := dialecttest.Head(Codec{}, doc)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("decode/"+bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := (Codec{}).DecodeRequest(doc, h); err != nil {
					b.Fatal(err)
				}
			}
		})
		r, err := Codec{}.DecodeRequest(doc, h)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("encode/"+bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				if dst, _, err = (Codec{}).EncodeRequest(dst[:0], r, dialects.EncodeOptions{Model: "m", Vendor: "openai"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func deltaEvent() sse.Event {
	data := `{"id":"chatcmpl-9VyFAvwPRQYMzHWNYWGmGegl5Y11q","object":"chat.completion.chunk","created":1717406772,"model":"gpt-4.1-2025-04-14","system_fingerprint":null,"choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}],"usage":null}`
	return sse.Event{Raw: []byte("data: " + data + "\n\n"), Data: []byte(data)}
}

func BenchmarkMeterDelta(b *testing.B) {
	ev := deltaEvent()
	for _, full := range [...]bool{false, true} {
		b.Run(fmt.Sprintf("full=%v", full), func(b *testing.B) {
			m := Codec{}.NewMeter().(*meter)
			defer m.Release()
			m.Event(ev)
			b.ReportAllocs()
			for b.Loop() {
				m.known = !full
				m.Event(ev)
			}
		})
	}
}

func BenchmarkTranslateDelta(b *testing.B) {
	ev := deltaEvent()
	r := Codec{}.NewEventReader()
	w := Codec{}.NewEventWriter(dialects.WriterOptions{Model: "alias", RequestID: "r", Created: 1})
	var events []conversation.Event
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if events, err = r.Read(ev, events[:0]); err != nil {
			b.Fatal(err)
		}
		dst = dst[:0]
		for i := range events {
			dst = w.Append(dst, &events[i])
		}
	}
}

func BenchmarkResponse(b *testing.B) {
	body := []byte(`{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"` + strings.Repeat("word ", 200) + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":200,"total_tokens":210}}`)
	r, err := Codec{}.DecodeResponse(body)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := (Codec{}).DecodeResponse(body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		var dst []byte
		for b.Loop() {
			dst = Codec{}.EncodeResponse(dst[:0], r, "alias")
		}
	})
}

func TestDeltasAreTranslatedWithoutAllocating(t *testing.T) {
	ev := deltaEvent()
	r := Codec{}.NewEventReader()
	w := Codec{}.NewEventWriter(dialects.WriterOptions{Model: "alias", RequestID: "r", Created: 1})
	events, dst := make([]conversation.Event, 0, 4), make([]byte, 0, 1024)
	step := func() {
		var err error
		if events, err = r.Read(ev, events[:0]); err != nil {
			t.Fatal(err)
		}
		dst = dst[:0]
		for i := range events {
			dst = w.Append(dst, &events[i])
		}
	}
	step()
	if n := testing.AllocsPerRun(100, step); n > 1 {
		t.Errorf("%v allocations per delta", n)
	}
}

package ollama

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// largeRequest is the size of what a coding agent sends: tools, a long system prompt, many turns.
func largeRequest() *conversation.Request {
	r := &conversation.Request{Stream: true, Messages: []conversation.Message{
		{Role: conversation.System, Blocks: []conversation.Block{text(strings.Repeat("Read the files before you change them.\n", 500))}},
	}}
	for i := range 40 {
		id := fmt.Sprintf("call_%d", i)
		r.Messages = append(
			r.Messages, user(text("Step")), assistant(call(id, "read", `{"path":"a/b/c.go"}`)),
			user(result(id, "read", text(strings.Repeat("func main() { println(\"x\") }\n", 50)))),
		)
		r.Tools = append(r.Tools, tool{Name: fmt.Sprintf("tool_%d", i), Description: strings.Repeat("Use it with care. ", 30), Schema: weather.Schema})
	}
	return r
}

func BenchmarkEncodeRequest(b *testing.B) {
	r := largeRequest()
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, _, err = (Codec{}).EncodeRequest(dst[:0], r, dialects.EncodeOptions{Model: "m"}); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(dst)))
}

func BenchmarkDecodeResponse(b *testing.B) {
	body := []byte(`{"model":"m","created_at":"2026-05-19T09:26:59.678947Z","message":{"role":"assistant","content":"` + strings.Repeat("word ", 200) + `"},"done":true,"eval_count":200}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (Codec{}).DecodeResponse(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFrames(b *testing.B) {
	in := strings.Repeat(line(`"content":" word"`)+"\n", 200)
	src := strings.NewReader(in)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(in)
		r := Codec{}.NewFrameReader(src, 0)
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
		r.Release()
	}
}

// ordinary are the lines that streams consist of.
var ordinary = []string{line(`"content":" word"`), line(`"content":"a\n\"b\""`), line(`"content":"","thinking":" hm"`)}

func frameOf(data string) sse.Event {
	return sse.Event{Raw: []byte(data + "\n"), Data: []byte(data)}
}

// opened is a reader in whose stream a block of the line's kind is open.
func opened(tb testing.TB, ev sse.Event) (dialects.EventReader, []conversation.Event) {
	tb.Helper()
	r := Codec{}.NewEventReader()
	var events []conversation.Event
	for range 2 {
		var err error
		if events, err = r.Read(ev, events[:0]); err != nil {
			tb.Fatal(err)
		}
	}
	return r, events
}

func BenchmarkEvents(b *testing.B) {
	for _, data := range ordinary {
		ev := frameOf(data)
		b.Run("read", func(b *testing.B) {
			r, events := opened(b, ev)
			b.ReportAllocs()
			for b.Loop() {
				events, _ = r.Read(ev, events[:0])
			}
		})
		b.Run("meter", func(b *testing.B) {
			m := Codec{}.NewMeter()
			defer m.Release()
			b.ReportAllocs()
			for b.Loop() {
				m.Event(ev)
			}
		})
	}
}

func TestOrdinaryEventsAreReadWithoutAllocating(t *testing.T) {
	for _, data := range ordinary {
		ev := frameOf(data)
		r, events := opened(t, ev)
		m := Codec{}.NewMeter()
		step := func() {
			var err error
			if events, err = r.Read(ev, events[:0]); err != nil || len(events) != 1 {
				t.Fatal(err, len(events))
			}
			if m.Event(ev) != dialects.SignalContent {
				t.Fatal("no content seen")
			}
		}
		if n := testing.AllocsPerRun(100, step); n > 0 {
			t.Errorf("%v allocations for %s", n, data)
		}
		m.Release()
	}
}

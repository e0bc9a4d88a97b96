package responses

import (
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/internal/sse"
)

func BenchmarkMeterDelta(b *testing.B) {
	m := Codec{}.NewMeter()
	defer m.Release()
	ev := sse.Event{Name: []byte("response.output_text.delta"), Data: []byte(textDelta)}
	b.SetBytes(int64(len(ev.Data)))
	b.ReportAllocs()
	for b.Loop() {
		m.Event(ev)
	}
}

func BenchmarkMeterCompleted(b *testing.B) {
	item := `{"type":"message","content":[{"type":"output_text","text":"` + strings.Repeat(`word\n`, 4000) + `"}]}`
	ev := sse.Event{Data: []byte(strings.Replace(completed, `"output":[]`, `"output":[`+item+`]`, 1))}
	b.SetBytes(int64(len(ev.Data)))
	b.ReportAllocs()
	for b.Loop() {
		m := Codec{}.NewMeter()
		m.Event(ev)
		m.Release()
	}
}

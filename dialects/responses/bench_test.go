package responses

import (
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
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

// longRequest is a turn of a coding agent: instructions, tools, and a conversation of calls and their results.
func longRequest() []byte {
	var b strings.Builder
	b.WriteString(`{"model":"m","stream":true,"instructions":"` + strings.Repeat(`You are an agent.\n`, 500) + `","tools":[`)
	for i := range 20 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"type":"function","name":"f","strict":false,"parameters":{"type":"object","properties":{"a":{"type":"string"}}}}`)
	}
	b.WriteString(`],"input":[{"role":"user","content":"go"}`)
	for range 50 {
		b.WriteString(`,{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"` + strings.Repeat(`line\n`, 200) + `"}`)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

func BenchmarkDecodeRequest(b *testing.B) {
	doc := longRequest()
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (Codec{}).DecodeRequest(doc, dialects.Head{Model: "m"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeRequest(b *testing.B) {
	doc := longRequest()
	r, err := Codec{}.DecodeRequest(doc, dialects.Head{Model: "m"})
	if err != nil {
		b.Fatal(err)
	}
	var dst []byte
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if dst, _, err = (Codec{}).EncodeRequest(dst[:0], r, dialects.EncodeOptions{Model: "m", Vendor: "openai"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriteDelta(b *testing.B) {
	w := Codec{}.NewEventWriter(dialects.WriterOptions{Model: "m"}).(*eventWriter)
	dst := w.Append(nil, &conversation.Event{Type: conversation.EventStart})
	dst = w.Append(dst, &conversation.Event{Type: conversation.EventBlockStart, Block: &conversation.Block{}})
	ev := conversation.Event{Type: conversation.EventDelta, Text: " some words\n"}
	b.ReportAllocs()
	for b.Loop() {
		w.part.text = w.part.text[:0]
		dst = w.Append(dst[:0], &ev)
	}
}

func BenchmarkReadDelta(b *testing.B) {
	r := Codec{}.NewEventReader()
	var out []conversation.Event
	read := func(data string) {
		var err error
		if out, err = r.Read(sse.Event{Data: []byte(data)}, out[:0]); err != nil {
			b.Fatal(err)
		}
	}
	read(`{"type":"response.output_item.added","output_index":0,"item":{"type":"message"}}`)
	ev := sse.Event{Data: []byte(`{"type":"response.output_text.delta","sequence_number":9,"item_id":"msg_1","output_index":0,"content_index":0,"delta":" some words\n","logprobs":[]}`)}
	b.SetBytes(int64(len(ev.Data)))
	b.ReportAllocs()
	for b.Loop() {
		out, _ = r.Read(ev, out[:0])
	}
}

func BenchmarkSplice(b *testing.B) {
	doc := longRequest()
	obj := dialecttest.Scan(b, Codec{}, string(doc))
	h, err := Codec{}.Head(doc, obj)
	if err != nil {
		b.Fatal(err)
	}
	var arr [4]jsonedit.Edit
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		Codec{}.Splice(doc, obj, h, dialects.SpliceOptions{Model: h.Model}, arr[:0])
	}
}

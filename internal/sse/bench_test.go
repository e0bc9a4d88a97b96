package sse

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func BenchmarkReader(b *testing.B) {
	chat := openAIStream(500)
	for _, bm := range []struct {
		name   string
		stream []byte
		wrap   func(io.Reader) io.Reader
	}{
		{"500 events", chat, nil},
		{"500 events, CRLF", bytes.ReplaceAll(chat, []byte("\n"), []byte("\r\n")), nil},
		{"500 events, named", bytes.ReplaceAll(chat, []byte("data: "), []byte("event: response.output_text.delta\ndata: ")), nil},
		{"500 events, byte by byte", chat, iotest.OneByteReader},
		{"one event of 1 MiB", AppendData(nil, []byte(strings.Repeat("x", 1<<20))), nil},
	} {
		b.Run(bm.name, func(b *testing.B) {
			src := bytes.NewReader(bm.stream)
			events := 0
			b.SetBytes(int64(len(bm.stream)))
			b.ReportAllocs()
			for b.Loop() {
				src.Reset(bm.stream)
				var in io.Reader = src
				if bm.wrap != nil {
					in = bm.wrap(src)
				}
				r := NewReader(in, 0)
				for {
					if _, err := r.Next(); err != nil {
						break
					}
					r.Buffered()
					events++
				}
				r.Release()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
		})
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	data := []byte(strings.Repeat("x", 200))
	dst := make([]byte, 0, 300)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendEvent(dst[:0], "response.output_text.delta", data)
	}
}

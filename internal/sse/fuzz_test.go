package sse

import (
	"bytes"
	"io"
	"slices"
	"testing"
)

func FuzzReader(f *testing.F) {
	for _, tt := range streams {
		f.Add([]byte(tt.stream), uint16(3), uint16(1))
	}
	f.Add(openAIStream(20), uint16(500), uint16(501))
	f.Fuzz(func(t *testing.T, stream []byte, a, b uint16) {
		at := []int{min(int(a), len(stream)), min(int(b), len(stream))}
		slices.Sort(at)
		checkSplit(t, stream, said(stream), at...)
		checkRewrite(t, stream)
		if events, err := readAll(bytes.NewReader(stream), 16); err != io.EOF && err != ErrTooLarge {
			t.Fatalf("got %v, %v under a small limit", events, err)
		}
	})
}

// checkRewrite reads a stream, writes its events, and reads them again.
func checkRewrite(t *testing.T, stream []byte) {
	t.Helper()
	events, _ := readAll(bytes.NewReader(stream), 0)
	var want []event
	var written []byte
	for _, ev := range events {
		if ev.data == none {
			continue
		}
		name := ev.name
		if name == none {
			name = ""
		}
		written = AppendEvent(written, name, []byte(ev.data))
		if name == "" {
			ev.name = none // an empty name and no name mean the same
		}
		ev.raw, ev.incomplete = "", false
		want = append(want, ev)
	}
	again, _ := readAll(bytes.NewReader(written), 0)
	if got, _ := spoken(again); !slices.Equal(got, want) {
		t.Fatalf("%v was written as %v", events, written)
	}
}

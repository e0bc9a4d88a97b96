package sse

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestWritersMakeWholeFrames(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  []byte
		want string
	}{
		{"data", AppendData([]byte("x"), []byte(`{"a":1}`)), "xdata: {\"a\":1}\n\n"},
		{"no data", AppendData(nil, nil), "data: \n\n"},
		{"data of several lines", AppendData(nil, []byte("a\nb\r\nc\rd\n")), "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"},
		{"a name", AppendEvent([]byte("x"), "ping", []byte("{}")), "xevent: ping\ndata: {}\n\n"},
		{"an empty name", AppendEvent(nil, "", []byte("{}")), "data: {}\n\n"},
		{"a name of two lines", AppendEvent(nil, "a\ndata: b", []byte("{}")), "event: a\ndata: {}\n\n"},
		{"a comment", AppendComment([]byte("x"), "keep-alive"), "x: keep-alive\n\n"},
		{"a comment of two lines", AppendComment(nil, "a\r\ndata: b"), ": a\n\n"},
	} {
		if string(tt.got) != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	for _, data := range []string{"", " ", "\n", "a\nb", "\n\n", " a\n  b\n", ":", "data: x", "日本"} {
		events, err := readAll(bytes.NewReader(AppendEvent(nil, "name", []byte(data))), 0)
		if err != io.EOF || len(events) != 1 || events[0].data != data || events[0].name != "name" {
			t.Errorf("%q came back as %v, %v", data, events, err)
		}
	}
}

func TestWritersDoNotAllocate(t *testing.T) {
	dst, data := make([]byte, 0, 4096), []byte(strings.Repeat("a\nb", 50))
	if n := testing.AllocsPerRun(100, func() {
		dst = AppendEvent(dst[:0], "name", data)
		dst = AppendComment(dst, "keep-alive")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

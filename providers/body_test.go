package providers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
)

func TestABodyIsItsSegmentsInOrder(t *testing.T) {
	for _, tc := range []struct {
		segments []string
		want     string
	}{
		{nil, ""},
		{[]string{""}, ""},
		{[]string{"abc"}, "abc"},
		{[]string{"", "ab", "", "c", ""}, "abc"},
	} {
		var segments [][]byte
		for _, s := range tc.segments {
			segments = append(segments, []byte(s))
		}
		b := NewBody(nil, segments...)
		if b.Len() != int64(len(tc.want)) || string(b.Bytes()) != tc.want {
			t.Errorf("%q: length %d, bytes %q", tc.segments, b.Len(), b.Bytes())
		}
		if err := iotest.TestReader(b.Reader(), []byte(tc.want)); err != nil {
			t.Errorf("%q: %v", tc.segments, err)
		}
	}
}

func TestABufferIsFreedWhenTheLastReaderCloses(t *testing.T) {
	freed := 0
	buf := NewShared(func() { freed++ })
	b := NewBody(buf, bytes.Repeat([]byte("a"), SmallBody), []byte("bc"))
	first, second := b.Reader(), b.Reader()
	buf.Release()
	for i, r := range []io.ReadCloser{first, first, second} {
		if freed != 0 {
			t.Fatalf("freed before close %d", i)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if freed != 1 {
		t.Errorf("freed %d times", freed)
	}
	if n, err := first.Read(make([]byte, 1)); n != 0 || !errors.Is(err, errBodyClosed) {
		t.Errorf("read after close: %d, %v", n, err)
	}
}

func TestASmallBodyDoesNotHoldItsBuffer(t *testing.T) {
	text := []byte("abc")
	freed := false
	b := NewBody(NewShared(func() { freed = true }), text[:1], text[1:])
	r := b.Reader()
	b.buf.Release()
	if !freed {
		t.Error("the buffer is held")
	}
	copy(text, "xyz") // as its next user would
	if got, err := io.ReadAll(r); string(got) != "abc" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestALargeBodyIsWrittenWithoutACopy(t *testing.T) {
	head, tail := bytes.Repeat([]byte("a"), SmallBody), []byte("tail")
	r, ok := NewBody(nil, head, tail).Reader().(BodyReader)
	if !ok {
		t.Fatal("no BodyReader")
	}
	if n, err := io.ReadFull(r, make([]byte, 10)); n != 10 || err != nil {
		t.Fatal(n, err)
	}
	var sink pieces
	n, err := r.WriteTo(&sink)
	if want := int64(len(head) + len(tail) - 10); n != want || err != nil || r.Len() != 0 {
		t.Errorf("wrote %d of %d, %v; %d left", n, want, err, r.Len())
	}
	if len(sink) != 2 || &sink[0][0] != &head[10] || &sink[1][0] != &tail[0] {
		t.Error("the segments were copied")
	}
}

// pieces keeps what is written to it, as it lies in memory.
type pieces [][]byte

func (p *pieces) Write(b []byte) (int, error) {
	*p = append(*p, b)
	return len(b), nil
}

func TestASecretDoesNotPrint(t *testing.T) {
	s := NewSecret("hidden")
	text, err := s.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s, s), string(text)} {
		if bytes.Contains([]byte(got), []byte("hidden")) {
			t.Errorf("printed %s", got)
		}
	}
	if s.Empty() || s.Reveal() != "hidden" || !(Secret{}).Empty() {
		t.Error("the secret is lost")
	}
}

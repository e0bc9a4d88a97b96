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
	b := NewBody(buf, []byte("abc"))
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

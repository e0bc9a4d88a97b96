package ollama

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/caddy-llm/llmgateway/internal/sse"
)

func TestAFrameIsALine(t *testing.T) {
	r := Codec{}.NewFrameReader(strings.NewReader("{\"a\":1}\n\n \r\n\t{\"b\":2} \r\n{\"c\""), 0)
	defer r.Release()
	for _, want := range []struct {
		raw, data            string
		blank, more, partial bool
	}{
		{raw: "{\"a\":1}\n", data: `{"a":1}`, more: true},
		{raw: "\n", blank: true, more: true},
		{raw: " \r\n", blank: true, more: true},
		{raw: "\t{\"b\":2} \r\n", data: `{"b":2}`},
		{raw: `{"c"`, data: `{"c"`, partial: true},
	} {
		ev, err := r.Next()
		if err != nil || string(ev.Raw) != want.raw || string(ev.Data) != want.data || (ev.Data == nil) != want.blank || ev.Incomplete != want.partial {
			t.Fatalf("got %q (%q, incomplete %v), %v, want %+v", ev.Raw, ev.Data, ev.Incomplete, err, want)
		}
		if r.Buffered() != want.more {
			t.Errorf("after %q: more is %v", want.raw, !want.more)
		}
	}
	for range 2 {
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
	}
}

func TestALineMayBeAsLongAsTheLimit(t *testing.T) {
	for _, size := range []int{1, startBuffer, startBuffer + 1, 100_000} {
		for _, spare := range []int{0, -1} {
			long := strings.Repeat("x", size) + "\n"
			r := Codec{}.NewFrameReader(strings.NewReader("a\n"+long+"b\n"), max(len(long)+spare, 2))
			var got []string
			var err error
			for err == nil {
				var ev sse.Event
				if ev, err = r.Next(); err == nil {
					got = append(got, string(ev.Data))
				}
			}
			fits := spare == 0 || len(long) == 2
			if fits && (err != io.EOF || len(got) != 3) || !fits && (!errors.Is(err, sse.ErrTooLarge) || len(got) != 1) {
				t.Errorf("%d bytes, limit %+d: %d lines, %v", size, spare, len(got), err)
			}
			r.Release()
		}
	}
}

func TestFaultsOfTheSourceComeAfterTheLinesBeforeThem(t *testing.T) {
	broken := errors.New("broken")
	r := Codec{}.NewFrameReader(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)), 0)
	if ev, err := r.Next(); err != nil || string(ev.Data) != "a" {
		t.Errorf("%q, %v", ev.Data, err)
	}
	if _, err := r.Next(); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	r.Release()
	if _, err := r.Next(); !errors.Is(err, errReleased) || r.Buffered() {
		t.Errorf("after the release: %v", err)
	}
	silent := Codec{}.NewFrameReader(silence{}, 0)
	defer silent.Release()
	if _, err := silent.Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("of a source that gives nothing: %v", err)
	}
}

// silence gives neither data nor an error.
type silence struct{}

func (silence) Read([]byte) (int, error) { return 0, nil }

package dialecttest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// Halves reads s in two pieces.
func Halves(s string, at int) io.Reader {
	return io.MultiReader(strings.NewReader(s[:at]), strings.NewReader(s[at:]))
}

// Splits are readers of s that return it in pieces, each with a name for messages: one for every place where s can be
// cut in two, or for that many random places when there are more than most, and one that reads byte by byte.
func Splits(s string, most int) iter.Seq2[string, io.Reader] {
	return func(yield func(string, io.Reader) bool) {
		for i := range min(len(s), most) {
			if len(s) > most {
				i = rand.IntN(len(s))
			}
			if !yield(fmt.Sprintf("cut at %d of %d", i, len(s)), Halves(s, i)) {
				return
			}
		}
		yield("byte by byte", iotest.OneByteReader(strings.NewReader(s)))
	}
}

// Frames calls f for every frame of a stream, which it releases. The error is f's or the framing's.
func Frames(r dialects.FrameReader, f func(sse.Event) error) error {
	defer r.Release()
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f(ev); err != nil {
			return err
		}
	}
}

// EachFrame calls f for every server-sent event of a stream.
func EachFrame(t testing.TB, src io.Reader, f func(sse.Event)) {
	t.Helper()
	if err := Frames(sse.NewReader(src, 0), func(ev sse.Event) error { f(ev); return nil }); err != nil {
		t.Fatal(err)
	}
}

// ReadEvents reads a whole stream. The events are copies that stay valid.
func ReadEvents(r dialects.FrameReader, reader dialects.EventReader) ([]conversation.Event, error) {
	var all, out []conversation.Event
	keep := func() {
		for _, ev := range out {
			ev.Text, ev.Logprobs = strings.Clone(ev.Text), bytes.Clone(ev.Logprobs)
			all = append(all, ev)
		}
	}
	err := Frames(r, func(ev sse.Event) (err error) {
		out, err = reader.Read(ev, out[:0])
		keep()
		return err
	})
	if err != nil {
		return all, err
	}
	out, err = reader.End(out[:0])
	keep()
	return all, err
}

// Write writes events as a stream.
func Write(w dialects.EventWriter, events ...conversation.Event) string {
	var out []byte
	for i := range events {
		out = w.Append(out, &events[i])
	}
	return string(out)
}

package gemini

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// frames makes a stream of the dialect: one event for each JSON document.
func frames(docs ...string) string {
	var b strings.Builder
	for _, d := range docs {
		b.WriteString("data: " + d + "\r\n\r\n")
	}
	return b.String()
}

// halves reads a stream in two pieces.
func halves(stream string, at int) io.Reader {
	return io.MultiReader(strings.NewReader(stream[:at]), strings.NewReader(stream[at:]))
}

func eachFrame(t testing.TB, src io.Reader, f func(sse.Event)) {
	t.Helper()
	r := sse.NewReader(src, 0)
	defer r.Release()
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		f(ev)
	}
}

// transcript reads a stream to its end and writes the events down, one line each. Texts of one block that follow each
// other are joined, so that a transcript does not depend on how they were cut.
func transcript(t testing.TB, src io.Reader) (string, error) {
	t.Helper()
	var g grammar
	var lines []string
	var events []conversation.Event
	var err error
	note := func() {
		for i := range events {
			g.check(t, &events[i])
			lines = append(lines, line(&events[i]))
		}
	}
	r := Codec{}.NewEventReader()
	eachFrame(t, src, func(ev sse.Event) {
		if err == nil {
			events, err = r.Read(ev, events[:0])
			note()
		}
	})
	if err == nil {
		events, err = r.End(events[:0])
		note()
	}
	return strings.Join(lines, "\n"), err
}

func line(ev *conversation.Event) string {
	at := fmt.Sprintf("%d.%d", ev.Choice, ev.Index)
	switch ev.Type {
	case conversation.EventStart:
		return fmt.Sprintf("start %s %s created=%d", ev.ID, ev.Model, ev.Created)
	case conversation.EventBlockStart:
		return at + " open " + describe(ev.Block)
	case conversation.EventDelta:
		if ev.Citation != nil {
			return fmt.Sprintf("%s cite %d-%d %s %s", at, ev.Citation.Start, ev.Citation.End, ev.Citation.URL, ev.Citation.Title)
		}
		names := map[conversation.DeltaType]string{
			conversation.DeltaText: "text", conversation.DeltaArguments: "args",
			conversation.DeltaThinking: "think", conversation.DeltaSignature: "sign",
		}
		return fmt.Sprintf("%s %s %s", at, names[ev.Delta], ev.Text)
	case conversation.EventBlockStop:
		if ev.Block != nil {
			return at + " close signature=" + ev.Block.Signature
		}
		return at + " close"
	case conversation.EventUsage:
		return "usage " + usageText(ev.Usage)
	case conversation.EventStop:
		return fmt.Sprintf("%d stop %s %s", ev.Choice, stopName(ev.Stop), ev.StopDetail)
	case conversation.EventEnd:
		return "end"
	case conversation.EventError:
		return fmt.Sprintf("error %d %s %s", ev.Error.Status, ev.Error.Type, ev.Error.Message)
	}
	return fmt.Sprintf("unexpected event %d", ev.Type)
}

func describe(b *conversation.Block) string {
	names := []string{"text", "image", "document", "audio", "video", "call", "result", "thinking", "refusal", "opaque"}
	s := names[b.Kind]
	switch {
	case b.Call != nil:
		s += " " + b.Call.Name + " " + b.Call.ID
		if b.Call.Arguments != "" {
			s += " " + b.Call.Arguments
		}
	case b.Media != nil:
		s += " " + b.Media.MIME + " " + b.Media.Data
	case b.Raw != nil:
		s += " " + string(b.Raw)
	case b.Text != "":
		s += " " + b.Text
	}
	if b.Signature != "" {
		s += " signature=" + b.Signature + "@" + b.Origin
	}
	for _, c := range b.Citations {
		s += fmt.Sprintf(" [%d-%d %s %s %s]", c.Start, c.End, c.URL, c.Title, c.Quote)
	}
	return s
}

func stopName(s conversation.StopReason) string {
	return []string{"unknown", "end", "sequence", "length", "calls", "filtered", "refusal", "pause", "error"}[s]
}

// usageText writes the classes that are not zero.
func usageText(u conversation.Usage) string {
	var parts []string
	for _, c := range []struct {
		name string
		n    int64
	}{
		{"in", u.Input},
		{"read", u.CacheRead},
		{"write", u.CacheWrite},
		{"audio_in", u.InputAudio},
		{"out", u.Output},
		{"reasoning", u.Reasoning},
		{"audio_out", u.OutputAudio},
		{"searches", u.WebSearches},
	} {
		if c.n != 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", c.name, c.n))
		}
	}
	return strings.Join(parts, " ")
}

// grammar fails a test when events come in an order that event writers do not expect.
type grammar struct {
	started, stopped, ended bool
	next                    map[int]int
	open                    map[int]bool
}

func (g *grammar) check(t testing.TB, ev *conversation.Event) {
	t.Helper()
	if g.next == nil {
		g.next, g.open = map[int]int{}, map[int]bool{}
	}
	bad := ""
	switch {
	case g.ended:
		bad = "after the end"
	case ev.Type == conversation.EventError:
		g.ended = true
	case ev.Type == conversation.EventStart:
		if g.started {
			bad = "a second start"
		}
		g.started = true
	case !g.started:
		bad = "before the start"
	case ev.Type == conversation.EventBlockStart:
		if g.open[ev.Choice] || ev.Index != g.next[ev.Choice] || ev.Block == nil || g.stopped {
			bad = "misplaced block start"
		}
		g.open[ev.Choice] = true
	case ev.Type == conversation.EventDelta:
		if !g.open[ev.Choice] || ev.Index != g.next[ev.Choice] {
			bad = "delta outside of its block"
		}
	case ev.Type == conversation.EventBlockStop:
		if !g.open[ev.Choice] || ev.Index != g.next[ev.Choice] {
			bad = "stop of a block that is not open"
		}
		g.open[ev.Choice] = false
		g.next[ev.Choice]++
	case ev.Type == conversation.EventStop:
		if g.open[ev.Choice] {
			bad = "stop with a block open"
		}
		g.stopped = true
	case ev.Type == conversation.EventEnd:
		if !g.stopped {
			bad = "end without stop"
		}
		g.ended = true
	}
	if bad != "" {
		t.Fatalf("%s: %s", bad, line(ev))
	}
}

func scan(t testing.TB, doc string) *jsonedit.Object {
	t.Helper()
	var obj jsonedit.Object
	if err := jsonedit.Scan([]byte(doc), Codec{}.KnownKeys(), jsonedit.Limits{}, &obj); err != nil {
		t.Fatal(err)
	}
	return &obj
}

func paramOf(err error) string {
	var e *dialects.RequestError
	if !errors.As(err, &e) {
		return fmt.Sprintf("%T", err)
	}
	return e.Param
}

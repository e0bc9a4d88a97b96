package gemini

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
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

// transcript reads a stream to its end and writes the events down, one line each. Texts of one block that follow each
// other are joined, so that a transcript does not depend on how they were cut.
func transcript(t testing.TB, src io.Reader) (string, error) {
	t.Helper()
	var g dialecttest.Grammar
	var lines []string
	var events []conversation.Event
	var err error
	note := func() {
		for i := range events {
			if bad := g.Check(&events[i]); bad != nil {
				t.Fatalf("%v: %s", bad, line(&events[i]))
			}
			lines = append(lines, line(&events[i]))
		}
	}
	r := Codec{}.NewEventReader()
	dialecttest.EachFrame(t, src, func(ev sse.Event) {
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
		return fmt.Sprintf("%d stop %s %s", ev.Choice, dialecttest.StopName(ev.Stop), ev.StopDetail)
	case conversation.EventEnd:
		return "end"
	case conversation.EventError:
		return fmt.Sprintf("error %d %s %s", ev.Error.Status, ev.Error.Type, ev.Error.Message)
	}
	return fmt.Sprintf("unexpected event %d", ev.Type)
}

func describe(b *conversation.Block) string {
	s := dialecttest.KindName(b.Kind)
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
		{"image_in", u.InputImage},
		{"video_in", u.InputVideo},
		{"audio_read", u.CacheReadAudio},
		{"image_read", u.CacheReadImage},
		{"out", u.Output},
		{"reasoning", u.Reasoning},
		{"audio_out", u.OutputAudio},
		{"image_out", u.OutputImage},
		{"searches", u.WebSearches},
	} {
		if c.n != 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", c.name, c.n))
		}
	}
	return strings.Join(parts, " ")
}

func paramOf(err error) string {
	var e *dialects.RequestError
	if !errors.As(err, &e) {
		return fmt.Sprintf("%T", err)
	}
	return e.Param
}

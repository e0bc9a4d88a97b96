package responses

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

// named makes a stream as OpenAI sends it, with the type of each event as its name; bare leaves the names out, as
// OpenRouter does.
func named(docs ...string) string { return stream(true, docs) }
func bare(docs ...string) string  { return stream(false, docs) }

func stream(names bool, docs []string) string {
	var b strings.Builder
	for _, d := range docs {
		if names {
			b.WriteString("event: " + typeOf(d) + "\n")
		}
		b.WriteString("data: " + d + "\n\n")
	}
	return b.String()
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

func halves(stream string, at int) io.Reader {
	return io.MultiReader(strings.NewReader(stream[:at]), strings.NewReader(stream[at:]))
}

// signals writes the signals of a frame as letters.
func signals(s dialects.Signal) string {
	out := ""
	for _, x := range []struct {
		bit  dialects.Signal
		name string
	}{{dialects.SignalContent, "c"}, {dialects.SignalTerminal, "t"}, {dialects.SignalError, "e"}, {dialects.SignalUsageOnly, "u"}} {
		if s&x.bit != 0 {
			out += x.name
		}
	}
	if out == "" {
		return "-"
	}
	return out
}

func stopName(s conversation.StopReason) string {
	return []string{"unknown", "end", "sequence", "length", "calls", "filtered", "refusal", "pause", "error"}[s]
}

// usageText writes the classes that are not zero, or "?" when the usage is unknown.
func usageText(o *dialects.Observation) string {
	if !o.UsageKnown {
		return "?"
	}
	var parts []string
	u := o.Usage
	for _, c := range []struct {
		name string
		n    int64
	}{
		{"in", u.Input},
		{"read", u.CacheRead},
		{"write", u.CacheWrite},
		{"out", u.Output},
		{"reasoning", u.Reasoning},
		{"searches", u.WebSearches},
		{"other", u.CacheWrite1h + u.InputAudio + u.OutputAudio},
	} {
		if c.n != 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", c.name, c.n))
		}
	}
	return strings.Join(parts, " ")
}

func scan(t testing.TB, doc string) *jsonedit.Object {
	t.Helper()
	var obj jsonedit.Object
	if err := jsonedit.Scan([]byte(doc), Codec{}.KnownKeys(), jsonedit.Limits{}, &obj); err != nil {
		t.Fatal(err)
	}
	return &obj
}

package responses

import (
	"fmt"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
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

// usageText writes the classes that are not zero, or "?" when the usage is unknown.
func usageText(o *dialects.Observation) string {
	switch {
	case o.UsageInvalid:
		return "invalid"
	case !o.UsageKnown:
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
		{"audio_in", u.InputAudio},
		{"image_in", u.InputImage},
		{"audio_out", u.OutputAudio},
		{"image_out", u.OutputImage},
		{"other", u.CacheWrite1h + u.InputVideo + u.CacheReadAudio + u.CacheReadImage},
	} {
		if c.n != 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", c.name, c.n))
		}
	}
	return strings.Join(parts, " ")
}

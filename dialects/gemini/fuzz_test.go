package gemini

import (
	"bytes"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

func FuzzMeter(f *testing.F) {
	for _, s := range streams {
		f.Add([]byte(s.stream))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		m := Codec{}.NewMeter()
		defer m.Release()
		var all dialects.Signal
		eachFrame(t, bytes.NewReader(stream), func(ev sse.Event) { all |= m.Event(ev) })
		all |= m.Body(stream)
		o := m.Observation()
		u := o.Usage
		for _, n := range []int64{u.Input, u.CacheRead, u.InputAudio, u.Output, u.Reasoning, u.OutputAudio, u.WebSearches, o.OutputBytes} {
			if n < 0 {
				t.Fatalf("a negative count in %+v", o)
			}
		}
		if (all&dialects.SignalError != 0) != (m.Err() != nil) {
			t.Fatalf("signals %s with error %v", signals(all), m.Err())
		}
	})
}

func FuzzEventReader(f *testing.F) {
	for _, s := range streams {
		f.Add([]byte(s.stream))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		// transcript checks the order of events.
		if lines, err := transcript(t, bytes.NewReader(stream)); err == nil && lines == "" {
			t.Fatal("a stream without events is complete")
		}
	})
}

func FuzzDecodeResponse(f *testing.F) {
	for _, seed := range []string{
		ordinaryChunk, `{"promptFeedback":{"blockReason":"SAFETY"}}`, `{"error":{"code":1}}`,
		`{"candidates":[{"content":{"parts":[{"text":"é"},{"functionCall":{}},{"inlineData":{}}]},"groundingMetadata":{"groundingChunks":[{"web":{}}],"groundingSupports":[{"segment":{"startIndex":-1,"endIndex":9},"groundingChunkIndices":[0,-1]}]},"logprobsResult":{"chosenCandidates":[{}]}}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Codec{}.DecodeResponse(body)
		if err != nil {
			return
		}
		if len(r.Choices) == 0 {
			t.Fatal("a response without choices and without error")
		}
		for _, c := range r.Choices {
			for _, b := range c.Blocks {
				for _, cite := range b.Citations {
					if cite.Start < 0 || cite.End < cite.Start || cite.End > len([]rune(b.Text)) {
						t.Fatalf("a citation of %d-%d in a text of %d characters", cite.Start, cite.End, len([]rune(b.Text)))
					}
				}
			}
		}
	})
}

func FuzzPartialArgs(f *testing.F) {
	f.Add(`$.a[1]['b']`, "x")
	f.Fuzz(func(t *testing.T, path, value string) {
		var p partialArgs
		if err := p.add(pieceAt(path, `"numberValue":1`)); err == nil && !isObject(p.String()) {
			t.Fatalf("%s made %s", path, p.String())
		}
		if err := p.add(pieceAt("$.s", string(jsonedit.AppendString([]byte(`"stringValue":`), value)))); err != nil || !isObject(p.String()) {
			t.Fatalf("%q made %s, %v", value, p.String(), err)
		}
	})
}

package chatcompletions

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// seed adds the files of testdata to a corpus.
func seed(f *testing.F, pattern string) {
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds in %s: %v", pattern, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// FuzzDecodeRequest checks that whatever is decoded can be encoded as valid JSON, and that errors name a member.
func FuzzDecodeRequest(f *testing.F) {
	seed(f, "requests/*/in.json")
	f.Fuzz(func(t *testing.T, doc []byte) {
		_, h, err := dialecttest.Head(Codec{}, doc)
		if err != nil {
			return
		}
		r, err := Codec{}.DecodeRequest(doc, h)
		var refused *dialects.RequestError
		if err != nil {
			if !errors.As(err, &refused) || refused.Param == "" {
				t.Fatalf("error without a member: %v", err)
			}
			return
		}
		for _, vendor := range [...]string{"openai", "mistral", "openrouter", "compatible"} {
			body, _, err := Codec{}.EncodeRequest(nil, r, dialects.EncodeOptions{Model: r.Model, Vendor: vendor})
			if err == nil && !gjson.ValidBytes(body) {
				t.Fatalf("%s became %s", doc, body)
			}
		}
	})
}

// FuzzEventReader checks that any stream becomes events in order, that they can be written as a valid stream, and that
// the meter survives it.
func FuzzEventReader(f *testing.F) {
	seed(f, "streams/*/in.sse")
	f.Fuzz(func(t *testing.T, stream []byte) {
		m := Codec{}.NewMeter()
		defer m.Release()
		if err := frames(bytes.NewReader(stream), func(ev sse.Event) error { m.Event(ev); return nil }); err != nil {
			t.Skip(err)
		}
		if u := m.Observation().Usage; u.TotalInput() < 0 || u.TotalOutput() < 0 || u.Input < 0 || u.Output < 0 {
			t.Fatalf("negative usage %+v", u)
		}
		events, err := readEvents(bytes.NewReader(stream))
		if bad := dialecttest.GrammarError(events); bad != nil {
			t.Fatalf("%v\n%s", bad, dump(events))
		}
		out := rewrite(events, true)
		again, err2 := readEvents(bytes.NewReader(out))
		if err == nil && err2 != nil && !hasError(events) {
			t.Fatalf("what was written does not read back: %v\n%s", err2, out)
		}
		if bad := dialecttest.GrammarError(again); bad != nil {
			t.Fatalf("written stream: %v\n%s", bad, out)
		}
	})
}

func hasError(events []conversation.Event) bool {
	for _, ev := range events {
		if ev.Type == conversation.EventError {
			return true
		}
	}
	return false
}

// FuzzSplice checks that whatever is spliced stays valid JSON and names the provider's model.
func FuzzSplice(f *testing.F) {
	seed(f, "requests/*/in.json")
	f.Add([]byte(`{"model":"m","messages":[{"role":"assistant","reasoning_details":[{"type":"reasoning.text","signature":"messages:x"}],"tool_calls":[{"extra_content":{"google":{"thought_signature":"gemini:x"}}}]}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		obj, h, err := dialecttest.Head(Codec{}, doc)
		if err != nil {
			return
		}
		s := Codec{}.Splice(doc, obj, h, dialects.SpliceOptions{Model: "other", AskUsage: true}, nil)
		out := jsonedit.Apply(nil, doc, s.Edits)
		if !gjson.ValidBytes(out) || gjson.GetBytes(out, "model").Str != "other" {
			t.Fatalf("%s became %s", doc, out)
		}
		_ = Codec{}.Translates(doc, obj, h, "mistral")
	})
}

// FuzzUsage checks what is made of usage that cannot be true.
func FuzzUsage(f *testing.F) {
	dialecttest.FuzzUsage(f, Codec{}, func(usage string) sse.Event {
		return sse.Event{Data: []byte(`{"id":"c","model":"m","choices":[],"usage":` + usage + `}`)}
	}, `{"prompt_tokens":N,"completion_tokens":N,"total_tokens":N,"prompt_tokens_details":{"cached_tokens":N,"cache_write_tokens":N,"audio_tokens":N,"image_tokens":N},"completion_tokens_details":{"reasoning_tokens":N,"audio_tokens":N,"image_tokens":N}}`,
		`{"prompt_tokens":N,"completion_tokens":N}`,
		`{"total_tokens":N}`,
		`{"prompt_tokens":9,"completion_tokens":N,"cached_tokens":N}`)
}

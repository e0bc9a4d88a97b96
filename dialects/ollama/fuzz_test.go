package ollama

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// FuzzFrameReader checks that the lines of any stream add up to the stream, wherever it is cut into reads.
func FuzzFrameReader(f *testing.F) {
	f.Add([]byte("{\"a\":1}\n\r\n {\"b\":2}"), 3)
	f.Add([]byte(stream(answers[0].stream...)), 1)
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		cut = max(min(cut, len(in)), 0)
		var lines []string
		for _, src := range []io.Reader{bytes.NewReader(in), io.MultiReader(bytes.NewReader(in[:cut]), bytes.NewReader(in[cut:])), iotest.OneByteReader(bytes.NewReader(in))} {
			var got []string
			var all []byte
			if err := frames(src, func(ev sse.Event) error {
				got = append(got, string(ev.Data))
				all = append(all, ev.Raw...)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(all, in) {
				t.Fatalf("got %q, want %q", all, in)
			}
			if lines != nil && !slices.Equal(lines, got) {
				t.Fatalf("got %q, want %q", got, lines)
			}
			lines = got
		}
	})
}

// FuzzEncodeRequest checks that any conversation becomes valid JSON or a clear error. The conversation is given in
// encoding/json's form of it.
func FuzzEncodeRequest(f *testing.F) {
	for _, r := range []*conversation.Request{
		largeRequest(),
		{Tools: []tool{weather, {Name: "a-b", Custom: true, Strict: new(true)}}, Format: &conversation.Format{}, TopP: "1", TopK: "3.0", Stop: []string{"a"}},
		{Messages: []conversation.Message{user(conversation.Block{Kind: conversation.Image, Media: &conversation.Media{Data: "AA=="}}), assistant(call("", "f", ""))}},
	} {
		doc, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc []byte) { dialecttest.CheckEncode(t, Codec{}, doc) })
}

func FuzzDecodeResponse(f *testing.F) {
	for _, a := range answers {
		f.Add([]byte(a.unary))
	}
	f.Fuzz(func(t *testing.T, body []byte) { dialecttest.CheckResponse(t, Codec{}, body) })
}

func FuzzEventReader(f *testing.F) {
	for _, a := range answers {
		f.Add([]byte(stream(a.stream...)))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		dialecttest.CheckStream(t, Codec{}, func() dialects.FrameReader { return Codec{}.NewFrameReader(bytes.NewReader(in), 0) })
	})
}

// FuzzUsage checks what is made of usage that cannot be true. The counts stand among the other members of a line.
func FuzzUsage(f *testing.F) {
	dialecttest.FuzzUsage(f, Codec{}, func(usage string) sse.Event {
		counts := strings.Trim(usage, "{}")
		if counts == "" || counts == "null" {
			return sse.Event{Data: []byte(`{"model":"m","done":false}`)}
		}
		return sse.Event{Data: []byte(`{"model":"m",` + counts + `,"done":true}`)}
	}, `{"prompt_eval_count":N,"eval_count":N}`, `{"eval_count":N}`)
}

package cohere

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

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
		dialecttest.CheckStream(t, Codec{}, func() dialects.FrameReader { return sse.NewReader(bytes.NewReader(in), 0) })
	})
}

// FuzzUsage checks what is made of usage that cannot be true.
func FuzzUsage(f *testing.F) {
	dialecttest.FuzzUsage(f, Codec{}, func(usage string) sse.Event {
		return sse.Event{Data: []byte(`{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":` + usage + `}}`)}
	}, `{"billed_units":{"input_tokens":N,"output_tokens":N},"tokens":{"input_tokens":N,"output_tokens":N,"image_tokens":N},"cached_tokens":N}`,
		`{"tokens":{"input_tokens":N,"output_tokens":N},"cached_tokens":N}`)
}

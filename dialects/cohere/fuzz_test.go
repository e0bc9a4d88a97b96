package cohere

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
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
	f.Fuzz(func(t *testing.T, doc []byte) {
		var r conversation.Request
		if json.Unmarshal(doc, &r) != nil || !isEncodable(&r) {
			t.Skip()
		}
		body, _, err := Codec{}.EncodeRequest(nil, &r, dialects.EncodeOptions{Model: "m", Rewrites: new(conversation.Rewrites)})
		var refused *dialects.RequestError
		if err != nil && (!errors.As(err, &refused) || refused.Param == "") {
			t.Fatalf("error without a member: %v", err)
		}
		if err == nil && !gjson.ValidBytes(body) {
			t.Fatalf("%s became %s", doc, body)
		}
	})
}

// isEncodable reports whether a decoder could have made the request: numbers are numbers, and a result has its content.
func isEncodable(r *conversation.Request) bool {
	for _, n := range []conversation.Number{r.Temperature, r.TopP, r.TopK, r.FrequencyPenalty, r.PresencePenalty} {
		if n != "" && (!gjson.Valid(string(n)) || gjson.Parse(string(n)).Type != gjson.Number) {
			return false
		}
	}
	for _, t := range r.Tools {
		if len(t.Schema) > 0 && !json.Valid(t.Schema) {
			return false
		}
	}
	for _, m := range r.Messages {
		for _, b := range m.Blocks {
			if b.Kind == conversation.Result && b.Result == nil {
				return false
			}
		}
	}
	return r.Format == nil || len(r.Format.Schema) == 0 || json.Valid(r.Format.Schema)
}

// FuzzDecodeResponse checks that no body breaks the decoder or the meter, and that they agree.
func FuzzDecodeResponse(f *testing.F) {
	for _, a := range answers {
		f.Add([]byte(a.unary))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m := Codec{}.NewMeter()
		defer m.Release()
		m.Body(body)
		if u := m.Observation().Usage; u.Input < 0 || u.CacheRead < 0 || u.Output < 0 {
			t.Fatalf("negative usage %+v", u)
		}
		r, err := Codec{}.DecodeResponse(body)
		if err == nil && (len(r.Choices) != 1 || r.Choices[0].Stop == conversation.StopUnknown) {
			t.Fatalf("%s became %+v", body, r)
		}
	})
}

// FuzzEventReader checks that any stream becomes events in order, and that the meter survives it.
func FuzzEventReader(f *testing.F) {
	for _, a := range answers {
		f.Add([]byte(stream(a.stream...)))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m := Codec{}.NewMeter()
		defer m.Release()
		if err := frames(bytes.NewReader(in), func(ev sse.Event) error { m.Event(ev); return nil }); err != nil {
			t.Skip(err)
		}
		if u := m.Observation().Usage; u.Input < 0 || u.CacheRead < 0 || u.Output < 0 {
			t.Fatalf("negative usage %+v", u)
		}
		events, _ := readEvents(bytes.NewReader(in))
		if err := checkGrammar(events); err != nil {
			t.Fatalf("%v\n%s", err, dump(events))
		}
	})
}

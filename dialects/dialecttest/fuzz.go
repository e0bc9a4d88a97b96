package dialecttest

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// CheckEncode checks that a conversation, given in encoding/json's form of it, becomes valid JSON or a clear error. It
// skips those that no decoder could have made.
func CheckEncode(t *testing.T, c dialects.Encoder, doc []byte) {
	t.Helper()
	var r conversation.Request
	if json.Unmarshal(doc, &r) != nil || !isEncodable(&r) {
		t.Skip()
	}
	body, _, err := c.EncodeRequest(nil, &r, dialects.EncodeOptions{Model: "m", Rewrites: new(conversation.Rewrites)})
	var refused *dialects.RequestError
	if err != nil && (!errors.As(err, &refused) || refused.Param == "") {
		t.Fatalf("error without a member: %v", err)
	}
	if err == nil && !gjson.ValidBytes(body) {
		t.Fatalf("%s became %s", doc, body)
	}
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

// Provider is a dialect that providers speak and that can be translated to.
type Provider interface {
	dialects.Codec
	dialects.Encoder
}

// CheckResponse checks that a body breaks neither the decoder nor the meter of a dialect that has one choice and a stop
// reason in every response.
func CheckResponse(t *testing.T, c Provider, body []byte) {
	t.Helper()
	m := c.NewMeter()
	defer m.Release()
	m.Body(body)
	checkUsage(t, m)
	r, err := c.DecodeResponse(body)
	if err == nil && (len(r.Choices) != 1 || r.Choices[0].Stop == conversation.StopUnknown) {
		t.Fatalf("%s became %+v", body, r)
	}
}

// CheckStream checks that a stream becomes events in order, and that the meter survives it. The stream is read twice.
func CheckStream(t *testing.T, c Provider, frames func() dialects.FrameReader) {
	t.Helper()
	m := c.NewMeter()
	defer m.Release()
	if err := Frames(frames(), func(ev sse.Event) error { m.Event(ev); return nil }); err != nil {
		t.Skip(err)
	}
	checkUsage(t, m)
	events, _ := ReadEvents(frames(), c.NewEventReader())
	CheckGrammar(t, events)
}

func checkUsage(t *testing.T, m dialects.Meter) {
	t.Helper()
	if u := m.Observation().Usage; u.Input < 0 || u.CacheRead < 0 || u.Output < 0 {
		t.Fatalf("negative usage %+v", u)
	}
}

package dialecttest

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
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
	o := m.Observation()
	v := reflect.ValueOf(o.Usage)
	for i := range v.NumField() {
		if n := v.Field(i).Int(); n < 0 || n > dialects.MaxTokens {
			t.Fatalf("%s is %d", v.Type().Field(i).Name, n)
		}
	}
	if o.Usage.TotalInput() > dialects.MaxTokens || o.Usage.TotalOutput() > dialects.MaxTokens {
		t.Fatalf("too much usage: %+v", o.Usage)
	}
	if !o.UsageKnown && o.Usage.TotalInput()+o.Usage.TotalOutput() > 0 {
		t.Fatalf("usage that nobody knows: %+v", o.Usage)
	}
}

// oddUsages are values that vendors and their impostors put in the place of a count.
var oddUsages = []string{"0", "7", "-1", "-0", "1.0", "1e3", `"7"`, "null", "50000001", "9223372036854775808", "1e999", "true", "{}", "[]", `""`, "NaN"}

// FuzzUsage checks that whatever a response reports of its usage, no class of it is negative or absurd, what was known
// once stays known, what was counted once never falls, and nothing is known of a response that reports nothing. event
// puts a usage object into an event of the dialect; the seeds are such objects, in which N stands for a count.
func FuzzUsage(f *testing.F, c dialects.Codec, event func(usage string) sse.Event, seeds ...string) {
	for _, seed := range seeds {
		for _, odd := range oddUsages {
			f.Add(strings.ReplaceAll(seed, "N", "7"), strings.ReplaceAll(seed, "N", odd))
			f.Add(strings.Replace(strings.Replace(seed, "N", odd, 1), "N", "3", -1), strings.ReplaceAll(seed, "N", "5"))
		}
	}
	f.Add("null", "{}")
	f.Fuzz(func(t *testing.T, first, second string) {
		m := c.NewMeter()
		defer m.Release()
		for _, usage := range []string{"null", first, second, "{}"} {
			before := m.Observation().Reported
			m.Event(event(usage))
			checkUsage(t, m)
			after := m.Observation().Reported
			if before.UsageKnown && !after.UsageKnown || before.UsageInvalid && !after.UsageInvalid {
				t.Fatalf("%s: %+v became %+v", usage, before, after)
			}
			if after.Usage.TotalInput() < before.Usage.TotalInput() || after.Usage.TotalOutput() < before.Usage.TotalOutput() {
				t.Fatalf("%s: %+v fell to %+v", usage, before.Usage, after.Usage)
			}
			if usage == "null" && after != before {
				t.Fatalf("nothing was taken for %+v", after)
			}
		}
	})
}

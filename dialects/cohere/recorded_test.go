package cohere

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

func TestRecordedUnaryResponsesAreUnderstood(t *testing.T) {
	for _, rec := range dialecttest.Recorded(t, "cohere.chat") {
		if rec.Streaming || rec.Status != 200 {
			continue
		}
		r, err := Codec{}.DecodeResponse([]byte(rec.Body))
		if err != nil {
			t.Errorf("%s: %v", rec.Name, err)
			continue
		}
		v := gjson.Parse(rec.Body)
		if got, want := said(r, conversation.Text), joined(v.Get("message.content.#.text")); got != want {
			t.Errorf("%s: text is %q, want %q", rec.Name, got, want)
		}
		if got, want := said(r, conversation.Thinking), joined(v.Get("message.content.#.thinking"))+v.Get("message.tool_plan").Str; got != want {
			t.Errorf("%s: thoughts are %q, want %q", rec.Name, got, want)
		}
		if r.Usage.TotalInput() != v.Get("usage.tokens.input_tokens").Int() || r.Usage.TotalOutput() != v.Get("usage.tokens.output_tokens").Int() {
			t.Errorf("%s: usage %+v", rec.Name, r.Usage)
		}
		cited := 0
		for _, b := range r.Choices[0].Blocks {
			cited += len(b.Citations)
		}
		if want := len(v.Get("message.citations.#.sources|@flatten").Array()); cited != want {
			t.Errorf("%s: %d citations, want %d", rec.Name, cited, want)
		}
		m := Codec{}.NewMeter()
		sig := m.Body([]byte(rec.Body))
		if o := m.Observation(); sig&dialects.SignalTerminal == 0 || o.Usage.TotalInput() != v.Get("usage.billed_units.input_tokens").Int() || o.Stop != r.Choices[0].Stop {
			t.Errorf("%s: signals %b, observed %+v", rec.Name, sig, o)
		}
		m.Release()
	}
}

func TestRecordedStreamsAreUnderstood(t *testing.T) {
	for _, rec := range dialecttest.Recorded(t, "cohere.chat") {
		if !rec.Streaming || rec.Status != 200 {
			continue
		}
		m := Codec{}.NewMeter()
		var seen dialects.Signal
		var texts, arguments strings.Builder
		var failure string
		err := frames(strings.NewReader(rec.Body), func(ev sse.Event) error {
			seen |= m.Event(ev)
			v := gjson.ParseBytes(ev.Data)
			texts.WriteString(v.Get("delta.message.content.text").Str)
			arguments.WriteString(v.Get("delta.message.tool_calls.function.arguments").Str)
			failure += v.Get("delta.error").Str
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		events, err := readEvents(strings.NewReader(rec.Body))
		if err == nil {
			err = dialecttest.GrammarError(events)
		}
		if err != nil {
			t.Errorf("%s: %v", rec.Name, err)
		}
		r := fold(events)
		calls := ""
		for _, b := range r.Choices[0].Blocks {
			if b.Call != nil {
				calls += b.Call.Arguments
			}
		}
		if said(r, conversation.Text) != texts.String() || calls != arguments.String() {
			t.Errorf("%s: got %s", rec.Name, flat(r))
		}
		if failed := failure != ""; failed != (seen&dialects.SignalError != 0) || failed == (seen&dialects.SignalTerminal != 0) {
			t.Errorf("%s: signals %b, error %q", rec.Name, seen, failure)
		}
		m.Release()
	}
}

func joined(texts gjson.Result) string {
	var b strings.Builder
	for _, s := range texts.Array() {
		b.WriteString(s.Str)
	}
	return b.String()
}

func said(r *conversation.Response, kind conversation.Kind) string {
	var b strings.Builder
	for _, block := range r.Choices[0].Blocks {
		if block.Kind == kind {
			b.WriteString(block.Text)
		}
	}
	return b.String()
}

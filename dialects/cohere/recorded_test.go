package cohere

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// recording is one exchange with the real API.
type recording struct {
	name   string
	stream bool
	body   string
}

// recordings loads the exchanges of the folder that the environment names.
func recordings(t *testing.T) (all []recording) {
	t.Helper()
	dir := os.Getenv("LLMGATEWAY_RECORDED")
	if dir == "" {
		t.Skip("LLMGATEWAY_RECORDED names no folder of recorded traffic")
	}
	files, err := filepath.Glob(filepath.Join(dir, "cohere.chat", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		v := gjson.ParseBytes(raw)
		if v.Get("response.status").Int() == 200 {
			all = append(all, recording{filepath.Base(file), v.Get("streaming").Bool(), v.Get("response.body").String()})
		}
	}
	return all
}

func TestRecordedUnaryResponsesAreUnderstood(t *testing.T) {
	for _, rec := range recordings(t) {
		if rec.stream {
			continue
		}
		r, err := Codec{}.DecodeResponse([]byte(rec.body))
		if err != nil {
			t.Errorf("%s: %v", rec.name, err)
			continue
		}
		v := gjson.Parse(rec.body)
		if got, want := said(r, conversation.Text), joined(v.Get("message.content.#.text")); got != want {
			t.Errorf("%s: text is %q, want %q", rec.name, got, want)
		}
		if got, want := said(r, conversation.Thinking), joined(v.Get("message.content.#.thinking"))+v.Get("message.tool_plan").Str; got != want {
			t.Errorf("%s: thoughts are %q, want %q", rec.name, got, want)
		}
		if r.Usage.TotalInput() != v.Get("usage.tokens.input_tokens").Int() || r.Usage.TotalOutput() != v.Get("usage.tokens.output_tokens").Int() {
			t.Errorf("%s: usage %+v", rec.name, r.Usage)
		}
		cited := 0
		for _, b := range r.Choices[0].Blocks {
			cited += len(b.Citations)
		}
		if want := len(v.Get("message.citations.#.sources|@flatten").Array()); cited != want {
			t.Errorf("%s: %d citations, want %d", rec.name, cited, want)
		}
		m := Codec{}.NewMeter()
		sig := m.Body([]byte(rec.body))
		if o := m.Observation(); sig&dialects.SignalTerminal == 0 || o.Usage.Input != v.Get("usage.billed_units.input_tokens").Int() || o.Stop != r.Choices[0].Stop {
			t.Errorf("%s: signals %b, observed %+v", rec.name, sig, o)
		}
		m.Release()
	}
}

func TestRecordedStreamsAreUnderstood(t *testing.T) {
	for _, rec := range recordings(t) {
		if !rec.stream {
			continue
		}
		m := Codec{}.NewMeter()
		var seen dialects.Signal
		var texts, arguments strings.Builder
		var failure string
		err := frames(strings.NewReader(rec.body), func(ev sse.Event) error {
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
		events, err := readEvents(strings.NewReader(rec.body))
		if err == nil {
			err = checkGrammar(events)
		}
		if err != nil {
			t.Errorf("%s: %v", rec.name, err)
		}
		r := fold(events)
		calls := ""
		for _, b := range r.Choices[0].Blocks {
			if b.Call != nil {
				calls += b.Call.Arguments
			}
		}
		if said(r, conversation.Text) != texts.String() || calls != arguments.String() {
			t.Errorf("%s: got %s", rec.name, flat(r))
		}
		if failed := failure != ""; failed != (seen&dialects.SignalError != 0) || failed == (seen&dialects.SignalTerminal != 0) {
			t.Errorf("%s: signals %b, error %q", rec.name, seen, failure)
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

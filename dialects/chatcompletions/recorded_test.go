package chatcompletions

import (
	"errors"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

func TestRecordedRequestsAreDecoded(t *testing.T) {
	for _, endpoint := range [...]string{"openai.chat", "mistral.chat"} {
		for _, r := range dialecttest.Recorded(t, endpoint) {
			if r.Request == nil || r.Status >= 300 {
				continue
			}
			req, err := dialecttest.Decode(Codec{}, string(r.Request))
			if err != nil && !gjson.GetBytes(r.Request, "model").Exists() {
				continue // Azure's classic endpoint has the model in the path
			}
			if err != nil {
				t.Errorf("%s: %v", r.Name, err)
				continue
			}
			for _, vendor := range [...]string{"openai", "mistral", "openrouter", "groq", "compatible"} {
				out, _, err := Codec{}.EncodeRequest(nil, req, dialects.EncodeOptions{Model: req.Model, Vendor: vendor})
				var refused *dialects.RequestError
				if err != nil && !errors.As(err, &refused) {
					t.Errorf("%s for %s: %v", r.Name, vendor, err)
				}
				if err == nil && !gjson.ValidBytes(out) {
					t.Errorf("%s for %s: not valid JSON: %s", r.Name, vendor, out)
				}
			}
		}
	}
}

func TestRecordedUnaryResponsesAreUnderstood(t *testing.T) {
	for _, endpoint := range [...]string{"openai.chat", "mistral.chat"} {
		for _, r := range dialecttest.Recorded(t, endpoint) {
			if r.Streaming || r.Status >= 300 {
				continue
			}
			m := Codec{}.NewMeter()
			sig := m.Body([]byte(r.Body))
			if sig&dialects.SignalError != 0 || sig&dialects.SignalTerminal == 0 {
				t.Errorf("%s: signal %b, error %v", r.Name, sig, m.Err())
			}
			resp, err := Codec{}.DecodeResponse([]byte(r.Body))
			if err != nil {
				t.Errorf("%s: %v", r.Name, err)
				continue
			}
			o := m.Observation()
			if known := gjson.Get(r.Body, "usage.prompt_tokens").Exists(); o.UsageKnown != known || resp.UsageKnown != known {
				t.Errorf("%s: usage known: meter %v, response %v, want %v", r.Name, o.UsageKnown, resp.UsageKnown, known)
			}
			if o.Usage != resp.Usage || o.Usage.TotalInput() != gjson.Get(r.Body, "usage.prompt_tokens").Int() {
				t.Errorf("%s: usage: meter %+v, response %+v", r.Name, o.Usage, resp.Usage)
			}
			if o.ID != resp.ID || o.Model != resp.Model || o.Stop != resp.Choices[len(resp.Choices)-1].Stop {
				t.Errorf("%s: meter and response differ: %+v", r.Name, o)
			}
			if got, want := responseText(resp), recordedText(gjson.Get(r.Body, "choices.0.message")); got != want {
				t.Errorf("%s: text is %q, want %q", r.Name, got, want)
			}
			m.Release()
			again := Codec{}.EncodeResponse(nil, resp, "alias")
			if !gjson.ValidBytes(again) {
				t.Errorf("%s: encoded response is not valid JSON: %s", r.Name, again)
			}
		}
	}
}

// recordedText is the text of a message or delta by way of its path alone.
func recordedText(m gjson.Result) string {
	c := m.Get("content")
	if !c.IsArray() {
		return c.String()
	}
	var b strings.Builder
	for _, part := range c.Array() {
		b.WriteString(part.Get("text").String())
	}
	return b.String()
}

func responseText(r *conversation.Response) string {
	if len(r.Choices) == 0 {
		return ""
	}
	s, _ := joinBlocks(r.Choices[0].Blocks, conversation.Text)
	return s
}

func TestRecordedStreamsAreUnderstood(t *testing.T) {
	for _, endpoint := range [...]string{"openai.chat", "mistral.chat"} {
		for _, r := range dialecttest.Recorded(t, endpoint) {
			if !r.Streaming || r.Status >= 300 {
				continue
			}
			checkRecordedStream(t, r)
		}
	}
}

func checkRecordedStream(t *testing.T, r dialecttest.Exchange) {
	t.Helper()
	var text strings.Builder
	var usage, failed bool
	m := Codec{}.NewMeter()
	defer m.Release()
	var seen dialects.Signal
	err := frames(strings.NewReader(r.Body), func(ev sse.Event) error {
		seen |= m.Event(ev)
		v := gjson.ParseBytes(ev.Data)
		text.WriteString(recordedText(v.Get("choices.0.delta")))
		usage = usage || v.Get("usage.prompt_tokens").Exists() || v.Get("x_groq.usage.prompt_tokens").Exists()
		failed = failed || v.Get("error").Exists()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	events, err := readEvents(strings.NewReader(r.Body))
	if err != nil {
		t.Errorf("%s: %v", r.Name, err)
	}
	if err := dialecttest.GrammarError(events); err != nil {
		t.Errorf("%s: %v", r.Name, err)
	}
	resp, o := fold(events), m.Observation()
	if got := responseText(resp); got != text.String() {
		t.Errorf("%s: text is %q, want %q", r.Name, got, text.String())
	}
	if o.UsageKnown != usage || resp.UsageKnown != usage || o.Usage != resp.Usage {
		t.Errorf("%s: usage: meter %+v, response %+v, want known %v", r.Name, o.Usage, resp.Usage, usage)
	}
	if (seen&dialects.SignalError != 0) != failed || (seen&dialects.SignalTerminal != 0) == failed {
		t.Errorf("%s: signals %b, failed %v", r.Name, seen, failed)
	}
	if !failed && o.Stop != resp.Choices[0].Stop {
		t.Errorf("%s: stop: meter %v, response %v", r.Name, o.Stop, resp.Choices[0].Stop)
	}
}

func TestRecordedErrorsKeepTheirMessage(t *testing.T) {
	for _, r := range dialecttest.Recorded(t, "openai.chat") {
		if r.Status < 400 {
			continue
		}
		e := Codec{}.ParseError(r.Status, []byte(r.Body))
		if want := gjson.Get(r.Body, "error.message").String(); want == "" || !strings.HasPrefix(e.Message, want) {
			t.Errorf("%s: message is %q, want %q", r.Name, e.Message, want)
		}
		if e.Status != r.Status || e.Code == "" && gjson.Get(r.Body, "error.code").Type == gjson.String {
			t.Errorf("%s: %+v", r.Name, e)
		}
	}
}

func TestRecordedCompletionsAndEmbeddingsAreMetered(t *testing.T) {
	for _, endpoint := range [...]string{"openai.completions", "openai.embeddings"} {
		for _, r := range dialecttest.Recorded(t, endpoint) {
			if r.Status >= 300 {
				continue
			}
			m := Codec{}.NewMeter()
			var seen dialects.Signal
			if r.Streaming {
				if err := frames(strings.NewReader(r.Body), func(ev sse.Event) error { seen |= m.Event(ev); return nil }); err != nil {
					t.Fatal(err)
				}
			} else {
				seen = m.Body([]byte(r.Body))
			}
			if seen&dialects.SignalTerminal == 0 || seen&dialects.SignalError != 0 {
				t.Errorf("%s: signals %b", r.Name, seen)
			}
			if completions := endpoint == "openai.completions"; completions != (seen&dialects.SignalContent != 0) {
				t.Errorf("%s: content seen: %v", r.Name, !completions)
			}
			if u := gjson.Get(r.Body, "usage.prompt_tokens"); u.Exists() && m.Observation().Usage.Input != u.Int() {
				t.Errorf("%s: input is %d, want %d", r.Name, m.Observation().Usage.Input, u.Int())
			}
			m.Release()
		}
	}
}

package chatcompletions

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// recording is one exchange with a real provider.
type recording struct {
	name    string
	stream  bool
	status  int
	request []byte // nil when it was not recorded
	body    string
}

// recordings loads the exchanges of an endpoint from the folder that the environment names.
func recordings(t *testing.T, endpoint string) []recording {
	t.Helper()
	dir := os.Getenv("LLMGATEWAY_RECORDED")
	if dir == "" {
		t.Skip("LLMGATEWAY_RECORDED names no folder of recorded traffic")
	}
	files, err := filepath.Glob(filepath.Join(dir, endpoint, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings of %s: %v", endpoint, err)
	}
	var all []recording
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		v := gjson.ParseBytes(raw)
		if !v.Get("response.body").Exists() {
			continue
		}
		r := recording{name: filepath.Base(file), stream: v.Get("streaming").Bool(), status: int(v.Get("response.status").Int())}
		r.body = v.Get("response.body").String()
		if v.Get("response.encoding").String() == "base64" {
			b, err := base64.StdEncoding.DecodeString(r.body)
			if err != nil {
				t.Fatal(err)
			}
			r.body = string(b)
		}
		if b := v.Get("request.body"); b.IsObject() {
			r.request = json.RawMessage(b.Raw)
		}
		all = append(all, r)
	}
	return all
}

func TestRecordedRequestsAreDecoded(t *testing.T) {
	for _, endpoint := range [...]string{"openai.chat", "mistral.chat"} {
		for _, r := range recordings(t, endpoint) {
			if r.request == nil || r.status >= 300 {
				continue
			}
			req, err := decode(string(r.request))
			if err != nil && !gjson.GetBytes(r.request, "model").Exists() {
				continue // Azure's classic endpoint has the model in the path
			}
			if err != nil {
				t.Errorf("%s: %v", r.name, err)
				continue
			}
			for _, vendor := range [...]string{"openai", "mistral", "openrouter", "groq", "compatible"} {
				out, _, err := Codec{}.EncodeRequest(nil, req, dialects.EncodeOptions{Model: req.Model, Vendor: vendor})
				var refused *dialects.RequestError
				if err != nil && !errors.As(err, &refused) {
					t.Errorf("%s for %s: %v", r.name, vendor, err)
				}
				if err == nil && !gjson.ValidBytes(out) {
					t.Errorf("%s for %s: not valid JSON: %s", r.name, vendor, out)
				}
			}
		}
	}
}

func TestRecordedUnaryResponsesAreUnderstood(t *testing.T) {
	for _, endpoint := range [...]string{"openai.chat", "mistral.chat"} {
		for _, r := range recordings(t, endpoint) {
			if r.stream || r.status >= 300 {
				continue
			}
			m := Codec{}.NewMeter()
			sig := m.Body([]byte(r.body))
			if sig&dialects.SignalError != 0 || sig&dialects.SignalTerminal == 0 {
				t.Errorf("%s: signal %b, error %v", r.name, sig, m.Err())
			}
			resp, err := Codec{}.DecodeResponse([]byte(r.body))
			if err != nil {
				t.Errorf("%s: %v", r.name, err)
				continue
			}
			o := m.Observation()
			if known := gjson.Get(r.body, "usage.prompt_tokens").Exists(); o.UsageKnown != known || resp.UsageKnown != known {
				t.Errorf("%s: usage known: meter %v, response %v, want %v", r.name, o.UsageKnown, resp.UsageKnown, known)
			}
			if o.Usage != resp.Usage || o.Usage.TotalInput() != gjson.Get(r.body, "usage.prompt_tokens").Int() {
				t.Errorf("%s: usage: meter %+v, response %+v", r.name, o.Usage, resp.Usage)
			}
			if o.ID != resp.ID || o.Model != resp.Model || o.Stop != resp.Choices[len(resp.Choices)-1].Stop {
				t.Errorf("%s: meter and response differ: %+v", r.name, o)
			}
			if got, want := responseText(resp), recordedText(gjson.Get(r.body, "choices.0.message")); got != want {
				t.Errorf("%s: text is %q, want %q", r.name, got, want)
			}
			m.Release()
			again := Codec{}.EncodeResponse(nil, resp, "alias")
			if !gjson.ValidBytes(again) {
				t.Errorf("%s: encoded response is not valid JSON: %s", r.name, again)
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
		for _, r := range recordings(t, endpoint) {
			if !r.stream || r.status >= 300 {
				continue
			}
			checkRecordedStream(t, r)
		}
	}
}

func checkRecordedStream(t *testing.T, r recording) {
	t.Helper()
	var text strings.Builder
	var usage, failed bool
	m := Codec{}.NewMeter()
	defer m.Release()
	var seen dialects.Signal
	err := frames(strings.NewReader(r.body), func(ev sse.Event) error {
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
	events, err := readEvents(strings.NewReader(r.body))
	if err != nil {
		t.Errorf("%s: %v", r.name, err)
	}
	if err := checkGrammar(events); err != nil {
		t.Errorf("%s: %v", r.name, err)
	}
	resp, o := fold(events), m.Observation()
	if got := responseText(resp); got != text.String() {
		t.Errorf("%s: text is %q, want %q", r.name, got, text.String())
	}
	if o.UsageKnown != usage || resp.UsageKnown != usage || o.Usage != resp.Usage {
		t.Errorf("%s: usage: meter %+v, response %+v, want known %v", r.name, o.Usage, resp.Usage, usage)
	}
	if (seen&dialects.SignalError != 0) != failed || (seen&dialects.SignalTerminal != 0) == failed {
		t.Errorf("%s: signals %b, failed %v", r.name, seen, failed)
	}
	if !failed && o.Stop != resp.Choices[0].Stop {
		t.Errorf("%s: stop: meter %v, response %v", r.name, o.Stop, resp.Choices[0].Stop)
	}
}

func TestRecordedErrorsKeepTheirMessage(t *testing.T) {
	for _, r := range recordings(t, "openai.chat") {
		if r.status < 400 {
			continue
		}
		e := Codec{}.ParseError(r.status, []byte(r.body))
		if want := gjson.Get(r.body, "error.message").String(); want == "" || !strings.HasPrefix(e.Message, want) {
			t.Errorf("%s: message is %q, want %q", r.name, e.Message, want)
		}
		if e.Status != r.status || e.Code == "" && gjson.Get(r.body, "error.code").Type == gjson.String {
			t.Errorf("%s: %+v", r.name, e)
		}
	}
}

func TestRecordedCompletionsAndEmbeddingsAreMetered(t *testing.T) {
	for _, endpoint := range [...]string{"openai.completions", "openai.embeddings"} {
		for _, r := range recordings(t, endpoint) {
			if r.status >= 300 {
				continue
			}
			m := Codec{}.NewMeter()
			var seen dialects.Signal
			if r.stream {
				if err := frames(strings.NewReader(r.body), func(ev sse.Event) error { seen |= m.Event(ev); return nil }); err != nil {
					t.Fatal(err)
				}
			} else {
				seen = m.Body([]byte(r.body))
			}
			if seen&dialects.SignalTerminal == 0 || seen&dialects.SignalError != 0 {
				t.Errorf("%s: signals %b", r.name, seen)
			}
			if completions := endpoint == "openai.completions"; completions != (seen&dialects.SignalContent != 0) {
				t.Errorf("%s: content seen: %v", r.name, !completions)
			}
			if u := gjson.Get(r.body, "usage.prompt_tokens"); u.Exists() && m.Observation().Usage.Input != u.Int() {
				t.Errorf("%s: input is %d, want %d", r.name, m.Observation().Usage.Input, u.Int())
			}
			m.Release()
		}
	}
}

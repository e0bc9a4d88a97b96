package ollama

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

// TestRecordedResponsesAreUnderstood reads the recorded exchanges of the folder that the environment names.
func TestRecordedResponsesAreUnderstood(t *testing.T) {
	for _, rec := range dialecttest.Recorded(t, "ollama.chat") {
		if rec.Status != 200 {
			continue
		}
		name, body := rec.Name, rec.Body
		var content, lastLine string
		for l := range strings.Lines(body) {
			content += gjson.Get(l, "message.content").Str
			lastLine = l
		}
		events, err := readEvents(strings.NewReader(body))
		if err == nil {
			err = dialecttest.GrammarError(events)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r := fold(events)
		if !rec.Streaming {
			unary, err := Codec{}.DecodeResponse([]byte(body))
			if err != nil || flat(unary) != flat(r) {
				t.Errorf("%s: %v\n%s", name, err, flat(unary))
			}
		}
		got := ""
		for _, b := range r.Choices[0].Blocks {
			got += b.Text
		}
		if got != content || r.Usage.Input != gjson.Get(lastLine, "prompt_eval_count").Int() || r.Usage.Output != gjson.Get(lastLine, "eval_count").Int() {
			t.Errorf("%s: got %s", name, flat(r))
		}
		m := Codec{}.NewMeter()
		if sig := m.Body([]byte(lastLine)); sig&dialects.SignalTerminal == 0 || m.Observation().Usage != r.Usage {
			t.Errorf("%s: signals %b, observed %+v", name, sig, m.Observation())
		}
		m.Release()
	}
}

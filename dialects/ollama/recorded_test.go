package ollama

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
)

// TestRecordedResponsesAreUnderstood reads the recorded exchanges of the folder that the environment names.
func TestRecordedResponsesAreUnderstood(t *testing.T) {
	dir := os.Getenv("LLMGATEWAY_RECORDED")
	if dir == "" {
		t.Skip("LLMGATEWAY_RECORDED names no folder of recorded traffic")
	}
	files, err := filepath.Glob(filepath.Join(dir, "ollama.chat", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name, rec := filepath.Base(file), gjson.ParseBytes(raw)
		body := rec.Get("response.body").String()
		if rec.Get("response.status").Int() != 200 {
			continue
		}
		var content, lastLine string
		for l := range strings.Lines(body) {
			content += gjson.Get(l, "message.content").Str
			lastLine = l
		}
		events, err := readEvents(strings.NewReader(body))
		if err == nil {
			err = checkGrammar(events)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r := fold(events)
		if !rec.Get("streaming").Bool() {
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

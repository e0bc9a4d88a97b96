package messages

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
)

// FuzzDecodeRequest holds that whatever is accepted can be encoded to valid JSON, and that this decodes and encodes to
// itself.
func FuzzDecodeRequest(f *testing.F) {
	f.Add(ask(`"system":"s","tools":[{"name":"f","input_schema":{}}],"thinking":{"type":"adaptive"}`))
	f.Add(ask(`"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a.b","name":"f","input":{}},{"type":"x"}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a.b","content":[{"type":"text","text":"t"}]}]}]`))
	f.Add(ask(`"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","data":"d"},"cache_control":{"type":"ephemeral"}}]}],"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}`))
	f.Fuzz(func(t *testing.T, body string) {
		r, err := decode(body)
		if err != nil {
			return
		}
		o := dialects.EncodeOptions{Model: r.Model}
		once, _, err := Codec{}.EncodeRequest(nil, r, o)
		if err != nil {
			return
		}
		if !json.Valid(once) {
			t.Fatalf("not JSON: %s", once)
		}
		again, err := decode(string(once))
		if err != nil {
			t.Fatalf("%v in %s", err, once)
		}
		twice, _, err := Codec{}.EncodeRequest(nil, again, o)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%v\nonce  %s\ntwice %s", err, once, twice)
		}
	})
}

// FuzzEventReader holds that no stream, however broken, breaks the grammar of events, and that the meter agrees with the
// reader about how it ended.
func FuzzEventReader(f *testing.F) {
	f.Add([]byte(fullStream))
	f.Add([]byte(stream(`{"type":"message_start","message":{"content":[{"type":"tool_use","id":"t","name":"f","input":{"a":1}}],"stop_reason":"tool_use"}}`, `{"type":"message_stop"}`)))
	f.Add([]byte("data: {\"type\":\"error\",\"error\":\"x\"}\n\n"))
	f.Fuzz(func(t *testing.T, s []byte) {
		if len(s) > 1<<16 {
			return
		}
		events, err := readStream(t, bytes.NewReader(s))
		started := false
		for _, e := range events {
			started = started || e.Type == 0
		}
		if started {
			checkGrammar(t, events)
		}
		out := write(dialects.WriterOptions{Model: "m"}, events...)
		if _, again := readStream(t, bytes.NewReader([]byte(out))); err == nil && again != nil {
			t.Fatalf("%v in %q", again, out)
		}
		m, signals := watch(t, string(s))
		defer m.Release()
		var all dialects.Signal
		for _, sig := range signals {
			all |= sig
		}
		if err == nil && all&(dialects.SignalTerminal|dialects.SignalError) == 0 {
			t.Fatal("the reader saw an end that the meter did not see")
		}
		if u := m.Observation().Usage; u.Input < 0 || u.Output < 0 || u.Reasoning < 0 || u.CacheWrite < 0 {
			t.Fatalf("usage %+v", u)
		}
	})
}

package messages

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// FuzzDecodeRequest holds that whatever is accepted can be encoded to valid JSON, and that this decodes and encodes to
// itself.
func FuzzDecodeRequest(f *testing.F) {
	f.Add(ask(`"system":"s","tools":[{"name":"f","input_schema":{}}],"thinking":{"type":"adaptive"}`))
	f.Add(ask(`"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a.b","name":"f","input":{}},{"type":"x"}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a.b","content":[{"type":"text","text":"t"}]}]}]`))
	f.Add(ask(`"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","data":"d"},"cache_control":{"type":"ephemeral"}}]}],"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}`))
	f.Add(ask(`"messages":[{"role":"user","content":[{"type":"search_result","title":"t","source":"s","content":[{"type":"text","text":"x"}]},{"type":"tool_result","tool_use_id":"a","content":[{"type":"tool_reference","tool_name":"f"}]}]},{"role":"assistant","content":[{"type":"compaction","content":"c"},{"type":"thinking","thinking":"","signature":"~gemini:s"}]}],"thinking":{"type":"enabled","budget_tokens":1024}`))
	f.Add(ask(`"model":"claude-1","messages":[{"role":"user","content":"a"}],"output_config":{"format":{"type":"json_schema","schema":{}}}`))
	f.Add(ask(`"tools":[{"name":"f","strict":true,"input_schema":{"anyOf":[{"$ref":"#"}],"type":["object"]}}],"output_config":{"format":{"type":"json_schema","schema":{"properties":{"a":{"minimum":1,"description":"d"}},"additionalProperties":{"b":1}}}}`))
	f.Fuzz(func(t *testing.T, body string) {
		r, err := dialecttest.Decode(Codec{}, body)
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
		again, err := dialecttest.Decode(Codec{}, string(once))
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
	f.Add([]byte(stream(`{"type":"content_block_start","content_block":{}}`, `{"type":"content_block_delta","delta":{"partial_json":"a"}}`, `{"type":"message_stop"}`)))
	f.Fuzz(func(t *testing.T, s []byte) {
		if len(s) > 1<<16 {
			return
		}
		events, err := readStream(bytes.NewReader(s))
		started := false
		for _, e := range events {
			started = started || e.Type == 0
		}
		if started {
			dialecttest.CheckGrammar(t, events)
		}
		out := write(dialects.WriterOptions{Model: "m"}, events...)
		if _, again := readStream(bytes.NewReader([]byte(out))); err == nil && again != nil {
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

// FuzzSplice holds that what is left after taking out other vendors' blocks is JSON, and that nothing is left to take out.
func FuzzSplice(f *testing.F) {
	f.Add(ask(`"thinking":{"type":"enabled"},"context_management":{"edits":[{"type":"clear_thinking_x"}]},"messages":[{"role":"assistant","content":[{"type":"thinking","signature":"~chat:"} , {"type":"tool_use"}]},{"role":"user","content":[{"type":"tool_result"}]}]`))
	f.Add(ask(`"messages":[{"role":"assistant","content":[{"type":"redacted_thinking","data":"~gemini:x"}]},{"content":[{"type":"thinking","signature":"~gemini:"},7,{"type":"thinking","signature":"~gemini:"}]}]`))
	f.Fuzz(func(t *testing.T, body string) {
		var obj jsonedit.Object
		if jsonedit.Scan([]byte(body), knownKeys, jsonedit.Limits{}, &obj) != nil {
			return
		}
		if _, err := (Codec{}).Head([]byte(body), &obj); err != nil {
			return
		}
		once, _ := splice(t, body)
		if !json.Valid([]byte(once)) {
			t.Fatalf("not JSON: %s", once)
		}
		if twice, notes := splice(t, once); twice != once || notes != "" {
			t.Fatalf("%s\nonce  %s\ntwice %s", notes, once, twice)
		}
	})
}

// FuzzDecodeResponse holds that whatever is read as an answer is written as one that reads the same.
func FuzzDecodeResponse(f *testing.F) {
	f.Add(fullBody)
	f.Add(`{"type":"error","error":{"type":"api_error","message":"m"}}`)
	f.Add(`{"content":[{"type":"compaction","content":"c"},{"type":"tool_use","id":"a","name":"f","input":{},"caller":{"type":"direct"}}],"stop_reason":"refusal","stop_details":{"explanation":"e"}}`)
	f.Fuzz(func(t *testing.T, body string) {
		r, err := Codec{}.DecodeResponse([]byte(body))
		if err != nil {
			return
		}
		for i := range r.Choices[0].Blocks {
			if c := r.Choices[0].Blocks[i].Call; c != nil && c.ID == "" {
				return // gets another id each time
			}
		}
		r.ID = "msg_1"
		once := Codec{}.EncodeResponse(nil, r, "m")
		again, err := Codec{}.DecodeResponse(once)
		if err != nil {
			t.Fatalf("%v in %s", err, once)
		}
		if twice := (Codec{}).EncodeResponse(nil, again, "m"); !bytes.Equal(once, twice) {
			t.Fatalf("once  %s\ntwice %s", once, twice)
		}
	})
}

// FuzzCount holds that a question is either refused or put into words that can be counted.
func FuzzCount(f *testing.F) {
	f.Add(ask(`"system":"s"`), `{"input_tokens":3}`)
	f.Fuzz(func(t *testing.T, body, answer string) {
		if n, ok := (Codec{}).DecodeCount([]byte(answer)); ok && n < 0 {
			t.Fatalf("%s was read as %d", answer, n)
		}
		r, err := dialecttest.Decode(Codec{}, body)
		if err != nil {
			return
		}
		out, _, err := Codec{}.EncodeCount(nil, r, dialects.EncodeOptions{Model: r.Model})
		if err == nil && !json.Valid(out) {
			t.Fatalf("not JSON: %s", out)
		}
	})
}

// FuzzUsage checks what is made of usage that cannot be true.
func FuzzUsage(f *testing.F) {
	dialecttest.FuzzUsage(f, Codec{}, func(usage string) sse.Event {
		return sse.Event{Data: []byte(`{"type":"message_delta","delta":{},"usage":` + usage + `}`)}
	}, `{"input_tokens":N,"output_tokens":N,"cache_read_input_tokens":N,"cache_creation_input_tokens":N,"cache_creation":{"ephemeral_5m_input_tokens":N,"ephemeral_1h_input_tokens":N},"output_tokens_details":{"thinking_tokens":N},"server_tool_use":{"web_search_requests":N}}`,
		`{"input_tokens":N,"output_tokens":N,"iterations":[{"type":"compaction","input_tokens":N,"output_tokens":N,"cache_creation_input_tokens":N}]}`,
		`{"output_tokens":N}`)
}

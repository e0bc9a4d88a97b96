package responses

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

func FuzzMeter(f *testing.F) {
	for _, s := range meterStreams {
		f.Add([]byte(s.stream))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		m := Codec{}.NewMeter()
		defer m.Release()
		var all dialects.Signal
		dialecttest.EachFrame(t, bytes.NewReader(stream), func(ev sse.Event) { all |= m.Event(ev) })
		all |= m.Body(stream)
		o := m.Observation()
		for _, n := range []int64{o.Usage.Input, o.Usage.CacheRead, o.Usage.CacheWrite, o.Usage.Output, o.Usage.Reasoning, o.Usage.WebSearches, o.OutputBytes} {
			if n < 0 {
				t.Fatalf("a negative count in %+v", o)
			}
		}
		if all&dialects.SignalError != 0 && m.Err() == nil {
			t.Fatal("an error was signalled, and there is none")
		}
	})
}

// FuzzEachMember compares the scanner with gjson on valid documents; on others it must only come to an end.
func FuzzEachMember(f *testing.F) {
	f.Add([]byte(`{"a":"\\\"","b":[{"c":"}"}], "d" : -1e3 ,"e":null}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var got []string
		jsonedit.EachMember(string(doc), func(key, raw string) bool {
			got = append(got, key, raw)
			return true
		})
		if !json.Valid(doc) {
			return
		}
		var want []string
		if r := gjson.ParseBytes(doc); r.IsObject() {
			r.ForEach(func(key, v gjson.Result) bool {
				want = append(want, key.Raw[1:len(key.Raw)-1], v.Raw)
				return true
			})
		}
		if len(got) != len(want) {
			t.Fatalf("got %q, want %q", got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("got %q, want %q", got[i], want[i])
			}
		}
	})
}

// FuzzTextLen compares lengths with what encoding/json makes of the string: the same, but for halves of surrogate pairs
// that stand alone.
func FuzzTextLen(f *testing.F) {
	f.Add(`a\n\u00e9\\\"\ud83d\ude00\ud83d`)
	f.Fuzz(func(t *testing.T, inner string) {
		raw := `"` + inner + `"`
		n := jsonedit.RawTextLen(raw)
		if n < 0 || n > int64(len(raw)) {
			t.Fatalf("%d for %q", n, raw)
		}
		var s string
		if !utf8.ValidString(raw) || json.Unmarshal([]byte(raw), &s) != nil {
			return
		}
		if lack := int64(len(s)) - n; lack < 0 || lack > int64(strings.Count(s, "\uFFFD")) {
			t.Fatalf("%d for %q, which has %d bytes", n, raw, len(s))
		}
	})
}

// FuzzDecodeRequest holds that whatever is accepted can be encoded to valid JSON, and that this decodes and encodes to
// itself.
func FuzzDecodeRequest(f *testing.F) {
	f.Add(`{"model":"m","instructions":"i","input":[{"type":"reasoning","summary":[],"encrypted_content":"s"},{"role":"assistant","content":[{"type":"refusal","refusal":"r"}]}]}`)
	f.Add(`{"model":"m","input":[{"type":"function_call","call_id":"c","name":"f.x","arguments":{}},{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"t"}]}],"tools":[{"type":"function","name":"f"}]}`)
	f.Add(`{"model":"m","input":[{"type":"x_call","call_id":"c"},{"type":"function_call_output","call_id":"c"}],"text":{"format":{"type":"json_schema","schema":{}}}}`)
	f.Add(`{"model":"m","input":[{"type":"shell_call","call_id":"s","action":{}},{"type":"shell_call_output","call_id":"s","output":[]},{"type":"computer_call_output","output":{"image_url":"https://x/y"}},{"type":"mcp_call","name":"n","output":"o"}],"include":["a","message.output_text.logprobs"]}`)
	f.Add(`{"model":"m","input":[{"type":"function_call","call_id":"c","name":"f","namespace":"n","arguments":"{}"},{"role":"user","content":"u"},{"type":"function_call_output","call_id":"c","output":"o"}],"tools":[{"type":"namespace","name":"n","tools":[{"type":"function","name":"f"},{"type":"custom","name":"g","format":{"type":"grammar","syntax":"lark","definition":"d"}}]}],"tool_choice":{"type":"custom","name":"g","namespace":"n"}}`)
	f.Add(`{"model":"m","input":[{"type":"tool_search_call","execution":"client","call_id":"c","arguments":{}},{"type":"tool_search_output","call_id":"c","tools":[{"type":"function","name":"f"}]},{"type":"additional_tools","tools":[{"type":"custom","name":"g"}]}],"tools":[{"type":"tool_search","execution":"client","parameters":{}}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"mcp"}]}}`)
	f.Fuzz(func(t *testing.T, body string) {
		r, err := dialecttest.Decode(Codec{}, body)
		if err != nil {
			return
		}
		o := dialects.EncodeOptions{Model: r.Model, Vendor: "openai"}
		once, _, err := Codec{}.EncodeRequest(nil, r, o)
		if err != nil {
			return
		}
		if !json.Valid(once) {
			t.Fatalf("not JSON: %s", once)
		}
		again, err := dialecttest.Decode(Codec{}, string(once))
		if err != nil {
			if gjson.GetBytes(once, "input.0").Exists() {
				t.Fatalf("%v in %s", err, once)
			}
			return // all of it was dropped
		}
		if twice, _, err := (Codec{}).EncodeRequest(nil, again, o); err != nil || !json.Valid(twice) {
			t.Fatalf("%v\nonce  %s\ntwice %s", err, once, twice)
		}
	})
}

// FuzzEventReader holds that no stream, however broken, breaks the grammar of events; that what is written of it numbers
// its events from zero and is JSON; and that it reads again.
func FuzzEventReader(f *testing.F) {
	f.Add([]byte(wholeStream))
	for _, s := range meterStreams {
		f.Add([]byte(s.stream))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		if len(s) > 1<<16 {
			return
		}
		events, err := readStream(bytes.NewReader(s))
		if len(events) == 0 || events[len(events)-1].Type == conversation.EventError {
			return
		}
		dialecttest.CheckGrammar(t, events)
		out := write(dialects.WriterOptions{Model: "m"}, events...)
		n := int64(0)
		dialecttest.EachFrame(t, strings.NewReader(out), func(ev sse.Event) {
			if !json.Valid(ev.Data) || gjson.GetBytes(ev.Data, "sequence_number").Int() != n {
				t.Fatalf("event %d is %s", n, ev.Data)
			}
			n++
		})
		if _, again := readStream(strings.NewReader(out)); err == nil && again != nil {
			t.Fatalf("%v in %q", again, out)
		}
	})
}

// FuzzUsage checks what is made of usage that cannot be true.
func FuzzUsage(f *testing.F) {
	dialecttest.FuzzUsage(f, Codec{}, func(usage string) sse.Event {
		return sse.Event{Data: []byte(`{"type":"response.completed","response":{"status":"completed","output":[],"usage":` + usage + `}}`)}
	}, `{"input_tokens":N,"output_tokens":N,"total_tokens":N,"input_tokens_details":{"cached_tokens":N,"cache_write_tokens":N},"output_tokens_details":{"reasoning_tokens":N}}`,
		`{"input_tokens":N,"output_tokens":N}`)
}

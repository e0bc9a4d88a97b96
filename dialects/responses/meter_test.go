package responses

import (
	"io"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

const (
	created   = `{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","created_at":1700000000,"model":"gpt-x","status":"in_progress","instructions":"a\nb","output":[],"usage":null}}`
	textDelta = `{"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"a\n\u00e9\"","logprobs":[],"obfuscation":"x"}`
	usage     = `"usage":{"input_tokens":100,"input_tokens_details":{"cached_tokens":30,"cache_write_tokens":20},"output_tokens":50,"output_tokens_details":{"reasoning_tokens":40},"total_tokens":150}`
	completed = `{"type":"response.completed","sequence_number":9,"response":{"id":"resp_1","status":"completed","service_tier":"default","output":[],` + usage + `}}`
)

var meterStreams = []struct {
	name, stream, signals, usage, stop string
	bytes                              int64
}{
	{
		name: "text", stream: named(created, `{"type":"response.output_item.added","item":{"type":"message","content":[]}}`, textDelta, completed),
		signals: "- - c t", usage: "in=50 read=30 write=20 out=10 reasoning=40", stop: "end", bytes: 5,
	},
	{
		name: "the same without event names and with an end marker", stream: ": OPENROUTER PROCESSING\n\n" + bare(created, textDelta, completed, "[DONE]"),
		signals: "- - c t t", usage: "in=50 read=30 write=20 out=10 reasoning=40", stop: "end", bytes: 5,
	},
	{
		name: "members in any order", stream: named(`{"delta":"hi","sequence_number":1,"type":"response.output_text.delta"}`, `{"response":{"output":[]},"type":"response.completed"}`),
		signals: "c t", usage: "?", stop: "end", bytes: 2,
	},
	{
		name: "a call is content when it is announced", stream: named(`{"type":"response.output_item.added","item":{"type":"function_call","name":"f","arguments":""}}`,
			`{"type":"response.function_call_arguments.delta","delta":"{}"}`, completed),
		signals: "c c t", usage: "in=50 read=30 write=20 out=10 reasoning=40", stop: "calls", bytes: 2,
	},
	{
		name: "reasoning, code and free text are content, empty deltas are not",
		stream: named(`{"type":"response.output_item.added","item":{"type":"reasoning"}}`, `{"type":"response.reasoning_summary_text.delta","delta":"ab"}`,
			`{"type":"response.reasoning_text.delta","delta":"c"}`, `{"type":"response.output_item.done","item":{"type":"reasoning","encrypted_content":"x"}}`,
			`{"type":"response.code_interpreter_call_code.delta","delta":"d"}`, `{"type":"response.custom_tool_call_input.delta","delta":"e"}`,
			`{"type":"response.output_text.delta","delta":""}`, `{"type":"response.shell_call_output_content.delta","delta":{"stdout":"ffff"}}`, `{"type":"response.output_text.delta"}`),
		signals: "- c c - c c - c -", usage: "?", stop: "unknown", bytes: 5,
	},
	{
		name: "items that come whole are content", stream: named(`{"type":"response.output_item.done","item":{"type":"compaction","encrypted_content":"x"}}`,
			`{"type":"response.image_generation_call.partial_image","partial_image_b64":"AAAA"}`),
		signals: "c c", usage: "?", stop: "unknown",
	},
	{
		name: "searches are counted, opened pages are not", stream: named(`{"type":"response.output_item.done","item":{"type":"web_search_call","action":{"type":"search"}}}`,
			`{"type":"response.output_item.done","item":{"type":"web_search_call","action":{"type":"open_page"}}}`, completed),
		signals: "c c t", usage: "in=50 read=30 write=20 out=10 reasoning=40 searches=1", stop: "end",
	},
	{
		name: "an answer that was cut", stream: named(textDelta, `{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},`+usage+`}}`),
		signals: "c t", usage: "in=50 read=30 write=20 out=10 reasoning=40", stop: "length", bytes: 5,
	},
	{
		name: "an answer that was filtered", stream: named(`{"type":"response.incomplete","response":{"incomplete_details":{"reason":"content_filter"}}}`),
		signals: "t", usage: "?", stop: "filtered",
	},
	{
		name: "a refusal", stream: named(`{"type":"response.refusal.delta","delta":"no"}`, completed),
		signals: "c t", usage: "in=50 read=30 write=20 out=10 reasoning=40", stop: "refusal", bytes: 2,
	},
	{
		name: "a failed response is an end and an error", stream: named(created, `{"type":"response.failed","response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"slow"}}}`),
		signals: "- te", usage: "?", stop: "error",
	},
	{
		name: "an error event of 2026", stream: named(`{"type":"error","sequence_number":1,"error":{"type":"tokens","code":"rate_limit_exceeded","message":"slow","param":null}}`),
		signals: "e", usage: "?", stop: "error",
	},
	{
		name: "an error event from before", stream: named(`{"type":"error","code":"rate_limit_exceeded","message":"slow","param":null,"sequence_number":1}`),
		signals: "e", usage: "?", stop: "error",
	},
	{
		name: "an error object alone", stream: bare(`{"error":{"code":429,"message":"slow"}}`),
		signals: "e", usage: "?", stop: "error",
	},
	{name: "an end marker alone is no end", stream: bare(textDelta, "[DONE]"), signals: "c -", usage: "?", stop: "unknown", bytes: 5},
	{
		name: "half an event is not believed", stream: bare(textDelta) + `data: {"type":"response.completed","response":{"id`,
		signals: "c -", usage: "?", stop: "unknown", bytes: 5,
	},
	{name: "unknown events are nothing", stream: named(`{"type":"response.something.new"}`, `{}`, `[]`, `x`), signals: "- - - -", usage: "?", stop: "unknown"},
	{
		name: "impossible counts are no usage", stream: named(`{"type":"response.completed","response":{"usage":{"input_tokens":-1,"output_tokens":5}}}`),
		signals: "t", usage: "invalid", stop: "end",
	},
	{
		name: "more read from the cache than there was is no usage", stream: named(`{"type":"response.completed","response":{"usage":{"input_tokens":1,"output_tokens":5,"input_tokens_details":{"cached_tokens":2}}}}`),
		signals: "t", usage: "invalid", stop: "end",
	},
	{
		name: "a total below its parts says nothing about them", stream: named(`{"type":"response.completed","response":{"usage":{"input_tokens":1,"output_tokens":5,"total_tokens":5}}}`),
		signals: "t", usage: "in=1 out=5", stop: "end",
	},
	{
		name: "reasoning beside the output where the total says so", stream: named(`{"type":"response.completed","response":{"usage":{"input_tokens":1,"output_tokens":5,"output_tokens_details":{"reasoning_tokens":4},"total_tokens":10}}}`),
		signals: "t", usage: "in=1 out=5 reasoning=4", stop: "end",
	},
	{
		name:    "pictures and sound are classes of their own",
		stream:  named(`{"type":"response.completed","response":{"usage":{"input_tokens":100,"output_tokens":50,"input_tokens_details":{"cached_tokens":20,"image_tokens":30,"audio_tokens":10},"output_tokens_details":{"image_tokens":40,"audio_tokens":5}}}}`),
		signals: "t", usage: "in=40 read=20 out=5 audio_in=10 image_in=30 audio_out=5 image_out=40", stop: "end",
	},
	{
		name: "counts as text, with a point and in exponents", stream: named(`{"type":"response.completed","response":{"usage":{"input_tokens":"7","output_tokens":1e3,"output_tokens_details":{"reasoning_tokens":5.0},"input_tokens_details":null}}}`),
		signals: "t", usage: "in=7 out=995 reasoning=5", stop: "end",
	},
	{
		name: "overlapping cache counts stop at zero", stream: named(`{"type":"response.completed","response":{"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":9,"cache_write_tokens":9},"output_tokens":1,"output_tokens_details":{"reasoning_tokens":3}}}}`),
		signals: "t", usage: "read=9 write=1 reasoning=1", stop: "end",
	},
	{name: "zero is known", stream: named(`{"type":"response.completed","response":{"usage":{"input_tokens":0,"output_tokens":0}}}`), signals: "t", usage: "", stop: "end"},
}

func TestMeterStream(t *testing.T) {
	for _, c := range meterStreams {
		t.Run(c.name, func(t *testing.T) {
			m := Codec{}.NewMeter()
			defer m.Release()
			var got []string
			dialecttest.EachFrame(t, strings.NewReader(c.stream), func(ev sse.Event) { got = append(got, dialecttest.Signals(m.Event(ev))) })
			o := m.Observation()
			if strings.Join(got, " ") != c.signals || usageText(o) != c.usage || dialecttest.StopName(o.Stop) != c.stop || o.OutputBytes != c.bytes || o.UsageFinal != o.UsageKnown {
				t.Errorf("got  signals %v usage %q stop %s bytes %d\nwant signals %s usage %q stop %s bytes %d",
					got, usageText(o), dialecttest.StopName(o.Stop), o.OutputBytes, c.signals, c.usage, c.stop, c.bytes)
			}
			e := m.Err()
			if (e != nil) != strings.Contains(c.signals, "e") || e != nil && (e.Status != 429 || e.Message != "slow") {
				t.Errorf("got error %+v", e)
			}
		})
	}
}

func TestWhereReadsSplitAStreamDoesNotMatter(t *testing.T) {
	type state struct {
		obs     dialects.Observation
		signals dialects.Signal
		failed  bool
	}
	read := func(stream io.Reader) (s state) {
		m := Codec{}.NewMeter()
		defer m.Release()
		dialecttest.EachFrame(t, stream, func(ev sse.Event) { s.signals |= m.Event(ev) })
		s.obs, s.failed = *m.Observation(), m.Err() != nil
		return s
	}
	for _, c := range meterStreams {
		t.Run(c.name, func(t *testing.T) {
			whole := read(strings.NewReader(c.stream))
			for split, r := range dialecttest.Splits(c.stream, len(c.stream)) {
				if got := read(r); got != whole {
					t.Fatalf("%s: got %+v, want %+v", split, got, whole)
				}
			}
		})
	}
}

func TestMeterBody(t *testing.T) {
	for _, c := range []struct {
		name, body, signals, usage, stop string
		bytes                            int64
	}{
		{
			name:    "an answer",
			body:    `{"id":"resp_1","status":"completed","error":null,"output":[{"type":"reasoning","summary":[{"type":"summary_text","text":"ab"}]},{"type":"message","content":[{"type":"output_text","text":"cde"}]}],` + usage + `}`,
			signals: "ct", usage: "in=50 read=30 write=20 out=10 reasoning=40", stop: "end", bytes: 5,
		},
		{
			name:    "calls and searches",
			body:    `{"status":"completed","output":[{"type":"web_search_call","action":{"type":"search"}},{"type":"web_search_call"},{"type":"web_search_call","action":{"type":"find_in_page"}},{"type":"function_call","arguments":"{}"}],"usage":{"input_tokens":1}}`,
			signals: "ct", usage: "in=1 searches=2", stop: "calls", bytes: 2,
		},
		{
			name:    "a refusal",
			body:    `{"status":"completed","output":[{"type":"message","content":[{"type":"refusal","refusal":"no"}]}]}`,
			signals: "ct", usage: "?", stop: "refusal", bytes: 2,
		},
		{name: "the counts of a chat completion", body: `{"status":"complete","output":[{"type":"image_generation_call"}],"usage":{"prompt_tokens":19,"completion_tokens":6}}`, signals: "ct", usage: "in=19 out=6", stop: "end"},
		{name: "a failure", body: `{"status":"failed","error":{"code":"rate_limit_exceeded","message":"slow"},"output":[]}`, signals: "te", usage: "?", stop: "error"},
		{name: "an error in a 200", body: `{"error":{"code":"rate_limit_exceeded","message":"slow"}}`, signals: "te", usage: "?", stop: "unknown"},
		{name: "a failure after some output was paid for", body: `{"status":"failed","error":{"code":"rate_limit_exceeded","message":"slow"},"output":[{"type":"message","content":[{"type":"output_text","text":"a"}]}]}`, signals: "ct", usage: "?", stop: "error", bytes: 1},
		{name: "no JSON", body: `<html>`, signals: "-", usage: "?", stop: "unknown"},
		{name: "nothing", body: ``, signals: "-", usage: "?", stop: "unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := Codec{}.NewMeter()
			defer m.Release()
			got := dialecttest.Signals(m.Body([]byte(c.body)))
			o := m.Observation()
			if got != c.signals || usageText(o) != c.usage || dialecttest.StopName(o.Stop) != c.stop || o.OutputBytes != c.bytes {
				t.Errorf("got  %s usage %q stop %s bytes %d\nwant %s usage %q stop %s bytes %d", got, usageText(o), dialecttest.StopName(o.Stop), o.OutputBytes, c.signals, c.usage, c.stop, c.bytes)
			}
			if e := m.Err(); strings.Contains(c.signals, "e") && (e == nil || e.Status != 429 || e.Message != "slow") {
				t.Errorf("got error %+v", e)
			}
		})
	}
}

func TestMeterIdentifiesTheAnswer(t *testing.T) {
	m := Codec{}.NewMeter()
	buf := []byte(created)
	m.Event(sse.Event{Data: buf})
	clear(buf) // the next event
	m.Event(sse.Event{Data: []byte(completed)})
	if o := m.Observation(); o.ID != "resp_1" || o.Model != "gpt-x" || o.Tier != "" {
		t.Errorf("got %+v", o)
	}
	m.Release()
	m = Codec{}.NewMeter()
	defer m.Release()
	if got := *m.Observation(); got != (dialects.Observation{}) {
		t.Errorf("a meter from the pool remembers %+v", got)
	}
}

func TestMeterDoesNotAllocateOnDeltas(t *testing.T) {
	m := Codec{}.NewMeter()
	defer m.Release()
	for _, ev := range []sse.Event{{Name: []byte("response.output_text.delta"), Data: []byte(textDelta)}, {Data: []byte(textDelta)}} {
		if n := testing.AllocsPerRun(100, func() { m.Event(ev) }); n != 0 {
			t.Errorf("%v allocations per event", n)
		}
	}
}

func TestTheTierThatIsBilledReplacesTheOneThatWasAskedFor(t *testing.T) {
	for _, tt := range []struct{ asked, billed, want string }{
		{`"auto"`, `"default"`, ""}, {`"auto"`, `"priority"`, "priority"}, {`"flex"`, `"default"`, ""}, {`null`, `null`, ""}, {`"auto"`, `"scale"`, "scale"},
	} {
		m := Codec{}.NewMeter()
		stream := named(`{"type":"response.created","response":{"id":"r","service_tier":`+tt.asked+`}}`,
			`{"type":"response.completed","response":{"id":"r","status":"completed","output":[],"service_tier":`+tt.billed+`}}`)
		dialecttest.EachFrame(t, strings.NewReader(stream), func(ev sse.Event) { m.Event(ev) })
		if got := m.Observation().Tier; got != tt.want {
			t.Errorf("%s, then %s: %q, want %q", tt.asked, tt.billed, got, tt.want)
		}
		m.Release()
	}
}

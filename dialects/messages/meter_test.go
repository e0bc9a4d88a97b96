package messages

import (
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// watch runs a stream through a meter and lists the signals.
func watch(t *testing.T, s string) (*meter, []dialects.Signal) {
	t.Helper()
	m := Codec{}.NewMeter().(*meter)
	var signals []dialects.Signal
	dialecttest.EachFrame(t, strings.NewReader(s), func(ev sse.Event) { signals = append(signals, m.Event(ev)) })
	return m, signals
}

func TestTheMeterWatchesAWholeStream(t *testing.T) {
	m, signals := watch(t, fullStream)
	defer m.Release()
	o := m.Observation()
	if o.ID != "msg_1" || o.Model != "claude-x" || o.Stop != conversation.StopToolCalls || o.Usage != fullUsage || !o.UsageKnown || !o.UsageFinal {
		t.Errorf("got %+v", o)
	}
	if want := int64(len("Hm.\n") + len(`{"query": "x"}`) + len(`Grüß 😀 "Gott" 日本`) + len(`{"n": 1.50}`)); o.OutputBytes < want || o.OutputBytes > want+2 {
		t.Errorf("%d bytes of output, want about %d", o.OutputBytes, want)
	}
	first := -1
	for i, s := range signals {
		if s&dialects.SignalContent != 0 {
			first = i
			break
		}
	}
	if first != 3 { // after message_start, content_block_start and ping
		t.Errorf("content was first seen in event %d", first)
	}
	if signals[len(signals)-1] != dialects.SignalTerminal {
		t.Errorf("signals %v", signals)
	}
}

func TestEachEventGivesItsSignal(t *testing.T) {
	for event, want := range map[string]dialects.Signal{
		`{"type":"ping"}`: 0,
		`{"type":"message_start","message":{"content":[]}}`:                                                   0,
		`{"type":"message_start","message":{"content":[{"type":"tool_use","id":"t","name":"f","input":{}}]}}`: dialects.SignalContent,
		`{"type":"content_block_start","content_block":{"type":"text","text":""}}`:                            0,
		`{"type":"content_block_start","content_block":{"type":"thinking","thinking":""}}`:                    0,
		`{"type":"content_block_start","content_block":{"type":"tool_use","input":{}}}`:                       dialects.SignalContent,
		`{"type":"content_block_start","content_block":{"type":"web_search_tool_result","content":[]}}`:       dialects.SignalContent,
		`{"type":"content_block_delta","delta":{"type":"text_delta","text":""}}`:                              0,
		`{"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}`:                             dialects.SignalContent,
		`{"delta":{"text":"a","type":"text_delta"},"type":"content_block_delta"}`:                             dialects.SignalContent,
		`{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{"}}`:               dialects.SignalContent,
		`{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"a"}}`:                     dialects.SignalContent,
		`{"type":"content_block_delta","delta":{"type":"signature_delta","signature":"a"}}`:                   0,
		`{"type":"content_block_stop"}`:                                   0,
		`{"type":"message_delta","delta":{},"usage":{"output_tokens":1}}`: 0,
		`{"type":"message_stop"}`:                                         dialects.SignalTerminal,
		`{"type":"error","error":{"type":"api_error","message":"m"}}`:     dialects.SignalError,
		`{"type":"message_sparkle"}`:                                      0,
	} {
		for _, framed := range []string{stream(event), "data: " + event + "\n\n"} {
			m, got := watch(t, framed)
			if len(got) != 1 || got[0] != want {
				t.Errorf("%s: got %v, want %v", event, got, want)
			}
			if (m.Err() != nil) != (want == dialects.SignalError) {
				t.Errorf("%s: error %v", event, m.Err())
			}
			m.Release()
		}
	}
}

func TestOddUsageNeverCountsForLessOrForTooMuch(t *testing.T) {
	start := func(usage string) string {
		return `{"type":"message_start","message":{"id":"m","model":"m","content":[],"usage":` + usage + `}}`
	}
	delta := func(usage string) string {
		return `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":` + usage + `}`
	}
	for name, tt := range map[string]struct {
		start, delta string
		want         conversation.Usage
		known, final bool
		invalid      bool
	}{
		"preliminary only":                  {start: `{"input_tokens":9,"output_tokens":1}`, want: conversation.Usage{Input: 9, Output: 1}, known: true},
		"overwritten":                       {`{"input_tokens":9,"output_tokens":1}`, `{"input_tokens":20,"output_tokens":7}`, conversation.Usage{Input: 20, Output: 7}, true, true, false},
		"output alone":                      {`{"input_tokens":9,"output_tokens":1}`, `{"output_tokens":7}`, conversation.Usage{Input: 9, Output: 7}, true, true, false},
		"less output than guessed at first": {`{"input_tokens":9,"output_tokens":8}`, `{"output_tokens":0}`, conversation.Usage{Input: 9}, true, true, false},
		"less input than guessed at first":  {`{"input_tokens":9,"output_tokens":1}`, `{"input_tokens":5,"output_tokens":2}`, conversation.Usage{Input: 5, Output: 2}, true, true, false},
		"input moved to the cache":          {`{"input_tokens":9,"output_tokens":1}`, `{"input_tokens":2,"cache_read_input_tokens":7,"output_tokens":2}`, conversation.Usage{Input: 2, CacheRead: 7, Output: 2}, true, true, false},
		"negative output":                   {`{"input_tokens":9,"output_tokens":1}`, `{"output_tokens":-5}`, conversation.Usage{Input: 9, Output: 1}, true, false, true},
		"negative input":                    {`{"input_tokens":-9,"output_tokens":1}`, `{"output_tokens":2}`, conversation.Usage{}, false, false, true},
		"absurd output":                     {`{"input_tokens":9,"output_tokens":1}`, `{"output_tokens":9223372036854775808}`, conversation.Usage{Input: 9, Output: 1}, true, false, true},
		"sloppy numbers":                    {`{"input_tokens":"9","output_tokens":1.0}`, `{"output_tokens":1e3}`, conversation.Usage{Input: 9, Output: 1000}, true, true, false},
		"no numbers":                        {`{"input_tokens":null,"output_tokens":true}`, `{"output_tokens":"many"}`, conversation.Usage{}, false, false, true},
		"zero after a guess":                {`{"input_tokens":9,"output_tokens":1}`, `{"input_tokens":0,"output_tokens":0}`, conversation.Usage{}, true, true, false},
		"zero":                              {`{"input_tokens":0,"output_tokens":0}`, `{"output_tokens":0}`, conversation.Usage{}, true, true, false},
		"null":                              {`null`, `null`, conversation.Usage{}, false, false, false},
		"more thinking than all":            {`{"input_tokens":1,"output_tokens":1}`, `{"output_tokens":5,"output_tokens_details":{"thinking_tokens":9}}`, conversation.Usage{Input: 1, Output: 1}, true, true, true},
		"cache without its split":           {start: `{"input_tokens":1,"cache_creation_input_tokens":6,"cache_read_input_tokens":2,"output_tokens":1}`, want: conversation.Usage{Input: 1, CacheRead: 2, CacheWrite: 6, Output: 1}, known: true},
		"a split without a sum":             {start: `{"input_tokens":1,"cache_creation":{"ephemeral_1h_input_tokens":6},"output_tokens":1}`, want: conversation.Usage{Input: 1, CacheWrite1h: 6, Output: 1}, known: true},
		"a split larger than its sum":       {start: `{"input_tokens":1,"cache_creation_input_tokens":5,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":6},"output_tokens":1}`, invalid: true},
		"a sum that rose without its split": {
			`{"input_tokens":1,"cache_creation_input_tokens":10,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":6},"output_tokens":1}`, `{"cache_creation_input_tokens":15,"output_tokens":2}`,
			conversation.Usage{Input: 1, CacheWrite: 9, CacheWrite1h: 6, Output: 2},
			true, true, false,
		},
		"a compaction is billed beside the answer": {
			`{"input_tokens":600,"output_tokens":1}`, `{"input_tokens":6,"output_tokens":20,"iterations":[{"type":"compaction","input_tokens":600,"output_tokens":5},{"type":"message","input_tokens":6,"output_tokens":20},{"type":"advisor_message","input_tokens":50,"output_tokens":50}]}`,
			conversation.Usage{Input: 606, Output: 25},
			true, true, false,
		},
		"what a compaction read and wrote is billed, too": {
			`{"input_tokens":6,"cache_creation_input_tokens":500,"cache_creation":{"ephemeral_5m_input_tokens":500},"output_tokens":1}`,
			`{"input_tokens":6,"cache_creation_input_tokens":0,"output_tokens":20,"iterations":[{"type":"compaction","input_tokens":3,"cache_read_input_tokens":90,"cache_creation_input_tokens":500,"cache_creation":{"ephemeral_1h_input_tokens":100},"output_tokens":5}]}`,
			conversation.Usage{Input: 9, CacheRead: 90, CacheWrite: 400, CacheWrite1h: 100, Output: 25},
			true, true, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			events := []string{start(tt.start)}
			if tt.delta != "" {
				events = append(events, delta(tt.delta))
			}
			m, _ := watch(t, stream(events...))
			defer m.Release()
			if o := m.Observation(); o.Usage != tt.want || o.UsageKnown != tt.known || o.UsageFinal != tt.final || o.UsageInvalid != tt.invalid {
				t.Errorf("got %+v, want %+v", o, tt)
			}
		})
	}
}

func TestTheMeterReadsUnaryBodies(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		sig  dialects.Signal
		want conversation.Usage
	}{
		"an answer":         {fullBody, dialects.SignalContent | dialects.SignalTerminal, fullUsage},
		"a count of tokens": {`{"input_tokens":19}`, 0, conversation.Usage{}},
		"an error in a 200": {`{"type":"error","error":{"type":"overloaded_error","message":"m"}}`, dialects.SignalError, conversation.Usage{}},
		"no JSON":           {`<html>`, 0, conversation.Usage{}},
	} {
		t.Run(name, func(t *testing.T) {
			m := Codec{}.NewMeter()
			defer m.Release()
			sig := m.Body([]byte(tt.body))
			if o := m.Observation(); sig != tt.sig || o.Usage != tt.want || o.UsageFinal != (sig&dialects.SignalTerminal != 0) {
				t.Errorf("signal %v, %+v", sig, o)
			}
			if sig == dialects.SignalError && m.Err().Status != 529 {
				t.Errorf("error %+v", m.Err())
			}
		})
	}
}

func TestAFallbackModelIsTheOneThatAnswered(t *testing.T) {
	m, _ := watch(t, stream(
		`{"type":"message_start","message":{"model":"first","content":[]}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"fallback","from":{"model":"first"},"to":{"model":"second"}}}`,
	))
	defer m.Release()
	if got := m.Observation().Model; got != "second" {
		t.Errorf("got %q", got)
	}
}

func TestAReleasedMeterForgets(t *testing.T) {
	m, _ := watch(t, fullStream)
	m.Release()
	if m.obs != (dialects.Observation{}) || m.err != nil || m.counts != (counts{}) {
		t.Errorf("got %+v", m)
	}
}

func TestOrdinaryDeltasAreMeteredWithoutAllocating(t *testing.T) {
	m := Codec{}.NewMeter()
	defer m.Release()
	ev := sse.Event{Name: []byte("content_block_delta"), Data: []byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a \"word\"\n"} }`)}
	m.Event(ev)
	if n := testing.AllocsPerRun(100, func() { m.Event(ev) }); n != 0 {
		t.Errorf("%v allocations per delta", n)
	}
}

func TestTheTierThatIsBilledIsNoted(t *testing.T) {
	for usage, want := range map[string]string{
		`{"input_tokens":1,"output_tokens":1}`:                                              "",
		`{"input_tokens":1,"output_tokens":1,"service_tier":null}`:                          "",
		`{"input_tokens":1,"output_tokens":1,"service_tier":"standard"}`:                    "",
		`{"input_tokens":1,"output_tokens":1,"service_tier":"batch"}`:                       "batch",
		`{"input_tokens":1,"output_tokens":1,"service_tier":"priority"}`:                    "priority",
		`{"input_tokens":1,"output_tokens":1,"service_tier":"standard","speed":"fast"}`:     "fast",
		`{"input_tokens":1,"output_tokens":1,"speed":"standard","service_tier":"priority"}`: "priority",
	} {
		m := Codec{}.NewMeter()
		m.Body([]byte(`{"type":"message","content":[],"usage":` + usage + `}`))
		if got := m.Observation().Tier; got != want {
			t.Errorf("%s: %q, want %q", usage, got, want)
		}
		m.Release()
	}
}

func TestWhatWasCountedInAStreamDoesNotFall(t *testing.T) {
	delta := func(usage string) string {
		return `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":` + usage + `}`
	}
	for _, usages := range [][2]string{
		{`{"input_tokens":9,"output_tokens":7}`, `{"output_tokens":3}`},
		{`{"input_tokens":9,"output_tokens":7}`, `{"input_tokens":5,"output_tokens":8}`},
		{`{"input_tokens":9,"output_tokens":7}`, `{"input_tokens":0,"output_tokens":0}`},
	} {
		m, _ := watch(t, stream(`{"type":"message_start","message":{"usage":{"input_tokens":1,"output_tokens":1}}}`, delta(usages[0]), delta(usages[1])))
		if o := m.Observation(); o.Usage != (conversation.Usage{Input: 9, Output: 7}) || !o.UsageInvalid {
			t.Errorf("%s: %+v", usages, o)
		}
		m.Release()
	}
}

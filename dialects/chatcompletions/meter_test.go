package chatcompletions

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

const (
	content  = dialects.SignalContent
	terminal = dialects.SignalTerminal
	failure  = dialects.SignalError
	only     = dialects.SignalUsageOnly
)

// chunk wraps the members of a choice into an ordinary chunk.
func chunk(choice string) string {
	return `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,` + choice + `}]}`
}

func TestTheMeterSaysWhatAnEventIs(t *testing.T) {
	for _, tt := range []struct {
		name, event, data string
		want              dialects.Signal
	}{
		{"role", "", chunk(`"delta":{"role":"assistant","content":""},"finish_reason":null`), 0},
		{"text", "", chunk(`"delta":{"content":"a"},"finish_reason":null`), content},
		{"text with blanks", "", chunk(`"delta": {"content" : "a"}`), content},
		{"refusal", "", chunk(`"delta":{"refusal":"no"}`), content},
		{"reasoning", "", chunk(`"delta":{"reasoning":"hm"}`), content},
		{"reasoning content", "", chunk(`"delta":{"content":null,"reasoning_content":"hm"}`), content},
		{"tool call", "", chunk(`"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}]}`), content},
		{"legacy function call", "", chunk(`"delta":{"function_call":{"name":"f","arguments":""}}`), content},
		{"Mistral's list of chunks", "", chunk(`"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}`), content},
		{"legacy completion", "", chunk(`"text":"a","finish_reason":null`), content},
		{"finish", "", chunk(`"delta":{},"finish_reason":"stop"`), 0},
		{"usage alone", "", `{"id":"1","model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}`, only},
		{"usage beside a choice", "", `{"id":"1","model":"m","choices":[{"index":0,"delta":{"content":""}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`, 0},
		{"Azure's filter results", "", `{"id":"","model":"","choices":[],"prompt_filter_results":[]}`, 0},
		{"null usage", "", `{"id":"1","model":"m","choices":[],"usage":null}`, 0},
		{"end", "", `[DONE]`, terminal},
		{"end with a blank", "", ` [DONE] `, terminal},
		{"error object", "", `{"error":{"message":"x"}}`, failure},
		{"error event", "error", `{"message":"x"}`, failure},
		{"null error", "", `{"error":null,"choices":[]}`, 0},
		{"error within a chunk", "", `{"id":"1","model":"m","error":{"code":502,"message":"x"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}`, failure},
		{"Mistral's error", "", `{"object":"error","message":"x"}`, failure},
		{"no JSON", "", `oops`, 0},
	} {
		for _, known := range [...]bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", tt.name, known), func(t *testing.T) {
				m := Codec{}.NewMeter().(*meter)
				defer m.Release()
				m.known = known
				got := m.Event(sse.Event{Name: []byte(tt.event), Data: []byte(tt.data)})
				if got != tt.want {
					t.Errorf("got %b, want %b", got, tt.want)
				}
				if (got == failure) != (m.Err() != nil) || m.Err() != nil && m.Err().Message != "x" {
					t.Errorf("error: %v", m.Err())
				}
			})
		}
	}
}

// TestTextAboutUsageIsText puts the patterns that the meter looks for into the text that the model writes.
func TestTextAboutUsageIsText(t *testing.T) {
	m := Codec{}.NewMeter().(*meter)
	defer m.Release()
	m.known = true
	trap := `"delta":{"content":"\",\"usage\":{\"prompt_tokens\":9},\"finish_reason\":\"stop\",\"error\":{}} \\\"delta\":{\"content\":\"[DONE]"},"finish_reason":null`
	if got := m.Event(sse.Event{Data: []byte(chunk(trap))}); got != content {
		t.Errorf("signal %b", got)
	}
	if o := m.Observation(); o.UsageKnown || o.Stop != conversation.StopUnknown {
		t.Errorf("observation %+v", o)
	}
}

func TestTheShortCutAndTheFullParseAgree(t *testing.T) {
	var shape deltaShape
	for _, delta := range []string{
		`{"content":"plain"}`, `{"role":"assistant","content":"","refusal":null}`, `{"content":"line\nbreak \"quoted\" \\ \u00e9\u4e2d\ud83d\ude00\u0041\u07ff\u0800"}`,
		`{"content":"é中😀"}`, `{"reasoning":"a","channel":"analysis"}`, `{"content":null,"reasoning_content":"x"}`, `{}`,
	} {
		data := []byte(chunk(`"delta":` + delta + `,"logprobs":null,"finish_reason":null`))
		n, ok := new(deltaShape).match(data)
		if !ok {
			t.Errorf("%s is not taken for a plain delta", delta)
			continue
		}
		if again, ok := shape.match(data); !ok || again != n {
			t.Errorf("%s: %d bytes at first, %d with a shape: %v", delta, n, again, ok)
		}
		m := Codec{}.NewMeter()
		m.Event(sse.Event{Data: data})
		if got := m.Observation().OutputBytes; got != n {
			t.Errorf("%s: %d bytes in full, %d by the short cut", delta, got, n)
		}
		m.Release()
	}
}

// TestAKnownShapeHidesNothing changes what stands around the delta after many chunks that were all alike.
func TestAKnownShapeHidesNothing(t *testing.T) {
	plain := chunk(`"delta":{"content":"a"},"finish_reason":null`)
	for _, tt := range []struct {
		name, data string
		want       dialects.Signal
		stop       conversation.StopReason
		usage      bool
	}{
		{"finish reason", chunk(`"delta":{"content":"a"},"finish_reason":"length"`), content, conversation.StopLength, false},
		{"usage", strings.TrimSuffix(plain, "}") + `,"usage":{"prompt_tokens":1,"completion_tokens":1}}`, content, conversation.StopUnknown, true},
		{"usage in front", `{"usage":{"prompt_tokens":1,"completion_tokens":1},` + plain[1:], content, conversation.StopUnknown, true},
		{"error", strings.TrimSuffix(plain, "}") + `,"error":{"message":"x"}}`, failure, conversation.StopError, false},
		{"refusal", chunk(`"delta":{"refusal":"no"},"finish_reason":null`), content, conversation.StopUnknown, false},
		{"cut", plain[:len(plain)-20], content, conversation.StopUnknown, false},
	} {
		m := Codec{}.NewMeter()
		for range 3 {
			m.Event(sse.Event{Data: []byte(plain)})
		}
		sig, o := m.Event(sse.Event{Data: []byte(tt.data)}), m.Observation()
		if sig != tt.want || o.Stop != tt.stop || o.UsageKnown != tt.usage {
			t.Errorf("%s: signal %b, %+v", tt.name, sig, o)
		}
		m.Release()
	}
}

func TestTheMeterKnowsTheResponseInTheEnd(t *testing.T) {
	for _, tt := range []struct {
		name   string
		events []string
		want   dialects.Observation
	}{
		{
			"OpenAI",
			[]string{chunk(`"delta":{"content":"ab"}`), chunk(`"delta":{},"finish_reason":"length"`), `{"id":"chatcmpl-1","model":"m-1","service_tier":"flex","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}`, `[DONE]`},
			dialects.Observation{ID: "chatcmpl-1", Model: "m-1", Stop: conversation.StopLength, Reported: dialects.Reported{Usage: conversation.Usage{Input: 3, Output: 2}, UsageKnown: true}, UsageFinal: true, OutputBytes: 2, Tier: "flex"},
		},
		{
			"Groq",
			[]string{`{"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"r","usage":{"prompt_tokens":3,"completion_tokens":2}}}`, `[DONE]`},
			dialects.Observation{ID: "c", Model: "m", Stop: conversation.StopEnd, Reported: dialects.Reported{Usage: conversation.Usage{Input: 3, Output: 2}, UsageKnown: true}, UsageFinal: true},
		},
		{
			"Azure",
			[]string{`{"id":"","model":"","choices":[]}`, chunk(`"delta":{"content":"a"}`)},
			dialects.Observation{ID: "chatcmpl-1", Model: "m-1", OutputBytes: 1},
		},
		{
			"no finish reason",
			[]string{chunk(`"delta":{"tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]}`), `[DONE]`},
			dialects.Observation{ID: "chatcmpl-1", Model: "m-1", Stop: conversation.StopToolCalls, OutputBytes: 3},
		},
		{
			"stop after a call",
			[]string{chunk(`"delta":{"function_call":{"name":"f","arguments":"{}"}}`), chunk(`"delta":{},"finish_reason":"stop"`)},
			dialects.Observation{ID: "chatcmpl-1", Model: "m-1", Stop: conversation.StopToolCalls, OutputBytes: 3},
		},
		{
			"cumulative usage",
			[]string{`{"id":"c","model":"m","usage":{"prompt_tokens":3,"completion_tokens":1},"choices":[{"index":0,"delta":{"content":"a"},"message":{"content":"a"}}]}`, `{"id":"c","model":"m","usage":{"prompt_tokens":3,"completion_tokens":2},"choices":[{"index":0,"delta":{"content":"b"},"message":{"content":"ab"}}]}`},
			dialects.Observation{ID: "c", Model: "m", Reported: dialects.Reported{Usage: conversation.Usage{Input: 3, Output: 2}, UsageKnown: true}, OutputBytes: 2},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := Codec{}.NewMeter()
			defer m.Release()
			for _, data := range tt.events {
				m.Event(sse.Event{Data: []byte(data)})
			}
			if got := *m.Observation(); got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestAChunkThatWasCutCountsForNothing(t *testing.T) {
	m := Codec{}.NewMeter()
	defer m.Release()
	sig := m.Event(sse.Event{Data: []byte(`{"id":"1","model":"m","choices":[],"usage":{"prompt_tokens":12`), Incomplete: true})
	if sig != 0 || m.Observation().UsageKnown {
		t.Errorf("signal %b, %+v", sig, m.Observation())
	}
}

func TestTheMeterReadsUnaryBodies(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       dialects.Signal
		stop       conversation.StopReason
		input      int64
	}{
		{"answer", `{"id":"c","model":"m","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}`, content | terminal, conversation.StopEnd, 3},
		{"Snowflake's calls", `{"id":"c","model":"m","choices":[{"index":0,"message":{"content":"","tool_calls":[{"function":{"name":"f","arguments":""}}]},"finish_reason":""}],"usage":{"prompt_tokens":3,"completion_tokens":2}}`, content | terminal, conversation.StopToolCalls, 3},
		{"refusal", `{"choices":[{"message":{"content":null,"refusal":"no"},"finish_reason":"stop"}]}`, content | terminal, conversation.StopRefusal, 0},
		{"embeddings", `{"object":"list","data":[{"embedding":[0.1]}],"model":"e","usage":{"prompt_tokens":29,"total_tokens":29}}`, terminal, conversation.StopUnknown, 29},
		{"an error within a 200", `{"error":{"message":"x"}}`, failure, conversation.StopError, 0},
		{"no JSON", "RIFF....", 0, conversation.StopUnknown, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := Codec{}.NewMeter()
			defer m.Release()
			if got := m.Body([]byte(tt.body)); got != tt.want {
				t.Errorf("got %b, want %b", got, tt.want)
			}
			if o := m.Observation(); o.Stop != tt.stop || o.Usage.Input != tt.input || o.UsageKnown != (tt.input > 0) || o.UsageFinal != o.UsageKnown {
				t.Errorf("observation %+v", o)
			}
		})
	}
}

func TestOrdinaryDeltasAreMeteredWithoutAllocating(t *testing.T) {
	m := Codec{}.NewMeter()
	defer m.Release()
	ev := sse.Event{Data: []byte(chunk(`"delta":{"content":" word\n"},"logprobs":null,"finish_reason":null`))}
	m.Event(ev)
	if n := testing.AllocsPerRun(100, func() { m.Event(ev) }); n != 0 {
		t.Errorf("%v allocations per delta", n)
	}
	full := sse.Event{Data: []byte(strings.Replace(string(ev.Data), `"delta":{`, `"delta": {`, 1))}
	if n := testing.AllocsPerRun(100, func() { m.Event(full) }); n > 1 {
		t.Errorf("%v allocations per delta parsed in full", n)
	}
}

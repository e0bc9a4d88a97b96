package ollama

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// line is a line of a stream with these members of the message.
func line(message string) string {
	return `{"model":"m:1b","created_at":"2026-05-19T09:26:59.678947Z","message":{"role":"assistant",` + message + `},"done":false}`
}

// last is the last line of a stream.
func last(members string) string {
	return `{"model":"m:1b","created_at":"2026-05-19T09:27:59.678947Z","message":{"role":"assistant","content":""},"done":true,"total_duration":1` + members + `}`
}

// answers are responses that come to the same whether they are streamed or not.
var answers = []struct {
	name, unary string
	stream      []string
	want        string // in the words of flat
}{
	{
		"a text",
		`{"model":"m:1b","created_at":"2026-05-19T09:26:59.678947Z","message":{"role":"assistant","content":"Hello \"you\""},"done_reason":"stop","done":true,"prompt_eval_count":19,"eval_count":104}`,
		[]string{line(`"content":"Hello "`), line(`"content":"\"you\""`), last(`,"done_reason":"stop","prompt_eval_count":19,"eval_count":104`)},
		"text \"Hello \\\"you\\\"\"  \nstop 1 \nm:1b 1779182819 usage true 19>104\n",
	},
	{
		"all of the prompt was in the cache",
		`{"model":"m:1b","created_at":"2026-05-19T09:26:59.678947Z","message":{"role":"assistant","content":"Hi"},"done":true,"eval_count":4}`,
		[]string{line(`"content":"Hi"`), last(`,"eval_count":4`)},
		"text \"Hi\"  \nstop 1 \nm:1b 1779182819 usage true 0>4\n",
	},
	{
		"a thought, and the output limit",
		`{"model":"m:1b","created_at":"2026-05-19T09:26:59.678947Z","message":{"role":"assistant","content":"Yes.","thinking":"Hm."},"done_reason":"length","done":true}`,
		[]string{line(`"content":"","thinking":"H"`), line(`"content":"","thinking":"m."`), line(`"content":"Yes."`), last(`,"done_reason":"length"`)},
		"thinking \"Hm.\" thinking ollama\ntext \"Yes.\"  \nstop 3 \nm:1b 1779182819 usage false 0>0\n",
	},
	{
		"calls come whole and stop like everything else",
		`{"model":"m:1b","created_at":"2026-05-19T09:26:59.678947Z","message":{"role":"assistant","content":"Wait.","tool_calls":[{"id":"a","function":{"index":0,"name":"f","arguments":{"x":1,"y":"\u00e9"}}},{"id":"b","function":{"name":"g","arguments":{}}}]},"done_reason":"stop","done":true,"prompt_eval_count":1,"eval_count":2}`,
		[]string{
			line(`"content":"Wait."`), line(`"content":"","tool_calls":[{"id":"a","function":{"index":0,"name":"f","arguments":{"x": 1, "y": "\u00e9"}}}]`),
			line(`"content":"","tool_calls":[{"id":"b","function":{"name":"g","arguments":{}}}]`), last(`,"done_reason":"stop","prompt_eval_count":1,"eval_count":2`),
		},
		"text \"Wait.\"  \ncall \"\"   {ID:a Name:f Arguments:{\"x\":1,\"y\":\"\\u00e9\"} Custom:false Legacy:false}\ncall \"\"   {ID:b Name:g Arguments:{} Custom:false Legacy:false}\nstop 4 \nm:1b 1779182819 usage true 1>2\n",
	},
	{
		"log probabilities, some of them ahead of their text",
		`{"model":"m:1b","created_at":"2026-05-19T09:26:59.678947Z","message":{"role":"assistant","content":"Hi you"},"logprobs":[{"token":"Hi","logprob":-0.25,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-0.25}]},{"token":" you","logprob":-1}],"done":true}`,
		[]string{
			`{"model":"m:1b","created_at":"2026-05-19T09:26:59.678947Z","message":{"content":""},"logprobs":[{"token":"Hi","logprob":-0.25,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-0.25}]}],"done":false}`,
			line(`"content":"Hi"`), `{"message":{"content":" you"},"logprobs":[{"token":" you","logprob":-1}],"done":false}`, last(""),
		},
		"text \"Hi you\"  \nstop 1 " + `{"content":[{"token":"Hi","logprob":-0.25,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-0.25}]},{"token":" you","logprob":-1,"bytes":null,"top_logprobs":[]}],"refusal":null}` + "\nm:1b 1779182819 usage false 0>0\n",
	},
	{
		"nothing but an end",
		`{"model":"m:1b","created_at":"2026-05-19T09:27:59.678947Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"load"}`,
		[]string{last(`,"done_reason":"load"`)},
		"stop 1 \nm:1b 1779182879 usage false 0>0\n",
	},
}

func TestAResponseIsTheSameInOnePieceAndAsAStream(t *testing.T) {
	for _, tc := range answers {
		t.Run(tc.name, func(t *testing.T) {
			r, err := Codec{}.DecodeResponse([]byte(tc.unary))
			if err != nil {
				t.Fatal(err)
			}
			if got := flat(r); got != tc.want {
				t.Errorf("unary:\n%s\nwant\n%s", got, tc.want)
			}
			for _, in := range []string{stream(tc.stream...), strings.TrimSpace(stream(tc.stream...)), strings.Join(tc.stream, "\r\n\r\n") + "\r\n"} {
				events, err := readEvents(strings.NewReader(in))
				if err != nil {
					t.Fatal(err)
				}
				if err := dialecttest.GrammarError(events); err != nil {
					t.Error(err)
				}
				if got := flat(fold(events)); got != tc.want {
					t.Errorf("streamed:\n%s\nwant\n%s", got, tc.want)
				}
			}
			checkMeters(t, tc.unary, stream(tc.stream...), r)
		})
	}
}

// checkMeters compares what meters say of the two forms of a response.
func checkMeters(t *testing.T, unary, lines string, r *conversation.Response) {
	t.Helper()
	body, whole := Codec{}.NewMeter(), Codec{}.NewMeter()
	defer body.Release()
	defer whole.Release()
	signal := body.Body([]byte(unary))
	var seen dialects.Signal
	if err := frames(strings.NewReader(lines), func(ev sse.Event) error { seen |= whole.Event(ev); return nil }); err != nil {
		t.Fatal(err)
	}
	if signal != seen || signal&dialects.SignalTerminal == 0 {
		t.Errorf("signals %b and %b", signal, seen)
	}
	o, p := *body.Observation(), *whole.Observation()
	o.OutputBytes, p.OutputBytes = 0, 0 // calls are counted as they are written
	if o != p || o.Usage != r.Usage || o.Model != r.Model || o.Stop != r.Choices[0].Stop || o.UsageKnown != r.UsageKnown || o.UsageFinal != o.UsageKnown {
		t.Errorf("observed %+v\nand      %+v", o, p)
	}
}

func TestWhereAStreamIsCutIntoReadsMakesNoDifference(t *testing.T) {
	for _, tc := range answers {
		in := stream(tc.stream...)
		for name, r := range dialecttest.Splits(in, len(in)) {
			events, err := readEvents(r)
			if err != nil || flat(fold(events)) != tc.want {
				t.Fatalf("%s %s: %v", tc.name, name, err)
			}
		}
	}
}

func TestAStreamThatBreaksOffIsTruncated(t *testing.T) {
	for _, tc := range answers {
		in := strings.TrimSpace(stream(tc.stream...))
		for i := range in {
			if _, err := readEvents(strings.NewReader(in[:i])); !errors.Is(err, dialects.ErrTruncated) {
				t.Fatalf("%s after %d bytes: %v", tc.name, i, err)
			}
		}
	}
}

func TestErrorsKeepTheirMessage(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{`{"error":"out of memory"}`, `error 500 "out of memory"`},
		{`{"error":"slow down","status":429}`, `error 429 "slow down"`},
		{`{"status":429,"error":{"message":"slow down"}}`, `error 429 "slow down"`},
		{`{"error":{}}`, `error 500 "unknown error"`},
	} {
		events, err := readEvents(strings.NewReader(stream(line(`"content":"a"`), tc.line, line(`"content":"b"`))))
		if got := dump(events); err != nil || got != "start m:1b 1779182819\nblock 0 text\ndelta 0 0 \"a\"\n"+tc.want+"\n" {
			t.Errorf("%s: %v\n%s", tc.line, err, got)
		}
		m := Codec{}.NewMeter()
		sig := m.Event(sse.Event{Data: []byte(tc.line)})
		if got := fmt.Sprintf("error %d %q", m.Err().Status, m.Err().Message); sig != dialects.SignalError || got != tc.want {
			t.Errorf("%s: %b, %s", tc.line, sig, got)
		}
		m.Release()
		if _, err := (Codec{}).DecodeResponse([]byte(tc.line)); err == nil || !strings.Contains(tc.want, err.Error()) {
			t.Errorf("%s: %v", tc.line, err)
		}
	}
	for _, tc := range []struct{ body, want string }{
		{`{"error":"model 'x' not found"}`, "model 'x' not found"},
		{`{"error":{"message":"not found","type":"api_error"}}`, "not found"},
		{`<html>`, ""},
	} {
		if e := (Codec{}).ParseError(404, []byte(tc.body)); e.Status != 404 || e.Message != tc.want {
			t.Errorf("%s: %+v", tc.body, e)
		}
	}
	for _, body := range []string{``, `x`, `{}`, `[]`, `{"message":"x"}`} {
		if _, err := (Codec{}).DecodeResponse([]byte(body)); err == nil {
			t.Errorf("%q is a response", body)
		}
	}
	if _, err := readEvents(strings.NewReader("nonsense\n")); !errors.Is(err, errNotJSON) {
		t.Errorf("nonsense: %v", err)
	}
}

func TestLogProbabilitiesOfThoughtsAreNotThoseOfTheAnswer(t *testing.T) {
	events, err := readEvents(strings.NewReader(stream(
		`{"message":{"thinking":"Hm."},"logprobs":[{"token":"Hm.","logprob":-1}],"done":false}`,
		`{"message":{"content":"Hi"},"logprobs":[{"token":"Hi","logprob":-2}],"done":false}`, last(""),
	)))
	if got := string(fold(events).Choices[0].Logprobs); err != nil || got != `{"content":[{"token":"Hi","logprob":-2,"bytes":null,"top_logprobs":[]}],"refusal":null}` {
		t.Errorf("%v: %s", err, got)
	}
}

func TestCallsWithoutIDsGetDifferentOnes(t *testing.T) {
	call := `{"function":{"name":"f","arguments":"{}"}}`
	r, err := Codec{}.DecodeResponse([]byte(`{"message":{"tool_calls":[` + call + `,` + call + `]},"done":true}`))
	if err != nil {
		t.Fatal(err)
	}
	a, b := r.Choices[0].Blocks[0].Call, r.Choices[0].Blocks[1].Call
	if a.ID == "" || a.ID == b.ID || a.Arguments != "{}" {
		t.Errorf("calls %+v and %+v", a, b)
	}
}

func TestCountsThatCannotBeTrueAreNone(t *testing.T) {
	for _, tc := range []struct {
		counts        string
		input, output int64
		known         bool
	}{
		{`"prompt_eval_count":1e3,"eval_count":"7"`, 1000, 7, true},
		{`"prompt_eval_count":-1,"eval_count":9223372036854775808`, 0, 0, false},
		{`"prompt_eval_count":null,"eval_count":0`, 0, 0, true},
	} {
		m := Codec{}.NewMeter()
		m.Body([]byte(`{"message":{},"done":true,` + tc.counts + `}`))
		if o := m.Observation(); o.Usage.Input != tc.input || o.Usage.Output != tc.output || o.UsageKnown != tc.known {
			t.Errorf("%s: %+v", tc.counts, o)
		}
		m.Release()
	}
}

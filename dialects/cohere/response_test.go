package cohere

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

const (
	begin     = `{"id":"r1","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}`
	textBegin = `{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}`
	textEnd   = `{"type":"content-end","index":0}`
	complete  = `{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":12,"output_tokens":7},"tokens":{"input_tokens":507,"output_tokens":10},"cached_tokens":448}}}`
	source    = `{"type":"document","id":"doc-0","document":{"id":"doc-0","title":"Sky","url":"https://sky","text":"The sky is green."}}`
)

func piece(s string) string {
	return `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"` + s + `"}}}}`
}

// answers are responses that come to the same whether they are streamed or not.
var answers = []struct {
	name, unary string
	stream      []string
	want        string // in the words of flat
}{
	{
		"a text",
		`{"id":"r1","message":{"role":"assistant","content":[{"type":"text","text":"Hello \"you\""}]},"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":12,"output_tokens":7},"tokens":{"input_tokens":507,"output_tokens":10},"cached_tokens":448}}`,
		[]string{begin, textBegin, piece("Hello "), piece(`\"you\"`), textEnd, complete},
		"text \"Hello \\\"you\\\"\"  \nstop 1 \nr1  usage true Input:59 CacheRead:448 Output:10\n",
	},
	{
		"a thought before the text",
		`{"id":"r1","message":{"content":[{"type":"thinking","thinking":"Hm."},{"type":"text","text":"Yes."}]},"finish_reason":"MAX_TOKENS"}`,
		[]string{
			begin, `{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":""}}}}`,
			`{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"H"}}}}`,
			`{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"m."}}}}`, textEnd,
			`{"type":"content-start","index":1,"delta":{"message":{"content":{"type":"text","text":"Y"}}}}`, piece("es."),
			`{"type":"content-end","index":1}`, `{"type":"message-end","delta":{"finish_reason":"MAX_TOKENS","usage":{}}}`,
		},
		"thinking \"Hm.\" thinking cohere\ntext \"Yes.\"  \nstop 3 \nr1  usage false -\n",
	},
	{
		"a plan and parallel calls, one of them without arguments",
		`{"id":"r1","message":{"tool_plan":"I will look.","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}},{"id":"b","type":"function","function":{"name":"g","arguments":"null"}}]},"finish_reason":"TOOL_CALL","usage":{"billed_units":{"input_tokens":3,"output_tokens":2}}}`,
		[]string{
			begin, `{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will"}}}`, `{"type":"tool-plan-delta","delta":{"message":{"tool_plan":" look."}}}`,
			`{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"a","type":"function","function":{"name":"f","arguments":""}}}}}`,
			`{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"x\": "}}}}}`,
			`{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"1}"}}}}}`,
			`{"type":"tool-call-end","index":0}`,
			`{"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{"id":"b","type":"function","function":{"name":"g","arguments":"null"}}}}}`,
			`{"type":"tool-call-end","index":1}`,
			`{"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"billed_units":{"input_tokens":3,"output_tokens":2}}}}`,
		},
		"thinking \"I will look.\" tool_plan cohere\ncall \"\"   {ID:a Name:f Arguments:{\"x\": 1} Custom:false Legacy:false}\ncall \"\"   {ID:b Name:g Arguments: Custom:false Legacy:false}\n" +
			"stop 4 \nr1  usage true Input:3 Output:2\n",
	},
	{
		"citations, before and after the end of their text",
		`{"id":"r1","message":{"content":[{"type":"text","text":"It is green, they say."}],"citations":[{"start":6,"end":11,"text":"green","type":"TEXT_CONTENT","sources":[` + source + `]},` +
			`{"start":0,"end":2,"text":"It","type":"PLAN","sources":[` + source + `]},{"start":13,"end":17,"text":"they","sources":[{"type":"tool","id":"c1:0","tool_output":{"content":"all"}},{"id":"c2:0"}]}]},"finish_reason":"STOP_SEQUENCE"}`,
		[]string{
			begin, textBegin, piece("It is green, "),
			`{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":6,"end":11,"text":"green","type":"TEXT_CONTENT","sources":[` + source + `]}}}}`,
			`{"type":"citation-end","index":0}`, piece("they say."), textEnd,
			`{"type":"citation-start","index":1,"delta":{"message":{"citations":{"start":0,"end":2,"text":"It","type":"PLAN","sources":[]}}}}`,
			`{"type":"citation-start","index":2,"delta":{"message":{"citations":{"start":13,"end":17,"text":"they","sources":[{"type":"tool","id":"c1:0","tool_output":{"content":"all"}},{"id":"c2:0"}]}}}}`,
			`{"type":"message-end","delta":{"finish_reason":"STOP_SEQUENCE"}}`,
		},
		"text \"It is green, they say.\"   [6-11 https://sky \"Sky\" \"The sky is green.\"] [13-17  \"c1:0\" \"all\"] [13-17  \"c2:0\" \"\"]\n" +
			"stop 2 \nr1  usage false -\n",
	},
	{
		"log probabilities, of one token and of two together",
		`{"id":"r1","message":{"content":[{"type":"text","text":"Hi you"}]},"logprobs":[{"text":"Hi","token_ids":[1],"logprobs":[-0.25]},{"text":" you","token_ids":[2,3],"logprobs":[-0.5,-1]}],"finish_reason":"COMPLETE"}`,
		[]string{
			begin, textBegin, `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hi"}}},"logprobs":{"text":"Hi","token_ids":[1],"logprobs":[-0.25]}}`,
			`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" you"}}},"logprobs":{"text":" you","token_ids":[2,3],"logprobs":[-0.5,-1]}}`,
			`{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}`,
		},
		"text \"Hi you\"  \nstop 1 " + `{"content":[{"token":"Hi","logprob":-0.25,"bytes":null,"top_logprobs":[]},{"token":" you","logprob":-1.5,"bytes":null,"top_logprobs":[]}],"refusal":null}` + "\n" +
			"r1  usage false -\n",
	},
	{
		"nothing but an end",
		`{"id":"r1","message":{"role":"assistant"},"finish_reason":"COMPLETE"}`,
		[]string{begin, `{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}`},
		"stop 1 \nr1  usage false -\n",
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
			for _, done := range []string{"", "data: [DONE]\n\n"} {
				events, err := readEvents(strings.NewReader(stream(tc.stream...) + done))
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
func checkMeters(t *testing.T, unary, events string, r *conversation.Response) {
	t.Helper()
	body, whole := Codec{}.NewMeter(), Codec{}.NewMeter()
	defer body.Release()
	defer whole.Release()
	signal := body.Body([]byte(unary))
	var seen dialects.Signal
	if err := frames(strings.NewReader(events), func(ev sse.Event) error { seen |= whole.Event(ev); return nil }); err != nil {
		t.Fatal(err)
	}
	if signal != seen || signal&dialects.SignalTerminal == 0 {
		t.Errorf("signals %b and %b", signal, seen)
	}
	if *body.Observation() != *whole.Observation() {
		t.Errorf("observed %+v\nand      %+v", *body.Observation(), *whole.Observation())
	}
	o := body.Observation()
	if o.ID != r.ID || o.Stop != r.Choices[0].Stop || o.UsageKnown != r.UsageKnown || o.UsageFinal != o.UsageKnown {
		t.Errorf("observed %+v of %+v", o, r)
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
		for n := range tc.stream {
			_, err := readEvents(strings.NewReader(stream(tc.stream[:n]...)))
			if !errors.Is(err, dialects.ErrTruncated) {
				t.Errorf("%s after %d events: %v", tc.name, n, err)
			}
		}
	}
}

func TestStreamsOfCarelessServersAreRepaired(t *testing.T) {
	for _, tc := range []struct {
		name   string
		events []string
		want   string
	}{
		{"contents without beginning and end", []string{piece("a"), `{"type":"content-delta","delta":{"message":{"content":{"thinking":"h"}}}}`, `{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}`}, "start \nblock 0 text\ndelta 0 0 \"a\"\nclose 0\nblock 1 thinking\ndelta 1 2 \"h\"\ndelta 1 3 \"thinking\"\nclose 1\nstop 1\nend\n"},
		{"a call as a list, with arguments as an object", []string{begin, `{"type":"tool-call-start","delta":{"message":{"tool_calls":{"id":"a","function":{"name":"f","arguments":{"x":1}}}}}}`, `{"type":"message-end","delta":{}}`}, "start r1\nblock 0 call a f\ndelta 0 1 \"{\\\"x\\\":1}\"\nclose 0\nstop 4\nend\n"},
		{"events that nobody knows, and pings", []string{begin, `{"type":"debug","prompt":"x"}`, `{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}`}, "start r1\nstop 1\nend\n"},
		{"an error at the end", []string{begin, `{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I"}}}`, `{"type":"message-end","delta":{"finish_reason":"ERROR","usage":{},"error":"no valid call","error_type":"INVALID_TOOL_GENERATION"}}`}, "start r1\nblock 0 thinking\ndelta 0 2 \"I\"\nerror 500 INVALID_TOOL_GENERATION \"no valid call\"\n"},
		{"an error in place of an event", []string{begin, `{"id":"x","message":"too bad"}`}, "start r1\nerror 500  \"too bad\"\n"},
	} {
		events, err := readEvents(strings.NewReader(stream(tc.events...)))
		if err != nil || dump(events) != tc.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", tc.name, err, dump(events), tc.want)
		}
		if err := dialecttest.GrammarError(events); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if _, err := readEvents(strings.NewReader(stream(begin, `{"type":"tool-call-delta","delta":{"message":{"tool_calls":{"function":{"arguments":"{"}}}}}`))); !errors.Is(err, errNoCall) {
		t.Errorf("a piece of no call: %v", err)
	}
	if _, err := readEvents(strings.NewReader("data: nonsense\n\n")); !errors.Is(err, errNotJSON) {
		t.Errorf("nonsense: %v", err)
	}
	if events, err := readEvents(strings.NewReader(": wait\n\n\n" + stream(answers[0].stream...))); err != nil || events[0].Type != conversation.EventPing {
		t.Errorf("a comment: %v", err)
	}
}

func TestCallsWithoutIDsGetDifferentOnes(t *testing.T) {
	r, err := Codec{}.DecodeResponse([]byte(`{"message":{"tool_calls":[{"function":{"name":"f","arguments":"{}"}},{"function":{"name":"f","arguments":"{}"}}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	a, b := r.Choices[0].Blocks[0].Call.ID, r.Choices[0].Blocks[1].Call.ID
	if a == "" || a == b || r.Choices[0].Stop != conversation.StopToolCalls {
		t.Errorf("IDs %q and %q, stop %v", a, b, r.Choices[0].Stop)
	}
}

func TestAMeterReportsWhatIsCharged(t *testing.T) {
	for _, tc := range []struct {
		usage         string
		input, output int64
		known         bool
		invalid       bool
	}{
		{`{"billed_units":{"input_tokens":12,"output_tokens":7},"tokens":{"input_tokens":507,"output_tokens":10},"cached_tokens":448}`, 12, 7, true, false},
		{`{"billed_units":{"input_tokens":0,"output_tokens":0},"tokens":{"input_tokens":507,"output_tokens":10}}`, 0, 0, true, false},
		{`{"billed_units":{"input_tokens":263,"output_tokens":9},"tokens":{"input_tokens":200,"output_tokens":10,"image_tokens":259}}`, 263, 9, true, false},
		{`{"tokens":{"input_tokens":507,"output_tokens":10},"cached_tokens":400}`, 507, 10, true, false},
		{`{"tokens":{"input_tokens":507,"output_tokens":10},"cached_tokens":600}`, 0, 0, false, true},
		{`{"billed_units":{"search_units":1}}`, 0, 0, false, false},
		{`{"billed_units":{"input_tokens":-1,"output_tokens":"7"}}`, 0, 0, false, true},
		{`{"billed_units":{"input_tokens":1e3,"output_tokens":9223372036854775808}}`, 0, 0, false, true},
		{`{"billed_units":{"input_tokens":1e3,"output_tokens":"7"}}`, 1000, 7, true, false},
		{`{}`, 0, 0, false, false},
		{`null`, 0, 0, false, false},
	} {
		m := Codec{}.NewMeter()
		m.Body([]byte(`{"message":{},"finish_reason":"COMPLETE","usage":` + tc.usage + `}`))
		o := m.Observation()
		if o.Usage.TotalInput() != tc.input || o.Usage.TotalOutput() != tc.output || o.UsageKnown != tc.known || o.UsageInvalid != tc.invalid {
			t.Errorf("%s: %+v", tc.usage, o)
		}
		m.Release()
	}
}

func TestErrorsKeepTheirMessage(t *testing.T) {
	for _, tc := range []struct{ body, want string }{
		{`{"id":"1","message":"invalid api token"}`, "invalid api token"},
		{`{"error":"down"}`, "down"},
		{`{"error":{"message":"down"}}`, "down"},
		{`<html>`, ""},
		{`[]`, ""},
	} {
		if e := (Codec{}).ParseError(401, []byte(tc.body)); e.Status != 401 || e.Message != tc.want {
			t.Errorf("%s: %+v", tc.body, e)
		}
	}
	for _, body := range []string{`{"id":"1","message":"too bad"}`, `{"message":{},"error":"too bad"}`} {
		_, err := Codec{}.DecodeResponse([]byte(body))
		m := Codec{}.NewMeter()
		if m.Body([]byte(body))&dialects.SignalError == 0 || m.Err().Message != "too bad" || err == nil || err.Error() != "too bad" {
			t.Errorf("%s: %v, %v", body, err, m.Err())
		}
		m.Release()
	}
	for _, body := range []string{``, `x`, `{}`, `[]`} {
		if _, err := (Codec{}).DecodeResponse([]byte(body)); err == nil {
			t.Errorf("%q is a response", body)
		}
	}
	m := Codec{}.NewMeter()
	defer m.Release()
	bad := stream(begin, `{"type":"message-end","delta":{"finish_reason":"ERROR","usage":{},"error":"no valid call","error_type":"X"}}`)
	var seen dialects.Signal
	if err := frames(bytes.NewReader([]byte(bad)), func(ev sse.Event) error { seen |= m.Event(ev); return nil }); err != nil {
		t.Fatal(err)
	}
	if seen&dialects.SignalError == 0 || seen&dialects.SignalTerminal != 0 || m.Err().Type != "X" {
		t.Errorf("signals %b, %+v", seen, m.Err())
	}
}

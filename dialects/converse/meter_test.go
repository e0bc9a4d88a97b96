package converse

import (
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// watch runs a stream past a meter and returns the signals of its events.
func watch(t testing.TB, s string) (dialects.Meter, []dialects.Signal) {
	t.Helper()
	m := Codec{}.NewMeter()
	var signals []dialects.Signal
	_ = eachFrame(strings.NewReader(s), func(ev sse.Event) { signals = append(signals, m.Event(ev)) }) // what is broken ends
	return m, signals
}

func TestTheMeterSeesContentTheEndAndTheUsage(t *testing.T) {
	const content, end = dialects.SignalContent, dialects.SignalTerminal
	m, signals := watch(t, wholeStream)
	defer m.Release()
	want := []dialects.Signal{
		0, content, content, 0, 0, 0, 0, content, content, 0, content, 0, 0, // texts; neither signatures nor citations
		content, 0, content, content, 0, content, content, 0, content, content, 0, // calls
		end, 0,
	}
	if len(signals) != len(want) {
		t.Fatalf("%d signals, want %d", len(signals), len(want))
	}
	for i := range want {
		if signals[i] != want[i] {
			t.Errorf("event %d: signal %b, want %b", i, signals[i], want[i])
		}
	}
	o := m.Observation()
	if o.Usage != whole.Usage || !o.UsageKnown || !o.UsageFinal || o.Stop != conversation.StopToolCalls {
		t.Errorf("observed %+v", o)
	}
	if want := int64(len(`Let me "see".`) + len("Hello,\nworld") + len(" cited") + len(`{"a":[1,"x"]}`) + len("{}") + len("{}")); o.OutputBytes != want {
		t.Errorf("%d bytes of output, want %d", o.OutputBytes, want)
	}
}

func TestTheMeterDoesNotTakeTheStopForTheUsage(t *testing.T) {
	m, _ := watch(t, stream("messageStart {}", `messageStop {"stopReason":"end_turn"}`))
	defer m.Release()
	if o := m.Observation(); o.UsageKnown || o.UsageFinal || o.Stop != conversation.StopEnd {
		t.Errorf("observed %+v", o)
	}
}

func TestTheMeterReadsWholeAnswers(t *testing.T) {
	for _, tc := range []struct {
		body   string
		signal dialects.Signal
		known  bool
	}{
		{wholeBody, dialects.SignalContent | dialects.SignalTerminal, true},
		{`{"output":{"message":{"content":[]}}}`, dialects.SignalContent | dialects.SignalTerminal, false},
		{`{"inputTokens":7}`, 0, false},
		{`{"message":"no"}`, dialects.SignalError, false},
		{`{"__type":"com.amazon#ThrottlingException"}`, dialects.SignalError, false},
		{`[]`, 0, false},
	} {
		m := Codec{}.NewMeter()
		sig := m.Body([]byte(tc.body))
		if o := m.Observation(); sig != tc.signal || o.UsageKnown != tc.known || o.UsageFinal != tc.known {
			t.Errorf("%.40s: signal %b, %+v", tc.body, sig, o)
		}
		m.Release()
	}
}

func TestErrorsInStreamsHaveTheStatusTheyWouldHaveHad(t *testing.T) {
	exception := func(kind, payload string) string {
		return string(frame(payload, ":message-type", "exception", ":exception-type", kind, ":content-type", "application/json"))
	}
	for _, tc := range []struct {
		frame, kind, message string
		status               int
	}{
		{exception("throttlingException", `{"message":"slow"}`), "throttlingException", "slow", 429},
		{exception("validationException", `{"message":"bad"}`), "validationException", "bad", 400},
		{exception("modelStreamErrorException", `{"originalStatusCode":500,"originalMessage":"x","message":"broken"}`), "modelStreamErrorException", "broken", 424},
		{exception("modelTimeoutException", `{"Message":"late"}`), "modelTimeoutException", "late", 408},
		{exception("internalServerException", `{}`), "internalServerException", "the provider ended the stream with an error", 500},
		{exception("serviceUnavailableException", `{"message":"gone"}`), "serviceUnavailableException", "gone", 503},
		{exception("unheardOfException", `{"message":"?"}`), "unheardOfException", "?", 500},
		{exception("throttling", `slow`), "throttling", "slow", 500},
		{string(frame("", ":message-type", "error", ":error-code", "ThrottlingException", ":error-message", "slow")), "ThrottlingException", "slow", 429},
	} {
		s := stream("messageStart {}", `contentBlockDelta {"delta":{"text":"x"}}`) + tc.frame
		events, err := readStream(strings.NewReader(s))
		if err != nil {
			t.Fatal(err)
		}
		dialecttest.CheckGrammar(t, events)
		m, signals := watch(t, s)
		last := events[len(events)-1]
		for _, e := range []*conversation.Error{last.Error, m.Err()} {
			if e == nil || e.Status != tc.status || e.Type != tc.kind || e.Message != tc.message {
				t.Errorf("%s: %+v", tc.kind, e)
			}
		}
		if signals[len(signals)-1] != dialects.SignalError || m.Observation().Stop != conversation.StopError {
			t.Errorf("%s: signals %v", tc.kind, signals)
		}
		m.Release()
	}
}

func TestErrorBodies(t *testing.T) {
	for body, want := range map[string]conversation.Error{
		`{"message":"The provided model identifier is invalid."}`: {Message: "The provided model identifier is invalid."},
		`{"Message":"m","__type":"a.b#ThrottlingException"}`:      {Message: "m", Type: "ThrottlingException"},
		`{"message":null}`: {}, `<html>`: {}, ``: {}, `{"message":`: {},
	} {
		want.Status = 400
		if got := (Codec{}).ParseError(400, []byte(body)); got != want {
			t.Errorf("%s: %+v", body, got)
		}
	}
}

func TestOrdinaryEventsAreReadWithoutAllocating(t *testing.T) {
	events := []sse.Event{
		{Name: []byte("contentBlockDelta"), Data: []byte(`{"contentBlockIndex":0,"delta":{"text":" a few words,\nand a \"line\""},"p":"abcd"}`)},
		{Name: []byte("contentBlockDelta"), Data: []byte(`{"contentBlockIndex":0,"delta":{"text":" a few words"},"p":"abcd"}`)},
	}
	m := Codec{}.NewMeter()
	defer m.Release()
	r := Codec{}.NewEventReader()
	var out []conversation.Event
	for _, ev := range events {
		if n := testing.AllocsPerRun(100, func() { m.Event(ev) }); n != 0 {
			t.Errorf("meter: %v allocations", n)
		}
		if n := testing.AllocsPerRun(100, func() {
			var err error
			if out, err = r.Read(ev, out[:0]); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("reader: %v allocations", n)
		}
	}
}

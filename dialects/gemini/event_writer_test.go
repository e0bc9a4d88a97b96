package gemini

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

var (
	evStart = conversation.Event{Type: conversation.EventStart, ID: "id"}
	evText  = conversation.Event{Type: conversation.EventBlockStart, Block: &conversation.Block{}}
	evHi    = conversation.Event{Type: conversation.EventDelta, Text: "hi"}
	evClose = conversation.Event{Type: conversation.EventBlockStop}
	evStop  = conversation.Event{Type: conversation.EventStop, Stop: conversation.StopEnd}
	evUsage = conversation.Event{Type: conversation.EventUsage, UsageKnown: true, Usage: conversation.Usage{Input: 3, Output: 4}}
	evEnd   = conversation.Event{Type: conversation.EventEnd}
)

// documents are the data of the events of a stream, which must be nothing but such events.
func documents(t testing.TB, stream string) (docs []string) {
	t.Helper()
	for event := range strings.SplitSeq(stream, "\r\n\r\n") {
		data, ok := strings.CutPrefix(event, "data: ")
		switch {
		case event == "":
		case !ok || strings.ContainsAny(data, "\r\n") || !gjson.Valid(data):
			t.Fatalf("%q is no event", event)
		default:
			docs = append(docs, data)
		}
	}
	return docs
}

func TestTheLastChunkHasReasonAndUsageWheneverTheyCame(t *testing.T) {
	early := evStart
	early.Usage, early.UsageKnown = evUsage.Usage, true
	for name, events := range map[string][]conversation.Event{
		"after the reason":     {evStart, evText, evHi, evClose, evStop, evUsage, evEnd},
		"before the reason":    {evStart, evText, evHi, evClose, evUsage, evStop, evEnd},
		"at the start":         {early, evText, evHi, evClose, evStop, evEnd},
		"amid the text, twice": {evStart, evText, {Type: conversation.EventUsage, Usage: conversation.Usage{Input: 1}}, evHi, evUsage, evClose, evStop, evEnd, evStop, evEnd},
	} {
		docs := documents(t, write(dialects.WriterOptions{Model: "m"}, events...))
		want := []string{
			`{"candidates":[{"content":{"parts":[{"text":"hi"}],"role":"model"},"index":0}],"modelVersion":"m","responseId":"id"}`,
			`{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4,"totalTokenCount":7},"modelVersion":"m","responseId":"id"}`,
		}
		if strings.Join(docs, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s", name, strings.Join(docs, "\n"))
		}
	}
}

func TestAStreamWithoutUsageHasNone(t *testing.T) {
	if s := write(dialects.WriterOptions{}, evStart, evStop, evEnd); strings.Contains(s, "usageMetadata") || !strings.Contains(s, `"STOP"`) {
		t.Error(s)
	}
}

func TestCallsAreWrittenOnceTheyAreWhole(t *testing.T) {
	w := Codec{}.NewEventWriter(dialects.WriterOptions{Model: "m", RequestID: "req"})
	events := []conversation.Event{
		evStart, {Type: conversation.EventBlockStart, Block: &conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "c", Name: "f"}}},
	}
	for _, piece := range []string{"{\"a\"", ":\r\n", "1}"} {
		events = append(events, conversation.Event{Type: conversation.EventDelta, Delta: conversation.DeltaArguments, Text: piece})
	}
	var out []byte
	for i := range events {
		out = w.Append(out, &events[i])
	}
	if len(out) > 0 {
		t.Errorf("written too early: %s", out)
	}
	docs := documents(t, string(w.Append(nil, &evClose)))
	if len(docs) != 1 || gjson.Get(docs[0], "candidates.0.content.parts.0.functionCall").Raw != `{"id":"c","name":"f","args":{"a":  1}}` {
		t.Errorf("%q", docs)
	}
}

func TestAnErrorIsTheLastWord(t *testing.T) {
	failed := conversation.Event{Type: conversation.EventError, Error: &conversation.Error{Status: 503, Message: "overloaded"}}
	docs := documents(t, write(dialects.WriterOptions{}, evStart, evText, evHi, failed, evHi, evClose, evStop, evEnd))
	if len(docs) != 2 || gjson.Get(docs[1], "error.status").Str != "UNAVAILABLE" {
		t.Errorf("%q", docs)
	}
}

func TestAPingIsNotPassedOn(t *testing.T) {
	if s := write(dialects.WriterOptions{}, conversation.Event{Type: conversation.EventPing}); s != "" {
		t.Errorf("%q", s)
	}
}

func TestSeveralAnswersMayTakeTurns(t *testing.T) {
	second := func(ev conversation.Event) conversation.Event { ev.Choice = 1; return ev }
	s := write(dialects.WriterOptions{}, evStart, evText, second(evText), evHi, second(evHi), second(evHi), second(evClose), evClose, evStop, second(evStop), evEnd)
	r := fold(t, s)
	if len(r.Choices) != 2 || r.Choices[0].Blocks[0].Text != "hi" || r.Choices[1].Blocks[0].Text != "hihi" || r.Choices[1].Stop != conversation.StopEnd {
		t.Errorf("%+v", r.Choices)
	}
	if docs := documents(t, s); gjson.Get(docs[len(docs)-1], "candidates.#").Int() != 2 {
		t.Errorf("the last chunk is %s", docs[len(docs)-1])
	}
}

func TestWhereTheNetworkCutsAWrittenStreamMakesNoDifference(t *testing.T) {
	s := stream(foreign())
	want, err := transcript(t, strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	for split, r := range dialecttest.Splits(s, len(s)) {
		if got, err := transcript(t, r); err != nil || got != want {
			t.Fatalf("%s: %v\n%s", split, err, got)
		}
	}
}

func TestASourceInAStreamIsCountedFromItsBeginning(t *testing.T) {
	cite := conversation.Event{Type: conversation.EventDelta, Delta: conversation.DeltaCitation, Citation: &conversation.Citation{URL: "https://x", Start: 0, End: 2}}
	s := write(dialects.WriterOptions{}, evStart, evText, evHi, evClose, evText, evHi, cite, evClose, evStop, evEnd)
	docs := documents(t, s)
	if g := gjson.Get(docs[len(docs)-1], "candidates.0.groundingMetadata.groundingSupports").Raw; g != `[{"segment":{"startIndex":2,"endIndex":4,"text":"hi"},"groundingChunkIndices":[0]}]` {
		t.Error(docs)
	}
}

func TestLogprobsOfAStreamStandBesideTheirText(t *testing.T) {
	const tokens = `{"token":"hi","logprob":-0.50,"bytes":[104,105],"top_logprobs":[{"token":"ho","logprob":-1.25,"bytes":[104,111]}]}`
	weighed := evHi
	weighed.Logprobs = []byte(tokens)
	s := write(dialects.WriterOptions{Model: "m"}, evStart, evText, evHi, weighed, evClose, evStop, evEnd)
	docs := documents(t, s)
	if want := `{"content":{"parts":[{"text":"hi"}],"role":"model"},"logprobsResult":{"chosenCandidates":[{"token":"hi","logProbability":-0.50}],"topCandidates":[{"candidates":[{"token":"ho","logProbability":-1.25}]}]},"index":0}`; gjson.Get(docs[1], "candidates.0").Raw != want {
		t.Errorf("got %s", docs[1])
	}
	var read []string
	r := Codec{}.NewEventReader()
	dialecttest.EachFrame(t, strings.NewReader(s), func(ev sse.Event) {
		events, err := r.Read(ev, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events {
			if ev.Type == conversation.EventDelta {
				read = append(read, ev.Text+string(ev.Logprobs))
			}
		}
	})
	if strings.Join(read, "\n") != "hi\nhi"+tokens {
		t.Errorf("read %q", read)
	}
}

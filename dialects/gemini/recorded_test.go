package gemini

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// chunks are the JSON documents of a response, found without the code under test.
func chunks(x *dialecttest.Exchange) []string {
	if !x.Streaming {
		return []string{x.Body}
	}
	var docs []string
	for l := range strings.SplitSeq(x.Body, "\n") {
		if data, ok := strings.CutPrefix(strings.TrimSpace(l), "data: "); ok {
			docs = append(docs, data)
		}
	}
	return docs
}

// said is what the first candidate says and thinks and calls, and the counts of the last usage.
type said struct {
	text, thoughts, calls string
	input, output         int64
	counted               bool
}

func saidIn(x *dialecttest.Exchange) (s said) {
	for _, doc := range chunks(x) {
		for _, p := range gjson.Get(doc, "candidates.0.content.parts").Array() {
			if p.Get("thought").Bool() {
				s.thoughts += p.Get("text").String()
			} else {
				s.text += p.Get("text").String()
			}
			if call := p.Get("functionCall"); call.Exists() {
				args := call.Get("args").Raw
				if args == "" {
					args = "{}"
				}
				s.calls += call.Get("name").String() + args + ";"
			}
		}
		if u := gjson.Get(doc, "usageMetadata"); u.Get("promptTokenCount").Exists() {
			s.counted = true
			s.input = u.Get("promptTokenCount").Int() + u.Get("toolUsePromptTokenCount").Int()
			s.output = u.Get("candidatesTokenCount").Int() + u.Get("thoughtsTokenCount").Int()
		}
	}
	return s
}

func TestRecordedResponsesAreMetered(t *testing.T) {
	for _, endpoint := range []string{"gemini.generate", "gemini.embed", "gemini.count_tokens"} {
		dialecttest.EachRecorded(t, endpoint, func(t *testing.T, x *dialecttest.Exchange) {
			m := Codec{}.NewMeter()
			defer m.Release()
			if x.Status != 200 {
				if e := (Codec{}).ParseError(x.Status, []byte(x.Body)); e.Message == "" || e.Type == "" {
					t.Errorf("the error was read as %+v", e)
				}
				return
			}
			var got dialects.Signal
			if x.Streaming {
				dialecttest.EachFrame(t, strings.NewReader(x.Body), func(ev sse.Event) { got |= m.Event(ev) })
			} else {
				got = m.Body([]byte(x.Body))
			}
			o, want := m.Observation(), saidIn(x)
			if got&dialects.SignalTerminal == 0 || got&dialects.SignalError != 0 {
				t.Errorf("signals %s", dialecttest.Signals(got))
			}
			if o.UsageKnown != want.counted || o.Usage.TotalInput() != want.input || o.Usage.TotalOutput() != want.output {
				t.Errorf("usage %+v (%v), want %d in, %d out (%v)", o.Usage, o.UsageKnown, want.input, want.output, want.counted)
			}
			if n := int64(len(want.text) + len(want.thoughts)); o.OutputBytes < n {
				t.Errorf("%d bytes of output, want at least %d", o.OutputBytes, n)
			}
		})
	}
}

// collected is what the events of a stream say of the first choice.
func (s *said) collect(ev *conversation.Event) {
	if ev.UsageKnown {
		s.counted, s.input, s.output = true, ev.Usage.TotalInput(), ev.Usage.TotalOutput()
	}
	switch {
	case ev.Choice != 0:
	case ev.Type == conversation.EventBlockStart && ev.Block.Call != nil:
		s.calls += ev.Block.Call.Name
	case ev.Type != conversation.EventDelta:
	case ev.Delta == conversation.DeltaText:
		s.text += strings.Clone(ev.Text)
	case ev.Delta == conversation.DeltaThinking:
		s.thoughts += strings.Clone(ev.Text)
	case ev.Delta == conversation.DeltaArguments:
		s.calls += strings.Clone(ev.Text) + ";"
	}
}

func (s *said) add(r *conversation.Response) {
	s.counted, s.input, s.output = r.UsageKnown, r.Usage.TotalInput(), r.Usage.TotalOutput()
	for _, b := range r.Choices[0].Blocks {
		switch b.Kind {
		case conversation.Text:
			s.text += b.Text
		case conversation.Thinking:
			s.thoughts += b.Text
		case conversation.Call:
			s.calls += b.Call.Name + b.Call.Arguments + ";"
		}
	}
}

func TestRecordedResponsesAreDecoded(t *testing.T) {
	dialecttest.EachRecorded(t, "gemini.generate", func(t *testing.T, x *dialecttest.Exchange) {
		if x.Status != 200 {
			t.Skip("an error")
		}
		var got said
		if x.Streaming {
			events, err := dialecttest.ReadEvents(sse.NewReader(strings.NewReader(x.Body), 0), Codec{}.NewEventReader())
			if err != nil {
				t.Fatal(err)
			}
			dialecttest.CheckGrammar(t, events)
			for i := range events {
				got.collect(&events[i])
			}
			if n := len(events); n == 0 || events[n-1].Type != conversation.EventEnd {
				t.Error("the stream has no end")
			}
		} else {
			r, err := Codec{}.DecodeResponse([]byte(x.Body))
			if err != nil {
				t.Fatal(err)
			}
			if r.Choices[0].Stop == conversation.StopUnknown {
				t.Error("the reason for the end is unknown")
			}
			got.add(r)
		}
		if want := saidIn(x); got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
}

func TestRecordedCitationsHaveAPlace(t *testing.T) {
	placed := 0
	dialecttest.EachRecorded(t, "gemini.generate", func(t *testing.T, x *dialecttest.Exchange) {
		if x.Streaming || x.Status != 200 {
			t.Skip("not a whole answer")
		}
		r, err := Codec{}.DecodeResponse([]byte(x.Body))
		if err != nil {
			t.Fatal(err)
		}
		segments := map[string]bool{}
		for _, s := range gjson.Get(x.Body, "candidates.0.groundingMetadata.groundingSupports").Array() {
			segments[s.Get("segment.text").String()] = true
		}
		for _, b := range r.Choices[0].Blocks {
			for _, c := range b.Citations {
				if c.End == 0 {
					continue
				}
				if s := string([]rune(b.Text)[c.Start:c.End]); !segments[s] {
					t.Errorf("a citation of %q, which is no segment", s)
				}
				placed++
			}
		}
	})
	if placed == 0 && !t.Skipped() {
		t.Error("no citation has a place")
	}
}

func TestRecordedRequestsAreAccepted(t *testing.T) {
	for _, endpoint := range []string{"gemini.generate", "gemini.embed", "gemini.count_tokens"} {
		dialecttest.EachRecorded(t, endpoint, func(t *testing.T, x *dialecttest.Exchange) {
			if x.Request == nil {
				t.Skip("no request")
			}
			doc := x.Request
			obj := dialecttest.Scan(t, Codec{}, string(doc))
			h, err := Codec{}.Head(doc, obj)
			if err != nil {
				t.Fatal(err)
			}
			if h.HasTools != (gjson.GetBytes(doc, "tools.0").Exists() || gjson.GetBytes(doc, "tools").IsObject()) {
				t.Errorf("tools: %v", h.HasTools)
			}
			edits := Codec{}.Splice(doc, obj, h, dialects.SpliceOptions{Model: "another"}, nil).Edits
			got := string(jsonedit.Apply(nil, doc, edits))
			if n := strings.Count(got, `"models/another"`); n != len(gjson.GetBytes(doc, "requests.#.model").Array()) {
				t.Errorf("%d models were replaced", n)
			}
		})
	}
}

func TestRecordedRequestsAreDecoded(t *testing.T) {
	dialecttest.EachRecorded(t, "gemini.generate", func(t *testing.T, x *dialecttest.Exchange) {
		if x.Request == nil || x.Status/100 != 2 {
			t.Skip("no request that was answered")
		}
		r := mustDecode(t, string(x.Request))
		calls, results := 0, 0
		open := map[string]string{}
		for _, m := range r.Messages {
			for _, b := range m.Blocks {
				switch b.Kind {
				case conversation.Call:
					calls++
					open[b.Call.ID] = b.Call.Name
				case conversation.Result:
					results++
					if open[b.Result.CallID] != b.Result.Name {
						t.Errorf("a result of %s answers the call %s of %q", b.Result.Name, b.Result.CallID, open[b.Result.CallID])
					}
				}
			}
		}
		doc := string(x.Request)
		if n := strings.Count(doc, `"functionCall":`) + strings.Count(doc, `"function_call":`); n != calls || len(open) != calls {
			t.Errorf("%d calls, want %d", calls, n)
		}
		if n := strings.Count(doc, `"functionResponse":`) + strings.Count(doc, `"function_response":`); n != results {
			t.Errorf("%d results, want %d", results, n)
		}
		out, notes, err := Codec{}.EncodeRequest(nil, r, dialects.EncodeOptions{Model: "gemini-3-pro"})
		if err != nil || !json.Valid(out) {
			t.Fatalf("%v: %s", err, out)
		}
		if len(notes) > 0 {
			t.Logf("dropped: %v", notes)
		}
	})
}

func TestRecordedResponsesAreWritten(t *testing.T) {
	dialecttest.EachRecorded(t, "gemini.generate", func(t *testing.T, x *dialecttest.Exchange) {
		if x.Status != 200 {
			t.Skip("an error")
		}
		want := saidIn(x)
		if !x.Streaming {
			r, err := Codec{}.DecodeResponse([]byte(x.Body))
			if err != nil {
				t.Fatal(err)
			}
			out := Codec{}.EncodeResponse(nil, r, r.Model)
			again, err := Codec{}.DecodeResponse(out)
			if err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			var got said
			got.add(again)
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			// In a stream, arguments stand in one line.
			var streamed said
			streamed.add(fold(t, stream(r)))
			streamed.calls, want.calls = flat(streamed.calls), flat(want.calls)
			if streamed != want {
				t.Errorf("streamed %+v\nwant     %+v", streamed, want)
			}
			return
		}
		var out []byte
		r, w := Codec{}.NewEventReader(), Codec{}.NewEventWriter(dialects.WriterOptions{Model: "m"})
		take := func(events []conversation.Event, err error) {
			if err != nil {
				t.Fatal(err)
			}
			for i := range events {
				out = w.Append(out, &events[i])
			}
		}
		dialecttest.EachFrame(t, strings.NewReader(x.Body), func(ev sse.Event) { take(r.Read(ev, nil)) })
		take(r.End(nil))
		var got said
		got.add(fold(t, string(out)))
		if got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
}

// flat is s without line ends.
func flat(s string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(s) }

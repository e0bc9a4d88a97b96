package conversation

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
)

// answer is a provider's answer to a request in which a name was changed, a free-text tool became a function and the
// answer was asked for as a call.
func answer() *Response {
	return &Response{UsageKnown: true, Choices: []Choice{
		{Stop: StopToolCalls, Blocks: []Block{
			{Kind: Text, Text: "so"},
			{Kind: Call, Call: &ToolCall{ID: "1", Name: "a_b_x1", Arguments: `{"k":1}`}},
			{Kind: Call, Call: &ToolCall{ID: "2", Name: "patch", Arguments: `{"input":"line 1\nline \"2\""}`}},
		}},
		{Stop: StopToolCalls, Blocks: []Block{{Kind: Call, Call: &ToolCall{ID: "3", Name: "json", Arguments: `{"x":[1]}`}}}},
	}}
}

func rewrites() *Rewrites {
	w := new(Rewrites)
	w.Rename("a.b", "a_b_x1")
	w.Rename("same", "same")
	w.FreeText("patch")
	w.Answer("json")
	return w
}

var restoredAnswer = []Choice{
	{Stop: StopToolCalls, Blocks: []Block{
		{Kind: Text, Text: "so"},
		{Kind: Call, Call: &ToolCall{ID: "1", Name: "a.b", Arguments: `{"k":1}`}},
		{Kind: Call, Call: &ToolCall{ID: "2", Name: "patch", Arguments: "line 1\nline \"2\"", Custom: true}},
	}},
	{Stop: StopEnd, Blocks: []Block{{Kind: Text, Text: `{"x":[1]}`}}},
}

func TestRewritesAreUndoneInAWholeAnswer(t *testing.T) {
	r := answer()
	rewrites().Response(r)
	if !reflect.DeepEqual(r.Choices, restoredAnswer) {
		got, _ := json.Marshal(r.Choices)
		t.Errorf("got %s", got)
	}
}

func TestRewritesAreUndoneInAStream(t *testing.T) {
	s := rewrites().Events()
	var choices [2]Choice
	for ev := range answer().Events() {
		for _, piece := range pieces(ev) {
			for _, got := range s.Restore([]Event{piece}) {
				collect(&choices[got.Choice], got)
			}
		}
	}
	if !reflect.DeepEqual(choices[:], restoredAnswer) {
		got, _ := json.Marshal(choices)
		t.Errorf("got %s", got)
	}
}

// pieces cuts a delta into one for each byte.
func pieces(ev Event) []Event {
	if ev.Type != EventDelta {
		return []Event{ev}
	}
	var out []Event
	for i := range len(ev.Text) {
		one := ev
		one.Text = ev.Text[i : i+1]
		out = append(out, one)
	}
	return out
}

// collect adds one event to what a client has of a choice.
func collect(c *Choice, ev Event) {
	switch ev.Type {
	case EventBlockStart:
		b := *ev.Block
		if b.Call != nil {
			call := *b.Call
			b.Call = &call
		}
		c.Blocks = append(c.Blocks, b)
	case EventDelta:
		b := &c.Blocks[ev.Index]
		if b.Kind == Call {
			b.Call.Arguments += ev.Text
		} else {
			b.Text += ev.Text
		}
	case EventStop:
		c.Stop = ev.Stop
	}
}

func TestNoRewritesChangeNothing(t *testing.T) {
	for _, w := range []*Rewrites{nil, new(Rewrites)} {
		w.Rename("a", "a")
		r := answer()
		w.Response(r)
		if !w.None() || w.Events() != nil || !reflect.DeepEqual(r, answer()) {
			t.Errorf("%v changed something", w)
		}
	}
	var none *Rewrites
	none.Rename("a", "b")
	none.FreeText("a")
	none.Answer("a")
	if !none.None() {
		t.Error("nil remembers")
	}
}

func TestArgumentsThatAreNotTheSchemasAreTheText(t *testing.T) {
	for arguments, want := range map[string]string{
		`{"input":"x"}`:          "x",
		`{"input":"x","b":"y"}`:  `{"input":"x","b":"y"}`,
		`{"input":1}`:            `{"input":1}`,
		`plain`:                  "plain",
		``:                       "",
		FreeTextArguments("a\n"): "a\n",
	} {
		if got := freeText(arguments); got != want {
			t.Errorf("%s: %q, want %q", arguments, got, want)
		}
	}
}

func TestWholeNumbersHaveNoFraction(t *testing.T) {
	var got []Number
	for _, n := range []Number{"", "40", "40.0", "4e1", "0.5", "-1.5"} {
		got = append(got, n.Whole())
	}
	if want := []Number{"", "40", "40", "40", "0", "-1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEventsMayBeReadIntoTheMemoryOfThoseRestoredBefore(t *testing.T) {
	var w Rewrites
	w.FreeText("patch")
	s := w.Events()
	var got []Event
	var buf []Event
	for _, ev := range []Event{
		{Type: EventStart},
		{Type: EventBlockStart, Block: &Block{Kind: Call, Call: &ToolCall{Name: "patch"}}},
		{Type: EventDelta, Delta: DeltaArguments, Text: `{"input":"x"}`},
		{Type: EventBlockStop},
		{Type: EventStop, Stop: StopToolCalls},
		{Type: EventEnd},
	} {
		buf = s.Restore(append(buf[:0], ev))
		got = append(got, buf...)
	}
	var types []EventType
	for _, ev := range got {
		types = append(types, ev.Type)
	}
	if want := []EventType{EventStart, EventBlockStart, EventDelta, EventBlockStop, EventStop, EventEnd}; !slices.Equal(types, want) {
		t.Errorf("got %v, want %v", types, want)
	}
	if got[2].Text != "x" {
		t.Errorf("the text is %q", got[2].Text)
	}
}

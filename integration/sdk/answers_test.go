package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

var pieces = []string{"Herons ", "are “grey”, ", "white 🐦 ", "or \\blue\\\n."}

func says(question) reply { return reply{text: pieces} }

func checkAnswer(t *testing.T, l lane, got answer, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	want := answer{text: joined(pieces), input: inputTokens, cached: cachedTokens, output: outputTokens, stop: atWill}
	if l.dialect == ollamaDialect {
		want.cached = 0 // nobody says
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// checkAsked sees to it that the upstream was asked once, and for what.
func checkAsked(t *testing.T, u *upstream, stream bool) {
	t.Helper()
	asked := u.asked()
	if len(asked) != 1 {
		t.Fatalf("the upstream was asked %d times, want once", len(asked))
	}
	if q := asked[0]; q.prompt != secretPrompt || q.stream != stream || stream && !q.wantsUsage {
		t.Errorf("the upstream was asked %+v", q)
	}
}

func TestAnAnswerArrivesInOnePiece(t *testing.T) {
	onEveryLane(t, func(t *testing.T, l lane) {
		c, u := l.connect(t, says)
		got, err := c.ask(t.Context(), turn{model: u.model})
		checkAnswer(t, l, got, err)
		checkAsked(t, u, false)
	})
}

func TestAStreamAddsUpToTheAnswer(t *testing.T) {
	onEveryLane(t, func(t *testing.T, l lane) {
		c, u := l.connect(t, says)
		var heard []string
		got, err := c.ask(t.Context(), turn{model: u.model, stream: true, onText: func(piece string) { heard = append(heard, piece) }})
		checkAnswer(t, l, got, err)
		checkAsked(t, u, true)
		if !slices.Equal(heard, pieces) {
			t.Errorf("the text came as %q, want %q", heard, pieces)
		}
	})
}

func TestEveryPieceArrivesBeforeTheNextOneIsMade(t *testing.T) {
	// The upstream makes a piece only when the client has the one before it. A gateway that holds any of them back
	// stands still.
	onEveryLane(t, func(t *testing.T, l lane) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		step := make(chan struct{}, len(pieces))
		c, u := l.connect(t, func(question) reply { return reply{text: pieces, step: step} })
		got, err := c.ask(ctx, turn{model: u.model, stream: true, onText: func(string) { step <- struct{}{} }})
		checkAnswer(t, l, got, err)
	})
}

func TestAClientThatLeavesEndsTheUpstreamsWork(t *testing.T) {
	onEveryLane(t, func(t *testing.T, l lane) {
		left := make(chan struct{})
		c, u := l.connect(t, func(question) reply { return reply{text: pieces[:1], end: held, left: left} })
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err := c.ask(ctx, turn{model: u.model, stream: true, onText: func(string) { cancel() }})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the client ended with %v, want context.Canceled", err)
		}
		select {
		case <-left:
		case <-time.After(patience):
			t.Fatal("the upstream's request was not canceled")
		}
		if n := len(u.asked()); n != 1 {
			t.Errorf("the upstream was asked %d times, want once", n)
		}
	})
}

// forecast has the tool called for two cities at once, and tells the results.
func forecast(q question) reply {
	if len(q.results) == 0 {
		return reply{calls: []toolCall{
			{id: "call_x1", name: toolName, arguments: `{"city":"Zürich"}`},
			{id: "call_x2", name: toolName, arguments: `{"city":"Bern"}`},
		}}
	}
	r := reply{text: []string{"It is "}}
	for _, c := range q.calls {
		r.text = append(r.text, q.results[c.id], ".")
	}
	return r
}

func TestToolsAreCalledSideBySideAndTheirResultsFindTheirWayBack(t *testing.T) {
	onEveryLane(t, func(t *testing.T, l lane) {
		for _, stream := range []bool{false, true} {
			c, u := l.connect(t, forecast)
			var cities []string
			got, err := c.ask(t.Context(), turn{model: u.model, stream: stream, run: func(arguments string) string {
				city := cityIn(arguments)
				cities = append(cities, city)
				return "raining in " + city
			}})
			if err != nil {
				t.Fatalf("stream %t: %v", stream, err)
			}
			if got.stop != atWill || !strings.HasPrefix(got.text, "It is ") || !strings.Contains(got.text, "raining in Zürich") {
				t.Errorf("stream %t: the last answer is %+v", stream, got)
			}
			if !slices.Equal(cities, []string{"Zürich", "Bern"}) {
				t.Errorf("stream %t: the tool was run for %q", stream, cities)
			}
			checkToolTurns(t, u.asked())
		}
	})
}

func cityIn(arguments string) string {
	var in struct{ City string }
	_ = json.Unmarshal([]byte(arguments), &in) // what is no JSON names no city
	return in.City
}

// checkToolTurns looks at the two questions of a turn with tools. That every result has its call, the upstream has seen
// to.
func checkToolTurns(t *testing.T, asked []question) {
	t.Helper()
	if len(asked) != 2 {
		t.Fatalf("the upstream was asked %d times, want twice", len(asked))
	}
	for i, q := range asked {
		if !slices.Equal(q.tools, []string{toolName}) {
			t.Errorf("question %d offered the tools %q", i, q.tools)
		}
	}
	q := asked[1]
	if len(q.calls) != 2 || len(q.results) != 2 {
		t.Fatalf("the second question held the calls %+v and the results %q", q.calls, q.results)
	}
	for i, city := range []string{"Zürich", "Bern"} {
		c := q.calls[i]
		if c.name != toolName || cityIn(c.arguments) != city || !strings.Contains(q.results[c.id], "raining in "+city) {
			t.Errorf("the second question held the call %+v with the result %q, want %s", c, q.results[c.id], city)
		}
	}
}

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

func checkAnswer(t *testing.T, got answer, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	want := answer{text: joined(pieces), input: inputTokens, output: outputTokens, ended: true}
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
	if q := asked[0]; q.model != "heron-1" || q.prompt != secretPrompt || q.stream != stream || stream && !q.wantsUsage {
		t.Errorf("the upstream was asked %+v", q)
	}
}

func TestAnAnswerArrivesInOnePiece(t *testing.T) {
	onEveryLane(t, func(t *testing.T, l lane) {
		c, u := l.connect(t, says)
		got, err := c.ask(t.Context(), turn{model: "bird"})
		checkAnswer(t, got, err)
		checkAsked(t, u, false)
	})
}

func TestAStreamAddsUpToTheAnswer(t *testing.T) {
	onEveryLane(t, func(t *testing.T, l lane) {
		c, u := l.connect(t, says)
		var heard []string
		got, err := c.ask(t.Context(), turn{model: "bird", stream: true, onText: func(piece string) { heard = append(heard, piece) }})
		checkAnswer(t, got, err)
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
		c, _ := l.connect(t, func(question) reply { return reply{text: pieces, step: step} })
		got, err := c.ask(ctx, turn{model: "bird", stream: true, onText: func(string) { step <- struct{}{} }})
		checkAnswer(t, got, err)
	})
}

func TestAClientThatLeavesEndsTheUpstreamsWork(t *testing.T) {
	onEveryLane(t, func(t *testing.T, l lane) {
		left := make(chan struct{})
		c, u := l.connect(t, func(question) reply { return reply{text: pieces[:1], end: held, left: left} })
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err := c.ask(ctx, turn{model: "bird", stream: true, onText: func(string) { cancel() }})
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

// forecast calls the tool until it has its result, and tells it then.
func forecast(q question) reply {
	for _, result := range q.results {
		return reply{text: []string{"It is ", result}}
	}
	return reply{call: &toolCall{id: "call_x1", name: toolName, arguments: `{"city":"Zürich"}`}}
}

func TestAToolIsCalledAndItsResultFindsItsWayBack(t *testing.T) {
	for name, stream := range map[string]bool{"in one piece": false, "streamed": true} {
		t.Run(name, func(t *testing.T) {
			onEveryLane(t, func(t *testing.T, l lane) {
				c, u := l.connect(t, forecast)
				var arguments []string
				got, err := c.ask(t.Context(), turn{model: "bird", stream: stream, run: func(a string) string {
					arguments = append(arguments, a)
					return "raining"
				}})
				if err != nil {
					t.Fatal(err)
				}
				if !got.ended || !strings.HasPrefix(got.text, "It is ") || !strings.Contains(got.text, "raining") {
					t.Errorf("the last answer is %+v", got)
				}
				if len(arguments) != 1 || cityIn(arguments[0]) != "Zürich" {
					t.Errorf("the tool was run with %q", arguments)
				}
				checkToolTurns(t, u.asked())
			})
		})
	}
}

func cityIn(arguments string) string {
	var in struct{ City string }
	_ = json.Unmarshal([]byte(arguments), &in) // what is no JSON names no city
	return in.City
}

// checkToolTurns looks at the two questions of a tool call. That every result has its call, the upstream has seen to.
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
	if len(q.calls) != 1 || q.calls[0].name != toolName || cityIn(q.calls[0].arguments) != "Zürich" {
		t.Fatalf("the second question held the calls %+v", q.calls)
	}
	if len(q.results) != 1 || !strings.Contains(q.results[q.calls[0].id], "raining") {
		t.Errorf("the second question held the results %q", q.results)
	}
}

package dialecttest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

// Grammar is the order of events that package conversation promises to writers, for one stream. The zero value has seen
// no event.
type Grammar struct {
	started, ended bool
	open           map[int]bool // by choice, as the others
	next           map[int]int
	stopped        map[int]bool
}

// Check is the breach of the order that an event is, if it is one.
func (g *Grammar) Check(ev *conversation.Event) error {
	if g.open == nil {
		g.open, g.next, g.stopped = map[int]bool{}, map[int]int{}, map[int]bool{}
	}
	switch {
	case g.ended:
		return errors.New("after the end")
	case ev.Type == conversation.EventPing:
	case ev.Type == conversation.EventError:
		g.ended = true
	case ev.Type == conversation.EventStart:
		if g.started {
			return errors.New("a second start")
		}
		g.started = true
	case !g.started:
		return errors.New("before the start")
	case ev.Type == conversation.EventEnd:
		if len(g.stopped) == 0 {
			return errors.New("end without stop")
		}
		g.ended = true
	default:
		return g.checkChoice(ev)
	}
	return nil
}

// checkChoice checks the events that belong to one choice.
func (g *Grammar) checkChoice(ev *conversation.Event) error {
	c := ev.Choice
	isCurrent := g.open[c] && ev.Index == g.next[c]
	switch ev.Type {
	case conversation.EventBlockStart:
		if g.open[c] || g.stopped[c] || ev.Index != g.next[c] || ev.Block == nil {
			return errors.New("block out of order")
		}
		g.open[c] = true
	case conversation.EventDelta:
		if !isCurrent {
			return errors.New("delta outside of its block")
		}
	case conversation.EventBlockStop:
		if !isCurrent {
			return errors.New("stop of a block that is not open")
		}
		g.open[c] = false
		g.next[c]++
	case conversation.EventStop:
		if g.open[c] || g.stopped[c] {
			return errors.New("stop out of order")
		}
		g.stopped[c] = true
	}
	return nil
}

// CheckGrammar fails the test at the first event that is out of order.
func CheckGrammar(t testing.TB, events []conversation.Event) {
	t.Helper()
	if err := GrammarError(events); err != nil {
		t.Fatal(err)
	}
}

// GrammarError is the first breach of the order of events, or nil.
func GrammarError(events []conversation.Event) error {
	var g Grammar
	for i := range events {
		if err := g.Check(&events[i]); err != nil {
			return fmt.Errorf("event %d of %d: %w: %+v", i, len(events), err, events[i])
		}
	}
	return nil
}

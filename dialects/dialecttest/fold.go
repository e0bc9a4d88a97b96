package dialecttest

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

// Fold puts the events of a stream together as the response that they tell of. Logprobs are left to [Logprobs].
func Fold(origin string, events []conversation.Event) *conversation.Response {
	r := &conversation.Response{Origin: origin, Choices: make([]conversation.Choice, 1)}
	for i := range events {
		ev := &events[i]
		for len(r.Choices) <= ev.Choice {
			r.Choices = append(r.Choices, conversation.Choice{})
		}
		c := &r.Choices[ev.Choice]
		switch ev.Type {
		case conversation.EventStart:
			r.ID, r.Model, r.Created, r.Usage, r.UsageKnown = ev.ID, ev.Model, ev.Created, ev.Usage, ev.UsageKnown
		case conversation.EventBlockStart:
			b := *ev.Block
			if b.Call != nil {
				b.Call = new(*b.Call)
			}
			b.Citations = slices.Clip(b.Citations)
			c.Blocks = append(c.Blocks, b)
		case conversation.EventDelta:
			foldDelta(&c.Blocks[ev.Index], ev)
		case conversation.EventBlockStop:
			if late := ev.Block; late != nil {
				c.Blocks[ev.Index].Signature, c.Blocks[ev.Index].Origin = late.Signature, late.Origin
			}
		case conversation.EventUsage:
			r.Usage, r.UsageKnown = ev.Usage, true
		case conversation.EventStop:
			c.Stop, c.StopSequence, c.StopDetail = ev.Stop, ev.StopSequence, ev.StopDetail
		}
	}
	return r
}

func foldDelta(b *conversation.Block, ev *conversation.Event) {
	switch ev.Delta {
	case conversation.DeltaArguments:
		b.Call.Arguments += ev.Text
	case conversation.DeltaSignature:
		b.Signature += ev.Text
	case conversation.DeltaCitation:
		b.Citations = append(b.Citations, *ev.Citation)
	default:
		b.Text += ev.Text
	}
}

// Logprobs are those of a stream of one choice in the form that a whole response has them in, or nil. The members in
// rest, each with a comma before it, follow the tokens.
func Logprobs(events []conversation.Event, rest string) json.RawMessage {
	var tokens []string
	for i := range events {
		if len(events[i].Logprobs) > 0 {
			tokens = append(tokens, string(events[i].Logprobs))
		}
	}
	if tokens == nil {
		return nil
	}
	return json.RawMessage(`{"content":[` + strings.Join(tokens, ",") + `]` + rest + `}`)
}

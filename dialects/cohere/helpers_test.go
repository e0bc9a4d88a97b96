package cohere

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// stream makes a stream of events, each of which is a JSON document.
func stream(events ...string) string {
	var b strings.Builder
	for _, ev := range events {
		b.WriteString("event: " + gjson.Get(ev, "type").Str + "\ndata: " + ev + "\n\n")
	}
	return b.String()
}

// frames calls f for every frame of a stream.
func frames(r io.Reader, f func(sse.Event) error) error {
	reader := sse.NewReader(r, 0)
	defer reader.Release()
	for {
		ev, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f(ev); err != nil {
			return err
		}
	}
}

// readEvents reads a whole stream; the events are copies that stay valid.
func readEvents(r io.Reader) ([]conversation.Event, error) {
	er := Codec{}.NewEventReader()
	var all, out []conversation.Event
	keep := func() {
		for _, ev := range out {
			ev.Text, ev.Logprobs = strings.Clone(ev.Text), append([]byte(nil), ev.Logprobs...)
			all = append(all, ev)
		}
	}
	err := frames(r, func(ev sse.Event) (err error) {
		out, err = er.Read(ev, out[:0])
		keep()
		return err
	})
	if err != nil {
		return all, err
	}
	out, err = er.End(out[:0])
	keep()
	return all, err
}

// dump prints events one per line.
func dump(events []conversation.Event) string {
	var b strings.Builder
	for _, ev := range events {
		switch ev.Type {
		case conversation.EventStart:
			fmt.Fprintf(&b, "start %s\n", ev.ID)
		case conversation.EventBlockStart:
			fmt.Fprintf(&b, "block %d %s", ev.Index, kindName(ev.Block.Kind))
			if c := ev.Block.Call; c != nil {
				fmt.Fprintf(&b, " %s %s", c.ID, c.Name)
			}
			b.WriteByte('\n')
		case conversation.EventDelta:
			if c := ev.Citation; c != nil {
				fmt.Fprintf(&b, "cite %d %d-%d %s %q %q\n", ev.Index, c.Start, c.End, c.URL, c.Title, c.Quote)
				continue
			}
			fmt.Fprintf(&b, "delta %d %d %q%s\n", ev.Index, ev.Delta, ev.Text, ev.Logprobs)
		case conversation.EventBlockStop:
			fmt.Fprintf(&b, "close %d\n", ev.Index)
		case conversation.EventUsage:
			fmt.Fprintf(&b, "usage %d+%d>%d\n", ev.Usage.Input, ev.Usage.CacheRead, ev.Usage.Output)
		case conversation.EventStop:
			fmt.Fprintf(&b, "stop %d\n", ev.Stop)
		case conversation.EventEnd:
			b.WriteString("end\n")
		case conversation.EventError:
			fmt.Fprintf(&b, "error %d %s %q\n", ev.Error.Status, ev.Error.Type, ev.Error.Message)
		case conversation.EventPing:
			b.WriteString("ping\n")
		}
	}
	return b.String()
}

func kindName(k conversation.Kind) string {
	return [...]string{"text", "image", "document", "audio", "video", "call", "result", "thinking", "refusal", "opaque"}[k]
}

// checkGrammar reports the first breach of the order that package conversation promises to writers.
func checkGrammar(events []conversation.Event) error {
	open, next := -1, 0
	var started, stopped, ended bool
	for i, ev := range events {
		bad := func(what string) error { return fmt.Errorf("event %d: %s", i, what) }
		switch {
		case ended:
			return bad("after the end")
		case ev.Type == conversation.EventPing:
		case ev.Type == conversation.EventError:
			ended = true
		case ev.Type == conversation.EventStart:
			if started {
				return bad("second start")
			}
			started = true
		case !started:
			return bad("before the start")
		case ev.Type == conversation.EventBlockStart:
			if open >= 0 || stopped || ev.Index != next {
				return bad("block out of order")
			}
			open, next = ev.Index, next+1
		case ev.Type == conversation.EventDelta:
			if open != ev.Index {
				return bad("delta outside of its block")
			}
		case ev.Type == conversation.EventBlockStop:
			if open != ev.Index {
				return bad("stop of a block that is not open")
			}
			open = -1
		case ev.Type == conversation.EventStop:
			if open >= 0 || stopped {
				return bad("stop out of order")
			}
			stopped = true
		case ev.Type == conversation.EventEnd:
			if !stopped {
				return bad("end without stop")
			}
			ended = true
		}
	}
	return nil
}

// fold puts a stream together as a response.
func fold(events []conversation.Event) *conversation.Response {
	r := &conversation.Response{Origin: origin, Choices: make([]conversation.Choice, 1)}
	c := &r.Choices[0]
	var logprobs []string
	for _, ev := range events {
		switch ev.Type {
		case conversation.EventStart:
			r.ID, r.Model, r.Created = ev.ID, ev.Model, ev.Created
		case conversation.EventBlockStart:
			b := *ev.Block
			if b.Call != nil {
				b.Call = new(*ev.Block.Call)
			}
			c.Blocks = append(c.Blocks, b)
		case conversation.EventDelta:
			if len(ev.Logprobs) > 0 {
				logprobs = append(logprobs, string(ev.Logprobs))
			}
			foldDelta(&c.Blocks[ev.Index], &ev)
		case conversation.EventUsage:
			r.Usage, r.UsageKnown = ev.Usage, true
		case conversation.EventStop:
			c.Stop = ev.Stop
		}
	}
	if len(logprobs) > 0 {
		c.Logprobs = []byte(`{"content":[` + strings.Join(logprobs, ",") + `],"refusal":null}`)
	}
	return r
}

func foldDelta(b *conversation.Block, ev *conversation.Event) {
	switch ev.Delta {
	case conversation.DeltaArguments:
		b.Call.Arguments += ev.Text
	case conversation.DeltaCitation:
		b.Citations = append(b.Citations, *ev.Citation)
	case conversation.DeltaSignature:
		b.Signature += ev.Text
	default:
		b.Text += ev.Text
	}
}

// flat prints a response in a form that compares well.
func flat(r *conversation.Response) string {
	var b strings.Builder
	for _, c := range r.Choices {
		for _, block := range c.Blocks {
			fmt.Fprintf(&b, "%s %q %s %s", kindName(block.Kind), block.Text, block.Signature, block.Origin)
			if block.Call != nil {
				fmt.Fprintf(&b, " %+v", *block.Call)
			}
			for _, cite := range block.Citations {
				fmt.Fprintf(&b, " [%d-%d %s %q %q]", cite.Start, cite.End, cite.URL, cite.Title, cite.Quote)
			}
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "stop %d %s\n", c.Stop, c.Logprobs)
	}
	fmt.Fprintf(&b, "%s %s usage %v %+v\n", r.ID, r.Model, r.UsageKnown, r.Usage)
	return b.String()
}

// mustValid fails the test unless got is valid JSON.
func mustValid(t *testing.T, got []byte) gjson.Result {
	t.Helper()
	if !gjson.ValidBytes(got) {
		t.Fatalf("not valid JSON: %s", got)
	}
	return gjson.ParseBytes(got)
}

func text(s string) conversation.Block {
	return conversation.Block{Kind: conversation.Text, Text: s}
}

func user(blocks ...conversation.Block) conversation.Message {
	return conversation.Message{Role: conversation.User, Blocks: blocks}
}

func assistant(blocks ...conversation.Block) conversation.Message {
	return conversation.Message{Role: conversation.Assistant, Blocks: blocks}
}

func call(id, name, arguments string) conversation.Block {
	return conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{ID: id, Name: name, Arguments: arguments}}
}

func result(id, name string, content ...conversation.Block) conversation.Block {
	return conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{CallID: id, Name: name, Content: content}}
}

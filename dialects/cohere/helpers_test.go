package cohere

import (
	"fmt"
	"io"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
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

// dump prints events one per line.
func dump(events []conversation.Event) string {
	var b strings.Builder
	for _, ev := range events {
		switch ev.Type {
		case conversation.EventStart:
			fmt.Fprintf(&b, "start %s\n", ev.ID)
		case conversation.EventBlockStart:
			fmt.Fprintf(&b, "block %d %s", ev.Index, dialecttest.KindName(ev.Block.Kind))
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

// flat prints a response in a form that compares well.
func flat(r *conversation.Response) string {
	var b strings.Builder
	for _, c := range r.Choices {
		for _, block := range c.Blocks {
			fmt.Fprintf(&b, "%s %q %s %s", dialecttest.KindName(block.Kind), block.Text, block.Signature, block.Origin)
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
	fmt.Fprintf(&b, "%s %s usage %v %s\n", r.ID, r.Model, r.UsageKnown, dialecttest.UsageText(r.Usage))
	return b.String()
}

// frames calls f for every frame of a stream.
func frames(r io.Reader, f func(sse.Event) error) error {
	return dialecttest.Frames(sse.NewReader(r, 0), f)
}

// readEvents reads a whole stream.
func readEvents(r io.Reader) ([]conversation.Event, error) {
	return dialecttest.ReadEvents(sse.NewReader(r, 0), Codec{}.NewEventReader())
}

// fold puts a stream together as a response.
func fold(events []conversation.Event) *conversation.Response {
	r := dialecttest.Fold(origin, events)
	r.Choices[0].Logprobs = dialecttest.Logprobs(events, `,"refusal":null`)
	return r
}

// Short words for requests.
var (
	user, assistant    = dialecttest.User, dialecttest.Assistant
	text, call, result = dialecttest.Text, dialecttest.Call, dialecttest.Result
)

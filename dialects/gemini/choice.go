package gemini

import (
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// choice is the state of one candidate of a stream.
type choice struct {
	number int
	ids    *callIDs
	texts  *[]byte // where the texts of a frame are

	open      bool
	kind      conversation.Kind // of the open block
	index     int               // of the open block, or of the next one
	signature string            // one that came after its text had begun
	partial   *partialArgs      // of an open call

	said  []byte // the text of the open block, for the offsets of citations
	past  int    // bytes of the text blocks before it
	cited int    // supports that were seen

	called   bool
	finished bool
	stop     conversation.StopReason
	detail   string
}

// piece is a part that belongs to a text, a thought or a call.
type piece struct {
	said, thought bool
	other         bool   // there is something else in it
	text, call    string // raw
	signature     string
}

// part appends the events of one part.
func (c *choice) part(part gjson.Result, out []conversation.Event) ([]conversation.Event, error) {
	var p piece
	jsonedit.EachMember(part.Raw, func(key, raw string) bool {
		switch key {
		case "text":
			p.text, p.said = raw, true
		case "thought":
			p.thought = raw == "true"
		case "thoughtSignature":
			p.signature = jsonedit.ScalarText(raw)
		case "functionCall":
			p.call = raw
		case "partMetadata", "videoMetadata", "mediaResolution":
		default:
			p.other = true
		}
		return true
	})
	switch {
	case p.call != "":
		return c.call(p.signature, gjson.Parse(p.call), out)
	case p.said && !p.other:
		return c.text(&p, part.Raw, out), nil
	}
	// A copy, because the block outlives the frame.
	part = gjson.Parse(strings.Clone(part.Raw))
	b, ok := decodePart(part)
	if !ok {
		return out, nil
	}
	if b.Kind == conversation.Text { // a signature and nothing else
		return c.sign(b.Signature, part.Raw, out), nil
	}
	return c.whole(&b, out), nil
}

// text appends a piece of text or of a thought.
func (c *choice) text(p *piece, raw string, out []conversation.Event) []conversation.Event {
	start := len(*c.texts)
	*c.texts = jsonedit.AppendText(*c.texts, p.text)
	text := jsonedit.View((*c.texts)[start:])
	switch {
	case p.thought:
		return c.thought(text, p.signature, out)
	case text == "" && p.signature == "":
		return out
	case text == "":
		return c.sign(p.signature, strings.Clone(raw), out)
	}
	if !c.open || c.kind != conversation.Text {
		b := &conversation.Block{Kind: conversation.Text}
		if p.signature != "" {
			b.Signature, b.Origin = p.signature, origin
		}
		out = c.begin(b, c.close(out))
	} else if p.signature != "" {
		c.signature = p.signature
	}
	c.said = append(c.said, text...)
	return append(out, c.delta(conversation.DeltaText, text))
}

// thought appends a piece of a thought. A signature ends it.
func (c *choice) thought(text, signature string, out []conversation.Event) []conversation.Event {
	if text == "" && signature == "" {
		return out
	}
	if !c.open || c.kind != conversation.Thinking {
		out = c.begin(&conversation.Block{Kind: conversation.Thinking, Origin: origin}, c.close(out))
	}
	if text != "" {
		out = append(out, c.delta(conversation.DeltaThinking, text))
	}
	if signature != "" {
		out = append(out, c.delta(conversation.DeltaSignature, signature))
		out = c.close(out)
	}
	return out
}

// sign takes a signature that came with an empty text. It belongs to the text before it and is handed over when that
// ends; after anything else the part stands for itself.
func (c *choice) sign(signature, raw string, out []conversation.Event) []conversation.Event {
	if c.open && c.kind == conversation.Text {
		c.signature = signature
		return out
	}
	return c.whole(&conversation.Block{Kind: conversation.Opaque, Raw: json.RawMessage(raw), Origin: origin}, out)
}

// whole appends a block that came in one piece.
func (c *choice) whole(b *conversation.Block, out []conversation.Event) []conversation.Event {
	return c.close(c.begin(b, c.close(out)))
}

// call appends a call: whole, or the beginning or a piece of one whose arguments are streamed. A piece that does not
// say that more will come ends its call, and so does anything else.
func (c *choice) call(signature string, call gjson.Result, out []conversation.Event) ([]conversation.Event, error) {
	pieces, goesOn := call.Get("partialArgs"), call.Get("willContinue").Bool()
	if name := call.Get("name").String(); name != "" {
		out = c.beginCall(signature, call, name, c.close(out))
		if !goesOn && !pieces.Exists() {
			out = append(out, c.delta(conversation.DeltaArguments, argumentsOf(call.Get("args"))))
			return c.close(out), nil
		}
		c.partial = new(partialArgs)
	}
	if c.partial == nil {
		return out, nil // the end of a call that has ended already
	}
	var err error
	pieces.ForEach(func(_, piece gjson.Result) bool {
		err = c.partial.add(piece)
		return err == nil
	})
	if err == nil && !goesOn {
		out = c.close(out)
	}
	return out, err
}

func (c *choice) beginCall(signature string, call gjson.Result, name string, out []conversation.Event) []conversation.Event {
	c.called = true
	name = strings.Clone(name)
	b := &conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{
		ID:   c.ids.assign(c.number, strings.Clone(call.Get("id").String()), name),
		Name: name,
	}}
	if signature != "" {
		b.Signature, b.Origin = signature, origin
	}
	return c.begin(b, out)
}

func (c *choice) begin(b *conversation.Block, out []conversation.Event) []conversation.Event {
	c.open, c.kind = true, b.Kind
	return append(out, conversation.Event{
		Type: conversation.EventBlockStart, Choice: c.number, Index: c.index, Block: b,
	})
}

func (c *choice) delta(kind conversation.DeltaType, text string) conversation.Event {
	return conversation.Event{
		Type: conversation.EventDelta, Choice: c.number, Index: c.index, Delta: kind, Text: text,
	}
}

// close ends the open block. A signature that came late goes with the end, in a Block of its own.
func (c *choice) close(out []conversation.Event) []conversation.Event {
	if !c.open {
		return out
	}
	if c.partial != nil {
		out = append(out, c.delta(conversation.DeltaArguments, c.partial.String()))
		c.partial = nil
	}
	stop := conversation.Event{Type: conversation.EventBlockStop, Choice: c.number, Index: c.index}
	if c.signature != "" {
		stop.Block = &conversation.Block{Kind: c.kind, Signature: c.signature, Origin: origin}
		c.signature = ""
	}
	c.past += len(c.said)
	c.said = c.said[:0]
	c.open = false
	c.index++
	return append(out, stop)
}

// weigh attaches the log probabilities of a chunk to its last piece of text. Those of a chunk without text are of tokens
// that a client does not see.
func weigh(logprobs string, events []conversation.Event) {
	for i := len(events) - 1; i >= 0; i-- {
		if ev := &events[i]; ev.Type == conversation.EventDelta && ev.Delta == conversation.DeltaText {
			ev.Logprobs = appendTokens(nil, gjson.Parse(logprobs))
			return
		}
	}
}

// cite appends the citations that are about the open text. Metadata may come again with more in it.
func (c *choice) cite(grounding gjson.Result, out []conversation.Event) []conversation.Event {
	if !c.open || c.kind != conversation.Text {
		return out
	}
	var supports []support
	if supports, c.cited = readSupports(grounding, c.cited); c.cited == 0 && c.finished {
		supports = unplaced(grounding)
	}
	for _, s := range supports {
		start, end := c.place(s.segment)
		for i := range s.sources {
			citation := s.sources[i]
			citation.Start, citation.End = start, end
			ev := c.delta(conversation.DeltaCitation, "")
			ev.Citation = &citation
			out = append(out, ev)
		}
	}
	return out
}

// place finds a segment in the open text: counted from its beginning, or from that of the whole answer.
func (c *choice) place(s segment) (start, end int) {
	text := jsonedit.View(c.said)
	if start, end, ok := charRange(text, s.start, s.end, s.text); ok {
		return start, end
	}
	s.start, s.end = s.start-c.past, s.end-c.past
	_, start, end = locate([]string{text}, 0, s)
	return start, end
}

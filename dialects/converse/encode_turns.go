package converse

import (
	"slices"
	"strings"
	"unicode"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

// turn is what one side says before the other speaks again.
type turn struct {
	role   conversation.Role // User or Assistant
	blocks []*conversation.Block
}

// opening stands before a conversation that starts with an answer.
var opening = conversation.Block{Kind: conversation.Text, Text: "…"}

// planTurns brings the conversation into the form that the API accepts: system prompts apart, questions and answers in
// turn, a question first, results first in it, nothing empty.
func (e *requestEncoder) planTurns() {
	blocks := 0
	for i := range e.r.Messages {
		blocks += len(e.r.Messages[i].Blocks)
	}
	e.blocks, e.turns = make([]*conversation.Block, 0, blocks), make([]turn, 0, len(e.r.Messages)+1)
	for i := range e.r.Messages {
		m := &e.r.Messages[i]
		if m.Name != "" {
			e.note("name")
		}
		if m.Role == conversation.System || m.Role == conversation.Developer {
			e.planSystem(m)
		} else {
			e.planMessage(m)
		}
	}
	for _, t := range e.turns {
		if t.role == conversation.User {
			resultsFirst(t.blocks)
		}
	}
	e.trimPrefill()
	if len(e.turns) == 0 && len(e.system) > 0 && e.err == nil {
		// Other vendors answer a system prompt alone. Here it has to be the question.
		e.turns, e.system = append(e.turns, turn{role: conversation.User, blocks: e.system}), nil
	}
	switch {
	case len(e.turns) == 0 && e.err == nil:
		e.err = dialects.BadRequest("messages", "the conversation has no message that can be sent")
	case len(e.turns) > 0 && e.turns[0].role == conversation.Assistant:
		e.turns = append([]turn{{role: conversation.User, blocks: []*conversation.Block{&opening}}}, e.turns...)
	}
}

func (e *requestEncoder) planSystem(m *conversation.Message) {
	for i := range m.Blocks {
		switch b := &m.Blocks[i]; {
		case b.Kind != conversation.Text:
			e.note("system")
		case !blank(b.Text):
			e.system = append(e.system, b)
		}
	}
}

func (e *requestEncoder) planMessage(m *conversation.Message) {
	for i := range m.Blocks {
		b := &m.Blocks[i]
		if !e.keep(m.Role, b) {
			continue
		}
		b = e.identify(b)
		if n := len(e.turns); n == 0 || e.turns[n-1].role != m.Role {
			e.turns = append(e.turns, turn{role: m.Role, blocks: e.blocks[len(e.blocks):]})
		}
		// The blocks of a turn stand in a row, and there is room for all of them: appending to the turn and to the
		// whole writes the same place.
		t := &e.turns[len(e.turns)-1]
		t.blocks, e.blocks = append(t.blocks, b), append(e.blocks, b)
	}
}

// keep decides whether a block can be sent. What is dropped is noted, unless it says nothing.
func (e *requestEncoder) keep(role conversation.Role, b *conversation.Block) bool {
	switch b.Kind {
	case conversation.Text, conversation.Refusal:
		if len(b.Citations) > 0 {
			e.note("citations")
		}
		return !blank(b.Text)
	case conversation.Call:
		return role == conversation.Assistant
	case conversation.Result:
		for i := range b.Result.Content {
			e.checkResult(&b.Result.Content[i])
		}
		return role == conversation.User
	case conversation.Thinking:
		if role == conversation.Assistant && e.understands(b) {
			return true
		}
		if b.Text != "" || b.Redacted {
			e.note("thinking")
		}
	case conversation.Opaque:
		e.note("content")
	case conversation.Image, conversation.Document, conversation.Video:
		if role == conversation.User {
			e.checkMedia(b)
			return true
		}
		e.note("assistant_media")
	case conversation.Audio:
		e.refuse("messages", "audio input is not supported by this model")
	}
	return false
}

// checkResult looks at what stands in a tool result.
func (e *requestEncoder) checkResult(b *conversation.Block) {
	switch b.Kind {
	case conversation.Text, conversation.Refusal:
	case conversation.Image, conversation.Document, conversation.Video:
		e.checkMedia(b)
	case conversation.Audio:
		e.refuse("messages", "audio input is not supported by this model")
	default:
		e.note("content")
	}
}

// understands reports whether the model can be given a piece of thinking. Claude demands its own signature; others have
// none and recognize only what came through this dialect.
func (e *requestEncoder) understands(b *conversation.Block) bool {
	if b.Origin == origin && !e.model.is(anthropic) {
		return true
	}
	return b.Signature != "" && (b.Origin == origin || b.Origin == anthropicOrigin && e.model.is(anthropic))
}

// identify gives calls the ids that they are sent with, and results those of their calls.
func (e *requestEncoder) identify(b *conversation.Block) *conversation.Block {
	switch b.Kind {
	case conversation.Call:
		e.called = append(e.called, b.Call.Name)
		if id := e.ids.Call(b.Call.ID, b.Call.Name); id != b.Call.ID {
			c, out := *b.Call, *b
			c.ID = id
			out.Call = &c
			return &out
		}
	case conversation.Result:
		if id := e.ids.Result(b.Result.CallID, b.Result.Name); id != b.Result.CallID {
			r, out := *b.Result, *b
			r.CallID = id
			out.Result = &r
			return &out
		}
	}
	return b
}

// resultsFirst moves tool results to the front, keeping the order otherwise.
func resultsFirst(blocks []*conversation.Block) {
	rank := func(b *conversation.Block) int {
		if b.Kind == conversation.Result {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(blocks, func(a, b *conversation.Block) int { return rank(a) - rank(b) })
}

// trimPrefill removes the white space at the end of a prefilled answer, which the API refuses.
func (e *requestEncoder) trimPrefill() {
	n := len(e.turns)
	if n == 0 || e.turns[n-1].role != conversation.Assistant {
		return
	}
	blocks := e.turns[n-1].blocks
	last := blocks[len(blocks)-1]
	if text := strings.TrimRightFunc(last.Text, unicode.IsSpace); last.Kind == conversation.Text && text != last.Text {
		b := *last
		b.Text = text
		blocks[len(blocks)-1] = &b
	}
}

// hasToolBlocks reports whether the conversation holds calls or results, which need tools to be declared.
func (e *requestEncoder) hasToolBlocks() bool {
	for _, b := range e.blocks {
		if b.Kind == conversation.Call || b.Kind == conversation.Result {
			return true
		}
	}
	return false
}

// blank reports whether a text has no visible character. The API refuses such blocks.
func blank(s string) bool { return strings.TrimSpace(s) == "" }

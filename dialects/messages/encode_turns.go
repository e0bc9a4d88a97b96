package messages

import (
	"slices"
	"strings"
	"unicode"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// turn is what one side says before the other speaks again.
type turn struct {
	role   conversation.Role
	blocks []*conversation.Block
}

// planTurns brings the conversation into the form that the API accepts: system prompts apart, one message per turn,
// results first, nothing empty.
func (e *requestEncoder) planTurns() {
	started, blocks := false, 0
	for i := range e.r.Messages {
		blocks += len(e.r.Messages[i].Blocks)
	}
	e.blocks, e.turns = make([]*conversation.Block, 0, blocks), make([]turn, 0, len(e.r.Messages))
	for i := range e.r.Messages {
		m := &e.r.Messages[i]
		if m.Name != "" {
			e.note("name")
		}
		role := m.Role
		if role == conversation.System || role == conversation.Developer {
			// A system message in mid-conversation is new in this dialect. Who writes it knows a model that takes it.
			if !started || e.r.Origin != origin {
				e.planSystem(m)
				continue
			}
			role = conversation.System
		}
		started = true
		e.planMessage(role, m)
	}
	for _, t := range e.turns {
		if t.role == conversation.User {
			resultsFirst(t.blocks)
		}
	}
	e.trimPrefill()
	if len(e.turns) == 0 && len(e.system) > 0 {
		// Other vendors answer a system prompt alone. Here it has to be the question.
		e.turns, e.system = append(e.turns, turn{role: conversation.User, blocks: e.system}), nil
	}
	if len(e.turns) == 0 {
		e.refuse("messages", "the conversation has no message that can be sent")
	}
}

func (e *requestEncoder) planSystem(m *conversation.Message) {
	for i := range m.Blocks {
		switch b := &m.Blocks[i]; {
		case b.Kind == conversation.Text && !blank(b.Text):
			e.system = append(e.system, b)
		case b.Kind == conversation.Opaque && b.Origin == origin:
			e.system = append(e.system, b)
		case b.Kind != conversation.Text:
			e.note("system")
		}
	}
}

func (e *requestEncoder) planMessage(role conversation.Role, m *conversation.Message) {
	for i := range m.Blocks {
		b := &m.Blocks[i]
		if !e.keep(role, b) {
			continue
		}
		b = e.identify(b)
		if n := len(e.turns); n == 0 || e.turns[n-1].role != role {
			e.turns = append(e.turns, turn{role: role, blocks: e.blocks[len(e.blocks):]})
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
		return !blank(b.Text)
	case conversation.Call:
		return role == conversation.Assistant
	case conversation.Result:
		for i := range b.Result.Content {
			if inner := &b.Result.Content[i]; inner.Kind != conversation.Text {
				e.keep(role, inner)
			}
		}
		return role == conversation.User
	case conversation.Thinking:
		if role == conversation.Assistant && b.Origin == origin && b.Signature != "" {
			return true
		}
		if b.Text != "" || b.Redacted {
			e.note("thinking")
		}
	case conversation.Opaque:
		if b.Origin == origin {
			return true
		}
		e.note(kindOf(b.Raw))
	case conversation.Image, conversation.Document:
		if role == conversation.User {
			e.checkMedia(b)
			return true
		}
		e.note("assistant_media")
	case conversation.Audio:
		e.refuse("messages", "audio input is not supported by this model")
	case conversation.Video:
		e.refuse("messages", "video input is not supported by this model")
	}
	return false
}

// kindOf is what another vendor calls a block.
func kindOf(raw []byte) string {
	in := jsonedit.NewReader(raw)
	if kind := textIn(&in, "type"); kind != "" {
		return kind
	}
	return "content"
}

// identify gives calls the ids that they are sent with, and results those of their calls.
func (e *requestEncoder) identify(b *conversation.Block) *conversation.Block {
	switch b.Kind {
	case conversation.Call:
		if id := e.ids.Call(b.Call.ID, b.Call.Name); id != b.Call.ID {
			c, out := *b.Call, *b
			c.ID = id
			out.Call, out.Raw = &c, nil
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

// blank reports whether a text has no visible character. The API refuses such blocks.
func blank(s string) bool { return strings.TrimSpace(s) == "" }

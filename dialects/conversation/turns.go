package conversation

import (
	"slices"
	"strings"
)

// Turns returns the conversation with the calls that the assistant made in a row in one message: vendors demand that a
// message with calls is followed by their results. Some clients' dialects join what one speaker says in a row, and leave it
// to the client how many messages that is. Nothing is copied where there is nothing to join.
func Turns(all []Message) []Message {
	var out []Message // set as soon as something was joined
	add := func(m Message) {
		m.Blocks = slices.Clip(m.Blocks) // what is added to them goes elsewhere
		out = append(out, m)
	}
	calls := false // the last message is the assistant's and has calls
	for i := range all {
		m := &all[i]
		switch {
		case m.Role != Assistant:
			calls = false
		case !calls:
			calls = hasCall(m.Blocks)
		default:
			if out == nil {
				out = append(make([]Message, 0, len(all)-1), all[:i-1]...)
				add(all[i-1])
			}
			last := &out[len(out)-1]
			last.Blocks = append(last.Blocks, m.Blocks...)
			continue
		}
		if out != nil {
			add(*m)
		}
	}
	if out == nil {
		return all
	}
	return out
}

func hasCall(blocks []Block) bool {
	return slices.ContainsFunc(blocks, func(b Block) bool { return b.Kind == Call })
}

// MentionJSON reports whether a text of some messages has the word JSON, which OpenAI and those who follow it demand of
// those who ask for JSON of any shape.
func MentionJSON(messages []Message) bool {
	for i := range messages {
		for j := range messages[i].Blocks {
			if strings.Contains(strings.ToLower(messages[i].Blocks[j].Text), "json") {
				return true
			}
		}
	}
	return false
}

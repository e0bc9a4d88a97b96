package conversation

import "strings"

// Turns returns the conversation with the calls that the assistant made in a row in one message: vendors demand that a
// message with calls is followed by their results. Some clients' dialects join what one speaker says in a row, and leave it
// to the client how many messages that is. Nothing is copied where there is nothing to join.
func Turns(all []Message) []Message {
	for i := range all {
		if i > 0 && continues(&all[i-1], &all[i]) {
			return joined(all, i)
		}
	}
	return all
}

// joined is the conversation of which the message at first is the first to be joined to the one before it.
func joined(all []Message, first int) []Message {
	out := append(make([]Message, 0, len(all)-1), all[:first]...)
	for i := first; i < len(all); i++ {
		last := &out[len(out)-1]
		if !continues(last, &all[i]) {
			out = append(out, all[i])
			continue
		}
		blocks := make([]Block, 0, len(last.Blocks)+len(all[i].Blocks))
		last.Blocks = append(append(blocks, last.Blocks...), all[i].Blocks...)
	}
	return out
}

// continues reports whether a message belongs to the turn before it, which has calls that wait for their results.
func continues(before, m *Message) bool {
	if before.Role != Assistant || m.Role != Assistant {
		return false
	}
	for i := range before.Blocks {
		if before.Blocks[i].Kind == Call {
			return true
		}
	}
	return false
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

package claude

import "testing"

func TestThinkingGoesOnOnlyInTurnsThatBeganWithIt(t *testing.T) {
	// q is a question, r are results, T is an answer that begins with thinking and A one that does not.
	for conversation, want := range map[string]bool{
		"q":       false,
		"qA":      false,
		"qAr":     true,
		"qTr":     false,
		"qTrAr":   false,
		"qArTr":   true,
		"qArq":    true, // a word along with the results
		"qArAq":   false,
		"qTrAqAr": true,
		"qArAqTr": false,
		"r":       false,
	} {
		var l Loop
		for _, c := range conversation {
			switch c {
			case 'q', 'r':
				l.Question(c == 'r')
			default:
				l.Answer(c == 'T')
			}
		}
		if got := l.Refused(); got != want {
			t.Errorf("%s: got %v", conversation, got)
		}
	}
}

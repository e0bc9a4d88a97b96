package dialects

import (
	"testing"
)

func TestPlacesArePutIntoTheWordsOfErrors(t *testing.T) {
	messages := Place{Key: "messages"}
	third := messages.At(2)
	content := third.In("content")
	for p, want := range map[*Place]string{nil: "", &messages: "messages", &third: "messages[2]", &content: "messages[2].content"} {
		if got := p.Path(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

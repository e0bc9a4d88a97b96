package dialects

import (
	"strconv"
	"testing"
)

func TestNotesNameEachThingOnceAndNotEverything(t *testing.T) {
	var notes []string
	for i := range 1000 {
		notes = Note(notes, strconv.Itoa(i/2))
	}
	if len(notes) != maxNotes+1 || notes[0] != "0" || notes[1] != "1" || notes[maxNotes] != moreNotes {
		t.Errorf("%d: %v", len(notes), notes)
	}
}

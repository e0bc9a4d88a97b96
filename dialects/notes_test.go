package dialects

import (
	"slices"
	"strconv"
	"strings"
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

func TestNamesInNotesFitIntoAHeader(t *testing.T) {
	var notes []string
	for range 2 {
		notes = Note(notes, "seed")
		notes = Note(notes, "a\r\nb: \u00fc\xff")
		notes = Note(notes, strings.Repeat("x", 5000))
	}
	if want := []string{"seed", "a??b: ??", strings.Repeat("x", maxNote)}; !slices.Equal(notes, want) {
		t.Errorf("got %q, want %q", notes, want)
	}
}

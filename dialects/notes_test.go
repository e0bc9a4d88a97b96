package dialects

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestNotesAreFewAndShort(t *testing.T) {
	var notes []string
	for range 2 {
		notes = Note(notes, "seed")
		notes = Note(notes, "a\r\nb: \u00fc")
		notes = Note(notes, strings.Repeat("x", 5000))
	}
	if want := []string{"seed", "a??b: ??", strings.Repeat("x", maxNote)}; !slices.Equal(notes, want) {
		t.Fatalf("got %q, want %q", notes, want)
	}
	for i := range 100_000 {
		notes = Note(notes, strconv.Itoa(i))
	}
	if len(notes) != maxNotes || notes[maxNotes-1] != "more" || notes[maxNotes-2] != "59" {
		t.Errorf("got %d notes, the last ones %q", len(notes), notes[len(notes)-2:])
	}
}

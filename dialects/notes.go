package dialects

import (
	"slices"
	"strings"
)

// maxNotes is how many different things a translation names that it drops. The names are the client's, and there is room for
// a few in a header.
const (
	maxNotes  = 64
	maxNote   = 64 // bytes of a name
	moreNotes = "and more"
)

// Note appends the name of something that is dropped, unless it is there. What is no printable ASCII in it becomes a
// question mark: it goes into a header. After the first [maxNotes] names it says no more than that there are others.
func Note(notes []string, name string) []string {
	name = printable(name[:min(len(name), maxNote)])
	switch {
	case len(notes) > maxNotes || slices.Contains(notes, name):
		return notes
	case len(notes) == maxNotes:
		name = moreNotes
	}
	return append(notes, name)
}

func printable(name string) string {
	odd := func(r rune) bool { return r < ' ' || r > '~' }
	if strings.IndexFunc(name, odd) < 0 {
		return name
	}
	return strings.Map(func(r rune) rune {
		if odd(r) {
			return '?'
		}
		return r
	}, name)
}

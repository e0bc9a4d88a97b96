package dialects

import "slices"

const (
	// maxNotes is how many members of one request are named as dropped. The names go into a header, and clients take only
	// so much of it: Node's, 16 KiB of all headers together.
	maxNotes = 64
	// maxNote is the length of a name, in bytes.
	maxNote = 96
)

// Note adds the name of a member that was dropped to those of others, if it is not among them. The names are the client's
// own words: of longer ones the beginning is kept, and what is no printable ASCII becomes a question mark. Where there are
// too many, the last one says that there are more.
func Note(notes []string, name string) []string {
	if len(notes) == maxNotes {
		return notes
	}
	if name = printable(name); slices.Contains(notes, name) {
		return notes
	}
	if len(notes) == maxNotes-1 {
		name = "more"
	}
	return append(notes, name)
}

func printable(name string) string {
	clean := []byte(nil)
	for i := range min(len(name), maxNote) {
		if c := name[i]; c < ' ' || c > '~' {
			if clean == nil {
				clean = []byte(name[:min(len(name), maxNote)])
			}
			clean[i] = '?'
		}
	}
	if clean != nil {
		return string(clean)
	}
	return name[:min(len(name), maxNote)]
}

// Package jsonedit validates JSON documents in one pass, finds the members of the top-level object while doing so, and
// replaces members in place without touching any other byte.
//
// Request bodies are up to 32 MiB and mostly strings, so the scanner skips strings eight bytes at a time; decoding into
// maps would cost 12 to 45 times the size of the body in memory.
package jsonedit

import "fmt"

// Limits bounds what Scan accepts. Zero means the default.
type Limits struct {
	Depth  int // nesting; default 128
	Values int // values in the whole document; default 1,000,000
}

// Member is one member of the top-level object, as offsets into the document.
type Member struct {
	Key              string // unescaped
	KeyStart, KeyEnd int    // the key with its quotes
	Start, End       int    // the value
}

// Object is the result of Scan. It can be reused: Scan resets it.
type Object struct {
	Members    []Member
	Start, End int // the braces: doc[Start] == '{', doc[End-1] == '}'
}

// Error says where a document is invalid and why.
type Error struct {
	Offset int
	Reason string
	// Key is set when a known key stands twice, or in another case.
	Key string
}

func (e *Error) Error() string { return fmt.Sprintf("%s at byte %d", e.Reason, e.Offset) }

// Edit replaces doc[Start:End] by With.
type Edit struct {
	Start, End int
	With       []byte
}

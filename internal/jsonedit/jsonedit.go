// Package jsonedit validates JSON documents in one pass, finds the members of the top-level object while doing so, and
// replaces members in place without touching any other byte. What has been validated can be read with a [Reader].
//
// Request bodies are up to 32 MiB and mostly strings, so the scanner skips strings eight bytes at a time; decoding into
// maps would cost 12 to 45 times the size of the body in memory.
//
// Strings that need no unescaping are views of the document and not copies: a document must not be changed, nor its
// buffer be used for another one, as long as an [Object], a [Reader] or a string that came from it is in use.
package jsonedit

import "fmt"

const (
	defaultDepth   = 128
	defaultValues  = 1_000_000
	defaultMembers = 10_000

	// maxDepth is the deepest nesting that Limits.Depth can ask for; the stack of open containers has one bit for
	// each level.
	maxDepth = 1000

	// keepMembers is how many members a reset Object keeps room for. Bodies of real clients have under 40.
	keepMembers = 256
)

// Limits bounds what Scan accepts. Zero means the default.
type Limits struct {
	Depth  int // nesting, the top-level object included; default 128, at most 1,000
	Values int // values in the whole document; default 1,000,000
	// Members of the top-level object; default 10,000. It bounds the size of the Object, which would otherwise grow
	// to ten times the size of a document made of nothing but keys.
	Members int
}

// withDefaults fills in what is not set.
func (l Limits) withDefaults() Limits {
	if l.Depth <= 0 {
		l.Depth = defaultDepth
	}
	l.Depth = min(l.Depth, maxDepth)
	if l.Values <= 0 {
		l.Values = defaultValues
	}
	if l.Members <= 0 {
		l.Members = defaultMembers
	}
	return l
}

// Member is one member of the top-level object, as offsets into the document.
type Member struct {
	Key              string // unescaped; a view of the document when it has no escapes
	KeyStart, KeyEnd int    // the key with its quotes
	Start, End       int    // the value
}

// Object is the result of Scan. It can be reused: Scan resets it.
type Object struct {
	Members    []Member
	Start, End int // the braces: doc[Start] == '{', doc[End-1] == '}'
}

// Get returns the member with the given key. Of several it returns the last one, as most JSON parsers do; known keys
// are never there twice.
func (o *Object) Get(key string) (Member, bool) {
	for i := len(o.Members) - 1; i >= 0; i-- {
		if o.Members[i].Key == key {
			return o.Members[i], true
		}
	}
	return Member{}, false
}

// Reset forgets the document. A pooled Object that was not reset keeps the last document alive through its keys.
func (o *Object) Reset() {
	if cap(o.Members) > keepMembers {
		o.Members = nil
	}
	members := o.Members[:cap(o.Members)]
	clear(members)
	*o = Object{Members: members[:0]}
}

// Error says where a document is invalid and why. The reason never quotes values of the document.
type Error struct {
	Offset int
	Reason string
	// Key is set when a known key stands twice, or in another spelling. It is the known key.
	Key string
}

func (e *Error) Error() string { return fmt.Sprintf("%s at byte %d", e.Reason, e.Offset) }

// Interface guard.
var _ error = (*Error)(nil)

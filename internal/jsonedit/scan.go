package jsonedit

import "strconv"

// Scan validates a whole document in one pass and lists the members of its top-level object in o. The document must be
// one JSON object (RFC 8259) in UTF-8 without a byte order mark; white space may stand around it. See [Validate] for
// documents whose members are not needed.
//
// A parser that comes later may read the last or the first of two members with the same name, or take "Model" for
// "model" as encoding/json does. So that the gateway bills what the provider serves, a key of known that is there
// twice, also by way of escapes, or in another case by the rules of [strings.EqualFold], is refused. Other keys may be
// there more than once.
//
// Errors are *[Error]; o has no members then. Scan does not allocate when o has room for the members and no key has
// escapes. It takes time linear in the size of the document and stops at the first fault.
func Scan(doc []byte, known []string, lim Limits, o *Object) error {
	lim = lim.withDefaults()
	s := scanner{doc: doc, left: lim.Values, lim: lim}
	s.known.init(known)
	o.Members = o.Members[:0]
	start := skipSpace(doc, 0)
	end := s.object(start, o)
	if end >= 0 {
		if rest := skipSpace(doc, end); rest != len(doc) {
			end = s.fail(rest, "unexpected data after the document")
		}
	}
	if end < 0 {
		o.Members = o.Members[:0]
		return s.err
	}
	o.Start, o.End = start, end
	return nil
}

// Validate is Scan for a document that is read with a [Reader]: it lists no members, and allows any keys.
func Validate(doc []byte, lim Limits) error {
	lim = lim.withDefaults()
	s := scanner{doc: doc, left: lim.Values, lim: lim}
	start := skipSpace(doc, 0)
	if start >= len(doc) || doc[start] != '{' {
		s.fail(start, notAnObject(doc[min(start, len(doc)):]))
		return s.err
	}
	end := s.container(start, 0)
	if end >= 0 {
		if rest := skipSpace(doc, end); rest != len(doc) {
			end = s.fail(rest, "unexpected data after the document")
		}
	}
	if end < 0 {
		return s.err
	}
	return nil
}

// ScanObject lists the members of the object doc[start:end], a value inside a document that Scan has accepted, as
// offsets into doc. It returns an *[Error] when that is no object, or has more than 10,000 members.
func ScanObject(doc []byte, start, end int, o *Object) error {
	o.Members = o.Members[:0]
	if start < 0 || end > len(doc) || start >= end {
		return &Error{Offset: start, Reason: "no value here"}
	}
	s := scanner{
		doc:  doc[:end],
		left: end - start + 1, // each value takes at least one byte: no limit
		lim:  Limits{Depth: maxDepth, Members: defaultMembers},
	}
	got := s.object(start, o)
	if got >= 0 && got != end {
		got = s.fail(got, "unexpected data after the object")
	}
	if got < 0 {
		o.Members = o.Members[:0]
		return s.err
	}
	o.Start, o.End = start, end
	return nil
}

// scanner holds what the functions of one Scan share. Its methods return the offset after what they have read, or -1
// and leave the reason in err.
type scanner struct {
	doc   []byte
	left  int // values that may still come
	lim   Limits
	known knownKeys
	err   *Error
}

// object reads the top-level object, which starts at doc[i], and records its members.
func (s *scanner) object(i int, o *Object) int {
	if i >= len(s.doc) || s.doc[i] != '{' {
		return s.fail(i, notAnObject(s.doc[min(i, len(s.doc)):]))
	}
	s.left--
	i = skipSpace(s.doc, i+1)
	if i < len(s.doc) && s.doc[i] == '}' {
		return i + 1
	}
	for {
		m := Member{KeyStart: i}
		if i, m.KeyEnd = s.key(i); i < 0 {
			return i
		}
		m.Start = i
		if m.End = s.value(i); m.End < 0 {
			return -1
		}
		m.Key = text(s.doc[m.KeyStart+1 : m.KeyEnd-1])
		if s.clash(&m, o) {
			return -1
		}
		if len(o.Members) == s.lim.Members {
			return s.fail(m.KeyStart, "more than "+strconv.Itoa(s.lim.Members)+" members")
		}
		o.Members = append(o.Members, m)
		i = skipSpace(s.doc, m.End)
		if i < len(s.doc) && s.doc[i] == '}' {
			return i + 1
		}
		if i >= len(s.doc) || s.doc[i] != ',' {
			return s.fail(i, `expected "," or "}"`)
		}
		i = skipSpace(s.doc, i+1)
	}
}

// key reads a member name and its colon. It returns the offset of the value and the end of the name.
func (s *scanner) key(i int) (value, end int) {
	doc := s.doc
	if uint(i) >= uint(len(doc)) || doc[i] != '"' {
		return s.fail(i, "expected a member name"), 0
	}
	end = skipString(doc, i+1)
	if end < 0 {
		return s.failScalar(end), 0
	}
	i = end
	if uint(i) >= uint(len(doc)) || doc[i] != ':' {
		i = skipSpace(doc, i)
		if i >= len(doc) || doc[i] != ':' {
			return s.fail(i, `expected ":"`), 0
		}
	}
	return skipSpace(doc, i+1), end
}

// value reads the value of a member of the top-level object.
func (s *scanner) value(i int) int {
	if i < len(s.doc) && (s.doc[i] == '{' || s.doc[i] == '[') {
		return s.container(i, 1)
	}
	if s.left--; s.left < 0 {
		return s.failValues(i)
	}
	if i = skipScalar(s.doc, i); i < 0 {
		return s.failScalar(i)
	}
	return i
}

// container reads the object or array that opens at doc[i], with everything in it; it stands inside of outer others. It
// does not recurse: one bit for each open container says whether that is an object.
func (s *scanner) container(i, outer int) int {
	var objects [maxDepth/64 + 1]uint64
	doc, left := s.doc, s.left
	depth, closing := outer, byte(0)
	for {
		// A value starts here.
		if left--; left < 0 {
			return s.failValues(i)
		}
		if uint(i) >= uint(len(doc)) {
			return s.failScalar(^i)
		}
		if c := doc[i]; c == '"' {
			if i = skipString(doc, i+1); i < 0 {
				return s.failScalar(i)
			}
		} else if c == '{' || c == '[' {
			if depth++; depth > s.lim.Depth {
				return s.fail(i, "nested deeper than "+strconv.Itoa(s.lim.Depth)+" levels")
			}
			closing = c + 2 // both pairs are two apart in ASCII
			bit := uint64(1) << (depth & 63)
			if word := &objects[depth>>6&15]; c == '{' {
				*word |= bit
			} else {
				*word &^= bit
			}
			i = skipSpace(doc, i+1)
			if i < len(doc) && doc[i] != closing {
				if closing == '}' {
					if i, _ = s.key(i); i < 0 {
						return i
					}
				}
				continue
			}
		} else if i = skipScalar(doc, i); i < 0 {
			return s.failScalar(i)
		}
		// It has ended: close containers until one goes on.
		for {
			if uint(i) >= uint(len(doc)) || doc[i] <= ' ' {
				i = skipSpace(doc, i)
				if i >= len(doc) {
					return s.failScalar(^i)
				}
			}
			c := doc[i]
			i++
			if c == ',' {
				break
			}
			if c != closing {
				return s.fail(i-1, `expected "," or "`+string(rune(closing))+`"`)
			}
			if depth--; depth == outer {
				s.left = left
				return i
			}
			closing = ']' + byte(objects[depth>>6&15]>>(depth&63)&1)<<5
		}
		i = skipSpace(doc, i)
		if closing == '}' {
			if i, _ = s.key(i); i < 0 {
				return i
			}
		}
	}
}

package jsonedit

import "unicode/utf8"

// Reader reads a document that is known to be valid, because [Scan] or another parser has accepted it. It goes from
// front to back, so that each byte is looked at once whatever the nesting:
//
//	for ok := r.Object(); ok; ok = r.Next() {
//		switch r.Key() {
//		case "role":
//			role, _ = r.Text()
//		case "parts":
//			for ok := r.Array(); ok; ok = r.Next() {
//				// ...
//			}
//		}
//	}
//
// A value that is not read is skipped by Next. A container that was entered has to be left by calling Next until it
// returns false; loops that have seen enough call Stop. A value that is only of use once others are known is kept as a
// [Mark] and gone back to with Seek; afterwards, Seek has to return to where the reader was.
//
// Texts are views of the document when they have no escapes. The others share a few large allocations: keeping one of
// them keeps some tens of kilobytes alive. A document that is not valid gives senseless values, but no panic and no
// endless loop.
type Reader struct {
	doc []byte
	at  int
	// free is room for texts that have escapes. largest is the largest room there was, for the next document.
	free, largest []byte
}

// Mark is the place of a value in the document of a [Reader]. Zero is no place: there every value is missing.
type Mark int // the offset, plus one

// NewReader returns a reader before the value that doc consists of.
func NewReader(doc []byte) Reader {
	return Reader{doc: doc, at: skipSpace(doc, 0)}
}

// Reset goes on with another document. Texts with escapes that were read before become invalid: their memory is used
// again.
func (r *Reader) Reset(doc []byte) {
	r.doc, r.at, r.free = doc, skipSpace(doc, 0), r.largest
}

// Peek tells what comes next by its first byte: '{', '[', '"', 't', 'f', 'n', or '0' for any number. It is 0 when there
// is no value.
func (r *Reader) Peek() byte {
	if r.at >= len(r.doc) {
		return 0
	}
	c := r.doc[r.at]
	if c == '-' || isDigit(c) {
		return '0'
	}
	return c
}

// Object enters the object that comes next. It reports false when that has no members, or is no object.
func (r *Reader) Object() bool { return r.enter('{') }

// Array enters the array that comes next. It reports false when that has no elements, or is no array.
func (r *Reader) Array() bool { return r.enter('[') }

func (r *Reader) enter(open byte) bool {
	if r.at >= len(r.doc) || r.doc[r.at] != open {
		return false
	}
	r.at = skipSpace(r.doc, r.at+1)
	if r.at < len(r.doc) && r.doc[r.at] == open+2 { // both pairs are two apart in ASCII
		r.at++
		return false
	}
	return r.at < len(r.doc)
}

// Next goes on to the next member or element. When there is none it leaves the container and reports false.
func (r *Reader) Next() bool {
	for {
		if r.at >= len(r.doc) {
			return false
		}
		switch c := r.doc[r.at]; c {
		case ',':
			r.at = skipSpace(r.doc, r.at+1)
			return r.at < len(r.doc)
		case '}', ']':
			r.at++
			return false
		case ' ', '\n', '\t', '\r':
			r.at = skipSpace(r.doc, r.at)
		default:
			r.Skip()
		}
	}
}

// Key reads the name of a member, whose value comes next.
func (r *Reader) Key() string {
	key, _ := r.Text()
	i := skipSpace(r.doc, r.at)
	if i < len(r.doc) && r.doc[i] == ':' {
		i = skipSpace(r.doc, i+1)
	}
	r.at = i
	return key
}

// Text reads a string. Where something else comes next it returns false, and reads nothing.
func (r *Reader) Text() (s string, ok bool) {
	if r.at >= len(r.doc) || r.doc[r.at] != '"' {
		return "", false
	}
	start := r.at + 1
	end := skipText(r.doc, start)
	if end < len(r.doc) && r.doc[end] == '"' {
		r.at = end + 1
		return View(r.doc[start:end]), true
	}
	return r.unescaped(start, end), true
}

// TextLen reads a string as Text does, and returns only how many bytes the text has.
func (r *Reader) TextLen() (n int, ok bool) {
	if r.at >= len(r.doc) || r.doc[r.at] != '"' {
		return 0, false
	}
	i := r.at + 1
	for {
		end := skipText(r.doc, i)
		n += end - i
		if end >= len(r.doc) || r.doc[end] == '"' {
			r.at = min(end+1, len(r.doc))
			return n, true
		}
		if end+1 < len(r.doc) && r.doc[end+1] == 'u' {
			var c rune
			c, i = escapedRune(r.doc, end)
			n += utf8.RuneLen(c)
			continue
		}
		n++
		i = min(end+2, len(r.doc))
	}
}

// Raw reads a value as it stands in the document.
func (r *Reader) Raw() []byte {
	if r.at >= len(r.doc) {
		return nil
	}
	start := r.at
	r.Skip()
	return r.doc[start:r.at:r.at]
}

// Skip reads a value and does nothing with it.
func (r *Reader) Skip() {
	if r.at >= len(r.doc) {
		return
	}
	switch r.doc[r.at] {
	case '"':
		r.at = afterText(r.doc, r.at+1)
	case '{', '[':
		r.at = afterContainer(r.doc, r.at+1)
	default:
		r.at = afterScalar(r.doc, r.at+1)
	}
}

// Mark returns the place of what comes next.
func (r *Reader) Mark() Mark { return Mark(r.at + 1) }

// Offset returns where in the document the reader stands, in bytes.
func (r *Reader) Offset() int { return r.at }

// Seek goes to a mark.
func (r *Reader) Seek(m Mark) {
	if r.at = int(m) - 1; m == 0 {
		r.at = len(r.doc)
	}
}

// Get reads an object and returns the place of the value of one member; of several with that key, of the last one.
func (r *Reader) Get(key string) (m Mark) {
	for ok := r.Object(); ok; ok = r.Next() {
		if r.Key() == key {
			m = r.Mark()
		}
	}
	return m
}

// Stop ends the reading: from now on there is no value anywhere, and all loops over containers end.
func (r *Reader) Stop() { r.doc = nil }

// afterText returns the offset after a string; i is an offset inside of it.
func afterText(doc []byte, i int) int {
	for {
		i = skipText(doc, i)
		if i >= len(doc) {
			return len(doc)
		}
		if doc[i] == '"' {
			return i + 1
		}
		i += 2
	}
}

// afterContainer returns the offset after an object or array; i is the offset after its opening bracket.
func afterContainer(doc []byte, i int) int {
	for depth := 1; i < len(doc); {
		switch c := doc[i]; c {
		case '"':
			i = afterText(doc, i+1)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return len(doc)
}

// afterScalar returns the offset after a number or literal; i is an offset inside of it.
func afterScalar(doc []byte, i int) int {
	for i < len(doc) {
		switch doc[i] {
		case ',', '}', ']', ' ', '\n', '\t', '\r':
			return i
		}
		i++
	}
	return len(doc)
}

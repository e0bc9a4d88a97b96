package jsonedit

import (
	"cmp"
	"slices"
)

// Edit replaces doc[Start:End] by With. Edits of one document are collected and applied together by [Apply] or
// [Segments]; all offsets are those of the document before any edit.
type Edit struct {
	Start, End int
	With       []byte

	kind editKind
}

// editKind says which commas an edit takes with it. That depends on the other edits (of two members that are
// removed, which of them takes the comma between them?) and is found out when they are applied.
type editKind uint8

const (
	plain  editKind = iota
	remove          // a member, with one comma beside it
	insert          // a member, with a comma before it unless it is the first one
)

// ReplaceValue replaces the value of a member. with is a complete JSON value.
func ReplaceValue(m Member, with []byte) Edit {
	return Edit{Start: m.Start, End: m.End, With: with}
}

// InsertMember adds a member at the end of an object. value is a complete JSON value. Members that are inserted into
// one object stand in the order of their edits.
func InsertMember(o *Object, doc []byte, key string, value []byte) Edit {
	member := AppendString(make([]byte, 0, len(key)+len(value)+3), key)
	member = append(member, ':')
	return InsertRaw(o, append(member, value...))
}

// InsertRaw is InsertMember without its allocation, for a member that is the same each time. member is the key and
// the value, as in `"stream":true`.
func InsertRaw(o *Object, member []byte) Edit {
	return Edit{Start: o.End - 1, End: o.End - 1, With: member, kind: insert}
}

// RemoveMember removes a member, and the comma that goes with it. Any number of members of one object can be removed
// together and with others inserted.
func RemoveMember(o *Object, doc []byte, m Member) Edit {
	return Edit{Start: m.KeyStart, End: m.End, kind: remove}
}

// Apply appends the document with the edits applied to dst. Every byte outside the edits stays as it is. Where edits
// overlap the one that starts first wins: removing an object discards the edits inside it. Edits that stand in order
// are applied without allocating but to grow dst.
func Apply(dst, doc []byte, edits []Edit) []byte {
	r := newResolver(doc, edits)
	for r.next() {
		dst = append(dst, r.kept...)
		if r.comma {
			dst = append(dst, ',')
		}
		dst = append(dst, r.with...)
	}
	return append(dst, r.kept...)
}

// Segments appends to out the pieces that make up the document with the edits applied. They are slices of the document
// and of the edits, so that a large body can be sent without a copy.
func Segments(out [][]byte, doc []byte, edits []Edit) [][]byte {
	r := newResolver(doc, edits)
	for r.next() {
		out = appendPiece(out, r.kept)
		if r.comma {
			out = append(out, comma)
		}
		out = appendPiece(out, r.with)
	}
	return appendPiece(out, r.kept)
}

var comma = []byte{','}

func appendPiece(out [][]byte, piece []byte) [][]byte {
	if len(piece) == 0 {
		return out
	}
	return append(out, piece)
}

// resolver turns edits into steps: keep some bytes, then maybe a comma, then some new bytes.
type resolver struct {
	doc   []byte
	edits []Edit // sorted, still to do
	at    int    // how far the document is done
	last  byte   // the last byte of the result that is not white space

	kept  []byte // doc that stays before the edit; the rest of it when next has returned false
	comma bool
	with  []byte
}

func newResolver(doc []byte, edits []Edit) resolver {
	if !slices.IsSortedFunc(edits, compareEdits) {
		edits = slices.Clone(edits)
		slices.SortStableFunc(edits, compareEdits)
	}
	return resolver{doc: doc, edits: edits}
}

func compareEdits(a, b Edit) int {
	return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
}

// next makes the next step.
func (r *resolver) next() bool {
	for len(r.edits) > 0 {
		e := r.edits[0]
		r.edits = r.edits[1:]
		if e.Start < r.at {
			continue // inside another one
		}
		if e.kind == remove {
			e.Start, e.End = r.removal(e.Start, e.End)
		}
		r.keep(e.Start)
		r.comma = e.kind == insert && r.last != '{'
		r.with, r.at = e.With, e.End
		r.see(e.With)
		return true
	}
	r.keep(len(r.doc))
	return false
}

// removal widens the removal of a member to all members after it that are removed as well, and to the comma that is
// left over then: the one before them, or when they are the first ones of the object, the one after them.
func (r *resolver) removal(start, end int) (int, int) {
	next := afterComma(r.doc, end)
	for len(r.edits) > 0 {
		e := r.edits[0]
		if e.Start >= end && (e.kind != remove || e.Start != next) {
			break
		}
		r.edits = r.edits[1:]
		if e.Start == next {
			end = e.End
			next = afterComma(r.doc, end)
		}
	}
	before := start - 1
	for isSpace(r.doc[before]) {
		before--
	}
	if r.doc[before] == ',' {
		return before, end
	}
	if next > 0 {
		return start, next
	}
	return start, end
}

// afterComma is the offset of the member that follows the one that ends at i, or 0 when that is the last one.
func afterComma(doc []byte, i int) int {
	if i = skipSpace(doc, i); i >= len(doc) || doc[i] != ',' {
		return 0
	}
	return skipSpace(doc, i+1)
}

// keep keeps the document up to end.
func (r *resolver) keep(end int) {
	r.kept = r.doc[r.at:end]
	r.see(r.kept)
}

// see remembers the last byte of the result so far.
func (r *resolver) see(piece []byte) {
	for i := len(piece) - 1; i >= 0; i-- {
		if !isSpace(piece[i]) {
			r.last = piece[i]
			return
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

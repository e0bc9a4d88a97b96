package jsonedit

import (
	"bytes"
	"strconv"
)

// fail records why and where the document is refused.
func (s *scanner) fail(at int, reason string) int {
	if at >= len(s.doc) {
		at, reason = len(s.doc), "unexpected end of the document"
	}
	s.err = &Error{Offset: at, Reason: reason}
	return -1
}

func (s *scanner) failValues(at int) int {
	return s.fail(at, "more than "+strconv.Itoa(s.lim.Values)+" values")
}

// failScalar records a fault that a skip function has found; notAt is what it returned.
func (s *scanner) failScalar(notAt int) int {
	at := ^notAt
	if at >= len(s.doc) {
		return s.fail(at, "")
	}
	switch c := s.doc[at]; {
	case c == '\\':
		return s.fail(at, "invalid escape in a string")
	case c < ' ':
		return s.fail(at, "control character "+strconv.QuoteToASCII(string(rune(c))))
	case c >= 0x80:
		return s.fail(at, "invalid UTF-8")
	}
	return s.fail(at, "invalid value")
}

// notAnObject names what is there in place of the top-level object.
func notAnObject(doc []byte) string {
	switch {
	case bytes.HasPrefix(doc, []byte("\xEF\xBB\xBF")):
		return "byte order mark"
	case bytes.HasPrefix(doc, []byte("\xFE\xFF")), bytes.HasPrefix(doc, []byte("\xFF\xFE")),
		bytes.HasPrefix(doc, []byte{0}):
		return "not UTF-8"
	}
	return "not a JSON object"
}

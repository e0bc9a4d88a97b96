package jsonedit

import (
	"strconv"
	"strings"
)

// knownKeys finds out whether a key is, or looks like, one of a few known ones.
type knownKeys struct {
	keys []string
	// lengths has bit n set when a known key is n bytes long (63: or longer), so that most other keys cost one test.
	lengths uint64
}

func (k *knownKeys) init(keys []string) {
	k.keys = keys
	for _, key := range keys {
		k.lengths |= 1 << min(len(key), 63)
	}
}

// find returns the known key that is equal to key but for case, or false.
func (k *knownKeys) find(key string) (string, bool) {
	ascii := isASCII(key)
	if ascii && k.lengths>>min(len(key), 63)&1 == 0 {
		return "", false
	}
	for _, known := range k.keys {
		// Two characters beyond ASCII fold to ASCII letters, the Kelvin sign and the long s. They are longer, so
		// lengths and first letters say nothing about a key that has them.
		if ascii && (len(known) != len(key) || key != "" && (known[0]^key[0])&^0x20 != 0) {
			continue
		}
		if strings.EqualFold(known, key) {
			return known, true
		}
	}
	return "", false
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// clash reports whether m is a known key in another spelling, or one that o has already, and records the fault.
func (s *scanner) clash(m *Member, o *Object) bool {
	known, ok := s.known.find(m.Key)
	if !ok {
		return false
	}
	var reason string
	if m.Key != known {
		reason = "member " + strconv.QuoteToASCII(m.Key) + " is another spelling of " + strconv.Quote(known)
	} else if _, twice := o.Get(known); twice {
		reason = "duplicate member " + strconv.Quote(known)
	} else {
		return false
	}
	s.fail(m.KeyStart, reason)
	s.err.Key = known
	return true
}

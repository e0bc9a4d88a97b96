package converse

import (
	"hash/fnv"
	"strconv"
	"strings"
)

// maxName is how long the names of tools, the ids of their calls and the names of schemas may be.
const maxName = 64

// acceptable makes a name that the API accepts (^[a-zA-Z0-9_-]{1,64}$) of any other. It depends on nothing but the name,
// so that a call and its result stay together, in this request and in the next. A hash of the original keeps apart what
// would become equal.
func acceptable(s string) string {
	ok := s != "" && len(s) <= maxName
	for i := 0; ok && i < len(s); i++ {
		ok = allowed(s[i])
	}
	if ok {
		return s
	}
	h := fnv.New32a()
	h.Write([]byte(s))
	sum := strconv.FormatUint(uint64(h.Sum32()), 36)
	s = s[:min(len(s), maxName-len(sum)-1)]
	b := make([]byte, 0, len(s)+1+len(sum))
	for i := range len(s) {
		c := s[i]
		if !allowed(c) {
			c = '_'
		}
		b = append(b, c)
	}
	b = append(b, '_')
	return string(append(b, sum...))
}

func allowed(c byte) bool { return isAlphanumeric(c) || c == '_' || c == '-' }

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// maxDocumentName is how long the name of a document may be, less room for a number.
const maxDocumentName = 190

// documentName makes a name for a document: the one it has less what is forbidden, or "Document", and a number when
// another one has that name. Allowed are letters and digits of ASCII, single blanks, hyphens, parentheses and brackets.
func documentName(name string, taken map[string]bool) string {
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= 6 {
		name = name[:i] // the type is said elsewhere
	}
	b := make([]byte, 0, len(name))
	for i := range len(name) {
		switch c := name[i]; {
		case isAlphanumeric(c) || strings.IndexByte("-()[]", c) >= 0:
			b = append(b, c)
		case c == '_':
			b = append(b, '-')
		case len(b) > 0 && b[len(b)-1] != ' ':
			b = append(b, ' ')
		}
	}
	clean := strings.TrimSpace(string(b[:min(len(b), maxDocumentName)]))
	if clean == "" {
		clean = "Document"
	}
	unique := clean
	for n := 2; taken[unique]; n++ {
		unique = clean + " " + strconv.Itoa(n)
	}
	taken[unique] = true
	return unique
}

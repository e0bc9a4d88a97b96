package conversation

import (
	"hash/fnv"
	"strconv"
	"strings"
)

// Names says which names of tools, and which IDs of their calls, a provider takes: letters and digits of ASCII, and
// what else is said here.
type Names struct {
	Limit       int    // bytes; 0 for any number
	Also        string // what else is allowed; an underscore always is
	LetterFirst bool   // the first byte has to be a letter or an underscore
}

// Clean makes an acceptable name of any. One that is acceptable stays as it is; in another, what is forbidden becomes an
// underscore, and a hash of the original at its end keeps apart what would become equal. The result depends on the name
// alone, so that declarations, calls and results agree without a table, in this request and in the next.
func (n Names) Clean(name string) string {
	if n.Accept(name) {
		return name
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	sum := strconv.FormatUint(uint64(h.Sum32()), 36)
	clean := make([]byte, 0, len(name)+2+len(sum))
	if name != "" && !n.allows(name[0], true) && n.allows(name[0], false) {
		clean = append(clean, '_')
	}
	for i := 0; i < len(name) && (n.Limit == 0 || len(clean) < n.Limit-1-len(sum)); i++ {
		c := name[i]
		if !n.allows(c, false) {
			c = '_'
		}
		clean = append(clean, c)
	}
	return string(append(append(clean, '_'), sum...))
}

// Accept reports whether a name may stay as it is.
func (n Names) Accept(name string) bool {
	if name == "" || n.Limit > 0 && len(name) > n.Limit {
		return false
	}
	for i := range len(name) {
		if !n.allows(name[i], i == 0) {
			return false
		}
	}
	return true
}

func (n Names) allows(c byte, first bool) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		return true
	case first && n.LetterFirst:
		return false
	}
	return c >= '0' && c <= '9' || strings.IndexByte(n.Also, c) >= 0
}

const alphanumerics = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// HashID is n letters and digits, at most 16, that depend on id.
func HashID(id string, n int) string {
	h := fnv.New128a()
	h.Write([]byte(id))
	var sum [16]byte
	h.Sum(sum[:0])
	out := make([]byte, n)
	for i := range out {
		out[i] = alphanumerics[int(sum[15-i])%len(alphanumerics)]
	}
	return string(out)
}

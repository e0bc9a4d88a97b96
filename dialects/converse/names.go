package converse

import (
	"strconv"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

// names is what the API takes for the names of tools, the IDs of their calls and the names of schemas.
var names = conversation.Names{Limit: 64, Also: "-"}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// maxDocumentName is how long the name of a document may be, less room for a number.
const maxDocumentName = 190

// documentName makes a name for a document: the one it has less what is forbidden, or "Document", and a number when
// another one has that name. Allowed are letters and digits of ASCII, single blanks, hyphens, parentheses and brackets.
// taken has the names so far and the number that the next one of the same name may get.
func documentName(name string, taken map[string]int) string {
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
	if n, again := taken[clean]; again {
		for ; again; n++ {
			unique = clean + " " + strconv.Itoa(n)
			_, again = taken[unique]
		}
		taken[clean] = n
	}
	taken[unique] = 2
	return unique
}

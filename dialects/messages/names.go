package messages

import (
	"hash/fnv"
	"strconv"

	"github.com/caddy-llm/llmgateway/internal/claude"
)

// toolID makes a call id that the API accepts (^[a-zA-Z0-9_-]+$) of any other. It depends on nothing but the id, so that
// a call and its result stay together, in this request and in the next.
func toolID(id string) string { return rewrite(id, 0) }

// toolName does the same for tool names, which also have a maximum length.
func toolName(name string, v claude.Version) string {
	if v.Has(claude.WithLongNames) {
		return rewrite(name, 128)
	}
	return rewrite(name, 64)
}

// rewrite replaces forbidden characters by underscores and cuts to limit (0: none). A hash of the original keeps apart
// what that would make equal.
func rewrite(s string, limit int) string {
	ok := s != "" && (limit == 0 || len(s) <= limit)
	for i := 0; ok && i < len(s); i++ {
		ok = allowed(s[i])
	}
	if ok {
		return s
	}
	h := fnv.New32a()
	h.Write([]byte(s))
	sum := strconv.FormatUint(uint64(h.Sum32()), 36)
	if limit > 0 {
		s = s[:min(len(s), limit-len(sum)-1)]
	}
	b := make([]byte, 0, len(s)+1+len(sum))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !allowed(c) {
			c = '_'
		}
		b = append(b, c)
	}
	b = append(b, '_')
	return string(append(b, sum...))
}

func allowed(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

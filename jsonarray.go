package llmgateway

import (
	"bytes"

	"github.com/caddy-llm/llmgateway/providers"
)

// wantsArray reports whether the client wants a stream as one JSON array.
func (x *exchange) wantsArray() bool {
	return x.dialect == providers.Gemini && x.r.URL.Query().Get("alt") != "sse"
}

// jsonArray writes the events of a stream as the elements of one JSON array, which is what Gemini's clients get that do
// not ask for server-sent events with alt=sse.
type jsonArray struct {
	opened bool
	buf    []byte
}

// element returns the bytes of one more element; none for an event without data.
func (a *jsonArray) element(data []byte) []byte {
	if len(data) == 0 {
		return nil
	}
	sep := ",\r\n"
	if !a.opened {
		a.opened, sep = true, "["
	}
	a.buf = append(append(a.buf[:0], sep...), data...)
	return a.buf
}

// elements appends the elements for whole events as a writer of the dialect wrote them: each is one line of data. Comments
// have no place in an array.
func (a *jsonArray) elements(dst, events []byte) []byte {
	for line := range bytes.SplitSeq(events, []byte("\r\n")) {
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			dst = append(dst, a.element(data)...)
		}
	}
	return dst
}

// end returns the bytes that close the array; none for a stream that is not one.
func (a *jsonArray) end() []byte {
	if a == nil {
		return nil
	}
	if !a.opened {
		return []byte("[]")
	}
	return []byte("]")
}

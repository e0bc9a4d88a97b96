package messages

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// event holds what was found in the data of one event. It is reused from event to event, so that deltas, which a
// stream almost entirely consists of, are read without allocating.
type event struct {
	data         []byte
	outer, inner jsonedit.Object
}

// scan validates the data of an event and finds its members.
func (e *event) scan(data []byte) error {
	e.data = data
	return jsonedit.Scan(data, nil, jsonedit.Limits{}, &e.outer)
}

// name is the type of the event. The data has it as well, for servers that leave the event field out.
func (e *event) name(field []byte) string {
	if len(field) > 0 {
		return view(field)
	}
	if m, ok := e.outer.Get("type"); ok {
		s, _ := m.String(e.data)
		return s
	}
	return ""
}

// raw is a member as it stands, or "".
func (e *event) raw(key string) string {
	if m, ok := e.outer.Get(key); ok {
		return view(m.Raw(e.data))
	}
	return ""
}

// read reads a member; where it is missing, there is nothing to read.
func (e *event) read(key string) jsonedit.Reader {
	m, ok := e.outer.Get(key)
	if !ok {
		return jsonedit.Reader{}
	}
	return jsonedit.NewReader(m.Raw(e.data))
}

// delta is what a content_block_delta event adds. The slices point into its data.
type delta struct {
	kind string // "text_delta", "input_json_delta", ...
	// text is the payload as it stands in the JSON, escapes and all, without its quotes.
	text []byte
	// raw is the whole delta object.
	raw []byte
}

// delta reads the delta of a scanned event.
func (e *event) delta() (d delta, ok bool) {
	m, ok := e.outer.Get("delta")
	if !ok || jsonedit.ScanObject(e.data, m.Start, m.End, &e.inner) != nil {
		return d, false
	}
	d.raw = m.Raw(e.data)
	for _, m := range e.inner.Members {
		v := m.Raw(e.data)
		if v[0] != '"' {
			continue
		}
		switch m.Key {
		case "type":
			d.kind, _ = m.String(e.data)
		case "text", "partial_json", "thinking", "signature", "content":
			d.text = v[1 : len(v)-1]
		}
	}
	return d, d.kind != ""
}

// textLen is the number of bytes that JSON string text stands for; an escaped character above ASCII counts as three.
func textLen(text []byte) (n int) {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 || i+1 >= len(text) {
			return n + len(text)
		}
		n += i + 1
		if text[i+1] == 'u' && i+6 <= len(text) {
			if !bytes.HasPrefix(text[i+2:], []byte("00")) {
				n += 2
			}
			text = text[i+6:]
			continue
		}
		text = text[i+2:]
	}
}

// appendText appends what JSON string text stands for. Unpaired surrogates and invalid escapes become U+FFFD.
func appendText(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 || i+1 >= len(text) {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		c := text[i+1]
		text = text[i+2:]
		switch c {
		case 'n':
			dst = append(dst, '\n')
		case 't':
			dst = append(dst, '\t')
		case 'r':
			dst = append(dst, '\r')
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'u':
			var r rune
			r, text = escapedRune(text)
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
	}
}

// escapedRune reads what follows \u, together with the second half of a surrogate pair.
func escapedRune(text []byte) (rune, []byte) {
	r, ok := hex4(text)
	if !ok {
		return utf8.RuneError, text
	}
	text = text[4:]
	if !utf16.IsSurrogate(r) {
		return r, text
	}
	if len(text) >= 6 && text[0] == '\\' && text[1] == 'u' {
		if low, ok := hex4(text[2:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, text[6:]
			}
		}
	}
	return utf8.RuneError, text
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(view(b[:4]), 16, 16)
	return rune(n), err == nil
}

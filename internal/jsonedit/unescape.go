package jsonedit

import (
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// textChunk is the size in bytes of the allocations that the texts of a Reader share. It is the largest size that
	// the Go runtime serves from a cache of the thread.
	textChunk = 32 << 10

	// textSlack is how much room unescape needs beyond what it has written, in bytes: it copies eight at a time.
	textSlack = 16
)

// escapes is what a backslash and a byte mean. Zero: \u, or nothing.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescaped reads a string that starts at start and has its first escape at i.
func (r *Reader) unescaped(start, i int) string {
	dst, j := r.free, i-start
	shared := len(dst) >= j+textSlack
	if !shared {
		dst = r.room(j, i)
	}
	copy(dst, r.doc[start:i])
	j, i = unescape(dst, j, r.doc, i)
	if i < len(r.doc) && r.doc[i] != '"' { // the room was too small
		wider := r.room(j, i)
		copy(wider, dst[:j])
		dst, shared = wider, false
		j, i = unescape(dst, j, r.doc, i)
	}
	r.at = min(i+1, len(r.doc))
	if shared || len(dst)-j > len(r.free) {
		r.free = dst[j:]
	}
	if !shared && len(dst) > len(r.largest) {
		r.largest = dst
	}
	return View(dst[:j])
}

// room returns room for a text of which there are j bytes so far; the rest of it starts at offset i of the document.
func (r *Reader) room(j, i int) []byte {
	n := j + afterText(r.doc, i) - i + textSlack // a text is never longer than its escaped form
	if n < textChunk/4 {
		// There will be other texts, but not more than the rest of the document.
		n = max(n, min(textChunk, j+len(r.doc)-i+textSlack))
	}
	return make([]byte, n)
}

// unescape copies a text from src[i:] to dst[j:] and replaces its escapes. It returns the offsets up to which it got:
// that of the quote that ends the text, or the end of src, or where less than textSlack bytes of room were left.
func unescape(dst []byte, j int, src []byte, i int) (dstEnd, srcEnd int) {
	for i < len(src) && j+textSlack <= len(dst) {
		if i+8 <= len(src) {
			w := load64(src, i)
			store64(dst, j, w)
			m := textEnd(w)
			if m == 0 {
				i, j = i+8, j+8
				continue
			}
			n := firstByte(m)
			i, j = i+n, j+n
		}
		c := src[i]
		if c == '"' {
			break
		}
		if c != '\\' { // among the last bytes of src
			dst[j] = c
			i, j = i+1, j+1
			continue
		}
		if i+1 >= len(src) {
			return j, len(src)
		}
		if c = escapes[src[i+1]]; c != 0 {
			dst[j] = c
			i, j = i+2, j+1
			continue
		}
		var r rune
		r, i = escapedRune(src, i)
		j += utf8.EncodeRune(dst[j:], r)
	}
	return j, i
}

// escapedRune reads the \u escape at src[i], and the one after it when both are a surrogate pair. Half a pair is U+FFFD.
func escapedRune(src []byte, i int) (r rune, end int) {
	if r, end = hexEscape(src, i); !utf16.IsSurrogate(r) {
		return r, end
	}
	if end < len(src) && src[end] == '\\' {
		low, after := hexEscape(src, end)
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, after
		}
	}
	return utf8.RuneError, end
}

// hexEscape reads the escape \uXXXX at src[i]; any other is U+FFFD.
func hexEscape(src []byte, i int) (r rune, end int) {
	if i+6 > len(src) || src[i+1] != 'u' {
		return utf8.RuneError, min(i+2, len(src))
	}
	for _, c := range src[i+2 : i+6] {
		if isDigit(c) {
			r = r<<4 | rune(c-'0')
		} else {
			r = r<<4 | rune((c|0x20)-'a'+10)&15
		}
	}
	return r, i + 6
}

// text is the text between the quotes of a valid string: a view of it when it has no escapes.
func text(body []byte) string {
	i := skipText(body, 0)
	if i == len(body) {
		return View(body)
	}
	// The text is never longer than its escaped form.
	dst := make([]byte, len(body)+textSlack)
	j, _ := unescape(dst, copy(dst, body[:i]), body, i)
	return View(dst[:j])
}

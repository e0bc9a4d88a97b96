package jsonedit

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// EachMember calls f with the key and the raw value of every member of a JSON object, until f returns false. Unlike
// parsers that hand out strings it never unescapes, so that looking at a delta does not allocate. Keys with escapes are
// handed over as they stand. Of an invalid document it reads what it can, where a [Reader] makes no promise.
func EachMember(obj string, f func(key, raw string) bool) {
	i := skipBlanks(obj, 0)
	if i >= len(obj) || obj[i] != '{' {
		return
	}
	for i++; ; {
		for i < len(obj) && (obj[i] == ',' || isSpace(obj[i])) {
			i++
		}
		if i >= len(obj) || obj[i] != '"' {
			return
		}
		end := stringEnd(obj, i)
		if end-i < 2 {
			return
		}
		key := obj[i+1 : end-1]
		i = skipBlanks(obj, end)
		if i >= len(obj) || obj[i] != ':' {
			return
		}
		i = skipBlanks(obj, i+1)
		end = valueEnd(obj, i)
		if end == i || !f(key, obj[i:end]) {
			return
		}
		i = end
	}
}

func skipBlanks(s string, i int) int {
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	return i
}

// stringEnd is the offset after the string that begins at s[i].
func stringEnd(s string, i int) int {
	first := i + 1
	for i = first; i < len(s); i++ {
		n := strings.IndexByte(s[i:], '"')
		if n < 0 {
			break
		}
		i += n
		slashes := 0
		for k := i - 1; k >= first && s[k] == '\\'; k-- {
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
	return len(s)
}

// valueEnd is the offset after the value that begins at s[i].
func valueEnd(s string, i int) int {
	depth := 0
	for ; i < len(s); i++ {
		switch s[i] {
		case '"':
			i = stringEnd(s, i) - 1
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // the end of what holds this value
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\n', '\r', '\t':
			if depth == 0 {
				return i
			}
		}
	}
	return len(s)
}

// ScalarText is a raw JSON scalar as a string of its own: strings without quotes and escapes, numbers as written, and
// "" for null and everything else.
func ScalarText(raw string) string {
	if raw == "" {
		return ""
	}
	if c := raw[0]; c == '-' || isDigit(c) {
		return strings.Clone(raw)
	}
	r := NewReader([]byte(raw))
	s, _ := r.Text()
	return s
}

// RawTextLen is the length in bytes of a raw JSON string once unescaped; 0 for any other value. It counts without
// unescaping, and takes each half of a surrogate pair for two bytes.
func RawTextLen(raw string) int64 {
	if len(raw) < 2 || raw[0] != '"' {
		return 0
	}
	raw = raw[1 : len(raw)-1]
	n := len(raw)
	for {
		i := strings.IndexByte(raw, '\\')
		if i < 0 || i+1 >= len(raw) {
			return int64(n)
		}
		if raw[i+1] == 'u' && i+6 <= len(raw) {
			r, _ := strconv.ParseUint(raw[i+2:i+6], 16, 16)
			size := utf8.RuneLen(rune(r))
			if size < 0 {
				size = 2
			}
			n -= 6 - size
			raw = raw[i+6:]
			continue
		}
		n--
		raw = raw[i+2:]
	}
}

// MaxCount bounds what is believed of a token count: far above any context window, and far below where sums and
// prices overflow.
const MaxCount = 1 << 40

// Count reads a token count. Vendors have been seen to write 7, 7.0, 1e3 and "7"; fractions, negative numbers and
// absurd ones are no counts.
func Count(raw string) (int64, bool) {
	if len(raw) >= 2 && raw[0] == '"' {
		raw = raw[1 : len(raw)-1]
	}
	if n, err := strconv.ParseInt(raw, 10, 64); err == nil {
		return n, n >= 0 && n <= MaxCount
	}
	f, err := strconv.ParseFloat(raw, 64)
	if err != nil || f != math.Trunc(f) || f < 0 || f > MaxCount {
		return 0, false
	}
	return int64(f), true
}

// Compact is a valid JSON document as a string, without the white space between its tokens. It is a view when there is
// none.
func Compact(doc []byte) string {
	inside, escaped := false, false
	out := doc[:0:0]
	from := 0
	for i, c := range doc {
		switch {
		case escaped:
			escaped = false
		case inside:
			escaped, inside = c == '\\', c != '"'
		case c == '"':
			inside = true
		case isSpace(c):
			out = append(out, doc[from:i]...)
			from = i + 1
		}
	}
	if from == 0 {
		return View(doc)
	}
	return View(append(out, doc[from:]...))
}

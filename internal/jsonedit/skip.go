package jsonedit

import "encoding/binary"

// The skip functions take the offset of a token and return the offset after it. Where the token is wrong they return
// the complement ^at of the offset at which it is, which is negative; the scanner then finds the words for it.

// skipSpace returns the offset of the first byte from i on that is not white space.
func skipSpace(doc []byte, i int) int {
	for i < len(doc) {
		switch doc[i] {
		case ' ', '\n', '\t', '\r':
			i++
		default:
			return i
		}
		// Indentation is a run of spaces.
		for i+8 <= len(doc) {
			other := load64(doc, i) ^ spaces
			if other != 0 {
				i += firstByte(other)
				break
			}
			i += 8
		}
	}
	return i
}

// skipString skips a string; i is the offset after its opening quote.
func skipString(doc []byte, i int) int {
	for i+8 <= len(doc) {
		m := special(load64(doc, i))
		if m == 0 {
			i += 8
			continue
		}
		i += firstByte(m)
		if doc[i] == '"' {
			return i + 1
		}
		if i = skipSpecial(doc, i); i < 0 {
			return i
		}
	}
	// The last bytes of the document.
	for i < len(doc) {
		switch c := doc[i]; {
		case c == '"':
			return i + 1
		case c >= ' ' && c != '\\' && c < 0x80:
			i++
		default:
			if i = skipSpecial(doc, i); i < 0 {
				return i
			}
		}
	}
	return ^len(doc)
}

// skipSpecial skips the escapes or the multi-byte characters that stand in a row at doc[i].
func skipSpecial(doc []byte, i int) int {
	switch c := doc[i]; {
	case c < ' ':
		return ^i
	case c == '\\' && i+1 < len(doc) && escapes[doc[i+1]] != 0:
		return i + 2 // in most languages an escape stands alone
	}
	// Text that is not Latin is a long run of one or the other.
	for uint(i) < uint(len(doc)) && doc[i] == '\\' {
		n := escapeLen(doc, i)
		if n == 0 {
			return ^i
		}
		i += n
	}
	if i = skipRunes(doc, i); i < len(doc) && doc[i] >= 0x80 {
		return ^i
	}
	return i
}

// skipRunes returns the offset after the valid multi-byte characters that stand in a row at s[i].
func skipRunes(s []byte, i int) int {
	for i < len(s) && s[i] >= 0x80 {
		// Chinese and Japanese are runs of three bytes each.
		for i+4 <= len(s) && isThreeBytes(binary.LittleEndian.Uint32(s[i:])) {
			i += 3
		}
		if i == len(s) || s[i] < 0x80 {
			break
		}
		n := runeLen(s, i)
		if n == 0 {
			break
		}
		i += n
	}
	return i
}

// skipPlain returns the offset of the next byte that is special inside a string, or len(s).
func skipPlain(s []byte, i int) int {
	for i+8 <= len(s) {
		if m := special(load64(s, i)); m != 0 {
			return i + firstByte(m)
		}
		i += 8
	}
	for i < len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
			return i
		}
		i++
	}
	return i
}

// skipText returns the offset of the next quote or backslash, or len(s). Unlike skipPlain it looks for no fault.
func skipText(s []byte, i int) int {
	for i+8 <= len(s) {
		if m := textEnd(load64(s, i)); m != 0 {
			return i + firstByte(m)
		}
		i += 8
	}
	for i < len(s) && s[i] != '"' && s[i] != '\\' {
		i++
	}
	return min(i, len(s))
}

// escapeLen is the length of the escape sequence at doc[i], or 0 when it is not a valid one.
func escapeLen(doc []byte, i int) int {
	if i+1 >= len(doc) {
		return 0
	}
	c := doc[i+1]
	if escapes[c] != 0 {
		return 2
	}
	if c == 'u' && i+6 <= len(doc) && isHex(doc[i+2]) && isHex(doc[i+3]) && isHex(doc[i+4]) && isHex(doc[i+5]) {
		return 6
	}
	return 0
}

// skipScalar skips a string, number or literal.
func skipScalar(doc []byte, i int) int {
	if i >= len(doc) {
		return ^i
	}
	switch c := doc[i]; {
	case c == '"':
		return skipString(doc, i+1)
	case c == '-' || isDigit(c):
		return skipNumber(doc, i)
	case i+4 <= len(doc):
		const nul, tru, als = 'n' | 'u'<<8 | 'l'<<16 | 'l'<<24, 't' | 'r'<<8 | 'u'<<16 | 'e'<<24, 'a' | 'l'<<8 | 's'<<16 | 'e'<<24
		switch w := binary.LittleEndian.Uint32(doc[i:]); {
		case w == tru || w == nul:
			return i + 4
		case c == 'f' && i+5 <= len(doc) && binary.LittleEndian.Uint32(doc[i+1:]) == als:
			return i + 5
		}
	}
	return ^i
}

// skipNumber skips a number in the grammar of RFC 8259, section 6. What may follow a number is left to the caller.
func skipNumber(doc []byte, i int) int {
	// Most are short whole numbers; one that starts with a zero is left to the grammar below.
	if i+8 <= len(doc) && doc[i] > '0' {
		if m := notDigit(load64(doc, i)); m != 0 {
			if end := i + firstByte(m); doc[end] != '.' && doc[end]|0x20 != 'e' {
				return end
			}
		}
	}
	if doc[i] == '-' {
		i++
	}
	if i < len(doc) && doc[i] == '0' {
		i++
	} else if i = skipDigits(doc, i); i < 0 {
		return i
	}
	if i < len(doc) && doc[i] == '.' {
		if i = skipDigits(doc, i+1); i < 0 {
			return i
		}
	}
	if i < len(doc) && doc[i]|0x20 == 'e' {
		i++
		if i < len(doc) && (doc[i] == '+' || doc[i] == '-') {
			i++
		}
		return skipDigits(doc, i)
	}
	return i
}

// skipDigits skips digits, of which there must be at least one.
func skipDigits(doc []byte, i int) int {
	start := i
	for i < len(doc) && isDigit(doc[i]) {
		i++
	}
	if i == start {
		return ^i
	}
	return i
}

func isDigit(c byte) bool { return c-'0' < 10 }

func isHex(c byte) bool { return isDigit(c) || (c|0x20)-'a' < 6 }

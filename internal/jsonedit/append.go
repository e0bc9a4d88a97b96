package jsonedit

import "unsafe"

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string with its quotes. It escapes what JSON demands and nothing else; each byte
// that is not part of valid UTF-8 becomes U+FFFD. It does not allocate but to grow dst.
func AppendString[S ~string | ~[]byte](dst []byte, s S) []byte {
	// The header of a string is the beginning of the header of a slice, so this reads both.
	view := *(*string)(unsafe.Pointer(&s))
	return appendString(dst, unsafe.Slice(unsafe.StringData(view), len(view)))
}

func appendString(dst, s []byte) []byte {
	dst = append(dst, '"')
	start := 0 // what is not copied yet
	for i := skipPlain(s, 0); i < len(s); i = skipPlain(s, i) {
		if plain := skipRunes(s, i); plain > i {
			i = plain
			continue
		}
		c := s[i]
		dst = append(dst, s[start:i]...)
		i++
		start = i
		switch {
		case c >= 0x80:
			dst = append(dst, "\uFFFD"...)
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

package jsonedit

import "unsafe"

const hexDigits = "0123456789abcdef"

// shortEscapes is what stands after the backslash for the bytes that have an escape of two. The other control
// characters are written as \u00XX.
var shortEscapes = [256]byte{'"': '"', '\\': '\\', '\n': 'n', '\r': 'r', '\t': 't'}

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
		c := s[i]
		if c >= 0x80 {
			if plain := skipRunes(s, i); plain > i {
				i = plain
				continue
			}
		}
		dst = appendRun(dst, s, start, i)
		i++
		start = i
		switch e := shortEscapes[c]; {
		case e != 0:
			dst = append(dst, '\\', e)
		case c >= 0x80:
			dst = append(dst, "\uFFFD"...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// appendRun appends s[start:end]. Code and logs have an escape every few words: copying a fixed size, of which only the
// beginning counts, takes less time than finding out how a short run is copied best.
func appendRun(dst, s []byte, start, end int) []byte {
	const size = 32
	at, n := len(dst), end-start
	if n > size || start+size > len(s) || at+size > cap(dst) {
		return append(dst, s[start:end]...)
	}
	dst = dst[:at+size]
	*(*[size]byte)(dst[at:]) = [size]byte(s[start:])
	return dst[:at+n]
}

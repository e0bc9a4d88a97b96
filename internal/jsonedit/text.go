package jsonedit

import (
	"slices"
	"unsafe"
)

// AppendText appends the text of a raw value that is a string, without its escapes, and nothing for any other value. It
// does not allocate but to grow dst.
func AppendText(dst []byte, raw string) []byte {
	if len(raw) < 2 || raw[0] != '"' {
		return dst
	}
	src := unsafe.Slice(unsafe.StringData(raw), len(raw))
	dst = slices.Grow(dst, len(raw)+textSlack) // a text is never longer than its escaped form
	end := skipText(src, 1)
	dst = append(dst, src[1:end]...)
	if src[min(end, len(src)-1)] == '\\' {
		n, _ := unescape(dst[:cap(dst)], len(dst), src, end)
		dst = dst[:n]
	}
	return dst
}

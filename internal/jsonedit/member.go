package jsonedit

import (
	"strconv"
	"unsafe"
)

// The functions here write objects and arrays piece by piece. A comma is added where the last byte says that something
// stands before. Keys are literals of the caller and need no escaping.

// AppendComma separates an element or member from the one before it, if there is one.
func AppendComma(dst []byte) []byte {
	if n := len(dst); n > 0 && dst[n-1] != '{' && dst[n-1] != '[' {
		dst = append(dst, ',')
	}
	return dst
}

// AppendKey appends a comma unless the object in dst was just opened, then the key and a colon.
func AppendKey(dst []byte, key string) []byte {
	dst = append(AppendComma(dst), '"')
	dst = append(dst, key...)
	return append(dst, '"', ':')
}

// AppendStringMember appends a member whose value is a string.
func AppendStringMember(dst []byte, key, value string) []byte {
	return AppendString(AppendKey(dst, key), value)
}

// AppendTextMember is AppendStringMember for optional members: nothing when the value is empty.
func AppendTextMember(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	return AppendStringMember(dst, key, value)
}

// AppendIntMember appends a member whose value is an integer.
func AppendIntMember(dst []byte, key string, value int64) []byte {
	return strconv.AppendInt(AppendKey(dst, key), value, 10)
}

// AppendBoolMember appends an optional member: nothing when value is nil.
func AppendBoolMember(dst []byte, key string, value *bool) []byte {
	if value == nil {
		return dst
	}
	return strconv.AppendBool(AppendKey(dst, key), *value)
}

// AppendRawMember appends a member whose value is JSON text already. T is []byte, json.RawMessage or a string.
func AppendRawMember[T ~[]byte | ~string](dst []byte, key string, raw T) []byte {
	return append(AppendKey(dst, key), raw...)
}

// AppendStrings appends an array of strings.
func AppendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for _, s := range list {
		dst = AppendString(AppendComma(dst), s)
	}
	return append(dst, ']')
}

// View is b as a string without a copy: it is valid only as long as b is not written to.
func View(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

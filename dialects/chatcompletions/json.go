package chatcompletions

import (
	"strconv"
	"unsafe"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// view returns b as a string without copying it. The string is only good for as long as b is not written to.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// text returns a string value, or "" for any other type.
func text(v gjson.Result) string {
	if v.Type != gjson.String {
		return ""
	}
	return v.Str
}

// textIn reads a text out of an object.
func textIn(in *jsonedit.Reader, key string) (s string) {
	for ok := in.Object(); ok; ok = in.Next() {
		if in.Key() == key {
			s, _ = in.Text()
		}
	}
	return s
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

// appendKey appends a comma unless the object in dst was just opened, then the key and a colon. Keys are literals of
// this package and need no escaping.
func appendKey(dst []byte, key string) []byte {
	dst = appendComma(dst)
	dst = append(dst, '"')
	dst = append(dst, key...)
	return append(dst, '"', ':')
}

// appendComma separates an element or member from the one before it, if there is one.
func appendComma(dst []byte) []byte {
	if c := dst[len(dst)-1]; c != '{' && c != '[' {
		dst = append(dst, ',')
	}
	return dst
}

func appendStringMember(dst []byte, key, value string) []byte {
	return jsonedit.AppendString(appendKey(dst, key), value)
}

// appendText is appendStringMember for optional members: nothing when the value is empty.
func appendText(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	return appendStringMember(dst, key, value)
}

func appendIntMember(dst []byte, key string, n int64) []byte {
	return appendInt(appendKey(dst, key), n)
}

func appendNumberMember(dst []byte, key string, n conversation.Number) []byte {
	if n == "" {
		return dst
	}
	return append(appendKey(dst, key), n...)
}

func appendBoolMember(dst []byte, key string, b *bool) []byte {
	if b == nil {
		return dst
	}
	return strconv.AppendBool(appendKey(dst, key), *b)
}

func appendRawMember(dst []byte, key string, raw []byte) []byte {
	return append(appendKey(dst, key), raw...)
}

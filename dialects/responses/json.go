package responses

import (
	"strconv"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// appendKey appends a comma unless the object in dst was just opened, then the key and a colon. Keys are literals of
// this package and need no escaping.
func appendKey(dst []byte, key string) []byte {
	dst = append(appendComma(dst), '"')
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
	return strconv.AppendInt(appendKey(dst, key), n, 10)
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

// appendOneLine appends a JSON document without line ends, which would end the line of an event. Inside of strings
// they are escaped anyway.
func appendOneLine(dst, doc []byte) []byte {
	at := len(dst)
	dst = append(dst, doc...)
	for i := at; i < len(dst); i++ {
		if dst[i] == '\n' || dst[i] == '\r' {
			dst[i] = ' '
		}
	}
	return dst
}

package gemini

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// The functions here append JSON. A comma is added where the last byte says that something stands before.

func appendComma(dst []byte) []byte {
	if n := len(dst); n > 0 && dst[n-1] != '{' && dst[n-1] != '[' {
		dst = append(dst, ',')
	}
	return dst
}

func appendKey(dst []byte, key string) []byte {
	dst = append(appendComma(dst), '"')
	dst = append(dst, key...)
	return append(dst, '"', ':')
}

func appendStringMember(dst []byte, key, value string) []byte {
	return jsonedit.AppendString(appendKey(dst, key), value)
}

func appendIntMember(dst []byte, key string, value int64) []byte {
	return strconv.AppendInt(appendKey(dst, key), value, 10)
}

func appendNumberMember(dst []byte, key string, n conversation.Number) []byte {
	if n == "" {
		return dst
	}
	return append(appendKey(dst, key), n...)
}

func appendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for _, s := range list {
		dst = jsonedit.AppendString(appendComma(dst), s)
	}
	return append(dst, ']')
}

// isObject reports whether s is the text of a JSON object.
func isObject(s string) bool {
	s = strings.TrimSpace(s)
	return strings.HasPrefix(s, "{") && gjson.Valid(s)
}

func hasSchema(raw json.RawMessage) bool { return isSet(string(raw)) }

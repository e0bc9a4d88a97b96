package gemini

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

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

func appendFloatMember(dst []byte, key string, value *float64) []byte {
	if value == nil {
		return dst
	}
	return strconv.AppendFloat(appendKey(dst, key), *value, 'g', -1, 64)
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

// compact is a valid JSON document as a string, without the white space between its tokens. It is a view when there is
// none.
func compact(doc []byte) string {
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
		case isBlank(c):
			out = append(out, doc[from:i]...)
			from = i + 1
		}
	}
	if from == 0 {
		return view(doc)
	}
	return view(append(out, doc[from:]...))
}

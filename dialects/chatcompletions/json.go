package chatcompletions

import (
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

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

func appendNumberMember(dst []byte, key string, n conversation.Number) []byte {
	if n == "" {
		return dst
	}
	return append(jsonedit.AppendKey(dst, key), n...)
}

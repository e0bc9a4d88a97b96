package gemini

import (
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// appendNumberMember appends a number as it was written, or nothing when it was not said.
func appendNumberMember(dst []byte, key string, n conversation.Number) []byte {
	if n == "" {
		return dst
	}
	return jsonedit.AppendRawMember(dst, key, n)
}

// isObject reports whether s is the text of a JSON object.
func isObject(s string) bool {
	s = strings.TrimSpace(s)
	return strings.HasPrefix(s, "{") && gjson.Valid(s)
}

func hasSchema(raw json.RawMessage) bool { return isSet(string(raw)) }

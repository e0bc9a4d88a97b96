package responses

import (
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// appendNumberMember appends a number as it was written, or nothing where none was.
func appendNumberMember(dst []byte, key string, n conversation.Number) []byte {
	if n == "" {
		return dst
	}
	return append(jsonedit.AppendKey(dst, key), n...)
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

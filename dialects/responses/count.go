package responses

import (
	"strconv"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// DecodeCountRequest implements [dialects.CountDecoder]: the body of POST /v1/responses/input_tokens has members of a
// request that make up its input, and no others.
func (c Codec) DecodeCountRequest(doc []byte, h dialects.Head) (*conversation.Request, error) {
	return c.DecodeRequest(doc, h)
}

// AppendCount implements [dialects.CountDecoder].
func (Codec) AppendCount(dst []byte, tokens int64) []byte {
	dst = strconv.AppendInt(append(dst, `{"object":"response.input_tokens","input_tokens":`...), tokens, 10)
	return append(dst, '}')
}

// EncodeCount implements [dialects.TokenCounter]. Members that do not count as input are unknown to the endpoint, which
// refuses them; they are left out without a note.
func (Codec) EncodeCount(dst []byte, r *conversation.Request, o dialects.EncodeOptions) ([]byte, []string, error) {
	e := newEncoder(dst, r, &o)
	e.conversation()
	e.textOptions()
	e.reasoning()
	return e.finish(dst)
}

// DecodeCount implements [dialects.TokenCounter].
func (Codec) DecodeCount(body []byte) (tokens int64, ok bool) {
	jsonedit.EachMember(jsonedit.View(body), func(key, raw string) bool {
		if key == "input_tokens" {
			tokens, ok = jsonedit.Count(raw)
		}
		return true
	})
	return tokens, ok
}

// Interface guards
var (
	_ dialects.CountDecoder = Codec{}
	_ dialects.TokenCounter = Codec{}
)

package messages

import (
	"strconv"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// DecodeCountRequest reads the body of POST /v1/messages/count_tokens: that of a request for an answer without
// max_tokens.
func (Codec) DecodeCountRequest(doc []byte, h dialects.Head) (*conversation.Request, error) {
	return decodeRequest(doc, h)
}

// AppendCount appends {"input_tokens":n}.
func (Codec) AppendCount(dst []byte, tokens int64) []byte {
	dst = append(dst, `{"input_tokens":`...)
	return append(strconv.AppendInt(dst, tokens, 10), '}')
}

// EncodeCount appends the body of a question to count_tokens. It has what counts as input and nothing else: the
// endpoint refuses max_tokens, stream and samplers.
func (Codec) EncodeCount(dst []byte, r *conversation.Request, o dialects.EncodeOptions) ([]byte, []string, error) {
	e := newEncoder(dst, r, o)
	if err := e.plan(); err != nil {
		return dst, nil, err
	}
	e.dst = append(e.dst, `{"model":`...)
	e.string(o.Model)
	e.writeTools()
	e.writeSystem()
	e.writeMessages()
	e.writeReasoning()
	return append(e.dst, '}'), e.notes, nil
}

// DecodeCount reads the answer of count_tokens.
func (Codec) DecodeCount(body []byte) (tokens int64, ok bool) {
	var c dialects.Counts
	in := jsonedit.NewReader(body)
	for more := in.Object(); more; more = in.Next() {
		if in.Key() == "input_tokens" {
			ok = c.Read(&in, &tokens)
		}
	}
	return tokens, ok
}

var (
	_ dialects.CountDecoder = Codec{}
	_ dialects.TokenCounter = Codec{}
)

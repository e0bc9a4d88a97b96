package messages

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

var errNoContent = errors.New("the provider's answer has no content")

// DecodeResponse reads a unary answer, whose parts may alias body. An error object in place of one is returned as a
// *conversation.Error.
func (Codec) DecodeResponse(body []byte) (*conversation.Response, error) {
	if !utf8.Valid(body) {
		body = bytes.ToValidUTF8(body, []byte("\uFFFD")) // the damage stays where it is
	}
	if err := jsonedit.Validate(body, jsonedit.Limits{}); err != nil {
		return nil, fmt.Errorf("the provider's answer is not valid: %w", err)
	}
	var (
		in         = jsonedit.NewReader(body)
		r          = &conversation.Response{Origin: origin, Choices: make([]conversation.Choice, 1)}
		c          = &r.Choices[0]
		usage      counts
		end        stop
		kind       string
		hasContent bool
	)
	for ok := in.Object(); ok; ok = in.Next() {
		switch key := in.Key(); key {
		case "type":
			kind, _ = in.Text()
		case "id":
			r.ID, _ = in.Text()
		case "model":
			r.Model, _ = in.Text()
		case "content":
			hasContent = in.Peek() == '['
			c.Blocks = responseBlocks(&in)
		case "usage":
			usage.merge(&in)
		default:
			end.read(key, &in)
		}
	}
	switch {
	case kind == "error":
		return nil, streamError(body)
	case !hasContent:
		return nil, errNoContent
	}
	c.Stop, c.StopSequence, c.StopDetail = end.reason, end.sequence, end.detail
	told := usage.told()
	r.Usage, r.UsageKnown, r.ServiceTier = told.Usage, told.UsageKnown, usage.tier
	return r, nil
}

// responseBlocks reads the content of an answer. What is no block is left out.
func responseBlocks(in *jsonedit.Reader) (blocks []conversation.Block) {
	for ok := in.Array(); ok; ok = in.Next() {
		if in.Peek() == '{' {
			blocks = append(blocks, responseBlock(in))
		}
	}
	return blocks
}

// responseBlock reads a block of an answer. One that is not as it should be is passed on untouched rather than lost, and
// so is one that is no text for the reader of an answer.
func responseBlock(in *jsonedit.Reader) conversation.Block {
	start := in.Mark()
	b, missing := decodeBlock(in)
	if missing == "" && (b.Kind != conversation.Text || b.Raw == nil) {
		return b
	}
	in.Seek(start)
	return conversation.Block{Kind: conversation.Opaque, Raw: in.Raw(), Origin: origin}
}

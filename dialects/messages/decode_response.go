package messages

import (
	"errors"
	"fmt"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

var errNoContent = errors.New("the provider's answer has no content")

// DecodeResponse reads a unary answer, whose parts may alias body. An error object in place of one is returned as a
// *conversation.Error.
func (Codec) DecodeResponse(body []byte) (*conversation.Response, error) {
	if err := jsonedit.Validate(body, jsonedit.Limits{}); err != nil {
		return nil, fmt.Errorf("the provider's answer is not valid: %w", err)
	}
	var (
		in         = jsonedit.NewReader(body)
		r          = &conversation.Response{Origin: origin, Choices: make([]conversation.Choice, 1)}
		c          = &r.Choices[0]
		usage      counts
		kind       string
		hasContent bool
	)
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "type":
			kind, _ = in.Text()
		case "id":
			r.ID, _ = in.Text()
		case "model":
			r.Model, _ = in.Text()
		case "content":
			hasContent = in.Peek() == '['
			c.Blocks = responseBlocks(&in)
		case "stop_reason":
			s, _ := in.Text()
			c.Stop = parseStop(s)
		case "stop_sequence":
			c.StopSequence, _ = in.Text()
		case "stop_details":
			c.StopDetail = textIn(&in, "explanation")
		case "usage":
			usage.merge(&in)
		}
	}
	switch {
	case kind == "error":
		return nil, streamError(gjson.Parse(view(body)))
	case !hasContent:
		return nil, errNoContent
	}
	r.Usage, r.UsageKnown, r.ServiceTier = usage.usage(), usage.known(), usage.tier
	return r, nil
}

// responseBlocks reads the content of an answer. What is no block is left out.
func responseBlocks(in *jsonedit.Reader) (blocks []conversation.Block) {
	for ok := in.Array(); ok; ok = in.Next() {
		if in.Peek() == '{' {
			blocks = append(blocks, responseBlock(gjson.Parse(view(in.Raw()))))
		}
	}
	return blocks
}

// responseBlock reads a block of an answer. One that is not as it should be is passed on untouched rather than lost.
func responseBlock(v gjson.Result) conversation.Block {
	b, missing := decodeBlock(v)
	if missing != "" {
		return conversation.Block{Kind: conversation.Opaque, Raw: []byte(v.Raw), Origin: origin}
	}
	return b
}

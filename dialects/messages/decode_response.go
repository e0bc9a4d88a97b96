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
	var obj jsonedit.Object
	if err := jsonedit.Scan(body, nil, jsonedit.Limits{}, &obj); err != nil {
		return nil, fmt.Errorf("the provider's answer is not valid: %w", err)
	}
	doc := gjson.Parse(view(body))
	if doc.Get("type").Str == "error" {
		return nil, streamError(doc)
	}
	if !doc.Get("content").IsArray() {
		return nil, errNoContent
	}
	var (
		r     = &conversation.Response{Origin: origin}
		c     conversation.Choice
		usage counts
	)
	doc.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "id":
			r.ID = v.Str
		case "model":
			r.Model = v.Str
		case "content":
			v.ForEach(func(_, v gjson.Result) bool {
				if v.IsObject() {
					c.Blocks = append(c.Blocks, responseBlock(v))
				}
				return true
			})
		case "stop_reason":
			c.Stop = parseStop(v.Str)
		case "stop_sequence":
			c.StopSequence = v.Str
		case "stop_details":
			c.StopDetail = v.Get("explanation").Str
		case "usage":
			usage.merge(v)
			r.ServiceTier = v.Get("service_tier").Str
		}
		return true
	})
	r.Usage, r.UsageKnown = usage.usage(), usage.known()
	r.Choices = []conversation.Choice{c}
	return r, nil
}

// responseBlock reads a block of an answer. One that is not as it should be is passed on untouched rather than lost.
func responseBlock(v gjson.Result) conversation.Block {
	b, missing := decodeBlock(v)
	if missing != "" {
		return conversation.Block{Kind: conversation.Opaque, Raw: []byte(v.Raw), Origin: origin}
	}
	return b
}

package cohere

import (
	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// usage is a usage object. Every count may be missing.
type usage struct {
	dialects.Counts

	tokens, billed counts
	cached, images int64
}

// counts are input and output tokens. known says that there was one of them.
type counts struct {
	input, output int64
	known         bool
}

// readUsage reads a usage object.
func readUsage(in *jsonedit.Reader) (u usage) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "tokens":
			u.counts(in, &u.tokens)
		case "billed_units":
			u.counts(in, &u.billed)
		case "cached_tokens":
			u.Read(in, &u.cached)
		}
	}
	return u
}

func (u *usage) counts(in *jsonedit.Reader, c *counts) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "input_tokens":
			c.known = u.Read(in, &c.input) || c.known
		case "output_tokens":
			c.known = u.Read(in, &c.output) || c.known
		case "image_tokens":
			u.Read(in, &u.images)
		}
	}
}

// told is what clients are told: the text tokens that the model read and wrote. The input includes what came from the
// cache.
func (u usage) told() dialects.Reported {
	c := u.tokens
	if !c.known {
		return u.charged()
	}
	cached := u.Part(u.cached, c.input)
	return u.Report(conversation.Usage{Input: c.input - cached, CacheRead: cached, Output: c.output}, true)
}

// charged is what the request costs. Cohere bills neither its own preamble nor cached input at another price. Pictures
// are part of the billed input, while they stand beside that of the tokens.
func (u usage) charged() dialects.Reported {
	if !u.billed.known {
		if u.tokens.known {
			return u.told()
		}
		return u.Report(conversation.Usage{}, false)
	}
	if u.tokens.known {
		u.Part(u.cached, u.tokens.input)
	}
	images := min(u.images, u.billed.input)
	return u.Report(conversation.Usage{Input: u.billed.input - images, InputImage: images, Output: u.billed.output}, true)
}

package cohere

import (
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// usage is a usage object. Every count may be missing.
type usage struct {
	tokens, billed counts
	cached         int64
}

// counts are input and output tokens. known says that there was one of them.
type counts struct {
	input, output int64
	known         bool
}

// readUsage reads a usage object. What cannot be true counts as not reported.
func readUsage(in *jsonedit.Reader) (u usage) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "tokens":
			u.tokens = readCounts(in)
		case "billed_units":
			u.billed = readCounts(in)
		case "cached_tokens":
			u.cached, _ = count(in)
		}
	}
	return u
}

func readCounts(in *jsonedit.Reader) (c counts) {
	for ok := in.Object(); ok; ok = in.Next() {
		var n *int64
		switch in.Key() {
		case "input_tokens":
			n = &c.input
		case "output_tokens":
			n = &c.output
		default:
			continue
		}
		if v, ok := count(in); ok {
			*n, c.known = v, true
		}
	}
	return c
}

// count reads a token count, whatever way it is spelled.
func count(in *jsonedit.Reader) (int64, bool) {
	if in.Peek() == 'n' {
		return 0, false
	}
	return jsonedit.Count(jsonedit.View(in.Raw()))
}

// told is what clients are told: the tokens that the model read and wrote. The input includes what came from the cache.
func (u usage) told() (conversation.Usage, bool) {
	c := u.tokens
	if !c.known {
		return u.charged()
	}
	cached := min(u.cached, c.input)
	return conversation.Usage{Input: c.input - cached, CacheRead: cached, Output: c.output}, true
}

// charged is what the request costs. Cohere bills neither its own preamble nor cached input at another price.
func (u usage) charged() (conversation.Usage, bool) {
	if !u.billed.known {
		if u.tokens.known {
			return u.told()
		}
		return conversation.Usage{}, false
	}
	return conversation.Usage{Input: u.billed.input, Output: u.billed.output}, true
}

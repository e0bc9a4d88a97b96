package converse

import (
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// counts is a usage object. Cache reads and writes stand beside the input, not in it, and thinking is part of the
// output, uncounted.
type counts struct {
	input, read, write, write1h, output int64
	gotInput, gotOutput                 bool
}

// known says that both sides of the bill were reported.
func (c *counts) known() bool { return c.gotInput && c.gotOutput }

// merge reads a usage object.
func (c *counts) merge(in *jsonedit.Reader) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "inputTokens":
			c.gotInput = count(&c.input, in) || c.gotInput
		case "outputTokens":
			c.gotOutput = count(&c.output, in) || c.gotOutput
		case "cacheReadInputTokens", "cacheReadInputTokenCount":
			count(&c.read, in)
		case "cacheWriteInputTokens", "cacheWriteInputTokenCount":
			count(&c.write, in)
		case "cacheDetails":
			c.write1h = 0
			for ok := in.Array(); ok; ok = in.Next() {
				c.mergeDetail(in)
			}
		}
	}
}

// mergeDetail reads what was written with one lifetime.
func (c *counts) mergeDetail(in *jsonedit.Reader) {
	var n int64
	ttl := ""
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "ttl":
			ttl, _ = in.Text()
		case "inputTokens":
			count(&n, in)
		}
	}
	if ttl == "1h" {
		c.write1h = min(c.write1h+n, jsonedit.MaxCount)
	}
}

// usage is the counts in disjoint classes.
func (c *counts) usage() conversation.Usage {
	long := min(c.write1h, c.write)
	return conversation.Usage{
		Input: c.input, CacheRead: c.read, CacheWrite: c.write - long, CacheWrite1h: long, Output: c.output,
	}
}

// count reads a token count, if what comes next is one.
func count(n *int64, in *jsonedit.Reader) bool {
	x, ok := jsonedit.Count(jsonedit.View(in.Raw()))
	if ok {
		*n = x
	}
	return ok
}

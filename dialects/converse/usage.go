package converse

import (
	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// counts is a usage object. Cache reads and writes stand beside the input, not in it, and thinking is part of the
// output, uncounted.
type counts struct {
	dialects.Counts

	input, read, write, write1h, output, total int64
	gotInput, gotOutput                        bool
}

// merge reads a usage object.
func (c *counts) merge(in *jsonedit.Reader) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "inputTokens":
			c.gotInput = c.Read(in, &c.input) || c.gotInput
		case "outputTokens":
			c.gotOutput = c.Read(in, &c.output) || c.gotOutput
		case "totalTokens":
			c.Read(in, &c.total)
		case "cacheReadInputTokens", "cacheReadInputTokenCount":
			c.Read(in, &c.read)
		case "cacheWriteInputTokens", "cacheWriteInputTokenCount":
			c.Read(in, &c.write)
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
			c.Read(in, &n)
		}
	}
	if ttl == "1h" {
		c.write1h = min(c.write1h+n, dialects.MaxTokens+1)
	}
}

// report is the counts in disjoint classes. They are known when both sides of the bill were reported.
func (c *counts) report() dialects.Reported {
	long := c.Part(c.write1h, c.write)
	return c.Report(conversation.Usage{
		Input: c.input, CacheRead: c.read, CacheWrite: c.write - long, CacheWrite1h: long, Output: c.output,
	}, c.gotInput && c.gotOutput)
}

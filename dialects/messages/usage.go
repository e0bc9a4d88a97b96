package messages

import (
	"strconv"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// counts collects the usage objects of one response. Those of message_start are preliminary; those of message_delta
// are cumulative and overwrite, member by member.
type counts struct {
	input, read, write, write5m, write1h int64
	output, thinking, searches           int64
	// compacted is what the compaction of the history took: it is billed, but not part of the top level.
	compactedIn, compactedOut  int64
	gotInput, gotOutput, split bool
	tier                       string // the service tier, which is reported along with the counts
}

// known says that both sides of the bill were reported. Half a report is none: the missing half would count as zero.
func (c *counts) known() bool { return c.gotInput && c.gotOutput }

// merge reads a usage object. A member that is missing, negative or absurd changes nothing; output never shrinks. It
// reports whether the object says how much output there was.
func (c *counts) merge(in *jsonedit.Reader) (output bool) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "input_tokens":
			c.gotInput = read(&c.input, in) || c.gotInput
		case "output_tokens":
			var n int64
			if output = read(&n, in); output {
				c.output, c.gotOutput = max(c.output, n), true
			}
		case "cache_read_input_tokens":
			read(&c.read, in)
		case "cache_creation_input_tokens":
			read(&c.write, in)
		case "cache_creation":
			c.mergeWrites(in)
		case "output_tokens_details":
			var n int64
			readIn(&n, in, "thinking_tokens")
			c.thinking = max(c.thinking, n)
		case "server_tool_use":
			readIn(&c.searches, in, "web_search_requests")
		case "iterations":
			c.mergeIterations(in)
		case "service_tier":
			if s, ok := in.Text(); ok && s != c.tier {
				c.tier = strings.Clone(s)
			}
		}
	}
	return output
}

// mergeWrites reads the cache writes by lifetime.
func (c *counts) mergeWrites(in *jsonedit.Reader) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "ephemeral_5m_input_tokens":
			c.split = read(&c.write5m, in) || c.split
		case "ephemeral_1h_input_tokens":
			c.split = read(&c.write1h, in) || c.split
		}
	}
}

// mergeIterations picks out the compactions. The other iterations are in the top level already, or were made by
// another model whose price is not this one's.
func (c *counts) mergeIterations(in *jsonedit.Reader) {
	if in.Peek() != '[' {
		return
	}
	c.compactedIn, c.compactedOut = 0, 0
	for ok := in.Array(); ok; ok = in.Next() {
		var kind string
		var input, output int64
		for ok := in.Object(); ok; ok = in.Next() {
			switch in.Key() {
			case "type":
				kind, _ = in.Text()
			case "input_tokens":
				read(&input, in)
			case "output_tokens":
				read(&output, in)
			}
		}
		if kind == "compaction" {
			c.compactedIn = min(c.compactedIn+input, jsonedit.MaxCount)
			c.compactedOut = min(c.compactedOut+output, jsonedit.MaxCount)
		}
	}
}

// usage is the counts in disjoint classes, as the top level has them.
func (c *counts) usage() conversation.Usage {
	thinking := min(c.thinking, c.output)
	u := conversation.Usage{
		Input: c.input, CacheRead: c.read, CacheWrite: c.write,
		Output: c.output - thinking, Reasoning: thinking, WebSearches: c.searches,
	}
	if c.split {
		total := c.write
		if total == 0 {
			total = c.write5m + c.write1h
		}
		u.CacheWrite1h = min(c.write1h, total)
		u.CacheWrite = total - u.CacheWrite1h
	}
	return u
}

// billed is usage plus what was used up beside the answer.
func (c *counts) billed() conversation.Usage {
	u := c.usage()
	u.Input += c.compactedIn
	u.Output += c.compactedOut
	return u
}

// read reads a token count, if what comes next is one.
func read(n *int64, in *jsonedit.Reader) bool {
	x, ok := jsonedit.Count(jsonedit.View(in.Raw()))
	if ok {
		*n = x
	}
	return ok
}

// readIn reads a token count out of an object.
func readIn(n *int64, in *jsonedit.Reader, key string) {
	for ok := in.Object(); ok; ok = in.Next() {
		if in.Key() == key {
			read(n, in)
		}
	}
}

// appendUsage appends the usage object of a response.
func appendUsage(dst []byte, u conversation.Usage) []byte {
	dst = append(dst, `{"input_tokens":`...)
	dst = strconv.AppendInt(dst, u.Input+u.InputAudio, 10)
	dst = append(dst, `,"cache_creation_input_tokens":`...)
	dst = strconv.AppendInt(dst, u.CacheWrite+u.CacheWrite1h, 10)
	dst = append(dst, `,"cache_read_input_tokens":`...)
	dst = strconv.AppendInt(dst, u.CacheRead, 10)
	if u.CacheWrite1h > 0 {
		dst = append(dst, `,"cache_creation":{"ephemeral_5m_input_tokens":`...)
		dst = strconv.AppendInt(dst, u.CacheWrite, 10)
		dst = append(dst, `,"ephemeral_1h_input_tokens":`...)
		dst = strconv.AppendInt(dst, u.CacheWrite1h, 10)
		dst = append(dst, '}')
	}
	dst = append(dst, `,"output_tokens":`...)
	dst = strconv.AppendInt(dst, u.TotalOutput(), 10)
	if u.Reasoning > 0 {
		dst = append(dst, `,"output_tokens_details":{"thinking_tokens":`...)
		dst = strconv.AppendInt(dst, u.Reasoning, 10)
		dst = append(dst, '}')
	}
	if u.WebSearches > 0 {
		dst = append(dst, `,"server_tool_use":{"web_search_requests":`...)
		dst = strconv.AppendInt(dst, u.WebSearches, 10)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

package messages

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

// maxCount bounds a token count that is believed. No request comes near it, and a thousand of them fit an int64 price.
const maxCount = 1_000_000_000

// counts collects the usage objects of one response. Those of message_start are preliminary; those of message_delta
// are cumulative and overwrite, member by member.
type counts struct {
	input, read, write, write5m, write1h int64
	output, thinking, searches           int64
	// compacted is what the compaction of the history took: it is billed, but not part of the top level.
	compactedIn, compactedOut  int64
	gotInput, gotOutput, split bool
}

// known says that both sides of the bill were reported. Half a report is none: the missing half would count as zero.
func (c *counts) known() bool { return c.gotInput && c.gotOutput }

// merge reads a usage object. A member that is missing, negative or absurd changes nothing; output never shrinks.
func (c *counts) merge(usage gjson.Result) {
	if !usage.IsObject() {
		return
	}
	usage.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "input_tokens":
			c.gotInput = set(&c.input, v) || c.gotInput
		case "output_tokens":
			if n, ok := count(v); ok {
				c.output, c.gotOutput = max(c.output, n), true
			}
		case "cache_read_input_tokens":
			set(&c.read, v)
		case "cache_creation_input_tokens":
			set(&c.write, v)
		case "cache_creation":
			c.split = set(&c.write5m, v.Get("ephemeral_5m_input_tokens")) || c.split
			c.split = set(&c.write1h, v.Get("ephemeral_1h_input_tokens")) || c.split
		case "output_tokens_details":
			if n, ok := count(v.Get("thinking_tokens")); ok {
				c.thinking = max(c.thinking, n)
			}
		case "server_tool_use":
			set(&c.searches, v.Get("web_search_requests"))
		case "iterations":
			c.mergeIterations(v)
		}
		return true
	})
}

// mergeIterations picks out the compactions. The other iterations are in the top level already, or were made by
// another model whose price is not this one's.
func (c *counts) mergeIterations(list gjson.Result) {
	if !list.IsArray() {
		return
	}
	c.compactedIn, c.compactedOut = 0, 0
	list.ForEach(func(_, it gjson.Result) bool {
		if it.Get("type").Str == "compaction" {
			in, _ := count(it.Get("input_tokens"))
			out, _ := count(it.Get("output_tokens"))
			c.compactedIn = min(c.compactedIn+in, maxCount)
			c.compactedOut = min(c.compactedOut+out, maxCount)
		}
		return true
	})
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

func set(n *int64, v gjson.Result) bool {
	x, ok := count(v)
	if ok {
		*n = x
	}
	return ok
}

// count reads a token count: an integer, or what sloppy servers make of one (7.0, 1e3, "7"). It refuses what cannot be
// a count.
func count(v gjson.Result) (int64, bool) {
	raw := v.Raw
	if v.Type == gjson.String {
		raw = v.Str
	} else if v.Type != gjson.Number {
		return 0, false
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil {
		if !strings.ContainsAny(raw, ".eE") {
			return 0, false
		}
		f, err := strconv.ParseFloat(raw, 64)
		if err != nil || !(f >= 0 && f <= maxCount) || f != float64(int64(f)) {
			return 0, false
		}
		n = int64(f)
	}
	return n, n >= 0 && n <= maxCount
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

package messages

import (
	"strconv"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// tokens are the counts of a usage object, and of each of its iterations.
type tokens struct {
	input, output, read          int64
	write, write5m, write1h      int64
	gotInput, gotOutput, gotEach bool // gotEach: the writes by lifetime
	gotWrite                     bool
}

// take reads a member, if it is one of the counts.
func (t *tokens) take(key string, in *jsonedit.Reader, c *dialects.Counts) {
	switch key {
	case "input_tokens":
		t.gotInput = c.Read(in, &t.input) || t.gotInput
	case "output_tokens":
		t.gotOutput = c.Read(in, &t.output) || t.gotOutput
	case "cache_read_input_tokens":
		c.Read(in, &t.read)
	case "cache_creation_input_tokens":
		t.gotWrite = c.Read(in, &t.write) || t.gotWrite
	case "cache_creation":
		for ok := in.Object(); ok; ok = in.Next() {
			switch in.Key() {
			case "ephemeral_5m_input_tokens":
				t.gotEach = c.Read(in, &t.write5m) || t.gotEach
			case "ephemeral_1h_input_tokens":
				t.gotEach = c.Read(in, &t.write1h) || t.gotEach
			}
		}
	}
}

// writes are the cache writes with the short and with the long lifetime.
func (t *tokens) writes(c *dialects.Counts) (short, long int64) {
	if !t.gotWrite {
		return t.write5m, t.write1h
	}
	if t.gotEach {
		c.Part(t.write5m+t.write1h, t.write)
	}
	long = min(t.write1h, t.write)
	return t.write - long, long
}

// counts collects the usage objects of one response. Those of message_start are preliminary; those of message_delta
// are cumulative and overwrite, member by member.
type counts struct {
	dialects.Counts
	tokens

	thinking, searches int64
	// compacted is what the compaction of the history took: it is billed, but not part of the top level.
	compacted tokens
	tier      string // the service tier, which is reported along with the counts
	fast      bool   // the answer was made at the higher speed, which has a price of its own
}

// merge reads a usage object. A member that is missing changes nothing. It reports whether the object says how much
// output there was.
func (c *counts) merge(in *jsonedit.Reader) (output bool) {
	got := c.gotOutput
	c.gotOutput = false
	var each bool
	for ok := in.Object(); ok; ok = in.Next() {
		switch key := in.Key(); key {
		case "output_tokens_details":
			c.readIn(&c.thinking, in, "thinking_tokens")
		case "server_tool_use":
			c.readIn(&c.searches, in, "web_search_requests")
		case "iterations":
			c.mergeIterations(in)
		case "service_tier":
			if s, ok := in.Text(); ok && s != c.tier {
				c.tier = strings.Clone(s)
			}
		case "speed":
			s, _ := in.Text()
			c.fast = s == "fast"
		default:
			each = each || key == "cache_creation"
			c.take(key, in, &c.Counts)
		}
	}
	if !each { // the lifetimes told before are those of another total
		c.gotEach = false
	}
	output = c.gotOutput
	c.gotOutput = got || output
	return output
}

// mergeIterations picks out the compactions. The other iterations are in the top level already, or were made by
// another model whose price is not this one's.
func (c *counts) mergeIterations(in *jsonedit.Reader) {
	if in.Peek() != '[' {
		return
	}
	c.compacted = tokens{}
	for ok := in.Array(); ok; ok = in.Next() {
		var kind string
		var t tokens
		for ok := in.Object(); ok; ok = in.Next() {
			if key := in.Key(); key == "type" {
				kind, _ = in.Text()
			} else {
				t.take(key, in, &c.Counts)
			}
		}
		if kind == "compaction" {
			c.compact(&t)
		}
	}
}

func (c *counts) compact(t *tokens) {
	add := func(n *int64, more int64) { *n = min(*n+more, dialects.MaxTokens+1) }
	short, long := t.writes(&c.Counts)
	add(&c.compacted.input, t.input)
	add(&c.compacted.output, t.output)
	add(&c.compacted.read, t.read)
	add(&c.compacted.write5m, short)
	add(&c.compacted.write1h, long)
}

// told is the usage as the top level has it. It is known when both sides of the bill were reported: half a report is
// none, for the missing half would count as zero.
func (c *counts) told() dialects.Reported { return c.report(&tokens{}) }

// billed is what is told plus what was used up beside the answer.
func (c *counts) billed() dialects.Reported { return c.report(&c.compacted) }

func (c *counts) report(beside *tokens) dialects.Reported {
	thinking := c.Part(c.thinking, c.output)
	short, long := c.writes(&c.Counts)
	return c.Report(conversation.Usage{
		Input: c.input + beside.input, CacheRead: c.read + beside.read,
		CacheWrite: short + beside.write5m, CacheWrite1h: long + beside.write1h,
		Output: c.output - thinking + beside.output, Reasoning: thinking, WebSearches: c.searches,
	}, c.gotInput && c.gotOutput)
}

// readIn reads a count out of an object.
func (c *counts) readIn(n *int64, in *jsonedit.Reader, key string) {
	for ok := in.Object(); ok; ok = in.Next() {
		if in.Key() == key {
			c.Read(in, n)
		}
	}
}

// appendUsage appends the usage object of a response.
func appendUsage(dst []byte, u conversation.Usage) []byte {
	dst = append(dst, `{"input_tokens":`...)
	dst = strconv.AppendInt(dst, u.Input+u.InputAudio+u.InputImage+u.InputVideo, 10)
	dst = append(dst, `,"cache_creation_input_tokens":`...)
	dst = strconv.AppendInt(dst, u.CacheWrite+u.CacheWrite1h, 10)
	dst = append(dst, `,"cache_read_input_tokens":`...)
	dst = strconv.AppendInt(dst, u.TotalCacheRead(), 10)
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

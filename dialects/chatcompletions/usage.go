package chatcompletions

import (
	"math"
	"strconv"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// maxTokenCount is the largest count that is believed, in tokens. No model reads or writes a thousandth of it in one
// request; a provider that says more reports nonsense.
const maxTokenCount = 1_000_000_000

// usageReport is a usage object as vendors write it, where classes contain one another.
type usageReport struct {
	prompt, completion, total          int64
	cached, written, audioIn           int64 // parts of prompt
	reasoning, audioOut                int64 // parts of completion, usually
	searches                           int64
	hasPrompt, hasCompletion, hasTotal bool
	invalid                            bool
}

// readUsage reads a usage object into disjoint classes. It reports false when there is none, and when one of its main
// counts is negative, absurd or no number: such a report is no report.
func readUsage(in *jsonedit.Reader) (conversation.Usage, bool) {
	var r usageReport
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "prompt_tokens", "input_tokens":
			r.count(in, &r.prompt, &r.hasPrompt)
		case "completion_tokens", "output_tokens":
			r.count(in, &r.completion, &r.hasCompletion)
		case "total_tokens":
			r.count(in, &r.total, &r.hasTotal)
		case "prompt_tokens_details", "input_tokens_details":
			r.promptDetails(in)
		case "completion_tokens_details", "output_tokens_details":
			r.completionDetails(in)
		case "prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens":
			// DeepSeek, Moonshot and Mistral; the same number may stand in the details as well.
			r.cached = max(r.cached, detail(in))
		case "server_tool_use":
			for ok := in.Object(); ok; ok = in.Next() {
				if in.Key() == "web_search_requests" {
					r.searches = detail(in)
				}
			}
		}
	}
	return r.classes()
}

// readGroq reads the usage that Groq wraps in an object of its own.
func readGroq(in *jsonedit.Reader) (u conversation.Usage, known bool) {
	for ok := in.Object(); ok; ok = in.Next() {
		if in.Key() == "usage" {
			u, known = readUsage(in)
		}
	}
	return u, known
}

// count reads one of the main counts.
func (r *usageReport) count(in *jsonedit.Reader, n *int64, has *bool) {
	if in.Peek() == 'n' {
		return
	}
	c, ok := wholeNumber(in)
	if !ok || c < 0 || c > maxTokenCount {
		r.invalid = true
		return
	}
	*n, *has = c, true
}

// detail reads a count that is a part of another. What cannot be true counts as not reported.
func detail(in *jsonedit.Reader) int64 {
	n, ok := wholeNumber(in)
	if !ok || n < 0 || n > maxTokenCount {
		return 0
	}
	return n
}

func (r *usageReport) promptDetails(in *jsonedit.Reader) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "cached_tokens":
			r.cached = max(r.cached, detail(in))
		case "cache_write_tokens":
			r.written = detail(in)
		case "audio_tokens":
			r.audioIn = detail(in)
		}
	}
}

func (r *usageReport) completionDetails(in *jsonedit.Reader) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "reasoning_tokens":
			r.reasoning = detail(in)
		case "audio_tokens":
			r.audioOut = detail(in)
		}
	}
}

// classes takes the parts out of the wholes. Parts may overlap (OpenRouter reports the same tokens as read from and
// written to a cache): no class drops below zero, and the input classes always add up to the prompt.
func (r *usageReport) classes() (conversation.Usage, bool) {
	if r.invalid || !(r.hasPrompt || r.hasCompletion || r.hasTotal) {
		return conversation.Usage{}, false
	}
	if !r.hasPrompt && !r.hasCompletion {
		r.prompt = r.total // embeddings
	}
	r.splitReasoning()
	u := conversation.Usage{WebSearches: r.searches, Reasoning: r.reasoning}
	u.CacheRead = min(r.cached, r.prompt)
	rest := r.prompt - u.CacheRead
	u.CacheWrite = min(r.written, rest)
	rest -= u.CacheWrite
	u.InputAudio = min(r.audioIn, rest)
	u.Input = rest - u.InputAudio
	u.OutputAudio = min(r.audioOut, r.completion)
	u.Output = r.completion - u.OutputAudio
	return u, true
}

// splitReasoning takes the reasoning out of the completion. OpenAI counts it inside. xAI counts it beside, which only
// the total shows. Google's endpoint does not count it at all: there the total has the rest.
func (r *usageReport) splitReasoning() {
	sum := r.prompt + r.completion
	switch {
	case r.reasoning > r.completion, r.reasoning > 0 && r.hasTotal && r.total == sum+r.reasoning:
	case r.reasoning == 0 && r.hasPrompt && r.hasCompletion && r.total > sum:
		r.reasoning = r.total - sum
	default:
		r.completion -= r.reasoning
	}
}

// wholeNumber reads an integer that may be spelled 7, 7.0, 7e0 or "7".
func wholeNumber(in *jsonedit.Reader) (int64, bool) {
	if in.Peek() == '0' {
		return parseWhole(jsonedit.View(in.Raw()))
	}
	s, ok := in.Text()
	if !ok {
		return 0, false
	}
	return parseWhole(s)
}

func parseWhole(s string) (int64, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// appendUsage appends a usage object.
func appendUsage(dst []byte, u conversation.Usage) []byte {
	in, out := u.TotalInput(), u.TotalOutput()
	dst = appendInt(append(dst, `{"prompt_tokens":`...), in)
	dst = appendInt(append(dst, `,"completion_tokens":`...), out)
	dst = appendInt(append(dst, `,"total_tokens":`...), in+out)
	dst = appendInt(append(dst, `,"prompt_tokens_details":{"cached_tokens":`...), u.CacheRead)
	if written := u.CacheWrite + u.CacheWrite1h; written > 0 {
		dst = appendInt(append(dst, `,"cache_write_tokens":`...), written)
	}
	dst = appendInt(append(dst, `,"audio_tokens":`...), u.InputAudio)
	dst = appendInt(append(dst, `},"completion_tokens_details":{"reasoning_tokens":`...), u.Reasoning)
	dst = appendInt(append(dst, `,"audio_tokens":`...), u.OutputAudio)
	dst = append(dst, '}')
	if u.WebSearches > 0 {
		dst = appendInt(append(dst, `,"server_tool_use":{"web_search_requests":`...), u.WebSearches)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

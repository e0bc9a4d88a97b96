package chatcompletions

import (
	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// usageReport is a usage object as vendors write it, where classes contain one another.
type usageReport struct {
	dialects.Counts

	prompt, completion, total          int64
	hasPrompt, hasCompletion, hasTotal bool

	cached, written           int64 // parts of prompt
	audioIn, imageIn, videoIn int64 // parts of prompt, cached or not
	cachedAudio, cachedImage  int64 // parts of cached
	reasoning                 int64 // part of completion, usually
	audioOut, imageOut        int64 // parts of completion
	searches                  int64

	thought, citations int64 // beside all others, at Perplexity
	hasCitations       bool
}

// readUsage reads a usage object into disjoint classes. Nothing is known when there is none, and when a count in it
// cannot be true.
func readUsage(in *jsonedit.Reader) dialects.Reported {
	var r usageReport
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "prompt_tokens", "input_tokens":
			r.hasPrompt = r.Read(in, &r.prompt) || r.hasPrompt
		case "completion_tokens", "output_tokens":
			r.hasCompletion = r.Read(in, &r.completion) || r.hasCompletion
		case "total_tokens":
			r.hasTotal = r.Read(in, &r.total) || r.hasTotal
		case "prompt_tokens_details", "input_tokens_details", "prompt_token_details", "input_token_details":
			r.promptDetails(in)
		case "completion_tokens_details", "output_tokens_details":
			r.completionDetails(in)
		case "prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens":
			r.most(in, &r.cached) // DeepSeek, Moonshot and Mistral; the details may have it as well
		case "server_tool_use":
			for ok := in.Object(); ok; ok = in.Next() {
				if in.Key() == "web_search_requests" {
					r.Read(in, &r.searches)
				}
			}
		case "num_search_queries": // Perplexity
			r.Read(in, &r.searches)
		case "citation_tokens": // Perplexity's models for research
			r.hasCitations = r.Read(in, &r.citations) || r.hasCitations
		case "reasoning_tokens":
			r.Read(in, &r.thought)
		}
	}
	return r.classes()
}

// readGroq reads the usage that Groq wraps in an object of its own.
func readGroq(in *jsonedit.Reader) (u dialects.Reported) {
	for ok := in.Object(); ok; ok = in.Next() {
		if in.Key() == "usage" {
			u = readUsage(in)
		}
	}
	return u
}

// readBilled reads what Cohere tells of the cost of embeddings and rankings. Searches are billed by the request.
func readBilled(in *jsonedit.Reader) dialects.Reported {
	var c dialects.Counts
	var u conversation.Usage
	var searches int64
	known := false
	for ok := in.Object(); ok; ok = in.Next() {
		if in.Key() != "billed_units" {
			continue
		}
		for ok := in.Object(); ok; ok = in.Next() {
			switch in.Key() {
			case "input_tokens":
				known = c.Read(in, &u.Input) || known
			case "image_tokens":
				known = c.Read(in, &u.InputImage) || known
			case "output_tokens":
				known = c.Read(in, &u.Output) || known
			case "search_units":
				known = c.Read(in, &searches) || known
			}
		}
	}
	return c.Report(u, known)
}

// most reads a count that may be told in several places.
func (r *usageReport) most(in *jsonedit.Reader, n *int64) {
	before := *n
	r.Read(in, n)
	*n = max(*n, before)
}

func (r *usageReport) promptDetails(in *jsonedit.Reader) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "cached_tokens":
			r.most(in, &r.cached)
		case "cache_write_tokens":
			r.Read(in, &r.written)
		case "audio_tokens":
			r.Read(in, &r.audioIn)
		case "image_tokens":
			r.Read(in, &r.imageIn)
		case "video_tokens":
			r.Read(in, &r.videoIn)
		case "cached_tokens_details":
			for ok := in.Object(); ok; ok = in.Next() {
				switch in.Key() {
				case "audio_tokens":
					r.Read(in, &r.cachedAudio)
				case "image_tokens":
					r.Read(in, &r.cachedImage)
				}
			}
		}
	}
}

func (r *usageReport) completionDetails(in *jsonedit.Reader) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "reasoning_tokens":
			r.Read(in, &r.reasoning)
		case "audio_tokens":
			r.Read(in, &r.audioOut)
		case "image_tokens":
			r.Read(in, &r.imageOut)
		}
	}
}

// classes takes the parts out of the wholes, so that the classes always add up to prompt and completion.
func (r *usageReport) classes() dialects.Reported {
	if !r.hasPrompt && !r.hasCompletion {
		r.prompt = r.total // embeddings
	}
	if r.hasCitations {
		// What was thought and read on the way is billed, the latter like input, and not even part of the total.
		r.reasoning = r.thought
	} else {
		r.splitReasoning()
	}
	u := conversation.Usage{WebSearches: r.searches}
	r.splitPrompt(&u)
	r.splitCompletion(&u)
	u.Input += r.citations
	return r.Report(u, r.hasPrompt || r.hasCompletion || r.hasTotal)
}

// splitPrompt divides the prompt. OpenRouter reports the same tokens as read from and as written to a cache, and how
// much of the cached part is audio is seldom told: what overlaps counts once, and as cached.
func (r *usageReport) splitPrompt(u *conversation.Usage) {
	cached := r.Part(r.cached, r.prompt)
	rest := r.prompt - cached
	u.CacheReadAudio = r.Part(r.cachedAudio, cached)
	u.CacheReadImage = r.Part(r.cachedImage, cached-u.CacheReadAudio)
	u.CacheRead = cached - u.CacheReadAudio - u.CacheReadImage
	u.CacheWrite = min(r.Part(r.written, r.prompt), rest)
	rest -= u.CacheWrite
	r.Part(r.audioIn+r.imageIn+r.videoIn, r.prompt)
	u.InputAudio = min(max(r.audioIn-u.CacheReadAudio, 0), rest)
	rest -= u.InputAudio
	u.InputImage = min(max(r.imageIn-u.CacheReadImage, 0), rest)
	rest -= u.InputImage
	u.InputVideo = min(r.videoIn, rest)
	u.Input = rest - u.InputVideo
}

func (r *usageReport) splitCompletion(u *conversation.Usage) {
	u.Reasoning = r.reasoning
	r.Part(r.audioOut+r.imageOut, r.completion)
	u.OutputAudio = min(r.audioOut, r.completion)
	u.OutputImage = min(r.imageOut, r.completion-u.OutputAudio)
	u.Output = r.completion - u.OutputAudio - u.OutputImage
}

// splitReasoning takes the reasoning out of the completion. OpenAI counts it inside. xAI counts it beside, which only
// the total shows. Google's endpoint does not count it at all: there the total has the rest. Where the total leaves no
// room beside the completion, more reasoning than completion is the same text counted by another tokenizer.
func (r *usageReport) splitReasoning() {
	sum := r.prompt + r.completion
	switch {
	case r.reasoning > 0 && r.hasTotal && r.total == sum+r.reasoning:
	case r.reasoning > r.completion && r.hasTotal && r.total == sum:
		r.reasoning, r.completion = r.completion, 0
	case r.reasoning > r.completion:
	case r.reasoning == 0 && r.hasPrompt && r.hasCompletion && r.total > sum:
		r.reasoning = r.total - sum
	default:
		r.completion -= r.reasoning
	}
}

// appendUsage appends a usage object. Details that OpenAI's has not are told where there is something to tell.
func appendUsage(dst []byte, u conversation.Usage) []byte {
	in, out := u.TotalInput(), u.TotalOutput()
	dst = appendInt(append(dst, `{"prompt_tokens":`...), in)
	dst = appendInt(append(dst, `,"completion_tokens":`...), out)
	dst = appendInt(append(dst, `,"total_tokens":`...), in+out)
	dst = appendInt(append(dst, `,"prompt_tokens_details":{"cached_tokens":`...), u.TotalCacheRead())
	dst = appendCount(dst, "cache_write_tokens", u.CacheWrite+u.CacheWrite1h)
	dst = appendInt(append(dst, `,"audio_tokens":`...), u.InputAudio+u.CacheReadAudio)
	dst = appendCount(dst, "image_tokens", u.InputImage+u.CacheReadImage)
	dst = appendCount(dst, "video_tokens", u.InputVideo)
	if u.CacheReadAudio+u.CacheReadImage > 0 {
		dst = appendInt(append(dst, `,"cached_tokens_details":{"text_tokens":`...), u.CacheRead)
		dst = appendCount(dst, "audio_tokens", u.CacheReadAudio)
		dst = append(appendCount(dst, "image_tokens", u.CacheReadImage), '}')
	}
	dst = appendInt(append(dst, `},"completion_tokens_details":{"reasoning_tokens":`...), u.Reasoning)
	dst = appendInt(append(dst, `,"audio_tokens":`...), u.OutputAudio)
	dst = append(appendCount(dst, "image_tokens", u.OutputImage), '}')
	if u.WebSearches > 0 {
		dst = appendInt(append(dst, `,"server_tool_use":{"web_search_requests":`...), u.WebSearches)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// appendCount appends a member that is left out when it is zero.
func appendCount(dst []byte, key string, n int64) []byte {
	if n == 0 {
		return dst
	}
	dst = append(append(append(dst, `,"`...), key...), `":`...)
	return appendInt(dst, n)
}

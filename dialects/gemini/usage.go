package gemini

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// report is a usageMetadata object as Google writes it. The prompt includes what was read from a cache and excludes what
// server-side tools added to it; the candidates exclude thoughts. Zero counts are left out, so one count is enough for
// the usage to be known; Vertex sends early chunks, and refusals, with a trafficType alone.
type report struct {
	dialects.Counts

	prompt, tools, cached, candidates, thoughts, total int64
	promptBy, toolsBy, cachedBy, candidatesBy          modalities
	known                                              bool
}

// modalities are the parts of a count that are not text. Documents are billed as text.
type modalities struct{ audio, image, video int64 }

func (m modalities) sum() int64 { return m.audio + m.image + m.video }

// readUsage turns usageMetadata into disjoint classes.
func readUsage(raw string) dialects.Reported {
	var r report
	read := func(raw string, into *int64) { r.known = r.Parse(raw, into) || r.known }
	jsonedit.EachMember(raw, func(key, raw string) bool {
		switch key {
		case "promptTokenCount":
			read(raw, &r.prompt)
		case "toolUsePromptTokenCount":
			read(raw, &r.tools)
		case "cachedContentTokenCount":
			read(raw, &r.cached)
		case "candidatesTokenCount":
			read(raw, &r.candidates)
		case "thoughtsTokenCount":
			read(raw, &r.thoughts)
		case "totalTokenCount":
			read(raw, &r.total)
		case "promptTokensDetails":
			r.promptBy = r.modalities(raw)
		case "toolUsePromptTokensDetails":
			r.toolsBy = r.modalities(raw)
		case "cacheTokensDetails":
			r.cachedBy = r.modalities(raw)
		case "candidatesTokensDetails":
			r.candidatesBy = r.modalities(raw)
		}
		return true
	})
	return r.classes()
}

// modalities sums up a list of counts by modality. Some recorders and proxies write the enum's numbers.
func (r *report) modalities(list string) (m modalities) {
	gjson.Parse(list).ForEach(func(_, entry gjson.Result) bool {
		var n, other int64
		sum := &other
		jsonedit.EachMember(entry.Raw, func(key, raw string) bool {
			switch key {
			case "modality":
				switch raw {
				case `"IMAGE"`, "2":
					sum = &m.image
				case `"VIDEO"`, "3":
					sum = &m.video
				case `"AUDIO"`, "4":
					sum = &m.audio
				}
			case "tokenCount":
				r.Parse(raw, &n)
			}
			return true
		})
		*sum = min(*sum+n, dialects.MaxTokens+1)
		return true
	})
	return m
}

// classes takes the parts out of the wholes, so that the classes always add up to what the counts say.
func (r *report) classes() dialects.Reported {
	if r.prompt+r.candidates+r.tools+r.thoughts == 0 {
		r.prompt = r.total
	}
	r.Part(r.promptBy.sum(), r.prompt)
	r.Part(r.toolsBy.sum(), r.tools)
	r.Part(r.cachedBy.sum(), r.cached)
	r.Part(r.candidatesBy.sum(), r.candidates)
	r.Part(r.cached, r.prompt)
	if r.Invalid {
		return r.Report(conversation.Usage{}, false)
	}
	u := conversation.Usage{
		CacheReadAudio: r.cachedBy.audio,
		CacheReadImage: r.cachedBy.image,
		CacheRead:      r.cached - r.cachedBy.audio - r.cachedBy.image,
		Reasoning:      r.thoughts,
		OutputAudio:    r.candidatesBy.audio,
		OutputImage:    r.candidatesBy.image,
		Output:         r.candidates - r.candidatesBy.audio - r.candidatesBy.image,
	}
	rest := r.prompt - r.cached
	take := func(n int64) int64 {
		n = min(max(n, 0), rest)
		rest -= n
		return n
	}
	u.InputAudio = take(r.promptBy.audio-r.cachedBy.audio) + r.toolsBy.audio
	u.InputImage = take(r.promptBy.image-r.cachedBy.image) + r.toolsBy.image
	u.InputVideo = take(r.promptBy.video-r.cachedBy.video) + r.toolsBy.video
	u.Input = rest + r.tools - r.toolsBy.sum()
	return r.Report(u, r.known)
}

// onDemand begins Vertex's words for traffic that is not paid for in advance.
const onDemand = "ON_DEMAND"

// tierWord is the word for the service tier in a usageMetadata, which it is a view of. Vertex has it as part of the
// traffic type (ON_DEMAND_PRIORITY, ON_DEMAND_FLEX, PROVISIONED_THROUGHPUT), of which numbers say nothing.
func tierWord(usage string) (word string) {
	jsonedit.EachMember(usage, func(key, raw string) bool {
		if raw[0] == '"' && (key == "serviceTier" || key == "trafficType" && word == "") {
			word = strings.Trim(raw, `"`)
		}
		return true
	})
	return word
}

// serviceTier is the tier that clients are told.
func serviceTier(usage string) string {
	word := tierWord(usage)
	if tier, ok := strings.CutPrefix(word, onDemand); ok {
		word = strings.TrimPrefix(tier, "_")
	}
	return strings.Clone(strings.ToLower(word))
}

// webSearches is how many searches are billed for a grounded answer. Gemini 3 bills every query, earlier models the
// prompt, however many queries it led to.
func webSearches(model string, queries int64) int64 {
	if g := generationOf(model); queries > 1 && g.known && g.major < 3 {
		return 1
	}
	return queries
}

// stopReason translates a raw finishReason; done is false while the candidate has none. Some recorders and proxies
// write the enum's numbers, on which the two APIs agree up to 5 and roughly up to 8.
func stopReason(raw string) (stop conversation.StopReason, done bool) {
	switch name := strings.Trim(raw, `"`); name {
	case "", "null", "FINISH_REASON_UNSPECIFIED", "0":
		return conversation.StopUnknown, false
	case "STOP", "1":
		return conversation.StopEnd, true
	case "MAX_TOKENS", "2":
		return conversation.StopLength, true
	case "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "LANGUAGE",
		"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "3", "4", "6", "7", "8":
		return conversation.StopFiltered, true
	case "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
		"MALFORMED_RESPONSE", "NO_IMAGE", "IMAGE_OTHER", "OTHER", "5", "9", "10":
		return conversation.StopError, true
	default:
		return conversation.StopUnknown, true
	}
}

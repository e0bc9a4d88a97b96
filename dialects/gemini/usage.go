package gemini

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// readUsage turns usageMetadata into disjoint classes. On the wire the prompt includes what was read from a cache and
// excludes what server-side tools added; the candidates exclude thoughts. Zero counts are left out, so one count is
// enough for the usage to be known; Vertex sends early chunks, and refusals, with a trafficType alone. An impossible
// count makes the whole usage invalid: it must not be mistaken for a small one.
func readUsage(raw string) (u conversation.Usage, known, valid bool) {
	var prompt, tools, cached, candidates, thoughts int64
	var audioIn, audioCached, audioOut int64
	valid = true
	read := func(raw string, into *int64) {
		if !isSet(raw) {
			return
		}
		n, good := jsonedit.Count(raw)
		known, valid = true, valid && good
		*into = n
	}
	jsonedit.EachMember(raw, func(key, raw string) bool {
		switch key {
		case "promptTokenCount":
			read(raw, &prompt)
		case "toolUsePromptTokenCount":
			read(raw, &tools)
		case "cachedContentTokenCount":
			read(raw, &cached)
		case "candidatesTokenCount":
			read(raw, &candidates)
		case "thoughtsTokenCount":
			read(raw, &thoughts)
		case "totalTokenCount":
			var total int64
			read(raw, &total)
		case "promptTokensDetails":
			audioIn = audioTokens(raw)
		case "cacheTokensDetails":
			audioCached = audioTokens(raw)
		case "candidatesTokensDetails":
			audioOut = audioTokens(raw)
		}
		return true
	})
	cached = min(cached, prompt)
	audioIn = min(max(audioIn-audioCached, 0), prompt-cached)
	audioOut = min(audioOut, candidates)
	return conversation.Usage{
		Input:       prompt - cached - audioIn + tools,
		CacheRead:   cached,
		InputAudio:  audioIn,
		Output:      candidates - audioOut,
		Reasoning:   thoughts,
		OutputAudio: audioOut,
	}, known, valid
}

// audioTokens sums up the audio of a list of modality counts.
func audioTokens(list string) (sum int64) {
	gjson.Parse(list).ForEach(func(_, entry gjson.Result) bool {
		audio, n := false, int64(0)
		jsonedit.EachMember(entry.Raw, func(key, raw string) bool {
			switch key {
			case "modality":
				audio = raw == `"AUDIO"` || raw == "4"
			case "tokenCount":
				n, _ = jsonedit.Count(raw)
			}
			return true
		})
		if audio {
			sum = min(sum+n, jsonedit.MaxCount)
		}
		return true
	})
	return sum
}

// serviceTier is the tier that a usageMetadata tells of. Vertex has it as part of the traffic type
// (ON_DEMAND_PRIORITY, ON_DEMAND_FLEX).
func serviceTier(usage string) (tier string) {
	jsonedit.EachMember(usage, func(key, raw string) bool {
		switch key {
		case "serviceTier":
			tier = jsonedit.ScalarText(raw)
		case "trafficType":
			if name, ok := strings.CutPrefix(strings.Trim(raw, `"`), "ON_DEMAND_"); ok && tier == "" {
				tier = strings.ToLower(name)
			}
		}
		return true
	})
	return tier
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

package integration

import (
	"encoding/binary"
	"encoding/json"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/providers"
)

// usageObject is a JSON object as encoding/json has it.
type usageObject map[string]any

// at is an object below this one; nil when there is none.
func (o usageObject) at(path ...string) usageObject {
	for _, key := range path {
		next, _ := o[key].(map[string]any)
		o = next
	}
	return o
}

// n is a number below this object; 0 when there is none.
func (o usageObject) n(path ...string) int64 {
	last := len(path) - 1
	f, _ := o.at(path[:last]...)[path[last]].(float64)
	return int64(f)
}

func (o usageObject) text(key string) string { s, _ := o[key].(string); return s }

// has reports whether one of the members is a number.
func (o usageObject) has(keys ...string) bool {
	for _, key := range keys {
		if _, ok := o[key].(float64); ok {
			return true
		}
	}
	return false
}

// list are the objects in an array.
func (o usageObject) list(key string) (objects []usageObject) {
	values, _ := o[key].([]any)
	for _, v := range values {
		if m, ok := v.(map[string]any); ok {
			objects = append(objects, m)
		}
	}
	return objects
}

// usageDocuments are the JSON documents of a response: one, or those of its events.
func usageDocuments(dialect providers.Dialect, x *dialecttest.Exchange) (documents []usageObject) {
	add := func(text string) {
		var o usageObject
		if json.Unmarshal([]byte(text), &o) == nil && o != nil {
			documents = append(documents, o)
		}
	}
	switch {
	case !x.Streaming:
		add(x.Body)
	case dialect == providers.Converse:
		for b := []byte(x.Body); len(b) >= 16; {
			total, headers := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
			add(string(b[12+headers : total-4]))
			b = b[total:]
		}
	default:
		for line := range strings.Lines(x.Body) {
			line = strings.TrimSpace(line)
			add(strings.TrimPrefix(strings.TrimPrefix(line, "data:"), " "))
		}
	}
	return documents
}

func sameUsage(u conversation.Usage, known bool) usageReading {
	return usageReading{billed: u, told: u, known: known}
}

// readChatUsage: prompt_tokens includes what was cached, and audio and pictures; completion_tokens includes reasoning,
// but at xAI, whose total has all three. Google's total has the thoughts that nothing else has. Embeddings may have a
// total alone. The last usage of a stream counts.
func readChatUsage(documents []usageObject, _ bool) (r usageReading) {
	for _, d := range documents {
		u := d.at("usage")
		if u == nil {
			u = d.at("x_groq", "usage")
		}
		if !u.has("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens") {
			continue
		}
		in, out, total := u.n("prompt_tokens")+u.n("input_tokens"), u.n("completion_tokens")+u.n("output_tokens"), u.n("total_tokens")
		if !u.has("prompt_tokens", "input_tokens", "completion_tokens", "output_tokens") {
			in = total
		}
		reasoning := u.n("completion_tokens_details", "reasoning_tokens")
		switch {
		case reasoning > 0 && total == in+out+reasoning: // xAI
		case reasoning == 0 && total > in+out: // Google
			reasoning = total - in - out
		default:
			out -= reasoning
		}
		cached := max(u.n("prompt_tokens_details", "cached_tokens"), u.n("prompt_cache_hit_tokens"), u.n("cached_tokens"), u.n("num_cached_tokens"))
		written := min(u.n("prompt_tokens_details", "cache_write_tokens"), in-cached) // OpenRouter counts some twice
		audio, pictures := u.n("prompt_tokens_details", "audio_tokens"), u.n("prompt_tokens_details", "image_tokens")
		video := u.n("prompt_tokens_details", "video_tokens")
		audioOut, picturesOut := u.n("completion_tokens_details", "audio_tokens"), u.n("completion_tokens_details", "image_tokens")
		r = sameUsage(conversation.Usage{
			Input: in - cached - written - audio - pictures - video, CacheRead: cached, CacheWrite: written,
			InputAudio: audio, InputImage: pictures, InputVideo: video,
			Output: out - audioOut - picturesOut, Reasoning: reasoning, OutputAudio: audioOut, OutputImage: picturesOut,
			WebSearches: u.n("server_tool_use", "web_search_requests"),
		}, true)
	}
	return r
}

// readBilledUsage: Cohere's embeddings and rankings tell what is billed.
func readBilledUsage(documents []usageObject, _ bool) (r usageReading) {
	for _, d := range documents {
		b := d.at("meta", "billed_units")
		r = sameUsage(conversation.Usage{Input: b.n("input_tokens"), InputImage: b.n("image_tokens"), Output: b.n("output_tokens")}, b != nil)
	}
	return r
}

// readResponsesUsage: input_tokens includes what was read from and written to a cache, output_tokens the reasoning. Every
// search is billed; opening a page that it found is not.
func readResponsesUsage(documents []usageObject, stream bool) (r usageReading) {
	searches := int64(0)
	for _, d := range documents {
		response := d
		if stream {
			switch d.text("type") {
			case "response.completed", "response.incomplete", "response.failed":
				response = d.at("response")
			default:
				continue
			}
		}
		for _, item := range response.list("output") {
			action := item.at("action").text("type")
			if item.text("type") == "web_search_call" && (action == "search" || action == "") {
				searches++
			}
		}
		u := response.at("usage")
		if !u.has("input_tokens", "output_tokens", "prompt_tokens", "completion_tokens") {
			continue
		}
		in, out := u.n("input_tokens")+u.n("prompt_tokens"), u.n("output_tokens")+u.n("completion_tokens")
		cached, written := u.n("input_tokens_details", "cached_tokens"), u.n("input_tokens_details", "cache_write_tokens")
		reasoning := u.n("output_tokens_details", "reasoning_tokens")
		r = sameUsage(conversation.Usage{
			Input: in - cached - written, CacheRead: cached, CacheWrite: written, Output: out - reasoning, Reasoning: reasoning,
			WebSearches: searches,
		}, true)
	}
	return r
}

// readMessagesUsage: input_tokens is beside what was read from and written to a cache. message_delta replaces what
// message_start said, as far as it goes. A compaction is billed beside the top level.
func readMessagesUsage(documents []usageObject, stream bool) (r usageReading) {
	all := usageObject{}
	for _, d := range documents {
		u := d.at("usage")
		if stream && d.text("type") == "message_start" {
			u = d.at("message", "usage")
		}
		for key, value := range u {
			if value != nil {
				all[key] = value
			}
		}
	}
	long := min(all.n("cache_creation", "ephemeral_1h_input_tokens"), all.n("cache_creation_input_tokens"))
	thinking := all.n("output_tokens_details", "thinking_tokens")
	r = sameUsage(conversation.Usage{
		Input: all.n("input_tokens"), CacheRead: all.n("cache_read_input_tokens"),
		CacheWrite: all.n("cache_creation_input_tokens") - long, CacheWrite1h: long,
		Output: all.n("output_tokens") - thinking, Reasoning: thinking, WebSearches: all.n("server_tool_use", "web_search_requests"),
	}, all.has("input_tokens") && all.has("output_tokens"))
	for _, step := range all.list("iterations") {
		if step.text("type") == "compaction" {
			r.billed.Input += step.n("input_tokens")
			r.billed.CacheRead += step.n("cache_read_input_tokens")
			r.billed.CacheWrite += step.n("cache_creation_input_tokens")
			r.billed.Output += step.n("output_tokens")
		}
	}
	return r
}

// readGeminiUsage: promptTokenCount includes what was cached, toolUsePromptTokenCount stands beside it, and thoughts stand
// beside the candidates. Documents are billed as text. Searches are billed by the query from Gemini 3 on, and by the
// prompt before. The last usage of a stream counts.
func readGeminiUsage(documents []usageObject, _ bool) (r usageReading) {
	queries, model := 0, ""
	for _, d := range documents {
		if m := d.text("modelVersion"); m != "" {
			model = m
		}
		for _, c := range d.list("candidates") {
			found, _ := c.at("groundingMetadata")["webSearchQueries"].([]any)
			queries = max(queries, len(found))
		}
		u := d.at("usageMetadata")
		if !u.has("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount") {
			continue
		}
		prompt, tools := geminiModalities(u, "promptTokensDetails"), geminiModalities(u, "toolUsePromptTokensDetails")
		cached, made := geminiModalities(u, "cacheTokensDetails"), geminiModalities(u, "candidatesTokensDetails")
		v := conversation.Usage{
			InputAudio:     prompt["AUDIO"] - cached["AUDIO"] + tools["AUDIO"],
			InputImage:     prompt["IMAGE"] - cached["IMAGE"] + tools["IMAGE"],
			InputVideo:     prompt["VIDEO"] - cached["VIDEO"] + tools["VIDEO"],
			CacheReadAudio: cached["AUDIO"], CacheReadImage: cached["IMAGE"],
			CacheRead: u.n("cachedContentTokenCount") - cached["AUDIO"] - cached["IMAGE"],
			Reasoning: u.n("thoughtsTokenCount"), OutputAudio: made["AUDIO"], OutputImage: made["IMAGE"],
			Output: u.n("candidatesTokenCount") - made["AUDIO"] - made["IMAGE"],
		}
		v.Input = u.n("promptTokenCount") + u.n("toolUsePromptTokenCount") - u.n("cachedContentTokenCount") - v.InputAudio - v.InputImage - v.InputVideo
		r = sameUsage(v, true)
	}
	if queries > 1 && !strings.HasPrefix(model, "gemini-3") {
		queries = 1
	}
	r.billed.WebSearches, r.told.WebSearches = int64(queries), int64(queries)
	return r
}

// geminiModalities are the counts of a list by modality, which some recorders write as numbers.
func geminiModalities(u usageObject, key string) map[string]int64 {
	counts := map[string]int64{}
	for _, entry := range u.list(key) {
		name := entry.text("modality")
		if name == "" {
			name = [...]string{"", "TEXT", "IMAGE", "VIDEO", "AUDIO", "DOCUMENT"}[entry.n("modality")]
		}
		counts[name] += entry.n("tokenCount")
	}
	return counts
}

// readConverseUsage: cache reads and writes stand beside the input. Lifetimes are told one by one.
func readConverseUsage(documents []usageObject, _ bool) (r usageReading) {
	for _, d := range documents {
		u := d.at("usage")
		if !u.has("inputTokens") {
			continue
		}
		long := int64(0)
		for _, detail := range u.list("cacheDetails") {
			if detail.text("ttl") == "1h" {
				long += detail.n("inputTokens")
			}
		}
		written := max(u.n("cacheWriteInputTokens"), u.n("cacheWriteInputTokenCount"))
		r = sameUsage(conversation.Usage{
			Input: u.n("inputTokens"), CacheRead: max(u.n("cacheReadInputTokens"), u.n("cacheReadInputTokenCount")),
			CacheWrite: written - long, CacheWrite1h: long, Output: u.n("outputTokens"),
		}, true)
	}
	return r
}

// readCohereUsage: billed_units is the bill, with the pictures in the input; tokens are what the model read and wrote,
// with Cohere's own prompt and what was cached, and without pictures.
func readCohereUsage(documents []usageObject, _ bool) (r usageReading) {
	for _, d := range documents {
		u := d.at("usage")
		if d.text("type") == "message-end" {
			u = d.at("delta", "usage")
		}
		billed, tokens := u.at("billed_units"), u.at("tokens")
		if billed == nil || tokens == nil {
			continue
		}
		pictures, cached := tokens.n("image_tokens"), u.n("cached_tokens")
		r = usageReading{
			billed: conversation.Usage{Input: billed.n("input_tokens") - pictures, InputImage: pictures, Output: billed.n("output_tokens")},
			told:   conversation.Usage{Input: tokens.n("input_tokens") - cached, CacheRead: cached, Output: tokens.n("output_tokens")},
			known:  true,
		}
	}
	return r
}

// readOllamaUsage: the count of the prompt is missing when all of it was in the cache.
func readOllamaUsage(documents []usageObject, _ bool) (r usageReading) {
	for _, d := range documents {
		if d.has("prompt_eval_count", "eval_count") {
			r = sameUsage(conversation.Usage{Input: d.n("prompt_eval_count"), Output: d.n("eval_count")}, true)
		}
	}
	return r
}

package responses

import (
	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// readUsage turns a usage object into disjoint classes: on the wire the input includes what was read from and written
// to a cache, and the output includes reasoning. It reports false when there are no counts, or impossible ones,
// which must not be mistaken for small ones.
//
// Subtractions stop at zero, because a vendor may count a token as read and as written at once.
func readUsage(raw string) (u conversation.Usage, ok bool) {
	var input, output, cached, written, reasoning int64
	known, valid := false, true
	read := func(raw string, into *int64) bool {
		if !isSet(raw) {
			return true
		}
		n, good := jsonedit.Count(raw)
		valid = valid && good
		*into = n
		return true
	}
	jsonedit.EachMember(raw, func(key, raw string) bool {
		switch key {
		case "input_tokens", "prompt_tokens": // Azure has answered with a chat completion here
			known = known || isSet(raw)
			return read(raw, &input)
		case "output_tokens", "completion_tokens":
			known = known || isSet(raw)
			return read(raw, &output)
		case "input_tokens_details":
			jsonedit.EachMember(raw, func(key, raw string) bool {
				switch key {
				case "cached_tokens":
					return read(raw, &cached)
				case "cache_write_tokens":
					return read(raw, &written)
				}
				return true
			})
		case "output_tokens_details":
			jsonedit.EachMember(raw, func(key, raw string) bool {
				return key != "reasoning_tokens" || read(raw, &reasoning)
			})
		}
		return true
	})
	cached = min(cached, input)
	written = min(written, input-cached)
	reasoning = min(reasoning, output)
	return conversation.Usage{
		Input:      input - cached - written,
		CacheRead:  cached,
		CacheWrite: written,
		Output:     output - reasoning,
		Reasoning:  reasoning,
	}, known && valid
}

// output sums up the items of a response.
type output struct {
	calls, refused  bool
	searches, bytes int64
}

func readOutput(items gjson.Result) (o output) {
	if !items.IsArray() {
		return o
	}
	items.ForEach(func(_, item gjson.Result) bool {
		switch kind := typeOf(item.Raw); kind {
		case "message":
			item.Get("content").ForEach(func(_, part gjson.Result) bool {
				if typeOf(part.Raw) == "refusal" {
					o.refused = true
				}
				o.bytes += sumText(part.Raw, "text", "refusal")
				return true
			})
		case "reasoning":
			for _, list := range []string{"summary", "content"} {
				item.Get(list).ForEach(func(_, part gjson.Result) bool {
					o.bytes += sumText(part.Raw, "text", "")
					return true
				})
			}
		case "function_call", "custom_tool_call":
			o.calls = true
			o.bytes += sumText(item.Raw, "arguments", "input")
		case "web_search_call":
			if isSearch(item.Raw) {
				o.searches++
			}
		default:
			o.bytes += sumText(item.Raw, "arguments", "code")
		}
		return true
	})
	return o
}

func sumText(obj, a, b string) (n int64) {
	jsonedit.EachMember(obj, func(key, raw string) bool {
		if key == a || key == b {
			n += jsonedit.RawTextLen(raw)
		}
		return true
	})
	return n
}

// isSearch tells searches, which are billed, from pages opened or looked through after one, which are not.
func isSearch(item string) bool {
	action := gjson.Get(item, "action.type").Str
	return action == "" || action == "search"
}

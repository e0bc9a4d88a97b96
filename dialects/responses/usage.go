package responses

import (
	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// report is a usage object as vendors write it: the input includes what was read from and written to a cache, and the
// output includes reasoning.
type report struct {
	dialects.Counts

	input, output, total int64
	cached, written      int64 // parts of input
	audioIn, imageIn     int64 // parts of input, cached or not
	reasoning            int64 // part of output
	audioOut, imageOut   int64 // parts of output
	known                bool
}

// readUsage turns a usage object into disjoint classes.
func readUsage(raw string) dialects.Reported {
	var r report
	jsonedit.EachMember(raw, func(key, raw string) bool {
		switch key {
		case "input_tokens", "prompt_tokens": // Azure has answered with a chat completion here
			r.known = r.Parse(raw, &r.input) || r.known
		case "output_tokens", "completion_tokens":
			r.known = r.Parse(raw, &r.output) || r.known
		case "total_tokens":
			r.Parse(raw, &r.total)
		case "input_tokens_details", "prompt_tokens_details":
			jsonedit.EachMember(raw, func(key, raw string) bool {
				switch key {
				case "cached_tokens":
					r.Parse(raw, &r.cached)
				case "cache_write_tokens":
					r.Parse(raw, &r.written)
				case "audio_tokens":
					r.Parse(raw, &r.audioIn)
				case "image_tokens":
					r.Parse(raw, &r.imageIn)
				}
				return true
			})
		case "output_tokens_details", "completion_tokens_details":
			jsonedit.EachMember(raw, func(key, raw string) bool {
				switch key {
				case "reasoning_tokens":
					r.Parse(raw, &r.reasoning)
				case "audio_tokens":
					r.Parse(raw, &r.audioOut)
				case "image_tokens":
					r.Parse(raw, &r.imageOut)
				}
				return true
			})
		}
		return true
	})
	return r.classes()
}

// classes takes the parts out of the wholes. Parts may overlap, because a vendor may count a token as read and as
// written at once: it counts once.
func (r *report) classes() dialects.Reported {
	u := conversation.Usage{CacheRead: r.Part(r.cached, r.input)}
	rest := r.input - u.CacheRead
	u.CacheWrite = min(r.Part(r.written, r.input), rest)
	rest -= u.CacheWrite
	r.Part(r.audioIn+r.imageIn, r.input)
	u.InputAudio = min(r.audioIn, rest)
	u.InputImage = min(r.imageIn, rest-u.InputAudio)
	u.Input = rest - u.InputAudio - u.InputImage
	r.splitOutput(&u)
	return r.Report(u, r.known)
}

// splitOutput divides the output. Reasoning stands beside it only where the total says so; more reasoning than output is
// else the same text counted by another tokenizer.
func (r *report) splitOutput(u *conversation.Usage) {
	out := r.output
	if r.total == r.input+r.output+r.reasoning {
		u.Reasoning = r.reasoning
	} else {
		u.Reasoning = min(r.reasoning, out)
		out -= u.Reasoning
	}
	r.Part(r.audioOut+r.imageOut, r.output)
	u.OutputAudio = min(r.audioOut, out)
	u.OutputImage = min(r.imageOut, out-u.OutputAudio)
	u.Output = out - u.OutputAudio - u.OutputImage
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

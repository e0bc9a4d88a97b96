package cohere

import (
	"math"
	"strconv"

	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// appendLogprob appends one element of chat completions' logprobs.content for one of Cohere's: {text, token_ids,
// logprobs}. The text may be of several tokens, whose own texts Cohere does not tell: they become one, with the
// probability of all of them.
func appendLogprob(dst []byte, in *jsonedit.Reader) []byte {
	var (
		text string
		sum  float64
		some bool
		only string // the number of a single token, as it was written
	)
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "text":
			text, _ = in.Text()
		case "logprobs":
			for ok := in.Array(); ok; ok = in.Next() {
				raw := jsonedit.View(in.Raw())
				n, err := strconv.ParseFloat(raw, 64)
				if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
					continue
				}
				if only = raw; some {
					only = ""
				}
				sum, some = sum+n, true
			}
		}
	}
	if !some {
		return dst
	}
	dst = append(jsonedit.AppendComma(dst), '{')
	dst = jsonedit.AppendStringMember(dst, "token", text)
	dst = jsonedit.AppendKey(dst, "logprob")
	if only != "" {
		dst = append(dst, only...)
	} else {
		dst = strconv.AppendFloat(dst, sum, 'g', -1, 64)
	}
	return append(dst, `,"bytes":null,"top_logprobs":[]}`...)
}

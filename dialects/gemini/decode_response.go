package gemini

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

var (
	errNotJSON     = errors.New("the provider's response is not a JSON object")
	errNoCandidate = errors.New("the provider's response has no candidates")
)

// DecodeResponse reads a whole response of generateContent. A prompt that was blocked is an answer without content
// that was filtered. An error object inside of a 200 is returned as *conversation.Error.
func (Codec) DecodeResponse(body []byte) (*conversation.Response, error) {
	if !gjson.ValidBytes(body) {
		return nil, errNotJSON
	}
	doc := gjson.ParseBytes(body) // a copy, which all strings of the result point into
	if !doc.IsObject() {
		return nil, errNotJSON
	}
	r := &conversation.Response{Origin: origin}
	var candidates, feedback, failure, usage gjson.Result
	doc.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "responseId":
			r.ID = v.String()
		case "modelVersion":
			r.Model = v.String()
		case "createTime":
			r.Created = unixTime(v.String())
		case "candidates":
			candidates = v
		case "promptFeedback":
			feedback = v
		case "usageMetadata":
			usage = v
		case "error":
			failure = v
		}
		return true
	})
	if isSet(failure.Raw) {
		return nil, asError(failure.Raw)
	}
	reported := readUsage(usage.Raw)
	r.Usage, r.UsageKnown = reported.Usage, reported.UsageKnown
	r.ServiceTier = serviceTier(usage.Raw)
	r.Usage.WebSearches = webSearches(r.Model, decodeCandidates(r, candidates))
	if len(r.Choices) == 0 {
		stop, detail, blocked := blockedPrompt(feedback)
		if !blocked {
			return nil, errNoCandidate
		}
		r.Choices = []conversation.Choice{{Stop: stop, StopDetail: detail}}
	}
	return r, nil
}

func asError(raw string) *conversation.Error {
	e := new(conversation.Error)
	readError(raw, e)
	if e.Status == 0 {
		e.Status = 500
	}
	return e
}

// unixTime reads an RFC 3339 time; 0 when it is none.
func unixTime(s string) int64 {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return 0
	}
	return t.Unix()
}

// blockedPrompt reads promptFeedback.
func blockedPrompt(feedback gjson.Result) (stop conversation.StopReason, detail string, blocked bool) {
	reason := feedback.Get("blockReason")
	if !isSet(reason.Raw) {
		return 0, "", false
	}
	if detail = feedback.Get("blockReasonMessage").String(); detail == "" {
		detail = "the prompt was blocked: " + reason.String()
	}
	return conversation.StopFiltered, detail, true
}

// decodeCandidates reads the candidates in the order of their indices and returns the number of web searches.
func decodeCandidates(r *conversation.Response, candidates gjson.Result) (queries int64) {
	list := candidates.Array()
	slices.SortStableFunc(list, func(a, b gjson.Result) int {
		return cmp.Compare(a.Get("index").Int(), b.Get("index").Int())
	})
	ids := callIDs{response: r.ID}
	for _, candidate := range list {
		var c conversation.Choice
		var parts, grounding gjson.Result
		candidate.ForEach(func(key, v gjson.Result) bool {
			switch key.Str {
			case "content":
				parts = v.Get("parts")
			case "finishReason":
				c.Stop, _ = stopReason(v.Raw)
			case "finishMessage":
				c.StopDetail = v.String()
			case "groundingMetadata":
				grounding = v
			case "logprobsResult":
				c.Logprobs = chatLogprobs(v)
			}
			return true
		})
		places := decodeParts(&c, parts, &ids, choiceIndex(candidate.Get("index").Raw))
		cite(c.Blocks, places, grounding)
		queries = max(queries, grounding.Get("webSearchQueries.#").Int())
		r.Choices = append(r.Choices, c)
	}
	return queries
}

// decodeParts appends the blocks of a candidate's parts. places tells which block the part of an index became, -1 for
// none. A signature that comes with an empty text belongs to the text before it.
func decodeParts(c *conversation.Choice, parts gjson.Result, ids *callIDs, choice int) (places []int) {
	calls := false
	parts.ForEach(func(_, part gjson.Result) bool {
		b, ok := decodePart(part)
		n := len(c.Blocks)
		switch {
		case !ok:
			places = append(places, -1)
			return true
		case b.Kind == conversation.Text && b.Text == "":
			if n > 0 && c.Blocks[n-1].Kind == conversation.Text && c.Blocks[n-1].Signature == "" {
				c.Blocks[n-1].Signature, c.Blocks[n-1].Origin = b.Signature, origin
				places = append(places, -1)
				return true
			}
			b = conversation.Block{Kind: conversation.Opaque, Raw: json.RawMessage(part.Raw), Origin: origin}
		case b.Kind == conversation.Call:
			calls = true
			b.Call.ID = ids.assign(choice, b.Call.ID, b.Call.Name)
		}
		places = append(places, n)
		c.Blocks = append(c.Blocks, b)
		return true
	})
	if calls && c.Stop == conversation.StopEnd {
		c.Stop = conversation.StopToolCalls
	}
	return places
}

// chatLogprobs writes logprobsResult in the shape of chat completions; nil when there are none.
func chatLogprobs(result gjson.Result) json.RawMessage {
	tokens := appendTokens([]byte(`{"content":[`), result)
	if tokens[len(tokens)-1] == '[' {
		return nil
	}
	return append(tokens, `],"refusal":null}`...)
}

// appendTokens appends the tokens of logprobsResult as elements of chat completions' list.
func appendTokens(dst []byte, result gjson.Result) []byte {
	top := result.Get("topCandidates").Array()
	for i, token := range result.Get("chosenCandidates").Array() {
		dst = append(jsonedit.AppendComma(dst), '{')
		dst = appendLogprob(dst, token)
		dst = append(dst, `,"top_logprobs":[`...)
		if i < len(top) {
			for _, alternative := range top[i].Get("candidates").Array() {
				dst = append(jsonedit.AppendComma(dst), '{')
				dst = append(appendLogprob(dst, alternative), '}')
			}
		}
		dst = append(dst, "]}"...)
	}
	return dst
}

func appendLogprob(dst []byte, token gjson.Result) []byte {
	text, logprob := token.Get("token").String(), token.Get("logProbability")
	dst = append(dst, `"token":`...)
	dst = jsonedit.AppendString(dst, text)
	dst = append(dst, `,"logprob":`...)
	if logprob.Type == gjson.Number {
		dst = append(dst, logprob.Raw...)
	} else {
		dst = append(dst, '0') // left out: certain
	}
	dst = append(dst, `,"bytes":[`...)
	for i := range len(text) {
		dst = strconv.AppendUint(jsonedit.AppendComma(dst), uint64(text[i]), 10)
	}
	return append(dst, ']')
}

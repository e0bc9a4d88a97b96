package gemini

import (
	"crypto/rand"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// EncodeResponse implements [dialects.Decoder]. Where the provider named no ID, one is made up: clients log it.
func (Codec) EncodeResponse(dst []byte, r *conversation.Response, requestModel string) []byte {
	dst = append(dst, `{"candidates":[`...)
	for i := range r.Choices {
		dst = appendCandidate(jsonedit.AppendComma(dst), &r.Choices[i], i)
	}
	dst = append(dst, ']')
	if r.UsageKnown {
		dst = appendUsage(jsonedit.AppendKey(dst, "usageMetadata"), r.Usage)
	}
	model := requestModel
	if model == "" {
		model = r.Model
	}
	return append(appendIdentity(dst, r.ID, model), '}')
}

// appendIdentity appends the members that are the same in every chunk of a stream.
func appendIdentity(dst []byte, id, model string) []byte {
	if id == "" {
		id = rand.Text()
	}
	dst = jsonedit.AppendStringMember(dst, "modelVersion", model)
	return jsonedit.AppendStringMember(dst, "responseId", id)
}

func appendCandidate(dst []byte, c *conversation.Choice, index int) []byte {
	dst = append(dst, `{"content":{"parts":[`...)
	var g grounding
	first, parts, carry := true, 0, ""
	for i := range c.Blocks {
		b := &c.Blocks[i]
		if b.Kind == conversation.Thinking && carry != "" {
			dst, carry = appendProof(dst, carry), ""
			parts++
		}
		if isProof(b) {
			carry = clientSignature(b)
			continue
		}
		before := len(dst)
		dst = appendPart(dst, b, first, carry)
		if len(dst) == before {
			continue
		}
		if carries(b) {
			carry = ""
		}
		g.add(parts, b.Text, b.Citations)
		first = first && b.Kind != conversation.Call
		parts++
	}
	if carry != "" {
		dst = appendProof(dst, carry)
	}
	dst = append(dst, `],"role":"model"}`...)
	dst = appendFinish(dst, c.Stop, c.StopDetail)
	dst = g.append(dst)
	dst = appendLogprobs(dst, gjson.GetBytes(c.Logprobs, "content"))
	return append(jsonedit.AppendIntMember(dst, "index", int64(index)), '}')
}

// appendFinish appends the members that say why a candidate ended.
func appendFinish(dst []byte, stop conversation.StopReason, detail string) []byte {
	dst = jsonedit.AppendStringMember(dst, "finishReason", finishReason(stop))
	if detail != "" {
		dst = jsonedit.AppendStringMember(dst, "finishMessage", detail)
	}
	return dst
}

// finishReason is a stop reason in the dialect's words. Calls end like everything else. A refusal is the nearest to what
// Google's filters do, and the message says more; a pause, and an end without reason, leave a whole answer.
func finishReason(stop conversation.StopReason) string {
	switch stop {
	case conversation.StopLength:
		return "MAX_TOKENS"
	case conversation.StopFiltered, conversation.StopRefusal:
		return "SAFETY"
	case conversation.StopError:
		return "OTHER"
	}
	return "STOP"
}

// appendUsage appends usageMetadata: the prompt includes what came from a cache, the candidates exclude thoughts. What
// was written to a cache is prompt like any other, for the dialect has no count of it.
func appendUsage(dst []byte, u conversation.Usage) []byte {
	dst = append(dst, '{')
	dst = jsonedit.AppendIntMember(dst, "promptTokenCount", u.TotalInput())
	if cached := u.TotalCacheRead(); cached > 0 {
		dst = jsonedit.AppendIntMember(dst, "cachedContentTokenCount", cached)
	}
	candidates := u.Output + u.OutputAudio + u.OutputImage
	dst = jsonedit.AppendIntMember(dst, "candidatesTokenCount", candidates)
	if u.Reasoning > 0 {
		dst = jsonedit.AppendIntMember(dst, "thoughtsTokenCount", u.Reasoning)
	}
	dst = jsonedit.AppendIntMember(dst, "totalTokenCount", u.TotalInput()+u.TotalOutput())
	dst = appendModalities(dst, "promptTokensDetails", u.TotalInput(), modalities{
		audio: u.InputAudio + u.CacheReadAudio, image: u.InputImage + u.CacheReadImage, video: u.InputVideo,
	})
	dst = appendModalities(dst, "cacheTokensDetails", u.TotalCacheRead(), modalities{audio: u.CacheReadAudio, image: u.CacheReadImage})
	dst = appendModalities(dst, "candidatesTokensDetails", candidates, modalities{audio: u.OutputAudio, image: u.OutputImage})
	return append(dst, '}')
}

// appendModalities appends the counts by modality, where there is more than text.
func appendModalities(dst []byte, key string, all int64, m modalities) []byte {
	if m.sum() == 0 {
		return dst
	}
	dst = append(jsonedit.AppendKey(dst, key), '[')
	for _, part := range [...]struct {
		name   string
		tokens int64
	}{{"TEXT", all - m.sum()}, {"IMAGE", m.image}, {"VIDEO", m.video}, {"AUDIO", m.audio}} {
		if part.tokens > 0 {
			dst = append(jsonedit.AppendComma(dst), '{')
			dst = jsonedit.AppendString(jsonedit.AppendKey(dst, "modality"), part.name)
			dst = append(jsonedit.AppendIntMember(dst, "tokenCount", part.tokens), '}')
		}
	}
	return append(dst, ']')
}

package gemini

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// DecodeCountRequest implements [dialects.CountDecoder]. The Gemini API is asked with the contents alone or with a whole
// request as generateContentRequest, Vertex with a whole request as it would be sent.
func (c Codec) DecodeCountRequest(doc []byte, h dialects.Head) (*conversation.Request, error) {
	in := jsonedit.NewReader(doc)
	for ok := in.Object(); ok; ok = in.Next() {
		if canonical(in.Key()) == "generateContentRequest" && in.Peek() == '{' {
			return c.DecodeRequest(in.Raw(), h)
		}
	}
	return c.DecodeRequest(doc, h)
}

// AppendCount appends the answer of countTokens.
func (Codec) AppendCount(dst []byte, tokens int64) []byte {
	return append(jsonedit.AppendIntMember(append(dst, '{'), "totalTokens", tokens), '}')
}

// EncodeCount appends the body of countTokens, with a whole request inside: prompts and tools count, too. Vertex takes
// the request as it stands, but without how tools are to be chosen.
func (c Codec) EncodeCount(dst []byte, r *conversation.Request, o dialects.EncodeOptions) ([]byte, []string, error) {
	before := len(dst)
	if o.Vendor != vertex {
		model := o.Model
		if !strings.Contains(model, "/") {
			model = "models/" + model
		}
		dst = append(dst, `{"generateContentRequest":{`...)
		dst = append(jsonedit.AppendStringMember(dst, "model", model), ',')
	} else {
		plain := *r
		plain.Choice = conversation.ToolChoice{}
		r, dst = &plain, append(dst, '{')
	}
	at := len(dst)
	dst, notes, err := c.EncodeRequest(dst, r, o)
	if err != nil {
		return dst[:before], nil, err
	}
	dst = append(dst[:at], dst[at+1:]...) // the brace that opens the request
	if o.Vendor != vertex {
		dst = append(dst, '}')
	}
	return dst, notes, nil
}

// vertex is the vendor that has the dialect on Google Cloud.
const vertex = "vertex"

// DecodeCount reads the answer of countTokens. A count of zero is left out.
func (Codec) DecodeCount(body []byte) (tokens int64, ok bool) {
	if !gjson.ValidBytes(body) {
		return 0, false
	}
	jsonedit.EachMember(jsonedit.View(body), func(key, raw string) bool {
		switch key {
		case "totalTokens":
			tokens, ok = jsonedit.Count(raw)
			return false
		case "promptTokensDetails", "totalBillableCharacters", "cachedContentTokenCount":
			ok = true
		}
		return true
	})
	return tokens, ok
}

var (
	_ dialects.CountDecoder = Codec{}
	_ dialects.TokenCounter = Codec{}
)

package cohere

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

// origin marks what only this dialect understands in the neutral form.
const origin = string(providers.Cohere)

// What a Thinking block was, in its Signature.
const (
	signThought = "thinking"
	signPlan    = "tool_plan"
)

// Codec is the Cohere dialect. Its zero value is ready to use.
type Codec struct{}

func init() { dialects.Register(Codec{}) }

// Name is "cohere".
func (Codec) Name() providers.Dialect { return providers.Cohere }

// NewEventReader implements [dialects.Encoder].
func (Codec) NewEventReader() dialects.EventReader { return new(eventReader) }

// ParseError implements [dialects.Codec]. Cohere's errors are {"id", "message"}; proxies in front of it have others.
func (Codec) ParseError(status int, body []byte) conversation.Error {
	e := conversation.Error{Status: status}
	if !gjson.ValidBytes(body) {
		return e
	}
	v := gjson.ParseBytes(body)
	for _, path := range [...]string{"message", "error.message", "error", "detail"} {
		if m := v.Get(path); m.Type == gjson.String && m.Str != "" {
			e.Message = strings.Clone(m.Str)
			break
		}
	}
	return e
}

// inStream is an error that came under a status of success.
func inStream(kind, message string) *conversation.Error {
	return &conversation.Error{Status: 500, Type: strings.Clone(kind), Message: strings.Clone(message)}
}

// valid reports whether a body or event is JSON. Validate is the faster test, but it wants UTF-8 and an object, too.
func valid(data []byte) bool {
	return jsonedit.Validate(data, jsonedit.Limits{}) == nil || gjson.ValidBytes(data)
}

// Interface guards
var (
	_ dialects.Codec   = Codec{}
	_ dialects.Encoder = Codec{}
)

package ollama

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

// origin marks what only this dialect understands in the neutral form.
const origin = string(providers.Ollama)

// signThought is the signature of a thought. Ollama signs none; this says to clients that replay it whose it was.
const signThought = "thinking"

// Codec is the Ollama dialect. Its zero value is ready to use.
type Codec struct{}

func init() { dialects.Register(Codec{}) }

// Name is "ollama".
func (Codec) Name() providers.Dialect { return providers.Ollama }

// NewEventReader implements [dialects.Encoder].
func (Codec) NewEventReader() dialects.EventReader { return new(eventReader) }

// ParseError implements [dialects.Codec]. Ollama's errors are {"error": text}; its endpoint for OpenAI's clients, and
// proxies, have an object there.
func (Codec) ParseError(status int, body []byte) conversation.Error {
	e := conversation.Error{Status: status}
	if !gjson.ValidBytes(body) {
		return e
	}
	v := gjson.ParseBytes(body)
	for _, path := range [...]string{"error", "error.message", "message"} {
		if m := v.Get(path); m.Type == gjson.String && m.Str != "" {
			e.Message = strings.Clone(m.Str)
			break
		}
	}
	return e
}

// inStream is an error that came under a status of success.
func inStream(status int64, message string) *conversation.Error {
	if status < 400 || status > 599 {
		status = 500
	}
	return &conversation.Error{Status: int(status), Message: strings.Clone(message)}
}

// valid reports whether a body or line is JSON. Validate is the faster test, but it wants UTF-8 and an object, too.
func valid(data []byte) bool {
	return jsonedit.Validate(data, jsonedit.Limits{}) == nil || gjson.ValidBytes(data)
}

// Interface guards
var (
	_ dialects.Codec   = Codec{}
	_ dialects.Encoder = Codec{}
	_ dialects.Framer  = Codec{}
)

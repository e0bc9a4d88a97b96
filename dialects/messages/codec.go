package messages

import (
	"bytes"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

// origin marks signatures and raw blocks that only this dialect understands.
const origin = string(providers.Messages)

// Codec implements the dialect. It has no state.
type Codec struct{}

func init() { dialects.Register(Codec{}) }

var knownKeys = []string{"model", "stream", "max_tokens", "messages", "system", "tools", "metadata", "service_tier"}

// Name is "messages".
func (Codec) Name() providers.Dialect { return providers.Messages }

// KnownKeys are the members that must not stand twice in a request.
func (Codec) KnownKeys() []string { return knownKeys }

// Head serves count_tokens bodies as well, so max_tokens may be missing: on the same dialect that is for the provider
// to refuse.
func (Codec) Head(doc []byte, obj *jsonedit.Object) (dialects.Head, error) {
	h := dialects.Head{N: 1}
	m, ok := obj.Get("model")
	if !ok {
		return h, dialects.BadRequest("model", "model: field required")
	}
	if h.Model, ok = m.String(doc); !ok || h.Model == "" {
		return h, dialects.BadRequest("model", "model: input should be a non-empty string")
	}
	if m, ok = present(doc, obj, "stream"); ok {
		if h.Stream, ok = m.Bool(doc); !ok {
			return h, dialects.BadRequest("stream", "stream: input should be a valid boolean")
		}
	}
	if m, ok = present(doc, obj, "max_tokens"); ok {
		if h.MaxTokens, ok = m.Int(doc); !ok || h.MaxTokens < 0 {
			return h, dialects.BadRequest("max_tokens", "max_tokens: input should be a valid integer")
		}
	}
	if m, ok = present(doc, obj, "metadata"); ok {
		if doc[m.Start] != '{' {
			return h, dialects.BadRequest("metadata", "metadata: input should be an object")
		}
		in := jsonedit.NewReader(m.Raw(doc))
		h.EndUser = scalarIn(&in, "user_id")
	}
	if m, ok = present(doc, obj, "tools"); ok {
		if doc[m.Start] != '[' {
			return h, dialects.BadRequest("tools", "tools: input should be a list")
		}
		h.HasTools = bytes.IndexByte(m.Raw(doc), '{') >= 0
	}
	return h, nil
}

// present finds a member that is there and not null.
func present(doc []byte, obj *jsonedit.Object, key string) (jsonedit.Member, bool) {
	m, ok := obj.Get(key)
	return m, ok && doc[m.Start] != 'n'
}

// AppendKeepAlive appends a ping, which Anthropic itself sends and every client ignores.
func (Codec) AppendKeepAlive(dst []byte) []byte {
	return append(dst, "event: ping\ndata: {\"type\": \"ping\"}\n\n"...)
}

var (
	_ dialects.Codec   = Codec{}
	_ dialects.Decoder = Codec{}
	_ dialects.Encoder = Codec{}
)

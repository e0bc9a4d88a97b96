package responses

import (
	"bytes"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

func init() { dialects.Register(Codec{}) }

// origin marks what only this dialect understands in the neutral form.
const origin = string(providers.Responses)

// What a request can ask to have in its answer.
const (
	includeReasoning = "reasoning.encrypted_content" // reasoning in a form that can be sent back without being stored
	includeLogprobs  = "message.output_text.logprobs"
)

// Codec is the Responses dialect.
type Codec struct{}

// Name is the dialect.
func (Codec) Name() providers.Dialect { return providers.Responses }

// KnownKeys are the members that say where a request goes, what it costs, or what the model is told.
func (Codec) KnownKeys() []string { return knownKeys }

var knownKeys = []string{
	"model", "stream", "max_output_tokens", "max_tool_calls", "service_tier", "background", "tools", "tool_choice",
	"input", "instructions", "prompt", "previous_response_id", "conversation", "reasoning", "store",
	"prompt_cache_key", "safety_identifier", "user",
}

// Head reads what the gateway has to know about a request.
func (Codec) Head(doc []byte, obj *jsonedit.Object) (dialects.Head, error) {
	h := dialects.Head{N: 1}
	model, ok := member(doc, obj, "model")
	if !ok {
		return h, missing("model")
	}
	if h.Model, ok = model.String(doc); !ok || h.Model == "" {
		return h, dialects.BadRequest("model", "model must be a non-empty string")
	}
	h.Model = strings.Clone(h.Model) // the head outlives the body's buffer: it is recorded after the request
	if m, found := member(doc, obj, "stream"); found {
		if h.Stream, ok = m.Bool(doc); !ok {
			return h, dialects.BadRequest("stream", "stream must be true or false")
		}
	}
	if m, found := member(doc, obj, "max_output_tokens"); found {
		if h.MaxTokens, ok = m.Int(doc); !ok || h.MaxTokens <= 0 {
			return h, dialects.BadRequest("max_output_tokens", "max_output_tokens must be a positive integer")
		}
	}
	h.CacheKey = optionalString(doc, obj, "prompt_cache_key")
	// safety_identifier has replaced user; clients in transition send both.
	if h.EndUser = optionalString(doc, obj, "safety_identifier"); h.EndUser == "" {
		h.EndUser = optionalString(doc, obj, "user")
	}
	if m, found := member(doc, obj, "tools"); found {
		h.HasTools = gjson.Get(jsonedit.View(doc[m.Start:m.End]), "0").Exists()
	}
	return h, nil
}

// Splice replaces the model, and takes reasoning out that a vendor of another dialect has signed: OpenAI refuses what it
// has not encrypted itself. Streams report their usage unasked.
func (Codec) Splice(doc []byte, obj *jsonedit.Object, h dialects.Head, o dialects.SpliceOptions, edits []jsonedit.Edit) dialects.Splice {
	if m, ok := obj.Get("model"); ok && h.Model != o.Model {
		edits = append(edits, jsonedit.ReplaceValue(m, jsonedit.AppendString(nil, o.Model)))
	}
	s := dialects.Splice{Edits: edits}
	if in, ok := obj.Get("input"); ok && bytes.Contains(doc[in.Start:in.End], []byte(labelPrefix)) {
		if s.Edits = removeForeign(doc, in, edits); len(s.Edits) > len(edits) {
			s.Notes = []string{includeReasoning}
		}
	}
	return s
}

// AppendKeepAlive appends an SSE comment. The dialect has no ping event, and clients that insist on rising sequence
// numbers would stumble over an invented one.
func (Codec) AppendKeepAlive(dst []byte) []byte { return append(dst, ": keep-alive\n\n"...) }

// member finds a member that is there and not null: OpenAI's SDKs send null for what the user left out.
func member(doc []byte, obj *jsonedit.Object, key string) (jsonedit.Member, bool) {
	m, ok := obj.Get(key)
	return m, ok && string(doc[m.Start:m.End]) != "null"
}

// optionalString reads an affinity hint. One of the wrong type is the provider's to refuse.
func optionalString(doc []byte, obj *jsonedit.Object, key string) string {
	m, ok := member(doc, obj, key)
	if !ok {
		return ""
	}
	s, _ := m.String(doc)
	return strings.Clone(s)
}

func missing(param string) *dialects.RequestError {
	e := dialects.BadRequest(param, "missing required parameter: '%s'", param)
	e.Code = "missing_required_parameter"
	return e
}

// Interface guards
var (
	_ dialects.Codec   = Codec{}
	_ dialects.Decoder = Codec{}
	_ dialects.Encoder = Codec{}
)

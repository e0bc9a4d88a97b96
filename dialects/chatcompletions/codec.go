package chatcompletions

import (
	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

// origin marks what only this dialect understands in the neutral form.
const origin = string(providers.Chat)

// maxAnswers is the most answers that OpenAI's API allows to ask for. The limit keeps a reservation of n times the
// output limit within reason.
const maxAnswers = 128

// Codec is the Chat Completions dialect. Its zero value is ready to use.
type Codec struct{}

func init() { dialects.Register(Codec{}) }

// Name is "chat".
func (Codec) Name() providers.Dialect { return providers.Chat }

var knownKeys = []string{
	"model", "models", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n", "best_of", "messages",
	"prompt", "input", "tools", "functions", "tool_choice", "service_tier", "reasoning_effort", "response_format",
	"web_search_options", "modalities", "user", "prompt_cache_key",
}

// KnownKeys implements [dialects.Codec].
func (Codec) KnownKeys() []string { return knownKeys }

// Head implements [dialects.Codec]. A negative output limit, which some local servers read as "no limit", counts as
// none.
func (Codec) Head(doc []byte, obj *jsonedit.Object) (dialects.Head, error) {
	h := dialects.Head{N: 1}
	var err error
	if h.Model, err = headModel(doc, obj); err != nil {
		return h, err
	}
	if m, ok := member(doc, obj, "stream"); ok {
		if h.Stream, ok = m.Bool(doc); !ok {
			return h, dialects.BadRequest("stream", "stream must be true or false")
		}
	}
	if h.MaxTokens, err = headLimit(doc, obj); err != nil {
		return h, err
	}
	if m, ok := member(doc, obj, "n"); ok {
		if h.N, ok = m.Int(doc); !ok || h.N < 1 || h.N > maxAnswers {
			return h, dialects.BadRequest("n", "n must be an integer from 1 to %d", maxAnswers)
		}
	}
	if m, ok := member(doc, obj, "stream_options"); ok {
		h.IncludeUsage = valueOf(doc, m).Get("include_usage").Bool()
	}
	if m, ok := obj.Get("prompt_cache_key"); ok {
		h.CacheKey, _ = m.String(doc)
	}
	if m, ok := obj.Get("user"); ok {
		h.EndUser, _ = m.String(doc)
	}
	h.LegacyCalls = hasElements(doc, obj, "functions")
	h.HasTools = h.LegacyCalls || hasElements(doc, obj, "tools")
	return h, nil
}

func headModel(doc []byte, obj *jsonedit.Object) (string, error) {
	m, ok := member(doc, obj, "model")
	if !ok {
		return "", dialects.BadRequest("model", "you must provide a model parameter")
	}
	name, ok := m.String(doc)
	if !ok || name == "" {
		return "", dialects.BadRequest("model", "model must be a non-empty string")
	}
	return name, nil
}

// headLimit reads the output limit. Where a client sends both of its names, the newer one decides, as at OpenAI.
func headLimit(doc []byte, obj *jsonedit.Object) (int64, error) {
	for _, key := range [...]string{"max_completion_tokens", "max_tokens"} {
		m, ok := member(doc, obj, key)
		if !ok {
			continue
		}
		n, ok := m.Int(doc)
		if !ok {
			return 0, dialects.BadRequest(key, "%s must be an integer", key)
		}
		return max(n, 0), nil
	}
	return 0, nil
}

// Splice implements [dialects.Codec].
func (Codec) Splice(doc []byte, obj *jsonedit.Object, h dialects.Head, o dialects.SpliceOptions, edits []jsonedit.Edit) dialects.Splice {
	s := dialects.Splice{Edits: edits}
	if m, ok := obj.Get("model"); ok && o.Model != "" && o.Model != h.Model {
		s.Edits = append(s.Edits, jsonedit.ReplaceValue(m, jsonedit.AppendString(nil, o.Model)))
	}
	before := len(s.Edits)
	if s.Edits = dropLabelled(doc, obj, s.Edits); len(s.Edits) > before {
		s.Notes = []string{"thinking"}
	}
	if o.AskUsage && h.Stream && !h.IncludeUsage {
		if e, ok := askUsage(doc, obj); ok {
			s.Edits, s.HideUsage = append(s.Edits, e), true
		}
	}
	return s
}

// askUsage makes the edit that sets stream_options.include_usage and leaves the other options alone. A stream_options
// that is neither an object nor null stays as it is, for the provider to refuse.
func askUsage(doc []byte, obj *jsonedit.Object) (jsonedit.Edit, bool) {
	m, ok := obj.Get("stream_options")
	if !ok {
		return jsonedit.InsertMember(obj, doc, "stream_options", []byte(`{"include_usage":true}`)), true
	}
	switch v := valueOf(doc, m); {
	case v.Type == gjson.Null:
		return jsonedit.ReplaceValue(m, []byte(`{"include_usage":true}`)), true
	case !v.IsObject():
		return jsonedit.Edit{}, false
	}
	var options jsonedit.Object
	if err := jsonedit.ScanObject(doc, m.Start, m.End, &options); err != nil {
		return jsonedit.Edit{}, false
	}
	if f, ok := options.Get("include_usage"); ok {
		return jsonedit.ReplaceValue(f, []byte("true")), true
	}
	return jsonedit.InsertMember(&options, doc, "include_usage", []byte("true")), true
}

// member returns a top-level member unless it is null, which clients use for "not set".
func member(doc []byte, obj *jsonedit.Object, key string) (jsonedit.Member, bool) {
	m, ok := obj.Get(key)
	if !ok || doc[m.Start] == 'n' {
		return m, false
	}
	return m, true
}

// hasElements reports whether a member is an array that is not empty.
func hasElements(doc []byte, obj *jsonedit.Object, key string) bool {
	m, ok := obj.Get(key)
	if !ok || doc[m.Start] != '[' {
		return false
	}
	for _, c := range doc[m.Start+1 : m.End] {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c != ']'
		}
	}
	return false
}

// valueOf views a member as a gjson value without copying it.
func valueOf(doc []byte, m jsonedit.Member) gjson.Result {
	return gjson.Parse(jsonedit.View(doc[m.Start:m.End]))
}

// AppendKeepAlive implements [dialects.Codec] with a comment, which SSE clients skip.
func (Codec) AppendKeepAlive(dst []byte) []byte { return append(dst, ": keep-alive\n\n"...) }

// NewEventReader implements [dialects.Encoder].
func (Codec) NewEventReader() dialects.EventReader { return newEventReader() }

// NewEventWriter implements [dialects.Decoder].
func (Codec) NewEventWriter(o dialects.WriterOptions) dialects.EventWriter { return newEventWriter(o) }

// Interface guards
var (
	_ dialects.Codec      = Codec{}
	_ dialects.Decoder    = Codec{}
	_ dialects.Encoder    = Codec{}
	_ dialects.Translator = Codec{}
)

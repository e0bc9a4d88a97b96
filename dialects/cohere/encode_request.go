package cohere

import (
	"slices"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// What the API accepts, by its documentation.
const (
	minP     = "0.01"
	maxP     = "0.99"
	maxK     = 500
	maxStops = 5
)

// requestEncoder writes one request body.
type requestEncoder struct {
	dst   []byte
	r     *conversation.Request
	o     dialects.EncodeOptions
	notes []string
	err   error
	// tools are the ones that are sent.
	tools []*conversation.Tool
	// pending are the IDs made up for calls that came without one and have not been answered yet.
	pending []openCall
	made    int
}

// openCall is a call that waits for its result.
type openCall struct{ id, name string }

// EncodeRequest implements [dialects.Encoder].
func (Codec) EncodeRequest(dst []byte, r *conversation.Request, o dialects.EncodeOptions) ([]byte, []string, error) {
	e := requestEncoder{dst: dst, r: r, o: o}
	e.pickTools()
	e.dst = append(e.dst, '{')
	e.dst = jsonedit.AppendStringMember(e.dst, "model", o.Model)
	e.messages()
	e.writeTools()
	e.format()
	e.limits()
	e.sampling()
	e.reasoning()
	e.identity()
	e.dst = jsonedit.AppendBoolMember(e.dst, "stream", &r.Stream)
	for _, f := range r.Extra {
		e.note(f.Name)
	}
	if e.err != nil {
		return dst, nil, e.err
	}
	return append(e.dst, '}'), e.notes, nil
}

// note names a member that was dropped, once.
func (e *requestEncoder) note(name string) {
	e.notes = dialects.Note(e.notes, name)
}

func (e *requestEncoder) noteIf(name string, dropped bool) {
	if dropped {
		e.note(name)
	}
}

// refuse ends the work: what the client asked for cannot be said in this dialect.
func (e *requestEncoder) refuse(param, format string, args ...any) {
	if e.err == nil {
		e.err = dialects.BadRequest(param, format, args...)
	}
}

// format asks for JSON. The API takes no format beside tools: there the model is told in words, and that it is not held
// to them is noted.
func (e *requestEncoder) format() {
	f := e.r.Format
	switch {
	case f == nil:
	case len(e.tools) > 0:
		e.note("response_format")
	case f.Schema == nil:
		e.dst = append(jsonedit.AppendKey(e.dst, "response_format"), `{"type":"json_object"}`...)
	default:
		e.dst = append(jsonedit.AppendKey(e.dst, "response_format"), `{"type":"json_object"`...)
		e.dst = append(jsonedit.AppendRawMember(e.dst, "json_schema", f.Schema), '}')
	}
}

// formatInWords is what the model is told when it cannot be held to a format. Where JSON of any shape is asked for the API
// wants the prompt to say so: the model may go on forever otherwise.
func (e *requestEncoder) formatInWords() string {
	f := e.r.Format
	switch {
	case f == nil:
		return ""
	case len(e.tools) == 0 && f.Schema == nil && !conversation.MentionJSON(e.r.Messages):
		return "Answer with one JSON object and nothing else."
	case len(e.tools) == 0:
		return ""
	case f.Schema == nil:
		return "Unless you call a tool, answer with one JSON object and nothing else."
	}
	return "Unless you call a tool, answer with one JSON object and nothing else. It has to match this JSON schema: " + string(f.Schema)
}

func (e *requestEncoder) limits() {
	if e.r.MaxTokens != nil {
		e.dst = jsonedit.AppendIntMember(e.dst, "max_tokens", *e.r.MaxTokens)
	}
	if n := e.r.N; n != nil && *n != 1 {
		e.refuse("n", "the provider gives one answer at a time, not %d", *n)
	}
	stops := e.r.Stop
	if len(stops) > maxStops {
		stops = stops[:maxStops]
		e.note("stop")
	}
	if len(stops) > 0 {
		e.dst = jsonedit.AppendStrings(jsonedit.AppendKey(e.dst, "stop_sequences"), stops)
	}
}

func (e *requestEncoder) sampling() {
	r := e.r
	e.number("temperature", r.Temperature)
	e.number("p", nucleus(r.TopP))
	if k := r.TopK.Whole(); k != "" && k.Float() > maxK {
		e.dst = jsonedit.AppendIntMember(e.dst, "k", maxK)
	} else {
		e.number("k", k)
	}
	e.penalty("frequency_penalty", r.FrequencyPenalty)
	e.penalty("presence_penalty", r.PresencePenalty)
	switch {
	case r.Seed == nil:
	case *r.Seed < 0:
		e.note("seed")
	default:
		e.dst = jsonedit.AppendIntMember(e.dst, "seed", *r.Seed)
	}
	if r.Logprobs != nil && *r.Logprobs || r.TopLogprobs != nil {
		e.dst = append(jsonedit.AppendKey(e.dst, "logprobs"), "true"...)
		e.noteIf("top_logprobs", r.TopLogprobs != nil && *r.TopLogprobs > 0)
	}
}

// nucleus brings p into the range that the API has. Leaving out a p of 1, which means to leave out no token, would make
// it 0.75.
func nucleus(p conversation.Number) conversation.Number {
	switch n := p.Float(); {
	case p == "":
		return ""
	case n > 0.99:
		return maxP
	case n < 0.01:
		return minP
	}
	return p
}

func (e *requestEncoder) number(key string, n conversation.Number) {
	if n != "" {
		e.dst = jsonedit.AppendRawMember(e.dst, key, n)
	}
}

// penalty writes a penalty, which is from 0 to 1 here. OpenAI's go from -2 to 2.
func (e *requestEncoder) penalty(key string, n conversation.Number) {
	switch f := n.Float(); {
	case f < 0:
		e.note(key)
	case f > 1:
		e.note(key)
		e.number(key, "1")
	default:
		e.number(key, n)
	}
}

// identity notes what the API has no member for.
func (e *requestEncoder) identity() {
	r := e.r
	e.noteIf("user", r.User != "")
	e.noteIf("service_tier", r.ServiceTier != "" && r.ServiceTier != "auto" && r.ServiceTier != "default")
	e.noteIf("prompt_cache_key", r.CacheKey != "")
	e.noteIf("metadata", len(r.Metadata) > 0 && r.Origin != "messages") // Anthropic's holds nothing but the user
}

// Budgets in tokens for the efforts that are a limit; there is no official table. Higher efforts have none.
var effortBudgets = map[string]int64{"minimal": 1024, "low": 2048, "medium": 8192}

// plain are the beginnings of the names of models that do not think. They refuse to be told how.
var plain = []string{"command-r", "command-light", "command-nightly", "command-a-03-2025", "command-a-vision", "command-a-translate", "c4ai-"}

func (e *requestEncoder) isPlain() bool {
	return slices.ContainsFunc(plain, func(prefix string) bool { return strings.HasPrefix(e.o.Model, prefix) })
}

// reasoning writes how much the model is to think. Models that think do so unless told otherwise.
func (e *requestEncoder) reasoning() {
	r := e.r.Reasoning
	if r == nil {
		return
	}
	e.noteIf("reasoning.summary", r.Summary == "concise" || r.Summary == "detailed")
	off := r.Off || r.Effort == "none" || r.Budget != nil && *r.Budget == 0
	if e.isPlain() {
		e.noteIf("reasoning", !off && !r.Adaptive)
		return
	}
	if off {
		e.dst = append(jsonedit.AppendKey(e.dst, "thinking"), `{"type":"disabled"}`...)
		return
	}
	budget := effortBudgets[r.Effort]
	if r.Budget != nil {
		budget = *r.Budget
	}
	switch {
	case budget > 0:
		e.dst = append(jsonedit.AppendKey(e.dst, "thinking"), `{"type":"enabled"`...)
		e.dst = append(jsonedit.AppendIntMember(e.dst, "token_budget", budget), '}')
	case r.Effort != "":
		e.dst = append(jsonedit.AppendKey(e.dst, "thinking"), `{"type":"enabled"}`...)
	}
}

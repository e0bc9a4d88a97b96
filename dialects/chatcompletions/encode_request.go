package chatcompletions

import (
	"slices"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// maxUser is the longest name of an end user at OpenAI, in bytes. Longer ones are hashed.
const maxUser = 64

// requestEncoder writes one request body.
type requestEncoder struct {
	dst   []byte
	r     *conversation.Request
	rules vendorRules
	model string
	// rewrites is where it is noted what the answer has to be changed back in; it may be nil.
	rewrites *conversation.Rewrites
	notes    []string
	err      error
	// pending are the IDs made up for calls that came without one and have not been answered yet.
	pending []openCall
	made    int
	// afterTool says that the last message written is a tool's.
	afterTool bool
	declared  bool // tools were written
}

// EncodeRequest implements [dialects.Encoder]. o.Vendor decides between the ways that vendors deviate from OpenAI.
func (Codec) EncodeRequest(dst []byte, r *conversation.Request, o dialects.EncodeOptions) ([]byte, []string, error) {
	e := requestEncoder{dst: dst, r: r, rules: rulesFor(o.Vendor, o.Model), model: o.Model, rewrites: o.Rewrites}
	e.dst = append(e.dst, '{')
	e.dst = jsonedit.AppendStringMember(e.dst, "model", o.Model)
	e.dst = append(jsonedit.AppendKey(e.dst, "messages"), '[')
	e.formatHint()
	turns := conversation.Turns(r.Messages)
	for i := range turns {
		e.message(&turns[i], i == len(turns)-1)
	}
	e.dst = append(e.dst, ']')
	e.tools()
	e.toolChoice()
	e.limits(o.MaxOutput)
	e.sampling()
	e.format()
	e.reasoning()
	e.identity()
	e.stream()
	e.extra()
	if e.err != nil {
		return dst, nil, e.err
	}
	return append(e.dst, '}'), e.notes, nil
}

// note names a member that was dropped, once.
func (e *requestEncoder) note(name string) {
	e.notes = dialects.Note(e.notes, name)
}

// refuse ends the work: what the client asked for cannot be said to this vendor.
func (e *requestEncoder) refuse(param, format string, args ...any) {
	if e.err == nil {
		e.err = dialects.BadRequest(param, format, args...)
	}
}

func (e *requestEncoder) limits(maxOutput int64) {
	if e.r.MaxTokens != nil {
		n := *e.r.MaxTokens
		if maxOutput > 0 && n > maxOutput {
			n = maxOutput
			e.note("max_tokens")
		}
		e.dst = jsonedit.AppendIntMember(e.dst, e.rules.maxTokens, n)
	}
	if n := e.r.N; n != nil && *n != 1 {
		if e.rules.oneAnswer {
			e.refuse("n", "the provider gives one answer at a time, not %d", *n)
		}
		e.dst = jsonedit.AppendIntMember(e.dst, "n", *n)
	}
	e.stop()
}

func (e *requestEncoder) stop() {
	stops := e.r.Stop
	if len(stops) == 0 {
		return
	}
	if e.rules.reasoningModel {
		e.note("stop")
		return
	}
	if most := e.rules.maxStops; most > 0 && len(stops) > most {
		stops = stops[:most]
		e.note("stop")
	}
	e.dst = append(jsonedit.AppendKey(e.dst, "stop"), '[')
	for _, s := range stops {
		e.dst = jsonedit.AppendString(jsonedit.AppendComma(e.dst), s)
	}
	e.dst = append(e.dst, ']')
}

func (e *requestEncoder) sampling() {
	r := e.r
	if e.samplingAllowed() {
		e.dst = appendNumberMember(e.dst, "temperature", r.Temperature)
		e.dst = appendNumberMember(e.dst, "top_p", r.TopP)
		e.dst = appendNumberMember(e.dst, "frequency_penalty", r.FrequencyPenalty)
		e.dst = appendNumberMember(e.dst, "presence_penalty", r.PresencePenalty)
	} else {
		e.noteIf("temperature", r.Temperature != "" && r.Temperature.Float() != 1) // what they do unasked
		e.noteIf("top_p", r.TopP != "" && r.TopP.Float() != 1)
		e.noteIf("frequency_penalty", r.FrequencyPenalty.Float() != 0)
		e.noteIf("presence_penalty", r.PresencePenalty.Float() != 0)
	}
	if e.rules.topK {
		e.dst = appendNumberMember(e.dst, "top_k", r.TopK.Whole())
	} else {
		e.noteIf("top_k", r.TopK != "")
	}
	if r.Seed != nil {
		e.dst = jsonedit.AppendIntMember(e.dst, e.rules.seed, *r.Seed)
	}
	e.logprobs()
}

// samplingAllowed is false for models that refuse sampling members. With reasoning turned off by effort "none", they
// take them.
func (e *requestEncoder) samplingAllowed() bool {
	return !e.rules.reasoningModel || (e.r.Reasoning != nil && e.r.Reasoning.Off && e.offEffort() == "none")
}

func (e *requestEncoder) noteIf(name string, dropped bool) {
	if dropped {
		e.note(name)
	}
}

func (e *requestEncoder) logprobs() {
	r := e.r
	asked := r.Logprobs != nil && *r.Logprobs || r.TopLogprobs != nil
	if !asked {
		return
	}
	if !e.rules.logprobs || !e.samplingAllowed() {
		e.note("logprobs")
		return
	}
	e.dst = append(jsonedit.AppendKey(e.dst, "logprobs"), "true"...)
	if r.TopLogprobs != nil {
		e.dst = jsonedit.AppendIntMember(e.dst, "top_logprobs", *r.TopLogprobs)
	}
}

// identity writes who asks and how the provider is to treat it.
func (e *requestEncoder) identity() {
	r := e.r
	user := r.User
	if e.rules.openai && len(user) > maxUser {
		user = "user_" + conversation.HashID(user, 16)
	}
	e.optional("user", user, e.rules.user)
	tier := r.ServiceTier
	if tier == "standard_only" { // Anthropic's name for it
		tier = "default"
	}
	e.optional("service_tier", tier, e.rules.tier)
	e.optional("prompt_cache_key", r.CacheKey, e.rules.cacheKey)
	switch {
	case len(r.Metadata) == 0:
	case r.Origin == origin:
		e.dst = jsonedit.AppendRawMember(e.dst, "metadata", r.Metadata)
	case r.Origin != "messages": // Anthropic's holds nothing but the user
		e.note("metadata")
	}
}

func (e *requestEncoder) optional(key, value string, known bool) {
	switch {
	case value == "":
	case known:
		e.dst = jsonedit.AppendStringMember(e.dst, key, value)
	default:
		e.note(key)
	}
}

// stream always asks for the usage: the gateway has to know it whether or not the client does.
func (e *requestEncoder) stream() {
	if !e.r.Stream {
		return
	}
	e.dst = append(jsonedit.AppendKey(e.dst, "stream"), "true"...)
	if !e.rules.noStreamOptions {
		e.dst = append(jsonedit.AppendKey(e.dst, "stream_options"), `{"include_usage":true}`...)
	}
}

// extra writes the members that only this dialect has. Names with a dot stand for nested members that could not be kept.
func (e *requestEncoder) extra() {
	for _, f := range e.r.Extra {
		ours := e.r.Origin == origin || e.rules.openai && e.r.Origin == "responses" && slices.Contains(sharedMembers, f.Name)
		if !ours || strings.Contains(f.Name, ".") || slices.Contains(e.rules.refuses, f.Name) {
			e.note(f.Name)
			continue
		}
		e.dst = jsonedit.AppendString(jsonedit.AppendComma(e.dst), f.Name)
		e.dst = append(append(e.dst, ':'), f.Value...)
	}
}

// sharedMembers are those that both of OpenAI's dialects have, under the same name and with the same meaning.
var sharedMembers = []string{"verbosity", "prompt_cache_retention"}

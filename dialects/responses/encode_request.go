package responses

import (
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

const (
	// maxUser is the longest name of an end user at OpenAI, in bytes. Longer ones are hashed.
	maxUser = 64
	// minOutput is the smallest output limit that the API accepts, in tokens.
	minOutput = 16
)

// requestEncoder writes one request body.
type requestEncoder struct {
	dst   []byte
	r     *conversation.Request
	rules vendorRules
	model string
	// rewrites notes what has to be changed back in the answer.
	rewrites *conversation.Rewrites
	notes    []string
	err      error
	hasTools bool // of those that were asked for at least one is given
	logprobs bool // log probabilities are asked for
	// custom are the ids of calls of free-text tools, whose results are of another type.
	custom map[string]bool
	// pending are the calls that came without an id and have not been answered yet.
	pending []openCall
	made    int
}

type openCall struct{ id, name string }

// EncodeRequest implements [dialects.Encoder]. Nothing is stored at the vendor: the conversation is the client's.
func (Codec) EncodeRequest(dst []byte, r *conversation.Request, o dialects.EncodeOptions) ([]byte, []string, error) {
	e := newEncoder(dst, r, &o)
	e.conversation()
	e.limits(o.MaxOutput)
	e.sampling()
	e.textOptions()
	e.include()
	e.reasoning()
	e.identity()
	e.extra()
	if e.r.Stream {
		e.dst = append(jsonedit.AppendKey(e.dst, "stream"), "true"...)
	}
	return e.finish(dst)
}

func newEncoder(dst []byte, r *conversation.Request, o *dialects.EncodeOptions) *requestEncoder {
	return &requestEncoder{dst: append(dst, '{'), r: r, rules: rulesFor(o.Vendor, o.Model), model: o.Model, rewrites: o.Rewrites}
}

// conversation writes what counts as input: who said what, and the tools.
func (e *requestEncoder) conversation() {
	e.dst = jsonedit.AppendStringMember(e.dst, "model", e.model)
	rest := e.instructions(e.r.Messages)
	e.dst = append(jsonedit.AppendKey(e.dst, "input"), '[')
	if e.asksAnyJSON() && e.r.Origin != origin && e.r.Origin != string(providers.Chat) && !conversation.MentionJSON(e.r.Messages) {
		e.dst = append(e.dst, `{"role":"system","content":"`+jsonHint+`"}`...)
	}
	for i := range rest {
		e.message(&rest[i], i == len(rest)-1)
	}
	e.dst = append(e.dst, ']')
	e.tools()
	e.toolChoice()
}

func (e *requestEncoder) finish(dst []byte) ([]byte, []string, error) {
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

// refuse ends the work: what the client asked for cannot be said to this vendor.
func (e *requestEncoder) refuse(param, format string, args ...any) {
	if e.err == nil {
		e.err = dialects.BadRequest(param, format, args...)
	}
}

// jsonHint is what a model is told that has to answer with JSON of any shape, in a conversation from a dialect that does not
// demand the word: this one refuses the format without.
const jsonHint = "Respond with a single valid JSON object and nothing else: no explanations and no code fences."

func (e *requestEncoder) asksAnyJSON() bool { return e.r.Format != nil && e.r.Format.Schema == nil }

// instructions writes the system prompt that the conversation begins with, and returns the messages after it. A
// conversation of nothing else stays in the input, which must not be empty, and so does a prompt that alone has the word
// JSON where that is demanded: it is looked for in the input.
func (e *requestEncoder) instructions(all []conversation.Message) []conversation.Message {
	if len(all) < 2 || all[0].Role != conversation.System {
		return all
	}
	if e.asksAnyJSON() && conversation.MentionJSON(all[:1]) && !conversation.MentionJSON(all[1:]) {
		return all
	}
	text := ""
	for i := range all[0].Blocks {
		b := &all[0].Blocks[i]
		if b.Kind != conversation.Text || b.Cache != nil && e.r.Origin == origin {
			return all
		}
		e.noteIf("cache_control", b.Cache != nil)
		if text != "" {
			text += paragraph
		}
		text += b.Text
	}
	e.dst = jsonedit.AppendTextMember(e.dst, "instructions", text)
	return all[1:]
}

func (e *requestEncoder) limits(maxOutput int64) {
	if e.r.MaxTokens != nil {
		n := max(*e.r.MaxTokens, minOutput)
		if maxOutput > 0 {
			n = min(n, maxOutput)
		}
		e.dst = jsonedit.AppendIntMember(e.dst, "max_output_tokens", n)
	}
	if n := e.r.N; n != nil && *n != 1 {
		e.refuse("n", "the provider gives one answer at a time, not %d", *n)
	}
	e.noteIf("stop", len(e.r.Stop) > 0)
}

func (e *requestEncoder) sampling() {
	r := e.r
	allowed := !e.rules.reasoningModel || r.Reasoning != nil && r.Reasoning.Off && e.rules.offEffort(e.model) == "none"
	if allowed {
		e.dst = appendNumberMember(e.dst, "temperature", r.Temperature)
		e.dst = appendNumberMember(e.dst, "top_p", r.TopP)
	} else {
		e.noteIf("temperature", r.Temperature != "" && r.Temperature.Float() != 1) // 1 is what they do unasked
		e.noteIf("top_p", r.TopP != "" && r.TopP.Float() != 1)
	}
	e.noteIf("top_k", r.TopK != "")
	e.noteIf("frequency_penalty", r.FrequencyPenalty.Float() != 0)
	e.noteIf("presence_penalty", r.PresencePenalty.Float() != 0)
	e.noteIf("seed", r.Seed != nil)
	switch {
	case !e.wantsLogprobs():
	case !allowed:
		e.note("logprobs")
	case r.TopLogprobs != nil:
		e.dst = jsonedit.AppendIntMember(e.dst, "top_logprobs", *r.TopLogprobs)
	}
	e.logprobs = allowed && e.wantsLogprobs()
}

func (e *requestEncoder) wantsLogprobs() bool {
	return e.r.TopLogprobs != nil || e.r.Logprobs != nil && *e.r.Logprobs
}

// include asks for what an answer holds only when asked: reasoning in a form that can be sent back, log probabilities.
func (e *requestEncoder) include() {
	r := e.r.Reasoning
	list := []byte{'['}
	if e.rules.encrypted && (r == nil || !r.Off) && (r != nil || e.rules.reasoningModel) {
		list = append(list, `"`+includeReasoning+`"`...)
	}
	if e.logprobs {
		list = append(jsonedit.AppendComma(list), `"`+includeLogprobs+`"`...)
	}
	for _, f := range e.r.Extra {
		if f.Name == "include" && e.r.Origin == origin && len(f.Value) > len("[]") {
			list = append(jsonedit.AppendComma(list), f.Value[1:len(f.Value)-1]...)
		}
	}
	if len(list) > 1 {
		e.dst = append(jsonedit.AppendRawMember(e.dst, "include", list), ']')
	}
}

// textOptions writes the format of the answer and how long-winded it may be, which chat completions has as well.
func (e *requestEncoder) textOptions() {
	var verbosity []byte
	for _, f := range e.r.Extra {
		if f.Name == "verbosity" && (e.r.Origin == origin || e.r.Origin == string(providers.Chat)) {
			verbosity = f.Value
		}
	}
	f := e.r.Format
	if f == nil && verbosity == nil {
		return
	}
	e.dst = append(jsonedit.AppendKey(e.dst, "text"), '{')
	switch {
	case f == nil:
	case f.Schema == nil:
		e.dst = append(e.dst, `"format":{"type":"json_object"}`...)
	default:
		e.dst = append(e.dst, `"format":{"type":"json_schema"`...)
		e.dst = jsonedit.AppendStringMember(e.dst, "name", orElse(f.Name, "response")) // the wire demands one
		e.dst = jsonedit.AppendTextMember(e.dst, "description", f.Description)
		e.dst = jsonedit.AppendRawMember(e.dst, "schema", f.Schema)
		e.dst = append(jsonedit.AppendBoolMember(e.dst, "strict", f.Strict), '}')
	}
	if verbosity != nil {
		e.dst = jsonedit.AppendRawMember(e.dst, "verbosity", verbosity)
	}
	e.dst = append(e.dst, '}')
}

// reasoning writes how much the model is to think.
func (e *requestEncoder) reasoning() {
	r := e.r.Reasoning
	if r == nil {
		return
	}
	if e.rules.openai && !e.rules.reasoningModel {
		e.noteIf("reasoning.effort", !r.Off && !r.Adaptive)
		return
	}
	effort, summary := r.Effort, r.Summary
	switch {
	case r.Off:
		effort, summary = e.rules.offEffort(e.model), ""
	case r.Budget != nil:
		effort = budgetEffort(*r.Budget)
	}
	if summary == "none" {
		summary = ""
	}
	if effort == "" && summary == "" {
		return
	}
	e.dst = append(jsonedit.AppendKey(e.dst, "reasoning"), '{')
	e.dst = jsonedit.AppendTextMember(e.dst, "effort", effort)
	e.dst = append(jsonedit.AppendTextMember(e.dst, "summary", summary), '}')
}

// identity writes who asks and how the provider is to treat it.
func (e *requestEncoder) identity() {
	r := e.r
	user := r.User
	if e.rules.openai && len(user) > maxUser {
		user = "user_" + conversation.HashID(user, 16)
	}
	e.dst = jsonedit.AppendTextMember(e.dst, "user", user)
	tier := r.ServiceTier
	if tier == "standard_only" { // Anthropic's name for it
		tier = "default"
	}
	e.dst = jsonedit.AppendTextMember(e.dst, "service_tier", tier)
	e.dst = jsonedit.AppendTextMember(e.dst, "prompt_cache_key", r.CacheKey)
	switch {
	case len(r.Metadata) == 0:
	case r.Origin == origin, r.Origin == string(providers.Chat):
		e.dst = jsonedit.AppendRawMember(e.dst, "metadata", r.Metadata)
	case r.Origin != string(providers.Messages): // Anthropic's holds nothing but the user
		e.note("metadata")
	}
}

// extra writes the members that the neutral form has no field for, and says that nothing is to be stored: the vendor
// would do so unasked.
func (e *requestEncoder) extra() {
	stored := false
	for _, f := range e.r.Extra {
		switch {
		case f.Name == "verbosity" && (e.r.Origin == origin || e.r.Origin == string(providers.Chat)):
		case e.r.Origin != origin:
			e.noteIf(f.Name, f.Name != "store" || string(f.Value) != "false")
		case f.Name == "include", strings.Contains(f.Name, "."): // written already, as a part of something else
		default:
			stored = stored || f.Name == "store"
			e.dst = jsonedit.AppendString(jsonedit.AppendComma(e.dst), f.Name)
			e.dst = append(append(e.dst, ':'), f.Value...)
		}
	}
	if !stored {
		e.dst = append(jsonedit.AppendKey(e.dst, "store"), "false"...)
	}
}

// maxCallID is the longest ID of a call at OpenAI, in bytes.
const maxCallID = 64

// toolNames is what the wire takes for the name of a function.
var toolNames = conversation.Names{Limit: 64, Also: "-"}

// callID makes an ID that the vendor accepts. It depends on the given one alone, so that a call and its result agree.
func callID(id string) string {
	if len(id) > maxCallID {
		return "call_" + conversation.HashID(id, 16)
	}
	return id
}

// toolName is a name as the wire takes it; none stays none.
func toolName(name string) string {
	if name == "" {
		return ""
	}
	return toolNames.Clean(name)
}

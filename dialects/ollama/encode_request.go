package ollama

import (
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// requestEncoder writes one request body.
type requestEncoder struct {
	dst   []byte
	r     *conversation.Request
	o     dialects.EncodeOptions
	notes []string
	err   error
	// called are the names of the tools that were called, by the call's ID.
	called map[string]string
}

// EncodeRequest implements [dialects.Encoder].
func (Codec) EncodeRequest(dst []byte, r *conversation.Request, o dialects.EncodeOptions) ([]byte, []string, error) {
	e := requestEncoder{dst: dst, r: r, o: o}
	e.dst = append(e.dst, '{')
	e.dst = jsonedit.AppendStringMember(e.dst, "model", o.Model)
	e.messages()
	e.tools()
	e.format()
	e.options()
	e.logprobs()
	e.reasoning()
	e.identity()
	e.dst = jsonedit.AppendBoolMember(e.dst, "stream", &r.Stream) // streams are the default here
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

// tools writes the tools that may be called. The API has no tool choice: tools that must not be called are left out,
// and a model that should call one is left the choice.
func (e *requestEncoder) tools() {
	c := e.r.Choice
	if c.Mode == conversation.ChoiceTool {
		c.Allowed = []string{c.Name}
	}
	allows := c.Allows()
	start := len(e.dst)
	e.dst = append(jsonedit.AppendKey(e.dst, "tools"), '[')
	empty := len(e.dst)
	for i := range e.r.Tools {
		t := &e.r.Tools[i]
		switch {
		case c.Mode == conversation.ChoiceNone, !allows(t.Name):
		case t.Raw != nil && !t.Custom:
			e.note(t.Name)
		default:
			e.tool(t)
		}
	}
	if len(e.dst) == empty {
		e.dst = e.dst[:start]
		return
	}
	e.dst = append(e.dst, ']')
	e.noteIf("tool_choice", c.Mode == conversation.ChoiceRequired || c.Mode == conversation.ChoiceTool)
	e.noteIf("parallel_tool_calls", e.r.ParallelTools != nil && !*e.r.ParallelTools)
}

func (e *requestEncoder) tool(t *conversation.Tool) {
	schema, description := t.Schema, t.Description
	if t.Custom {
		schema = []byte(conversation.FreeTextSchema)
		description = conversation.FreeTextDescription(t)
		e.o.Rewrites.FreeText(e.toolName(t.Name))
	}
	if len(schema) == 0 {
		schema = []byte(`{"type":"object","properties":{}}`)
	}
	e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"function","function":{`...)
	e.dst = jsonedit.AppendStringMember(e.dst, "name", e.toolName(t.Name))
	e.dst = jsonedit.AppendTextMember(e.dst, "description", description)
	e.dst = jsonedit.AppendRawMember(e.dst, "parameters", schema)
	e.dst = append(e.dst, '}', '}')
	e.noteIf("tools.strict", t.Strict != nil && *t.Strict)
	e.noteIf("cache_control", t.Cache != nil)
}

// format asks for JSON; name and description of a schema have no place, strictness is always on.
func (e *requestEncoder) format() {
	switch f := e.r.Format; {
	case f == nil:
	case f.Schema == nil:
		e.dst = jsonedit.AppendStringMember(e.dst, "format", "json")
	default:
		e.dst = jsonedit.AppendRawMember(e.dst, "format", f.Schema)
	}
}

// options writes what is said about the sampling.
func (e *requestEncoder) options() {
	r := e.r
	start := len(e.dst)
	e.dst = append(jsonedit.AppendKey(e.dst, "options"), '{')
	empty := len(e.dst)
	if r.MaxTokens != nil {
		e.dst = jsonedit.AppendIntMember(e.dst, "num_predict", *r.MaxTokens)
	}
	e.number("temperature", r.Temperature)
	e.number("top_p", r.TopP)
	e.number("top_k", r.TopK.Whole())
	e.number("frequency_penalty", r.FrequencyPenalty)
	e.number("presence_penalty", r.PresencePenalty)
	if r.Seed != nil {
		e.dst = jsonedit.AppendIntMember(e.dst, "seed", *r.Seed)
	}
	if len(r.Stop) > 0 {
		e.dst = jsonedit.AppendStrings(jsonedit.AppendKey(e.dst, "stop"), r.Stop)
	}
	if len(e.dst) == empty {
		e.dst = e.dst[:start]
	} else {
		e.dst = append(e.dst, '}')
	}
	if n := r.N; n != nil && *n != 1 {
		e.refuse("n", "the provider gives one answer at a time, not %d", *n)
	}
}

func (e *requestEncoder) number(key string, n conversation.Number) {
	if n != "" {
		e.dst = jsonedit.AppendRawMember(e.dst, key, n)
	}
}

func (e *requestEncoder) logprobs() {
	r := e.r
	if (r.Logprobs == nil || !*r.Logprobs) && r.TopLogprobs == nil {
		return
	}
	e.dst = jsonedit.AppendRawMember(e.dst, "logprobs", "true")
	if r.TopLogprobs != nil {
		e.dst = jsonedit.AppendIntMember(e.dst, "top_logprobs", *r.TopLogprobs)
	}
}

// reasoning writes how much the model is to think. Models that can think do so unless told otherwise; to tell one that
// cannot to think is an error, and only gpt-oss knows levels. So for all others nothing is said but "do not".
func (e *requestEncoder) reasoning() {
	r := e.r.Reasoning
	if r == nil {
		return
	}
	e.noteIf("reasoning.summary", r.Summary == "concise" || r.Summary == "detailed")
	effort := level(r)
	switch {
	case r.Off, r.Effort == "none", r.Budget != nil && *r.Budget == 0:
		e.dst = jsonedit.AppendRawMember(e.dst, "think", "false")
	case effort == "":
	case strings.Contains(e.o.Model, "gpt-oss"):
		e.dst = jsonedit.AppendStringMember(e.dst, "think", effort)
	default:
		e.note("reasoning")
	}
}

// Budgets in tokens up to which a level is meant. There is no official table; these are the usual sizes.
const (
	lowBudget    = 2048
	mediumBudget = 8192
)

// level is the one of Ollama's words that comes closest; empty when the client left it to the model.
func level(r *conversation.Reasoning) string {
	if r.Budget != nil {
		switch {
		case *r.Budget <= lowBudget:
			return "low"
		case *r.Budget <= mediumBudget:
			return "medium"
		}
		return "high"
	}
	switch r.Effort {
	case "":
		return ""
	case "minimal", "low":
		return "low"
	case "medium":
		return "medium"
	}
	return "high"
}

// identity notes what the API has no member for.
func (e *requestEncoder) identity() {
	r := e.r
	e.noteIf("user", r.User != "")
	e.noteIf("service_tier", r.ServiceTier != "" && r.ServiceTier != "auto" && r.ServiceTier != "default")
	e.noteIf("prompt_cache_key", r.CacheKey != "")
	e.noteIf("metadata", len(r.Metadata) > 0 && r.Origin != "messages") // Anthropic's holds nothing but the user
}

// toolName keeps control characters out of prompts, which is what a tool's name becomes part of here. Answers are given the
// client's name back.
func (e *requestEncoder) toolName(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '_'
		}
		return r
	}, name)
	e.o.Rewrites.Rename(name, clean)
	return clean
}

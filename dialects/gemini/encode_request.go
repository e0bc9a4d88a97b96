package gemini

import (
	"math"
	"slices"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// maxStops is how many stop sequences the dialect takes.
const maxStops = 5

// encoder builds one request.
type encoder struct {
	dst   []byte
	r     *conversation.Request
	model generation
	opts  dialects.EncodeOptions
	notes []string
	calls map[string]call // by ID, for the results that refer to them
}

// call is what a result has to know of its call.
type call struct {
	name  string // as sent
	order int    // among all calls of the conversation
}

// EncodeRequest appends the body of generateContent. Model and streaming are for the path. What the dialect has no
// place for is dropped and noted under the name that OpenAI or Anthropic know it by; a file ID of another vendor, a
// URL that Google would not fetch and a result without its call are refused.
func (Codec) EncodeRequest(dst []byte, r *conversation.Request, o dialects.EncodeOptions) ([]byte, []string, error) {
	e := &encoder{dst: append(dst, '{'), r: r, opts: o, model: generationOf(o.Model), calls: map[string]call{}}
	if err := e.conversation(); err != nil {
		return dst, nil, err
	}
	if err := e.tools(); err != nil {
		return dst, nil, err
	}
	e.config()
	e.extras()
	return append(e.dst, '}'), e.notes, nil
}

// note names something that is dropped, once.
func (e *encoder) note(name string) {
	e.notes = dialects.Note(e.notes, name)
}

// config appends generationConfig, or nothing when the client left everything to the model.
func (e *encoder) config() {
	before := len(e.dst)
	e.dst = append(jsonedit.AppendKey(e.dst, "generationConfig"), '{')
	empty := len(e.dst)
	e.limits()
	e.sampling()
	e.logprobs()
	e.format()
	e.thinking()
	for _, f := range e.r.Extra {
		if name, ok := strings.CutPrefix(f.Name, configPrefix); ok && e.r.Origin == origin {
			e.extra(name, f.Value)
		}
	}
	if len(e.dst) == empty {
		e.dst = e.dst[:before]
		return
	}
	e.dst = append(e.dst, '}')
}

// limits appends what bounds the answer. A limit above the model's own is refused by Google and meant as "as much as
// you can" by clients, so it is lowered.
func (e *encoder) limits() {
	if limit := e.r.MaxTokens; limit != nil {
		n := *limit
		if e.opts.MaxOutput > 0 && n > e.opts.MaxOutput {
			n = e.opts.MaxOutput
			e.note("max_tokens")
		}
		e.dst = jsonedit.AppendIntMember(e.dst, "maxOutputTokens", n)
	}
	if e.r.N != nil && *e.r.N > 1 {
		e.dst = jsonedit.AppendIntMember(e.dst, "candidateCount", *e.r.N)
	}
	stops := slices.DeleteFunc(slices.Clone(e.r.Stop), func(s string) bool { return s == "" })
	if len(stops) > maxStops {
		stops = stops[:maxStops]
		e.note("stop")
	}
	if len(stops) > 0 {
		e.dst = jsonedit.AppendStrings(jsonedit.AppendKey(e.dst, "stopSequences"), stops)
	}
}

func (e *encoder) sampling() {
	r := e.r
	e.dst = appendNumberMember(e.dst, "temperature", r.Temperature)
	e.dst = appendNumberMember(e.dst, "topP", r.TopP)
	e.dst = appendNumberMember(e.dst, "topK", r.TopK)
	e.dst = appendNumberMember(e.dst, "presencePenalty", r.PresencePenalty)
	e.dst = appendNumberMember(e.dst, "frequencyPenalty", r.FrequencyPenalty)
	if r.Seed != nil {
		if *r.Seed < math.MinInt32 || *r.Seed > math.MaxInt32 { // an int32 there
			e.note("seed")
			return
		}
		e.dst = jsonedit.AppendIntMember(e.dst, "seed", *r.Seed)
	}
}

func (e *encoder) logprobs() {
	if e.r.Logprobs == nil || !*e.r.Logprobs {
		return
	}
	e.dst = append(jsonedit.AppendKey(e.dst, "responseLogprobs"), "true"...)
	if n := e.r.TopLogprobs; n != nil && *n > 0 {
		e.dst = jsonedit.AppendIntMember(e.dst, "logprobs", *n)
	}
}

// jsonHint asks for structured output in words.
const jsonHint = "When you give your answer, give a single valid JSON object and nothing else: no explanations and no code fences."

// hint is what the model has to be told in words: models before Gemini 3 refuse structured output in a request that
// declares functions. The functions are left as they are, because the answer is mostly what comes after the calls.
func (e *encoder) hint() string {
	f := e.r.Format
	if f == nil || !e.model.known || e.model.major >= 3 || !slices.ContainsFunc(e.r.Tools, isFunction) {
		return ""
	}
	if !hasSchema(f.Schema) {
		return jsonHint
	}
	return jsonHint + " It must conform to this JSON Schema:\n" + string(f.Schema)
}

// format appends structured output. Name and description of a schema have no place, strictness is always on.
func (e *encoder) format() {
	f := e.r.Format
	if f == nil {
		return
	}
	if e.hint() != "" {
		e.note("response_format")
		return
	}
	e.dst = jsonedit.AppendStringMember(e.dst, "responseMimeType", "application/json")
	if hasSchema(f.Schema) {
		e.schema("responseJsonSchema", "responseSchema", f.Schema, "response_format.schema")
	}
}

// schema appends a schema under the first name, as it stands, or rewritten under the second one for a model that takes
// no JSON Schema; note names it in case that something has to be dropped.
func (e *encoder) schema(name, own string, schema []byte, note string) {
	if !e.model.known || e.model.major >= 2 {
		e.dst = jsonedit.AppendRawMember(e.dst, name, schema)
		return
	}
	dst, whole := appendOpenAPI(jsonedit.AppendKey(e.dst, own), schema)
	if e.dst = dst; !whole {
		e.note(note)
	}
}

func (e *encoder) extra(name string, value []byte) {
	e.dst = append(jsonedit.AppendString(jsonedit.AppendComma(e.dst), name), ':')
	e.dst = append(e.dst, value...)
}

// extras appends what came from this very dialect as it stood, and notes what the dialect has no place for. A tier or
// a parallel setting that asks for the default is no loss.
func (e *encoder) extras() {
	r := e.r
	for _, f := range r.Extra {
		switch own := r.Origin == origin; {
		case own && strings.HasPrefix(f.Name, configPrefix): // written by config
		case own && !strings.Contains(f.Name, "."):
			e.extra(f.Name, f.Value)
		default:
			e.note(f.Name)
		}
	}
	if r.User != "" {
		e.note("user")
	}
	if isSet(string(r.Metadata)) {
		e.note("metadata")
	}
	e.tier()
	if r.CacheKey != "" {
		e.note("prompt_cache_key")
	}
	if r.ParallelTools != nil && !*r.ParallelTools {
		e.note("parallel_tool_calls")
	}
}

// tier appends the service tier. The default goes without saying, and Vertex has it in a header.
func (e *encoder) tier() {
	switch tier := e.r.ServiceTier; {
	case tier == "" || tier == "auto" || tier == "default" || tier == "standard":
	case (tier == "flex" || tier == "priority") && e.opts.Vendor != vertex:
		e.dst = jsonedit.AppendStringMember(e.dst, "serviceTier", tier)
	default:
		e.note("service_tier")
	}
}

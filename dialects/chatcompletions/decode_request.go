package chatcompletions

import (
	"encoding/json"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

// requestDecoder reads one request body. The first fault it meets ends the work.
type requestDecoder struct {
	req *conversation.Request
	err error
	// open are the calls that no result has answered yet, in order: sloppy clients and the legacy function role do
	// not say which call a result belongs to.
	open []openCall
	// names are the tool names of all calls by ID.
	names map[string]string
	made  int // IDs made up for calls without one
}

type openCall struct{ id, name string }

// DecodeRequest implements [dialects.Decoder]. A member that is null counts as absent.
func (Codec) DecodeRequest(doc []byte, h dialects.Head) (*conversation.Request, error) {
	d := requestDecoder{req: &conversation.Request{
		Model: h.Model, Stream: h.Stream, IncludeUsage: h.IncludeUsage, CacheKey: h.CacheKey, User: h.EndUser, Origin: origin,
	}}
	root := gjson.Parse(view(doc))
	if !root.IsObject() {
		return nil, dialects.BadRequest("", "the request body must be a JSON object")
	}
	root.ForEach(func(key, v gjson.Result) bool {
		if !isNull(v) {
			d.member(key.Str, v)
		}
		return d.err == nil
	})
	if d.err == nil && len(d.req.Messages) == 0 {
		d.fail("messages", "messages must be an array of at least one message")
	}
	if d.err != nil {
		return nil, d.err
	}
	return d.req, nil
}

// fail records what is wrong with the member at path param.
func (d *requestDecoder) fail(param, format string, args ...any) {
	if d.err == nil {
		d.err = dialects.BadRequest(param, format, args...)
	}
}

func (d *requestDecoder) member(key string, v gjson.Result) {
	r := d.req
	switch key {
	case "model", "stream", "stream_options", "prompt_cache_key", "user":
		// read by Head
	case "messages":
		d.messages(v)
	case "tools":
		d.tools(v)
	case "functions":
		d.functions(v)
	case "tool_choice", "function_call":
		d.toolChoice(key, v)
	case "parallel_tool_calls":
		r.ParallelTools = d.boolean(key, v)
	case "response_format":
		d.format(v)
	case "reasoning_effort":
		d.effort(key, d.str(key, v))
	case "reasoning":
		d.reasoning(v)
	case "safety_identifier":
		if s := d.str(key, v); r.User == "" {
			r.User = s
		}
	case "service_tier":
		r.ServiceTier = d.str(key, v)
	case "metadata":
		r.Metadata = json.RawMessage(v.Raw)
	case "stop":
		d.stop(v)
	default:
		if !d.sampling(key, v) {
			r.Extra = append(r.Extra, conversation.Field{Name: key, Value: json.RawMessage(v.Raw)})
		}
	}
}

// sampling reads the members that are plain numbers and switches.
func (d *requestDecoder) sampling(key string, v gjson.Result) bool {
	r := d.req
	switch key {
	case "max_completion_tokens":
		r.MaxTokens = d.limit(key, v)
	case "max_tokens":
		if n := d.limit(key, v); r.MaxTokens == nil {
			r.MaxTokens = n
		}
	case "temperature":
		r.Temperature = d.number(key, v)
	case "top_p":
		r.TopP = d.number(key, v)
	case "top_k":
		r.TopK = d.number(key, v)
	case "frequency_penalty":
		r.FrequencyPenalty = d.number(key, v)
	case "presence_penalty":
		r.PresencePenalty = d.number(key, v)
	case "seed", "random_seed":
		r.Seed = d.integer(key, v)
	case "n":
		r.N = d.integer(key, v)
	case "logprobs":
		r.Logprobs = d.boolean(key, v)
	case "top_logprobs":
		r.TopLogprobs = d.integer(key, v)
	default:
		return false
	}
	return true
}

func (d *requestDecoder) str(param string, v gjson.Result) string {
	if v.Type != gjson.String {
		d.fail(param, "%s must be a string", param)
	}
	return v.Str
}

func (d *requestDecoder) boolean(param string, v gjson.Result) *bool {
	if !v.IsBool() {
		d.fail(param, "%s must be true or false", param)
		return nil
	}
	b := v.Bool()
	return &b
}

func (d *requestDecoder) number(param string, v gjson.Result) *float64 {
	if v.Type != gjson.Number {
		d.fail(param, "%s must be a number", param)
		return nil
	}
	f, err := strconv.ParseFloat(v.Raw, 64)
	if err != nil {
		d.fail(param, "%s is out of range", param)
	}
	return &f
}

func (d *requestDecoder) integer(param string, v gjson.Result) *int64 {
	n, ok := wholeNumber(v)
	if !ok {
		d.fail(param, "%s must be an integer", param)
		return nil
	}
	return &n
}

// limit reads an output limit; a negative one means none.
func (d *requestDecoder) limit(param string, v gjson.Result) *int64 {
	if n := d.integer(param, v); n != nil && *n >= 0 {
		return n
	}
	return nil
}

func (d *requestDecoder) stop(v gjson.Result) {
	if v.Type == gjson.String {
		d.req.Stop = []string{v.Str}
		return
	}
	if !v.IsArray() {
		d.fail("stop", "stop must be a string or an array of strings")
		return
	}
	v.ForEach(func(_, s gjson.Result) bool {
		d.req.Stop = append(d.req.Stop, d.str("stop", s))
		return d.err == nil
	})
}

// effort reads a reasoning effort; "none" turns reasoning off.
func (d *requestDecoder) effort(param, effort string) {
	if effort == "" {
		d.fail(param, "%s must not be empty", param)
		return
	}
	d.req.Reasoning = &conversation.Reasoning{Effort: effort, Off: effort == "none"}
}

// reasoning reads OpenRouter's object, of which other vendors know a part.
func (d *requestDecoder) reasoning(v gjson.Result) {
	if !v.IsObject() {
		d.fail("reasoning", "reasoning must be an object")
		return
	}
	if effort := text(v.Get("effort")); effort != "" {
		d.effort("reasoning.effort", effort)
		return
	}
	r := &conversation.Reasoning{}
	if m := v.Get("max_tokens"); m.Exists() && !isNull(m) {
		r.Budget = d.integer("reasoning.max_tokens", m)
	}
	switch v.Get("enabled").Type {
	case gjson.True:
		r.Adaptive = r.Budget == nil
	case gjson.False:
		r.Off = true
	}
	if r.Budget != nil || r.Adaptive || r.Off {
		d.req.Reasoning = r
	}
}

func (d *requestDecoder) format(v gjson.Result) {
	switch kind := text(v.Get("type")); kind {
	case "text":
	case "json_object":
		d.req.Format = &conversation.Format{}
	case "json_schema":
		d.schemaFormat(v.Get("json_schema"))
	default:
		d.fail("response_format.type", "response_format.type must be text, json_object or json_schema")
	}
}

func (d *requestDecoder) schemaFormat(v gjson.Result) {
	f := &conversation.Format{}
	v.ForEach(func(key, v gjson.Result) bool {
		switch {
		case isNull(v):
		case key.Str == "name":
			f.Name = d.str("response_format.json_schema.name", v)
		case key.Str == "description":
			f.Description = d.str("response_format.json_schema.description", v)
		case key.Str == "schema":
			f.Schema = json.RawMessage(v.Raw)
		case key.Str == "strict":
			f.Strict = d.boolean("response_format.json_schema.strict", v)
		}
		return d.err == nil
	})
	if f.Schema == nil || f.Schema[0] != '{' {
		d.fail("response_format.json_schema.schema", "response_format.json_schema.schema must be an object")
	}
	d.req.Format = f
}

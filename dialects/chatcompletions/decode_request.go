package chatcompletions

import (
	"strconv"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// requestDecoder reads one request body. Its methods read the value that comes next in the document. The first fault
// ends the work.
type requestDecoder struct {
	in  jsonedit.Reader
	req *conversation.Request
	err error
	callLog
	// blocks is room for the one block that most messages have.
	blocks []conversation.Block
}

// DecodeRequest implements [dialects.Decoder]. A member that is null counts as absent.
func (Codec) DecodeRequest(doc []byte, h dialects.Head) (*conversation.Request, error) {
	d := requestDecoder{in: jsonedit.NewReader(doc), req: &conversation.Request{
		Model: h.Model, Stream: h.Stream, IncludeUsage: h.IncludeUsage, CacheKey: h.CacheKey, User: h.EndUser, Origin: origin,
	}}
	if d.in.Peek() != '{' {
		return nil, dialects.BadRequest("", "the request body must be a JSON object")
	}
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		if p := (dialects.Place{Key: d.in.Key()}); d.in.Peek() != 'n' {
			d.member(&p)
		}
	}
	if len(d.req.Messages) == 0 {
		d.fail(&dialects.Place{Key: "messages"}, "messages must be an array of at least one message")
	}
	if d.err != nil {
		return nil, d.err
	}
	if r := d.req; r.Logprobs != nil && !*r.Logprobs {
		r.TopLogprobs = nil // how many of none
	}
	return d.req, nil
}

// fail records what is wrong with the value at p, and ends the reading.
func (d *requestDecoder) fail(p *dialects.Place, format string, args ...any) {
	if d.err == nil {
		d.err = dialects.BadRequest(p.Path(), format, args...)
		d.in.Stop()
	}
}

func (d *requestDecoder) member(p *dialects.Place) {
	r := d.req
	switch p.Key {
	case "model", "stream", "stream_options", "prompt_cache_key", "user":
		// read by Head
	case "messages":
		d.messages(p)
	case "tools":
		d.tools(p)
	case "functions":
		d.functions(p)
		if r.LegacyCalls = len(r.Tools) > 0; r.LegacyCalls && r.ParallelTools == nil {
			r.ParallelTools = new(bool) // an answer has room for one call
		}
	case "tool_choice", "function_call":
		d.toolChoice(p)
	case "parallel_tool_calls":
		r.ParallelTools = d.boolean(p)
	case "response_format":
		d.format(p)
	case "reasoning_effort":
		d.effort(p, d.str(p))
	case "reasoning":
		d.reasoning(p)
	case "thinking":
		d.thinking(p)
	case "safety_identifier":
		if s := d.str(p); r.User == "" {
			r.User = s
		}
	case "service_tier":
		r.ServiceTier = d.str(p)
	case "metadata":
		if raw := d.in.Raw(); !saysNothing(p.Key, raw) {
			r.Metadata = raw
		}
	case "stop":
		d.stop(p)
	default:
		if d.sampling(p) {
			return
		}
		if raw := d.in.Raw(); !saysNothing(p.Key, raw) {
			r.Extra = append(r.Extra, conversation.Field{Name: p.Key, Value: raw})
		}
	}
}

// saysNothing reports whether a member asks for no more than what happens without it. Clients that fill in all members
// send such ones, and would else be told that something was dropped, or be refused.
func saysNothing(key string, raw []byte) bool {
	switch key {
	case "store":
		return raw[0] == 'f' // nothing is stored where the dialect is translated
	case "logit_bias", "metadata":
		return jsonedit.Compact(raw) == "{}"
	case "modalities":
		return jsonedit.Compact(raw) == `["text"]`
	}
	return false
}

// sampling reads the members that are plain numbers and switches.
func (d *requestDecoder) sampling(p *dialects.Place) bool {
	r := d.req
	switch p.Key {
	case "max_completion_tokens":
		r.MaxTokens = d.limit(p)
	case "max_tokens":
		if n := d.limit(p); r.MaxTokens == nil {
			r.MaxTokens = n
		}
	case "temperature":
		r.Temperature = d.number(p)
	case "top_p":
		r.TopP = d.number(p)
	case "top_k":
		r.TopK = d.number(p)
	case "frequency_penalty":
		r.FrequencyPenalty = d.number(p)
	case "presence_penalty":
		r.PresencePenalty = d.number(p)
	case "seed", "random_seed":
		r.Seed = d.integer(p)
	case "n":
		r.N = d.integer(p)
	case "logprobs":
		r.Logprobs = d.boolean(p)
	case "top_logprobs":
		r.TopLogprobs = d.integer(p)
	default:
		return false
	}
	return true
}

func (d *requestDecoder) str(p *dialects.Place) string {
	s, ok := d.in.Text()
	if !ok {
		d.fail(p, "%s must be a string", p.Path())
	}
	return s
}

func (d *requestDecoder) boolean(p *dialects.Place) *bool {
	c := d.in.Peek()
	if c != 't' && c != 'f' {
		d.fail(p, "%s must be true or false", p.Path())
		return nil
	}
	b := c == 't'
	return &b
}

func (d *requestDecoder) number(p *dialects.Place) conversation.Number {
	if d.in.Peek() != '0' {
		d.fail(p, "%s must be a number", p.Path())
		return ""
	}
	n := jsonedit.View(d.in.Raw())
	if _, err := strconv.ParseFloat(n, 64); err != nil {
		d.fail(p, "%s is out of range", p.Path())
	}
	return conversation.Number(n)
}

func (d *requestDecoder) integer(p *dialects.Place) *int64 {
	n, ok := wholeNumber(&d.in)
	if !ok {
		d.fail(p, "%s must be an integer", p.Path())
		return nil
	}
	return &n
}

// limit reads an output limit; a negative one means none.
func (d *requestDecoder) limit(p *dialects.Place) *int64 {
	if n := d.integer(p); n != nil && *n >= 0 {
		return n
	}
	return nil
}

func (d *requestDecoder) stop(p *dialects.Place) {
	if s, ok := d.in.Text(); ok {
		d.stopAt(s)
		return
	}
	if d.in.Peek() != '[' {
		d.fail(p, "stop must be a string or an array of strings")
		return
	}
	for ok := d.in.Array(); ok; ok = d.in.Next() {
		d.stopAt(d.str(p))
	}
}

// stopAt adds a stop sequence. Clients with a field for one send it empty, which some servers find in every answer.
func (d *requestDecoder) stopAt(s string) {
	if s != "" {
		d.req.Stop = append(d.req.Stop, s)
	}
}

// effort sets the reasoning effort; "none" turns reasoning off.
func (d *requestDecoder) effort(p *dialects.Place, effort string) {
	if effort == "" {
		d.fail(p, "%s must not be empty", p.Path())
		return
	}
	d.req.Reasoning = &conversation.Reasoning{Effort: effort, Off: effort == "none"}
}

// reasoning reads OpenRouter's object, of which other vendors know a part.
func (d *requestDecoder) reasoning(p *dialects.Place) {
	if d.in.Peek() != '{' {
		d.fail(p, "reasoning must be an object")
		return
	}
	var (
		effort  string
		budget  jsonedit.Mark
		enabled byte
		exclude byte
	)
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "effort":
			effort = d.text()
		case "max_tokens":
			budget = d.present()
		case "enabled":
			enabled = d.in.Peek()
		case "exclude":
			exclude = d.in.Peek()
		}
	}
	defer func() {
		if r := d.req.Reasoning; r != nil && exclude == 't' {
			r.Summary = "none"
		}
	}()
	if effort != "" {
		in := p.In("effort")
		d.effort(&in, effort)
		return
	}
	r := &conversation.Reasoning{Adaptive: enabled == 't' && budget == 0, Off: enabled == 'f'}
	if budget != 0 {
		end := d.in.Mark()
		d.in.Seek(budget)
		in := p.In("max_tokens")
		r.Budget = d.integer(&in)
		d.in.Seek(end)
	}
	if r.Budget != nil || r.Adaptive || r.Off {
		d.req.Reasoning = r
	}
}

// thinking reads the switch of Z.ai, DeepSeek and others, which may have Anthropic's budget. An effort says more.
func (d *requestDecoder) thinking(p *dialects.Place) {
	if d.in.Peek() != '{' {
		d.fail(p, "thinking must be an object")
		return
	}
	var kind string
	var budget *int64
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "type":
			kind = d.text()
		case "budget_tokens":
			in := p.In("budget_tokens")
			budget = d.integer(&in)
		}
	}
	if d.req.Reasoning != nil && kind != "disabled" {
		return
	}
	switch {
	case kind == "disabled":
		d.req.Reasoning = &conversation.Reasoning{Off: true}
	case budget != nil:
		d.req.Reasoning = &conversation.Reasoning{Budget: budget}
	case kind == "enabled" || kind == "adaptive" || kind == "auto":
		d.req.Reasoning = &conversation.Reasoning{Adaptive: true}
	}
}

// format reads response_format. Together, Fireworks and llama.cpp have a schema beside the type, with either type.
func (d *requestDecoder) format(p *dialects.Place) {
	var kind string
	var wrapped jsonedit.Mark
	var schema []byte
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "type":
			kind = d.text()
		case "json_schema":
			wrapped = d.present()
		case "schema":
			if d.in.Peek() == '{' {
				schema = d.in.Raw()
			}
		}
	}
	end := d.in.Mark()
	switch {
	case kind == "text":
	case kind == "json_object", kind == "json_schema" && schema != nil && wrapped == 0:
		d.req.Format = &conversation.Format{Schema: schema}
	case kind == "json_schema":
		d.in.Seek(wrapped)
		in := p.In("json_schema")
		d.schemaFormat(&in)
	default:
		in := p.In("type")
		d.fail(&in, "response_format.type must be text, json_object or json_schema")
	}
	d.in.Seek(end)
}

func (d *requestDecoder) schemaFormat(p *dialects.Place) {
	f := &conversation.Format{}
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		key := d.in.Key()
		if d.in.Peek() == 'n' {
			continue
		}
		in := p.In(key)
		switch key {
		case "name":
			f.Name = d.str(&in)
		case "description":
			f.Description = d.str(&in)
		case "schema":
			f.Schema = d.in.Raw()
		case "strict":
			f.Strict = d.boolean(&in)
		}
	}
	if f.Schema == nil || f.Schema[0] != '{' {
		in := p.In("schema")
		d.fail(&in, "response_format.json_schema.schema must be an object")
	}
	d.req.Format = f
}

// text reads a string; anything else is "".
func (d *requestDecoder) text() string {
	s, _ := d.in.Text()
	return s
}

// present is the place of what comes next, unless that is null.
func (d *requestDecoder) present() jsonedit.Mark {
	if d.in.Peek() == 'n' {
		return 0
	}
	return d.in.Mark()
}

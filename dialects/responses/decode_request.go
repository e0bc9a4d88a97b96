package responses

import (
	"strconv"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// requestDecoder reads one request body. Its methods read the value that comes next in the document. The first fault
// ends the work.
type requestDecoder struct {
	in           jsonedit.Reader
	req          *conversation.Request
	instructions string
	names        map[string]string // of tools by the ID of their calls, for the results
	foreign      map[string]bool   // the IDs of calls that only this dialect understands
	late         []conversation.Tool
	turns        int            // messages of the assistant so far
	calls        map[string]int // which of them made a call, by its ID
	grouped      bool           // a call names a namespace
	choiceOfNone bool           // tool_choice allows none of the tools that others can be given
	err          error
}

// DecodeRequest implements [dialects.Decoder]. A member that is null counts as absent. Requests that continue something
// stored at a vendor are refused, because no other vendor has it.
func (Codec) DecodeRequest(doc []byte, h dialects.Head) (*conversation.Request, error) {
	d := requestDecoder{in: jsonedit.NewReader(doc), req: &conversation.Request{
		Model: h.Model, Stream: h.Stream, CacheKey: h.CacheKey, User: h.EndUser, Origin: origin,
		Messages: make([]conversation.Message, 1, 4), // the first is for the instructions, wherever they stand
	}}
	if d.in.Peek() != '{' {
		return nil, dialects.BadRequest("", "the request body must be a JSON object")
	}
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		if p := (dialects.Place{Key: d.in.Key()}); d.in.Peek() != 'n' {
			d.member(&p)
		}
	}
	if len(d.req.Messages) == 1 {
		d.fail(&dialects.Place{Key: "input"}, "input must be a string or an array of at least one item")
	}
	d.joinLate()
	d.settleNames()
	d.checkChoice()
	if d.err != nil {
		return nil, d.err
	}
	if d.instructions == "" {
		d.req.Messages = d.req.Messages[1:]
	} else {
		d.req.Messages[0] = conversation.Message{Role: conversation.System, Blocks: textBlocks(d.instructions)}
	}
	return d.req, nil
}

func textBlocks(s string) []conversation.Block {
	return []conversation.Block{{Kind: conversation.Text, Text: s}}
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
	case "model", "stream", "prompt_cache_key", "user", "safety_identifier":
		// read by Head
	case "instructions":
		d.instructions = d.str(p)
	case "input":
		d.input(p)
	case "previous_response_id", "conversation":
		if s, ok := d.in.Text(); !ok || s != "" {
			d.fail(p, "%s refers to a conversation stored at another vendor than the one that answers here: send the whole conversation in input, and set store to false", p.Key)
		}
	case "prompt":
		d.fail(p, "prompt refers to a template stored at another vendor than the one that answers here; send its text in instructions and input")
	case "background":
		if b := d.boolean(p); b != nil && *b {
			d.fail(p, "a background response is stored at the vendor, and cannot be had from the one that answers here; leave background out")
		}
	case "include":
		d.include(p)
	case "tools":
		d.tools(p)
	case "tool_choice":
		d.toolChoice(p)
	case "parallel_tool_calls":
		r.ParallelTools = d.boolean(p)
	case "text":
		d.textOptions(p)
	case "reasoning":
		d.reasoning(p)
	case "service_tier":
		r.ServiceTier = d.str(p)
	case "metadata":
		r.Metadata = d.in.Raw()
	case "max_output_tokens":
		r.MaxTokens = d.integer(p)
	case "temperature":
		r.Temperature = d.number(p)
	case "top_p":
		r.TopP = d.number(p)
	case "top_logprobs":
		r.TopLogprobs = d.integer(p)
	default:
		d.extra(p.Key)
	}
}

// extra keeps a member for targets of this dialect, unless it says no more than what happens anyway: nothing is stored
// or cut where the dialect is translated, and no event is padded.
func (d *requestDecoder) extra(key string) {
	raw := d.in.Raw()
	switch {
	case key == "store" && string(raw) == "false", key == "truncation" && string(raw) == `"disabled"`, key == "stream_options":
	default:
		d.keep(key, raw)
	}
}

// keep notes what other dialects cannot be given.
func (d *requestDecoder) keep(name string, value []byte) {
	d.req.Extra = append(d.req.Extra, conversation.Field{Name: name, Value: value})
}

// include reads what the answer is to hold besides. Reasoning always comes in a form that can be sent back.
func (d *requestDecoder) include(p *dialects.Place) {
	raw := d.in.Raw()
	in := jsonedit.NewReader(raw)
	if in.Peek() != '[' {
		d.fail(p, "include must be an array")
		return
	}
	rest := []byte{'['}
	for ok := in.Array(); ok; ok = in.Next() {
		switch s, _ := in.Text(); s {
		case includeReasoning:
		case includeLogprobs:
			yes := true
			d.req.Logprobs = &yes
		default:
			rest = jsonedit.AppendString(jsonedit.AppendComma(rest), s)
		}
	}
	if len(rest) > 1 {
		d.keep("include", append(rest, ']'))
	}
}

// text reads a string, or "" for anything else.
func (d *requestDecoder) text() string {
	s, _ := d.in.Text()
	return s
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
	if d.in.Peek() == '0' {
		if n, ok := jsonedit.Count(jsonedit.View(d.in.Raw())); ok {
			return &n
		}
	}
	d.fail(p, "%s must be a positive integer", p.Path())
	return nil
}

// array enters an array, which must be one.
func (d *requestDecoder) array(p *dialects.Place) bool {
	if d.in.Peek() != '[' {
		d.fail(p, "%s must be an array", p.Path())
	}
	return d.in.Array()
}

// object enters an object, which must be one.
func (d *requestDecoder) object(p *dialects.Place) bool {
	if d.in.Peek() != '{' {
		d.fail(p, "%s must be an object", p.Path())
	}
	return d.in.Object()
}

// next goes on to the next element, whose place is then e.
func (d *requestDecoder) next(e *dialects.Place) bool {
	e.Index++
	return d.in.Next()
}

func (d *requestDecoder) reasoning(p *dialects.Place) {
	var r conversation.Reasoning
	for ok := d.object(p); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "effort":
			r.Effort = d.text()
		case "summary", "generate_summary": // the older name
			if s := d.text(); s != "" {
				r.Summary = s
			}
		}
	}
	r.Off = r.Effort == "none"
	if r != (conversation.Reasoning{}) {
		d.req.Reasoning = &r
	}
}

// textOptions reads the format of the answer, and keeps how long-winded it may be.
func (d *requestDecoder) textOptions(p *dialects.Place) {
	for ok := d.object(p); ok; ok = d.in.Next() {
		key := d.in.Key()
		in := p.In(key)
		switch {
		case d.in.Peek() == 'n':
		case key == "format":
			d.format(&in)
		case key == "verbosity":
			if raw := d.in.Raw(); string(raw) != `"medium"` { // what models do unasked
				d.req.Extra = append(d.req.Extra, conversation.Field{Name: key, Value: raw})
			}
		}
	}
}

func (d *requestDecoder) format(p *dialects.Place) {
	var kind string
	f := &conversation.Format{}
	for ok := d.object(p); ok; ok = d.in.Next() {
		key := d.in.Key()
		if d.in.Peek() == 'n' {
			continue
		}
		in := p.In(key)
		switch key {
		case "type":
			kind = d.str(&in)
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
	switch kind {
	case "text":
		return
	case "json_object":
		f = &conversation.Format{}
	case "json_schema":
		if f.Schema == nil || f.Schema[0] != '{' {
			in := p.In("schema")
			d.fail(&in, "text.format.schema must be an object")
		}
	default:
		in := p.In("type")
		d.fail(&in, "text.format.type must be text, json_object or json_schema")
	}
	d.req.Format = f
}

package messages

import (
	"encoding/json"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// DecodeRequest reads a request body. Unlike Head it demands max_tokens, as Anthropic does: other dialects would
// otherwise answer what this one refuses.
func (Codec) DecodeRequest(doc []byte, h dialects.Head) (*conversation.Request, error) {
	r, err := decodeRequest(doc, h)
	if err == nil && r.MaxTokens == nil {
		return nil, dialects.BadRequest("max_tokens", "max_tokens: field required")
	}
	return r, err
}

func decodeRequest(doc []byte, h dialects.Head) (*conversation.Request, error) {
	d := requestDecoder{
		in: jsonedit.NewReader(doc),
		r:  &conversation.Request{Model: h.Model, Stream: h.Stream, Origin: origin},
		// The system prompt may come last and is the first message.
		turns: make([]conversation.Message, 1, 4),
	}
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		p := place{key: d.in.Key()}
		switch {
		case p.key == "messages":
			d.messages(&p)
		case d.in.Peek() != 'n':
			d.member(&p)
		}
	}
	if d.err == nil && len(d.turns) == 1 {
		d.fail(&place{key: "messages"}, "field required")
	}
	if d.err != nil {
		return nil, d.err
	}
	if d.r.Messages = d.turns; len(d.turns[0].Blocks) == 0 {
		d.r.Messages = d.turns[1:]
	}
	return d.r, nil
}

// requestDecoder reads one request body. Its methods read the value that comes next in the document. The first fault
// ends the work.
type requestDecoder struct {
	in    jsonedit.Reader
	r     *conversation.Request
	turns []conversation.Message // the first one is the system prompt
	names map[string]string      // tool names by call id, for the results
	// blocks is room for the one block that most messages have.
	blocks []conversation.Block
	err    error
}

// fail records what is wrong with the value at p, and ends the reading.
func (d *requestDecoder) fail(p *place, reason string) {
	if d.err == nil {
		param := p.path()
		d.err = dialects.BadRequest(param, "%s: %s", param, reason)
		d.in.Stop()
	}
}

// member reads one top-level member other than the messages. What the neutral form has no field for is kept for targets
// of this dialect.
func (d *requestDecoder) member(p *place) {
	r := d.r
	switch p.key {
	case "model", "stream": // read by Head
	case "system":
		d.system(p)
	case "max_tokens":
		if r.MaxTokens = d.integer(p); r.MaxTokens != nil && *r.MaxTokens < 1 {
			d.fail(p, "input should be greater than or equal to 1")
		}
	case "temperature":
		r.Temperature = d.number(p)
	case "top_p":
		r.TopP = d.number(p)
	case "top_k":
		r.TopK = d.number(p)
	case "stop_sequences":
		d.stop(p)
	case "metadata":
		r.User = scalarIn(&d.in, "user_id")
	case "service_tier":
		if r.ServiceTier = d.text(); r.ServiceTier == "standard_only" {
			r.ServiceTier = "default"
		}
	case "tools":
		d.tools(p)
	case "tool_choice":
		d.choice(p)
	case "thinking":
		d.thinking(p)
	case "output_config":
		d.outputConfig(p)
	case "output_format":
		d.format(p)
	default:
		d.extra(p.key, d.in.Raw())
	}
}

func (d *requestDecoder) extra(name string, value []byte) {
	if d.err == nil && !conversation.HasField(d.r.Extra, name) {
		d.r.Extra = append(d.r.Extra, conversation.Field{Name: name, Value: json.RawMessage(value)})
	}
}

// text reads a string; anything else is "".
func (d *requestDecoder) text() string {
	s, _ := d.in.Text()
	return s
}

func (d *requestDecoder) number(p *place) conversation.Number {
	if d.in.Peek() != '0' {
		d.fail(p, "input should be a valid number")
		return ""
	}
	return conversation.Number(jsonedit.View(d.in.Raw()))
}

func (d *requestDecoder) integer(p *place) *int64 {
	if d.in.Peek() == '0' {
		if n, ok := jsonedit.Count(jsonedit.View(d.in.Raw())); ok {
			return &n
		}
	}
	d.fail(p, "input should be a valid integer")
	return nil
}

func (d *requestDecoder) stop(p *place) {
	if d.in.Peek() != '[' {
		d.fail(p, "input should be a valid list")
		return
	}
	for ok := d.in.Array(); ok; ok = d.in.Next() {
		s, ok := d.in.Text()
		if !ok {
			d.fail(p, "input should be a list of strings")
		}
		d.r.Stop = append(d.r.Stop, s)
	}
}

// system makes the top-level prompt the first message. Claude Code's billing header is no prompt.
func (d *requestDecoder) system(p *place) {
	start := d.in.Mark()
	blocks := d.content(p)
	end := d.in.Mark()
	for i := range blocks {
		b := &blocks[i]
		if b.Kind == conversation.Text && strings.HasPrefix(b.Text, billingHeader) {
			d.in.Seek(start)
			*b = conversation.Block{Kind: conversation.Opaque, Raw: d.rawText(i), Origin: origin, Cache: b.Cache}
		}
	}
	if d.in.Seek(end); len(blocks) == 1 && blocks[0].Kind == conversation.Text && blocks[0].Text == "" {
		return
	}
	d.turns[0] = conversation.Message{Role: conversation.System, Blocks: blocks}
}

// rawText is a block of the content that comes next as it stands; a content that is a string becomes one.
func (d *requestDecoder) rawText(i int) json.RawMessage {
	if d.in.Peek() == '"' {
		return append(append([]byte(`{"type":"text","text":`), d.in.Raw()...), '}')
	}
	for ok := d.in.Array(); ok && i > 0; ok = d.in.Next() {
		i--
	}
	return d.in.Raw()
}

func (d *requestDecoder) messages(p *place) {
	if d.in.Peek() != '[' {
		d.fail(p, "field required")
		return
	}
	e := p.at(0)
	for ok := d.in.Array(); ok; ok = d.in.Next() {
		d.message(&e)
		e.index++
	}
	if e.index == 0 {
		d.fail(p, "at least one message is required")
	}
}

func (d *requestDecoder) message(p *place) {
	if d.in.Peek() != '{' {
		d.fail(p, "input should be an object")
		return
	}
	var (
		m       conversation.Message
		role    string
		content jsonedit.Mark
		done    bool
		in      = p.in("content")
	)
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "role":
			role = d.text()
			m.Role, ok = roleOf(role)
			if in := p.in("role"); !ok {
				d.fail(&in, "input should be 'user' or 'assistant'")
			}
		case "content":
			if content = d.in.Mark(); role != "" {
				m.Blocks, done = d.content(&in), true
			}
		}
	}
	if in := p.in("role"); role == "" {
		d.fail(&in, "input should be 'user' or 'assistant'")
		return
	}
	if !done {
		end := d.in.Mark()
		d.in.Seek(content)
		m.Blocks = d.content(&in)
		d.in.Seek(end)
	}
	d.learnNames(m.Blocks)
	d.turns = append(d.turns, m)
}

func roleOf(role string) (r conversation.Role, ok bool) {
	switch role {
	case "user":
		return conversation.User, true
	case "assistant":
		return conversation.Assistant, true
	case "system":
		return conversation.System, true
	}
	return conversation.User, false
}

// learnNames tells results the names of their tools, which in this dialect only the calls have.
func (d *requestDecoder) learnNames(blocks []conversation.Block) {
	for i := range blocks {
		switch b := &blocks[i]; b.Kind {
		case conversation.Call:
			if d.names == nil {
				d.names = make(map[string]string)
			}
			d.names[b.Call.ID] = b.Call.Name
		case conversation.Result:
			b.Result.Name = d.names[b.Result.CallID]
		}
	}
}

// content reads a string or a list of blocks.
func (d *requestDecoder) content(p *place) []conversation.Block {
	if s, ok := d.in.Text(); ok {
		return d.add(nil, conversation.Block{Kind: conversation.Text, Text: s})
	}
	if d.in.Peek() != '[' {
		d.fail(p, "input should be a string or a list of blocks")
		return nil
	}
	var blocks []conversation.Block
	for ok := d.in.Array(); ok; ok = d.in.Next() {
		b, missing := decodeBlock(&d.in)
		if missing != "" {
			e := p.at(len(blocks))
			in := e.in(missing)
			d.fail(&in, "field required, or of the wrong type")
			return nil
		}
		if b.Kind == conversation.Document && len(b.Raw) > 0 {
			d.documentExtras(b.Raw)
		}
		blocks = d.add(blocks, b)
	}
	return blocks
}

// documentExtras names what a document has that the neutral form has no field for: that it is to be cited, and what else
// than text its content is made of.
func (d *requestDecoder) documentExtras(raw []byte) {
	var m members
	in := jsonedit.NewReader(raw)
	m.read(&in)
	if m.cited {
		d.extra("messages.citations", []byte(`{"enabled":true}`))
	}
	in = jsonedit.NewReader(raw)
	in.Seek(in.Get("source"))
	in.Seek(in.Get("content"))
	for ok := in.Array(); ok; ok = in.Next() {
		if kind := textIn(&in, "type"); kind != "" && kind != "text" {
			d.extra("messages.source."+kind, []byte(`true`))
		}
	}
}

// add appends a block to those of a message. Most messages have a single one, for which there is room that many
// messages share.
func (d *requestDecoder) add(blocks []conversation.Block, b conversation.Block) []conversation.Block {
	if len(blocks) > 0 {
		return append(blocks, b)
	}
	n := len(d.blocks)
	if n == cap(d.blocks) {
		d.blocks, n = make([]conversation.Block, 0, min(max(2*n, 2), 32)), 0
	}
	d.blocks = append(d.blocks, b)
	return d.blocks[n : n+1 : n+1]
}

package chatcompletions

import (
	"strconv"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// wireMessage is a message as it stands, its members found in one pass.
type wireMessage struct {
	role, name, callID, refusal, reasoning string
	// content is a string mostly; then it is in text. kind is its first byte, 0 when there is none.
	content jsonedit.Mark
	text    string
	kind    byte
	// audio is the ID of an answer in sound.
	audio       string
	calls, call jsonedit.Mark
	details     jsonedit.Mark // OpenRouter's reasoning_details
	cache       *conversation.CacheMark
}

func (d *requestDecoder) messages(p *dialects.Place) {
	e := p.At(0)
	for ok := d.array(p); ok; ok = d.next(&e) {
		if d.in.Peek() != '{' {
			d.fail(&e, "a message must be an object")
			return
		}
		var m wireMessage
		d.wireMessage(&m)
		end := d.in.Mark()
		d.message(&e, &m)
		d.in.Seek(end)
	}
}

func (d *requestDecoder) wireMessage(m *wireMessage) {
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		key := d.in.Key()
		switch key {
		case "role":
			m.role = d.text()
		case "name":
			m.name = d.text()
		case "tool_call_id":
			m.callID = d.text()
		case "content":
			m.kind, m.content = d.in.Peek(), d.in.Mark()
			m.text = d.text()
		case "tool_calls":
			m.calls = d.present()
		case "function_call":
			m.call = d.present()
		case "refusal":
			m.refusal = d.text()
		case "reasoning_content":
			if s := d.text(); s != "" {
				m.reasoning = s
			}
		case "reasoning":
			if s := d.text(); m.reasoning == "" {
				m.reasoning = s
			}
		case "audio":
			m.audio = textIn(&d.in, "id")
		case "reasoning_details":
			m.details = d.in.Mark()
		case "cache_control":
			m.cache = d.cacheMark()
		default:
			d.unknown(key)
		}
	}
}

// unknown notes a member of a message that the neutral form has no room for, unless its value says nothing.
func (d *requestDecoder) unknown(key string) {
	switch raw := jsonedit.View(d.in.Raw()); raw {
	case "null", "false", `""`, "[]", "{}":
		return
	}
	key = "messages." + key
	if !conversation.HasField(d.req.Extra, key) {
		d.req.Extra = append(d.req.Extra, conversation.Field{Name: key})
	}
}

func (d *requestDecoder) message(p *dialects.Place, m *wireMessage) {
	out := conversation.Message{Name: m.name}
	switch m.role {
	case "user":
		out.Role = conversation.User
	case "system":
		out.Role = conversation.System
	case "developer":
		out.Role = conversation.Developer
	case "assistant":
		d.assistant(p, m)
		return
	case "tool", "function":
		d.result(p, m)
		return
	default:
		in := p.In("role")
		d.fail(&in, "the role of a message must be system, developer, user, assistant or tool")
		return
	}
	if m.kind == 0 || m.kind == 'n' {
		in := p.In("content")
		d.fail(&in, "a message of the %s must have content", m.role)
	}
	out.Blocks = d.content(nil, p, m)
	m.mark(out.Blocks)
	d.append(out)
}

// mark puts a cache mark of the whole message on its last block.
func (m *wireMessage) mark(blocks []conversation.Block) {
	if n := len(blocks); n > 0 && m.cache != nil && blocks[n-1].Cache == nil {
		blocks[n-1].Cache = m.cache
	}
}

// append adds a message to the request.
func (d *requestDecoder) append(m conversation.Message) {
	if d.req.Messages == nil {
		d.req.Messages = make([]conversation.Message, 0, 4)
	}
	d.req.Messages = append(d.req.Messages, m)
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

// assistant puts what the model thought before what it said, and the calls last: the wire has no order of its own.
func (d *requestDecoder) assistant(p *dialects.Place, m *wireMessage) {
	out := conversation.Message{Role: conversation.Assistant, Name: m.name}
	out.Blocks = d.content(d.thoughts(m), p, m)
	if m.refusal != "" {
		out.Blocks = d.add(out.Blocks, conversation.Block{Kind: conversation.Refusal, Text: m.refusal})
	}
	if m.audio != "" {
		media := &conversation.Media{FileID: m.audio, Origin: origin}
		out.Blocks = d.add(out.Blocks, conversation.Block{Kind: conversation.Audio, Media: media})
	}
	d.turn()
	if m.calls != 0 {
		d.in.Seek(m.calls)
		in := p.In("tool_calls")
		e := in.At(0)
		for ok := d.array(&in); ok; ok = d.next(&e) {
			out.Blocks = d.add(out.Blocks, d.call(&e))
		}
	}
	if d.in.Seek(m.call); d.in.Peek() == '{' {
		in := p.In("function_call")
		body := d.callBody("arguments")
		call := d.toolCall(&in, "", &body)
		out.Blocks = d.add(out.Blocks, conversation.Block{Kind: conversation.Call, Call: call})
	}
	m.mark(out.Blocks)
	d.append(out)
}

// thoughts are what a message holds of the reasoning before it. Clients replay it twice: as a text, and in entries that
// have the text, too.
func (d *requestDecoder) thoughts(m *wireMessage) []conversation.Block {
	var blocks []conversation.Block
	texts := false
	d.in.Seek(m.details)
	details(&d.in, func(b conversation.Block) {
		texts = texts || b.Text != ""
		blocks = append(blocks, b)
	})
	if m.reasoning == "" || texts {
		return blocks
	}
	text := d.add(nil, conversation.Block{Kind: conversation.Thinking, Text: m.reasoning, Origin: origin})
	return append(text, blocks...)
}

// callBody is the function of a call as it stands.
type callBody struct {
	name, arguments string
	// key is the name of the arguments; bad says that they are neither text nor JSON.
	key string
	bad bool
}

// callBody reads the function of a call. Arguments that a client sends as JSON instead of JSON text are accepted.
func (d *requestDecoder) callBody(key string) callBody {
	b := callBody{key: key}
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "name":
			b.name = d.text()
		case key:
			switch d.in.Peek() {
			case '"':
				b.arguments = d.text()
			case '{':
				b.arguments = jsonedit.View(d.in.Raw())
			case 'n':
			default:
				b.bad = true
			}
		}
	}
	return b
}

func (d *requestDecoder) call(p *dialects.Place) conversation.Block {
	var (
		id, kind  string
		signature string
		function  callBody
		custom    callBody
		hasCustom bool
	)
	function.key = "arguments"
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "id":
			id = d.text()
		case "type":
			kind = d.text()
		case "function":
			function = d.callBody("arguments")
		case "custom":
			hasCustom = d.in.Peek() == '{'
			custom = d.callBody("input")
		case "extra_content":
			signature = callSignature(&d.in)
		}
	}
	if kind == "custom" && hasCustom {
		in := p.In("custom")
		call := d.toolCall(&in, id, &custom)
		call.Custom = true
		return signedCall(call, signature)
	}
	in := p.In("function")
	return signedCall(d.toolCall(&in, id, &function), signature)
}

// toolCall makes a call and remembers it for its result.
func (d *requestDecoder) toolCall(p *dialects.Place, id string, b *callBody) *conversation.ToolCall {
	if b.name == "" {
		in := p.In("name")
		d.fail(&in, "a tool call must name its function")
	}
	if b.bad {
		in := p.In(b.key)
		d.fail(&in, "%s must be a string", b.key)
	}
	if id == "" {
		d.made++
		id = "call_" + strconv.Itoa(d.made)
	}
	d.log(id, b.name)
	return &conversation.ToolCall{ID: id, Name: b.name, Arguments: b.arguments}
}

// result reads a message of role tool or function. Consecutive ones become one message of the user.
func (d *requestDecoder) result(p *dialects.Place, m *wireMessage) {
	r := &conversation.ToolResult{CallID: d.answer(m.callID, m.name), Name: m.name}
	if r.CallID == "" {
		in := p.In("tool_call_id")
		d.fail(&in, "a tool message must answer a tool call")
	}
	if r.Name == "" {
		r.Name = d.names[r.CallID]
	}
	r.Content = d.resultContent(p, m)
	block := conversation.Block{Kind: conversation.Result, Result: r}
	// A cache mark on the last part of a result is a mark after the result.
	if n := len(r.Content); n > 0 && r.Content[n-1].Cache != nil {
		block.Cache, r.Content[n-1].Cache = r.Content[n-1].Cache, nil
	}
	if block.Cache == nil {
		block.Cache = m.cache
	}
	if n := len(d.req.Messages); n > 0 && isResults(&d.req.Messages[n-1]) {
		d.req.Messages[n-1].Blocks = append(d.req.Messages[n-1].Blocks, block)
		return
	}
	d.append(conversation.Message{Role: conversation.User, Blocks: d.add(nil, block)})
}

// isResults reports whether a message was made of tool messages: those of the user hold no results.
func isResults(m *conversation.Message) bool {
	return m.Role == conversation.User && len(m.Blocks) > 0 && m.Blocks[0].Kind == conversation.Result
}

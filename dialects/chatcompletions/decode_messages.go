package chatcompletions

import (
	"encoding/json"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

// wireMessage is a message as it stands, its members found in one pass.
type wireMessage struct {
	path                                     string
	role, name, callID                       string
	content, calls, call, refusal, reasoning gjson.Result
	audio                                    gjson.Result
}

func (d *requestDecoder) messages(v gjson.Result) {
	d.each("messages", v, func(i int, v gjson.Result) {
		m := wireMessage{path: at("messages", i)}
		if !v.IsObject() {
			d.fail(m.path, "a message must be an object")
			return
		}
		m.read(v)
		d.message(&m)
	})
}

func (m *wireMessage) read(v gjson.Result) {
	v.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "role":
			m.role = text(v)
		case "name":
			m.name = text(v)
		case "tool_call_id":
			m.callID = text(v)
		case "content":
			m.content = v
		case "tool_calls":
			m.calls = v
		case "function_call":
			m.call = v
		case "refusal":
			m.refusal = v
		case "reasoning_content":
			m.reasoning = v
		case "reasoning":
			if text(m.reasoning) == "" {
				m.reasoning = v
			}
		case "audio":
			m.audio = v
		}
		return true
	})
}

func (d *requestDecoder) message(m *wireMessage) {
	out := conversation.Message{Name: m.name}
	switch m.role {
	case "user":
		out.Role = conversation.User
	case "system":
		out.Role = conversation.System
	case "developer":
		out.Role = conversation.Developer
	case "assistant":
		d.assistant(m)
		return
	case "tool", "function":
		d.result(m)
		return
	default:
		d.fail(m.path+".role", "the role of a message must be system, developer, user, assistant or tool")
		return
	}
	if !m.content.Exists() || isNull(m.content) {
		d.fail(m.path+".content", "a message of the %s must have content", m.role)
	}
	out.Blocks = d.content(nil, m)
	d.req.Messages = append(d.req.Messages, out)
}

// assistant puts what the model thought before what it said, and the calls last: the wire has no order of its own.
func (d *requestDecoder) assistant(m *wireMessage) {
	out := conversation.Message{Role: conversation.Assistant, Name: m.name}
	if s := text(m.reasoning); s != "" {
		out.Blocks = append(out.Blocks, conversation.Block{Kind: conversation.Thinking, Text: s, Origin: origin})
	}
	out.Blocks = d.content(out.Blocks, m)
	if s := text(m.refusal); s != "" {
		out.Blocks = append(out.Blocks, conversation.Block{Kind: conversation.Refusal, Text: s})
	}
	if id := text(m.audio.Get("id")); id != "" {
		media := &conversation.Media{FileID: id, Origin: origin}
		out.Blocks = append(out.Blocks, conversation.Block{Kind: conversation.Audio, Media: media})
	}
	d.open = d.open[:0]
	if m.calls.Exists() && !isNull(m.calls) {
		d.each(m.path+".tool_calls", m.calls, func(i int, v gjson.Result) {
			out.Blocks = append(out.Blocks, d.call(at(m.path+".tool_calls", i), v))
		})
	}
	if m.call.IsObject() {
		call := d.callBody(m.path+".function_call", "", m.call, "arguments")
		out.Blocks = append(out.Blocks, conversation.Block{Kind: conversation.Call, Call: call})
	}
	d.req.Messages = append(d.req.Messages, out)
}

func (d *requestDecoder) call(path string, v gjson.Result) conversation.Block {
	id := text(v.Get("id"))
	var call *conversation.ToolCall
	if f := v.Get("custom"); text(v.Get("type")) == "custom" && f.IsObject() {
		call = d.callBody(path+".custom", id, f, "input")
		call.Custom = true
	} else {
		call = d.callBody(path+".function", id, v.Get("function"), "arguments")
	}
	return conversation.Block{Kind: conversation.Call, Call: call}
}

// callBody reads the function of a call. Arguments that a client sends as JSON instead of JSON text are accepted.
func (d *requestDecoder) callBody(path, id string, v gjson.Result, arguments string) *conversation.ToolCall {
	c := &conversation.ToolCall{ID: id, Name: text(v.Get("name"))}
	if c.Name == "" {
		d.fail(path+".name", "a tool call must name its function")
	}
	switch a := v.Get(arguments); {
	case a.Type == gjson.String:
		c.Arguments = a.Str
	case a.IsObject():
		c.Arguments = a.Raw
	case a.Exists() && !isNull(a):
		d.fail(path+"."+arguments, "%s must be a string", arguments)
	}
	if c.ID == "" {
		d.made++
		c.ID = "call_" + strconv.Itoa(d.made)
	}
	if d.names == nil {
		d.names = make(map[string]string)
	}
	d.names[c.ID] = c.Name
	d.open = append(d.open, openCall{c.ID, c.Name})
	return c
}

// result reads a message of role tool or function. Consecutive ones become one message of the user.
func (d *requestDecoder) result(m *wireMessage) {
	r := &conversation.ToolResult{CallID: m.callID, Name: m.name}
	if r.CallID == "" {
		r.CallID = d.answer(func(c openCall) bool { return m.name == "" || c.name == m.name })
	} else {
		d.answer(func(c openCall) bool { return c.id == m.callID })
	}
	if r.CallID == "" {
		d.fail(m.path+".tool_call_id", "a tool message must answer a tool call")
	}
	if r.Name == "" {
		r.Name = d.names[r.CallID]
	}
	r.Content = d.resultContent(m)
	block := conversation.Block{Kind: conversation.Result, Result: r}
	// A cache mark on the last part of a result is a mark after the result.
	if n := len(r.Content); n > 0 && r.Content[n-1].Cache != nil {
		block.Cache, r.Content[n-1].Cache = r.Content[n-1].Cache, nil
	}
	if n := len(d.req.Messages); n > 0 && isResults(&d.req.Messages[n-1]) {
		d.req.Messages[n-1].Blocks = append(d.req.Messages[n-1].Blocks, block)
		return
	}
	d.req.Messages = append(d.req.Messages, conversation.Message{Role: conversation.User, Blocks: []conversation.Block{block}})
}

// isResults reports whether a message was made of tool messages: those of the user hold no results.
func isResults(m *conversation.Message) bool {
	return m.Role == conversation.User && len(m.Blocks) > 0 && m.Blocks[0].Kind == conversation.Result
}

// answer takes the first open call that fits and returns its ID.
func (d *requestDecoder) answer(fits func(openCall) bool) string {
	for i, c := range d.open {
		if fits(c) {
			d.open = append(d.open[:i], d.open[i+1:]...)
			return c.id
		}
	}
	return ""
}

// resultContent is content, but tools may also answer with bare JSON.
func (d *requestDecoder) resultContent(m *wireMessage) []conversation.Block {
	c := m.content
	bare := c.Type == gjson.Number || c.IsBool() || c.IsObject() && c.Get("type").Type != gjson.String
	if bare {
		return []conversation.Block{{Kind: conversation.Text, Text: c.Raw}}
	}
	return d.content(nil, m)
}

// content appends the blocks of a message's content: a string, an array of parts, a lone part, or null.
func (d *requestDecoder) content(blocks []conversation.Block, m *wireMessage) []conversation.Block {
	path := m.path + ".content"
	switch c := m.content; {
	case isNull(c):
	case c.Type == gjson.String:
		if c.Str != "" {
			blocks = append(blocks, conversation.Block{Kind: conversation.Text, Text: c.Str})
		}
	case c.IsObject():
		blocks = d.part(blocks, path, c)
	case c.IsArray():
		d.each(path, c, func(i int, v gjson.Result) { blocks = d.part(blocks, at(path, i), v) })
	default:
		d.fail(path, "content must be a string or an array of parts")
	}
	return blocks
}

// rawBlock carries a part that only this dialect understands.
func rawBlock(v gjson.Result) conversation.Block {
	return conversation.Block{Kind: conversation.Opaque, Raw: json.RawMessage(v.Raw), Origin: origin}
}

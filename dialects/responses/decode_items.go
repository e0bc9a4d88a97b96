package responses

import (
	"slices"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// wireItem is an input item as it stands, its members found in one pass.
type wireItem struct {
	start        jsonedit.Mark
	kind, role   string
	content      jsonedit.Mark
	callID, name string
	namespace    string
	execution    string // who does it: the client, or the vendor
	arguments    string
	badArguments bool
	input        string
	output       jsonedit.Mark
	tools        jsonedit.Mark
}

// input reads the conversation: one text of the user, or a list of items.
func (d *requestDecoder) input(p *dialects.Place) {
	if s, ok := d.in.Text(); ok {
		d.req.Messages = append(d.req.Messages, conversation.Message{Blocks: textBlocks(s)})
		return
	}
	if d.in.Peek() != '[' {
		d.fail(p, "input must be a string or an array of items")
		return
	}
	e := p.At(0)
	for ok := d.in.Array(); ok; ok = d.next(&e) {
		if d.in.Peek() != '{' {
			d.fail(&e, "an input item must be an object")
			return
		}
		w := d.wireItem()
		end := d.in.Mark()
		d.item(&e, &w)
		d.in.Seek(end)
	}
}

func (d *requestDecoder) wireItem() wireItem {
	w := wireItem{start: d.in.Mark()}
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "type":
			w.kind = d.text()
		case "role":
			w.role = d.text()
		case "content":
			w.content = d.in.Mark()
		case "call_id":
			w.callID = d.text()
		case "name":
			w.name = d.text()
		case "arguments":
			switch d.in.Peek() {
			case '"':
				w.arguments = d.text()
			case '{': // sloppy clients
				w.arguments = jsonedit.View(d.in.Raw())
			case 'n':
			default:
				w.badArguments = true
			}
		case "input":
			w.input = d.text()
		case "output":
			w.output = d.in.Mark()
		case "namespace":
			w.namespace = d.text()
		case "execution":
			w.execution = d.text()
		case "tools":
			w.tools = d.in.Mark()
		}
	}
	w.name = inNamespace(w.namespace, w.name)
	d.grouped = d.grouped || w.namespace != ""
	return w
}

func (d *requestDecoder) item(p *dialects.Place, w *wireItem) {
	switch w.kind {
	case "", "message":
		d.message(p, w)
	case "function_call", "custom_tool_call":
		d.call(p, w)
	case "function_call_output", "custom_tool_call_output":
		d.result(p, w)
	case "reasoning":
		d.in.Seek(w.start)
		d.assistant(readThinking(&d.in))
	case "item_reference":
		d.fail(p, "item_reference refers to an item stored at another vendor than the one that answers here: send the item itself, and set store to false")
	default:
		d.hostedItem(p, w)
	}
}

func (d *requestDecoder) message(p *dialects.Place, w *wireItem) {
	var m conversation.Message
	switch w.role {
	case "user":
	case "assistant":
		m.Role = conversation.Assistant
	case "system":
		m.Role = conversation.System
	case "developer":
		m.Role = conversation.Developer
	default:
		in := p.In("role")
		d.fail(&in, "the role of a message must be system, developer, user or assistant")
		return
	}
	in := p.In("content")
	d.in.Seek(w.content)
	m.Blocks = d.content(&in)
	if m.Role == conversation.Assistant && !d.separate() {
		d.assistant(m.Blocks...)
		return
	}
	if m.Role == conversation.Assistant {
		d.turns++
	}
	d.req.Messages = append(d.req.Messages, m)
}

// separate reports whether a message of the assistant begins a message of its own: right after another text. Everything
// else that the assistant does in a row is one turn, because other dialects demand that calls are answered at once.
func (d *requestDecoder) separate() bool {
	last := &d.req.Messages[len(d.req.Messages)-1]
	if last.Role != conversation.Assistant || len(last.Blocks) == 0 {
		return true
	}
	for i := range last.Blocks {
		if last.Blocks[i].Kind == conversation.Call {
			return false
		}
	}
	text := &last.Blocks[len(last.Blocks)-1]
	return text.Kind == conversation.Text && len(text.Raw) == 0
}

// assistant adds blocks to the assistant's turn, and begins one if the last message is of somebody else.
func (d *requestDecoder) assistant(blocks ...conversation.Block) {
	n := len(d.req.Messages) - 1
	if last := &d.req.Messages[n]; n > 0 && last.Role == conversation.Assistant {
		last.Blocks = append(last.Blocks, blocks...)
		return
	}
	d.turns++
	d.req.Messages = append(d.req.Messages, conversation.Message{Role: conversation.Assistant, Blocks: blocks})
}

// answer adds what a tool gave back to the message right after the turn that called it: other dialects demand it there,
// and results first in it. Here something may have been said in between.
func (d *requestDecoder) answer(b conversation.Block) {
	at := len(d.req.Messages)
	if b.Kind == conversation.Result {
		turn := d.turns
		for i, called := at-1, d.calls[b.Result.CallID]; called > 0 && i > 0; i-- {
			if d.req.Messages[i].Role != conversation.Assistant {
				continue
			}
			if turn == called {
				at = i + 1
				break
			}
			turn--
		}
	} else if isResults(&d.req.Messages[at-1]) {
		at--
	}
	if at == len(d.req.Messages) || !isResults(&d.req.Messages[at]) {
		d.req.Messages = slices.Insert(d.req.Messages, at, conversation.Message{Blocks: []conversation.Block{b}})
		return
	}
	m := &d.req.Messages[at]
	i := len(m.Blocks)
	for b.Kind == conversation.Result && i > 0 && m.Blocks[i-1].Kind != conversation.Result {
		i--
	}
	m.Blocks = slices.Insert(m.Blocks, i, b)
}

// isResults reports whether a message was made of what tools gave back: those of the user hold no item.
func isResults(m *conversation.Message) bool {
	return m.Role == conversation.User && len(m.Blocks) > 0 &&
		(m.Blocks[0].Kind == conversation.Result || len(m.Blocks[0].Raw) > 0 && m.Blocks[0].Kind != conversation.Opaque)
}

func (d *requestDecoder) call(p *dialects.Place, w *wireItem) {
	c := &conversation.ToolCall{ID: w.callID, Name: w.name, Arguments: w.arguments}
	if w.kind == "custom_tool_call" {
		c.Custom, c.Arguments = true, w.input
	}
	switch {
	case c.Name == "":
		in := p.In("name")
		d.fail(&in, "a tool call must name its tool")
	case c.ID == "":
		in := p.In("call_id")
		d.fail(&in, "a tool call must have a call_id")
	case w.badArguments:
		in := p.In("arguments")
		d.fail(&in, "%s must be a string", in.Path())
	}
	if d.names == nil {
		d.names = make(map[string]string)
	}
	d.names[c.ID] = c.Name
	d.assistant(conversation.Block{Kind: conversation.Call, Call: c})
	if d.calls == nil {
		d.calls = make(map[string]int)
	}
	d.calls[c.ID] = d.turns
}

func (d *requestDecoder) result(p *dialects.Place, w *wireItem) {
	if w.callID == "" {
		in := p.In("call_id")
		d.fail(&in, "the output of a tool must have the call_id of its call")
		return
	}
	if d.foreign[w.callID] { // it must go where its call goes
		d.answer(d.readable(w, hostedItems["function_call_output"].members))
		return
	}
	r := &conversation.ToolResult{CallID: w.callID, Name: d.names[w.callID]}
	d.in.Seek(w.output)
	switch d.in.Peek() {
	case '"', '[':
		in := p.In("output")
		r.Content = d.content(&in)
	case 0, 'n':
		in := p.In("output")
		d.fail(&in, "%s must be a string or an array of parts", in.Path())
	default: // bare JSON, as sloppy clients send it
		r.Content = textBlocks(jsonedit.View(d.in.Raw()))
	}
	d.answer(conversation.Block{Kind: conversation.Result, Result: r})
}

// readThinking reads a reasoning item. Its summary is what other dialects know as thinking; models with open reasoning
// have the reasoning itself instead.
func readThinking(in *jsonedit.Reader) conversation.Block {
	b := conversation.Block{Kind: conversation.Thinking, Origin: origin}
	var summary, content string
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "summary":
			summary = joinTexts(in)
		case "content":
			content = joinTexts(in)
		case "encrypted_content":
			b.Signature, _ = in.Text()
		}
	}
	if b.Text = summary; summary == "" {
		b.Text = content
	}
	unlabel(&b)
	return b
}

// joinTexts reads a list of parts, each with a text. They are paragraphs.
func joinTexts(in *jsonedit.Reader) (all string) {
	first := true
	for ok := in.Array(); ok; ok = in.Next() {
		var s string
		for ok := in.Object(); ok; ok = in.Next() {
			if in.Key() == "text" {
				s, _ = in.Text()
			}
		}
		if !first {
			all += paragraph
		}
		all, first = all+s, false
	}
	return all
}

// paragraph separates the parts of a summary.
const paragraph = "\n\n"

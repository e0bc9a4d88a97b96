package gemini

import (
	"strconv"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// maxOpen is how many calls of one turn can wait for their results. Models make a few calls at once, and no vendor lets
// a request have more than some hundred tools.
const maxOpen = 256

// callLog gives the calls of a conversation their IDs and finds the call that a result answers. IDs are optional in the
// dialect: without them, results answer the calls of their name in order.
type callLog struct {
	// open are the calls of the last turn that no result has answered yet, in order.
	open []openCall
	// names are the tool names of all calls by ID.
	names map[string]string
	made  int
	// answering says that the user has spoken since the last call.
	answering bool
}

type openCall struct{ wire, id, name string }

// modelTurn begins a content of the model: what was not answered before it never will be. Several contents of the model
// in a row are one turn.
func (l *callLog) modelTurn() {
	if l.answering {
		l.open, l.answering = l.open[:0], false
	}
}

func (l *callLog) userTurn() { l.answering = true }

// call remembers a call and returns its ID: the client's, or one that follows from the calls before it, so that it is
// the same in every request of a conversation. IDs differ, whatever the client sends.
func (l *callLog) call(wire, name string) string {
	if l.names == nil {
		l.names = make(map[string]string)
	}
	id := wire
	for _, taken := l.names[id]; id == "" || taken; _, taken = l.names[id] {
		l.made++
		id = "call_" + strconv.Itoa(l.made)
	}
	l.names[id] = name
	if len(l.open) < maxOpen {
		l.open = append(l.open, openCall{wire, id, name})
	}
	return id
}

// answer takes the open call that a result fits to and returns its ID: that of the same ID, else the first one of its
// name that is not meant for another ID, else, for a result without a name, the first one of all. A result that fits to
// none keeps the ID that it came with.
func (l *callLog) answer(wire, name string) string {
	found := -1
	for i, c := range l.open {
		if wire != "" && c.wire == wire {
			found = i
			break
		}
		if found < 0 && (wire == "" || c.wire == "") && (name == "" || c.name == name) {
			found = i
		}
	}
	if found < 0 {
		return wire
	}
	id := l.open[found].id
	l.open = append(l.open[:found], l.open[found+1:]...)
	return id
}

func (d *requestDecoder) functionCall(p *dialects.Place) *conversation.ToolCall {
	var id, name string
	c := &conversation.ToolCall{Arguments: "{}"}
	for ok := d.object(p); ok; ok = d.in.Next() {
		key := d.key()
		in := p.In(key)
		switch key {
		case "id":
			id = d.str(&in)
		case "name":
			name = d.str(&in)
		case "args":
			switch d.in.Peek() {
			case '{':
				c.Arguments = jsonedit.View(d.in.Raw())
			case 'n':
			default:
				d.fail(&in, "args must be an object")
			}
		}
	}
	if name == "" {
		in := p.In("name")
		d.fail(&in, "a functionCall must have a name")
	}
	c.ID, c.Name = d.call(id, name), name
	return c
}

func (d *requestDecoder) functionResponse(p *dialects.Place) *conversation.ToolResult {
	var id string
	var parts jsonedit.Mark
	r := new(conversation.ToolResult)
	for ok := d.object(p); ok; ok = d.in.Next() {
		key := d.key()
		in := p.In(key)
		switch key {
		case "id":
			id = d.str(&in)
		case "name":
			r.Name = d.str(&in)
		case "response":
			d.response(r)
		case "parts":
			parts = d.in.Mark()
		case "willContinue", "scheduling":
			d.lost("functionResponse." + key)
		}
	}
	if r.CallID = d.answer(id, r.Name); r.CallID == "" {
		d.fail(p, "a functionResponse must answer a functionCall")
	}
	if r.Name == "" {
		r.Name = d.names[r.CallID]
	}
	if d.err == nil && parts != 0 {
		d.in.Seek(parts)
		in := p.In("parts")
		media, _ := d.parts(&in)
		r.Content = append(r.Content, media...)
	}
	return r
}

// response reads what a tool answered: the text that Google or its SDKs wrapped in an object, or else the JSON text of
// the object, without white space, which would only be paid for. A failure keeps its wrapper, because most other
// dialects have no other word for it.
func (d *requestDecoder) response(r *conversation.ToolResult) {
	said, ok := d.in.Text()
	switch {
	case ok || d.in.Peek() == 'n':
	default:
		here := d.in.Mark()
		if said, ok = d.unwrap(r); !ok {
			d.in.Seek(here)
			said = jsonedit.Compact(d.in.Raw())
		}
	}
	if said != "" {
		r.Content = d.add(nil, conversation.Block{Text: said})
	}
}

// unwrap reads an object whose only member is a text under one of the names that stand for "the answer"; ok is false
// for any other object. An empty text keeps its wrapper: other vendors refuse results that say nothing. It notes a
// failure, which is an object of nothing but an error.
func (d *requestDecoder) unwrap(r *conversation.ToolResult) (said string, ok bool) {
	members, failed := 0, false
	for more := d.in.Object(); more; more = d.in.Next() {
		key := d.in.Key()
		if d.in.Peek() == 'n' {
			continue
		}
		members++
		switch key {
		case "error":
			failed = true
		case "output", "result", "return_value", "content":
			said, ok = d.in.Text()
		}
	}
	r.IsError = failed && members == 1
	return said, ok && said != "" && members == 1
}

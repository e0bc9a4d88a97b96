package cohere

import (
	"crypto/rand"
	"errors"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

var (
	// errNotJSON is returned for bodies and events that are no JSON, such as the error page of a proxy with status 200.
	errNotJSON = errors.New("the provider's response is not valid JSON")
	errNothing = errors.New("the provider's response has no message")
	errNoCall  = errors.New("the provider's stream goes on with a tool call that has not begun")
)

// DecodeResponse implements [dialects.Encoder]. An error inside of a 200 is returned as *conversation.Error.
func (Codec) DecodeResponse(body []byte) (*conversation.Response, error) {
	if !valid(body) {
		return nil, errNotJSON
	}
	var (
		in       = jsonedit.NewReader(body)
		r        = &conversation.Response{Origin: origin, Choices: make([]conversation.Choice, 1)}
		c        = &r.Choices[0]
		d        = messageDecoder{in: &in}
		finish   string
		failure  string
		logprobs []byte
	)
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "id":
			r.ID, _ = in.Text()
		case "message":
			if in.Peek() == '{' {
				d.message()
			} else {
				failure, _ = in.Text()
			}
		case "finish_reason":
			finish, _ = in.Text()
		case "error":
			failure, _ = in.Text()
		case "usage":
			told := readUsage(&in).told()
			r.Usage, r.UsageKnown = told.Usage, told.UsageKnown
		case "logprobs":
			for ok := in.Array(); ok; ok = in.Next() {
				logprobs = appendLogprob(logprobs, &in)
			}
		}
	}
	switch {
	case failure != "":
		return nil, inStream("", failure)
	case !d.found:
		return nil, errNothing
	}
	c.Blocks = d.blocks
	c.Stop = settleStop(stopReason(finish), d.calls)
	if len(logprobs) > 0 {
		c.Logprobs = append(append([]byte(`{"content":[`), logprobs...), `],"refusal":null}`...)
	}
	return r, nil
}

// messageDecoder reads the message of a response.
type messageDecoder struct {
	in            *jsonedit.Reader
	blocks        []conversation.Block
	places        []int // which block each content became
	found, calls  bool
	contents      jsonedit.Mark
	plan          string
	wires, quotes jsonedit.Mark
}

// message reads the members in the order in which a stream has them: contents, the plan, calls, citations.
func (d *messageDecoder) message() {
	in := d.in
	d.found = true
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "content":
			d.contents = in.Mark()
		case "tool_plan":
			d.plan, _ = in.Text()
		case "tool_calls":
			d.wires = in.Mark()
		case "citations":
			d.quotes = in.Mark()
		}
	}
	end := in.Mark()
	in.Seek(d.contents)
	if in.Peek() == '"' { // as in requests
		s, _ := in.Text()
		d.add(conversation.Text, "", s)
	}
	for ok := in.Array(); ok; ok = in.Next() {
		d.content()
	}
	d.add(conversation.Thinking, signPlan, d.plan)
	in.Seek(d.wires)
	for ok := in.Array(); ok; ok = in.Next() {
		call := readCall(in)
		if call.ID == "" {
			call.ID = madeCallID()
		}
		if call.Arguments == "null" {
			call.Arguments = "" // what models write for tools without parameters
		}
		d.blocks, d.calls = append(d.blocks, conversation.Block{Kind: conversation.Call, Call: &call}), true
	}
	in.Seek(d.quotes)
	for ok := in.Array(); ok; ok = in.Next() {
		attach(d.blocks, d.places, readCitation(in))
	}
	in.Seek(end)
}

func (d *messageDecoder) content() {
	c := readContent(d.in)
	before := len(d.blocks)
	if c.thought {
		d.add(conversation.Thinking, signThought, c.text)
	} else {
		d.add(conversation.Text, "", c.text)
	}
	at := -1
	if len(d.blocks) > before {
		at = before
	}
	d.places = append(d.places, at)
}

func (d *messageDecoder) add(kind conversation.Kind, signature, text string) {
	if text == "" {
		return
	}
	b := conversation.Block{Kind: kind, Text: text}
	if kind == conversation.Thinking {
		b.Signature, b.Origin = signature, origin
	}
	d.blocks = append(d.blocks, b)
}

// content is one content of a message, or a piece of one.
type content struct {
	text    string
	thought bool
}

// readContent reads a content. A piece of one has no type: there the member tells what it is.
func readContent(in *jsonedit.Reader) (c content) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "type":
			s, _ := in.Text()
			c.thought = c.thought || s == "thinking"
		case "text":
			if s, ok := in.Text(); ok && s != "" {
				c.text = s
			}
		case "thinking":
			if s, ok := in.Text(); ok {
				c.thought = true
				if s != "" {
					c.text = s
				}
			}
		}
	}
	return c
}

// readCall reads a tool call, or a piece of one.
func readCall(in *jsonedit.Reader) (c conversation.ToolCall) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "id":
			c.ID, _ = in.Text()
		case "function":
			for ok := in.Object(); ok; ok = in.Next() {
				switch in.Key() {
				case "name":
					c.Name, _ = in.Text()
				case "arguments":
					c.Arguments = arguments(in)
				}
			}
		}
	}
	return c
}

// arguments are JSON text, which a careless server may write as the value itself.
func arguments(in *jsonedit.Reader) string {
	if in.Peek() == '{' {
		return jsonedit.View(in.Raw())
	}
	s, _ := in.Text()
	return s
}

// madeCallID makes an ID for a call that came without one.
func madeCallID() string { return "call_" + rand.Text() }

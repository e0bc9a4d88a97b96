package ollama

import (
	"crypto/rand"
	"errors"
	"time"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

var (
	// errNotJSON is returned for bodies and lines that are no JSON, such as the error page of a proxy with status 200.
	errNotJSON = errors.New("the provider's response is not valid JSON")
	errNothing = errors.New("the provider's response has no message")
)

// DecodeResponse implements [dialects.Encoder]. An error inside of a 200 is returned as *conversation.Error.
func (Codec) DecodeResponse(body []byte) (*conversation.Response, error) {
	if !valid(body) {
		return nil, errNotJSON
	}
	in := jsonedit.NewReader(body)
	d := readDocument(&in)
	switch {
	case d.failure != "":
		return nil, inStream(d.status, d.failure)
	case d.message == 0:
		return nil, errNothing
	}
	r := &conversation.Response{Model: d.model, Created: d.unix(), Origin: origin, Choices: make([]conversation.Choice, 1)}
	reported := d.usage()
	r.Usage, r.UsageKnown = reported.Usage, reported.UsageKnown
	c := &r.Choices[0]
	in.Seek(d.message)
	m := readMessage(&in)
	if m.thinking != "" {
		c.Blocks = append(c.Blocks, conversation.Block{Kind: conversation.Thinking, Text: m.thinking, Signature: signThought, Origin: origin})
	}
	if m.content != "" {
		c.Blocks = append(c.Blocks, conversation.Block{Kind: conversation.Text, Text: m.content})
	}
	in.Seek(m.calls)
	called := false
	for ok := in.Array(); ok; ok = in.Next() {
		call := readCall(&in)
		c.Blocks, called = append(c.Blocks, conversation.Block{Kind: conversation.Call, Call: &call}), true
	}
	c.Stop = stopReason(d.reason, called)
	in.Seek(d.logprobs)
	var logprobs []byte
	for ok := in.Array(); ok; ok = in.Next() {
		logprobs = appendLogprob(logprobs, &in)
	}
	if len(logprobs) > 0 {
		c.Logprobs = append(append([]byte(`{"content":[`), logprobs...), `],"refusal":null}`...)
	}
	return r, nil
}

// document is what the members of a response, or of a line of a stream, are.
type document struct {
	model, created, reason, failure string
	status                          int64
	done                            bool
	message, logprobs               jsonedit.Mark
	counts                          dialects.Counts
	prompt, eval                    int64
	hasCount                        bool
}

func readDocument(in *jsonedit.Reader) (d document) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "model":
			d.model, _ = in.Text()
		case "created_at":
			d.created, _ = in.Text()
		case "message":
			if in.Peek() == '{' {
				d.message = in.Mark()
			}
		case "logprobs":
			d.logprobs = in.Mark()
		case "done":
			d.done = in.Peek() == 't'
		case "done_reason":
			d.reason, _ = in.Text()
		case "prompt_eval_count":
			d.hasCount = d.counts.Read(in, &d.prompt) || d.hasCount
		case "eval_count":
			d.hasCount = d.counts.Read(in, &d.eval) || d.hasCount
		case "status":
			d.status, _ = jsonedit.Count(jsonedit.View(in.Raw()))
		case "error":
			d.failure = failureText(in)
		}
	}
	return d
}

// failureText reads what went wrong: a text, or an object with one.
func failureText(in *jsonedit.Reader) (s string) {
	if in.Peek() != '{' {
		s, _ = in.Text()
		return s
	}
	in.Seek(in.Get("message"))
	if s, _ = in.Text(); s == "" {
		s = "unknown error"
	}
	in.Stop() // nothing else counts
	return s
}

// usage is what the counts say. That of the prompt is missing when all of it was in the cache.
func (d *document) usage() dialects.Reported {
	return d.counts.Report(conversation.Usage{Input: d.prompt, Output: d.eval}, d.hasCount)
}

func (d *document) unix() int64 {
	t, err := time.Parse(time.RFC3339Nano, d.created)
	if err != nil {
		return 0
	}
	return t.Unix()
}

// message is what the members of a message are.
type message struct {
	content, thinking string
	calls             jsonedit.Mark
}

func readMessage(in *jsonedit.Reader) (m message) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "content":
			m.content, _ = in.Text()
		case "thinking":
			m.thinking, _ = in.Text()
		case "tool_calls":
			m.calls = in.Mark()
		}
	}
	return m
}

// readCall reads a call of a tool. One without an ID gets one that is like no other.
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
	if c.ID == "" {
		c.ID = "call_" + rand.Text()
	}
	return c
}

// arguments are an object; some proxies have JSON text, as OpenAI has it.
func arguments(in *jsonedit.Reader) string {
	switch in.Peek() {
	case '"':
		s, _ := in.Text()
		return s
	case '{':
		return jsonedit.Compact(in.Raw())
	}
	return ""
}

// stopReason reads a done_reason. Calls stop like everything else.
func stopReason(s string, called bool) conversation.StopReason {
	switch {
	case s == "length":
		return conversation.StopLength
	case called:
		return conversation.StopToolCalls
	}
	return conversation.StopEnd // stop, load, unload, and what may be added
}

// appendLogprob appends an element of chat completions' logprobs.content. Ollama's are the same but for empty members,
// which it leaves out and clients rely on.
func appendLogprob(dst []byte, in *jsonedit.Reader) []byte {
	if in.Peek() != '{' {
		return dst
	}
	dst = append(jsonedit.AppendComma(dst), '{')
	var hasBytes, hasTop bool
	for ok := in.Object(); ok; ok = in.Next() {
		key := in.Key()
		hasBytes = hasBytes || key == "bytes"
		hasTop = hasTop || key == "top_logprobs"
		dst = append(jsonedit.AppendString(jsonedit.AppendComma(dst), key), ':')
		dst = append(dst, in.Raw()...)
	}
	if !hasBytes {
		dst = jsonedit.AppendRawMember(dst, "bytes", "null")
	}
	if !hasTop {
		dst = jsonedit.AppendRawMember(dst, "top_logprobs", "[]")
	}
	return append(dst, '}')
}

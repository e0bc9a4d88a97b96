package responses

import (
	"bytes"
	"errors"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

var (
	// errNotJSON is returned for bodies and events that are no JSON, such as the error page of a proxy with status 200.
	errNotJSON  = errors.New("the provider's answer is not valid JSON")
	errNoOutput = errors.New("the provider's answer has no output")
)

// valid reports whether a body or event is JSON. Validate is the faster test, but it wants UTF-8 as well, which models of
// local servers cut in two at times.
func valid(data []byte) bool {
	return jsonedit.Validate(data, jsonedit.Limits{}) == nil || gjson.ValidBytes(data)
}

// DecodeResponse implements [dialects.Encoder]. What it returns may alias body. An error in place of an answer is
// returned as a *conversation.Error.
func (Codec) DecodeResponse(body []byte) (*conversation.Response, error) {
	if !valid(body) {
		return nil, errNotJSON
	}
	f := readFinal(body)
	if f.failure != nil && len(f.response.Choices[0].Blocks) == 0 {
		return nil, f.failure
	}
	if !f.hasOutput {
		return chatCompletion(body)
	}
	return f.response, nil
}

// chatCompletion reads an answer of the other dialect: Azure has been seen to give one to a request of this dialect.
func chatCompletion(body []byte) (*conversation.Response, error) {
	in := jsonedit.NewReader(body)
	if in.Seek(in.Get("choices")); in.Peek() == '[' {
		if chat, ok := dialects.Lookup(providers.Chat).(dialects.Encoder); ok {
			return chat.DecodeResponse(body)
		}
	}
	return nil, errNoOutput
}

// final is a response object.
type final struct {
	response  *conversation.Response
	hasOutput bool
	failure   *conversation.Error
	output    jsonedit.Mark
}

// readFinal reads a response object, whether it came alone or at the end of a stream.
func readFinal(body []byte) final {
	in := jsonedit.NewReader(body)
	r := &conversation.Response{Origin: origin, Choices: make([]conversation.Choice, 1)}
	f := final{response: r}
	c := &r.Choices[0]
	var status string
	var logprobs []byte
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "id":
			r.ID, _ = in.Text()
		case "model":
			r.Model, _ = in.Text()
		case "created_at":
			r.Created = int64(offset(&in))
		case "service_tier":
			r.ServiceTier, _ = in.Text()
		case "status":
			status, _ = in.Text()
		case "output":
			f.hasOutput, f.output = in.Peek() == '[', in.Mark()
			for ok := in.Array(); ok; ok = in.Next() {
				if in.Peek() == '{' {
					item := in.Raw()
					c.Blocks = appendItem(c.Blocks, item)
					logprobs = appendLogprobs(logprobs, item)
				}
			}
		case "usage":
			reported := readUsage(jsonedit.View(in.Raw()))
			r.Usage, r.UsageKnown = reported.Usage, reported.UsageKnown
		case "error":
			if raw := jsonedit.View(in.Raw()); isSet(raw) {
				f.failure = new(conversation.Error)
				readError(raw, f.failure)
			}
		}
	}
	if len(logprobs) > 0 {
		c.Logprobs = append(append([]byte(`{"content":[`), logprobs...), ']', '}')
	}
	if status == "failed" && f.failure == nil {
		f.failure = &conversation.Error{Message: "the provider failed to answer"}
	}
	if f.failure != nil {
		complete(f.failure, 500)
	}
	o := readOutput(gjson.GetBytes(body, "output"))
	r.Usage.WebSearches = o.searches
	if status == "" || status == "complete" { // seen instead of the documented word
		status = "completed"
	}
	m := meter{calls: o.calls, refused: o.refused}
	c.Stop = m.stopReason(status, jsonedit.View(body))
	if c.Stop == conversation.StopError && f.failure != nil {
		c.StopDetail = f.failure.Message
	}
	return f
}

// appendItem appends the blocks of an output item. Items that only this dialect has, such as the calls of server-side
// tools, become opaque.
func appendItem(blocks []conversation.Block, item []byte) []conversation.Block {
	in := jsonedit.NewReader(item)
	switch typeOf(jsonedit.View(item)) {
	case "message":
		return appendParts(blocks, &in)
	case "reasoning":
		if b := readThinking(&in); b.Text != "" || b.Signature != "" {
			return append(blocks, b)
		}
		return blocks
	case "function_call", "custom_tool_call":
		return append(blocks, conversation.Block{Kind: conversation.Call, Call: readCall(&in)})
	case "image_generation_call":
		if m := readImage(&in); m != nil {
			return append(blocks, conversation.Block{Kind: conversation.Image, Media: m, Raw: item, Origin: origin})
		}
	}
	return append(blocks, conversation.Block{Kind: conversation.Opaque, Raw: item, Origin: origin})
}

// appendLogprobs appends the log probabilities of the tokens of a message: those of its parts are one list elsewhere.
func appendLogprobs(dst, item []byte) []byte {
	if !bytes.Contains(item, []byte(`"logprobs"`)) {
		return dst
	}
	in := jsonedit.NewReader(item)
	in.Seek(in.Get("content"))
	for ok := in.Array(); ok; ok = in.Next() {
		for ok := in.Object(); ok; ok = in.Next() {
			if in.Key() != "logprobs" || in.Peek() != '[' {
				continue
			}
			if list := in.Raw(); len(list) > len("[]") {
				if len(dst) > 0 {
					dst = append(dst, ',')
				}
				dst = append(dst, bytes.TrimSpace(list[1:len(list)-1])...)
			}
		}
	}
	return dst
}

// appendParts appends the texts and refusals of a message.
func appendParts(blocks []conversation.Block, in *jsonedit.Reader) []conversation.Block {
	in.Seek(in.Get("content"))
	for ok := in.Array(); ok; ok = in.Next() {
		var (
			b    conversation.Block
			kind string
		)
		for ok := in.Object(); ok; ok = in.Next() {
			switch in.Key() {
			case "type":
				kind, _ = in.Text()
			case "text", "refusal":
				if s, ok := in.Text(); ok {
					b.Text = s
				}
			case "annotations":
				b.Citations = readCitations(in)
			}
		}
		switch kind {
		case "refusal":
			b.Kind = conversation.Refusal
			blocks = append(blocks, b)
		case "output_text":
			blocks = append(blocks, b)
		}
	}
	return blocks
}

// readCall reads a call of a function or of a free-text tool.
func readCall(in *jsonedit.Reader) *conversation.ToolCall {
	c := &conversation.ToolCall{}
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "type":
			kind, _ := in.Text()
			c.Custom = kind == "custom_tool_call"
		case "call_id":
			c.ID, _ = in.Text()
		case "name":
			c.Name, _ = in.Text()
		case "arguments", "input":
			c.Arguments, _ = in.Text()
		}
	}
	return c
}

// readImage reads an image that a server-side tool has made; nil when there is none yet.
func readImage(in *jsonedit.Reader) *conversation.Media {
	m := &conversation.Media{MIME: "image/png"}
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "result":
			m.Data, _ = in.Text()
		case "output_format":
			if s, _ := in.Text(); s != "" {
				m.MIME = "image/" + s
			}
		}
	}
	if m.Data == "" {
		return nil
	}
	return m
}

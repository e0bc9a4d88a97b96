package converse

import (
	"errors"
	"fmt"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

var errNoOutput = errors.New("the provider's answer has no message")

// DecodeResponse reads a whole answer. It names neither itself nor the model.
func (Codec) DecodeResponse(body []byte) (*conversation.Response, error) {
	if err := jsonedit.Validate(body, jsonedit.Limits{}); err != nil {
		return nil, fmt.Errorf("the provider's answer is not valid: %w", err)
	}
	var (
		in     = jsonedit.NewReader(body)
		r      = &conversation.Response{Origin: origin, Choices: make([]conversation.Choice, 1)}
		c      = &r.Choices[0]
		usage  counts
		answer bool
	)
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "output":
			for ok := in.Object(); ok; ok = in.Next() {
				if in.Key() == "message" && in.Peek() == '{' {
					answer = true
					c.Blocks = messageBlocks(&in)
				}
			}
		case "stopReason":
			s, _ := in.Text()
			c.Stop = parseStop(s)
		case "additionalModelResponseFields":
			c.StopSequence = textIn(&in, "stop_sequence")
		case "usage":
			usage.merge(&in)
		case "serviceTier":
			r.ServiceTier = textIn(&in, "type")
		case "trace":
			c.StopDetail = guardrailReason(&in)
		}
	}
	if !answer {
		return nil, errNoOutput
	}
	if c.Stop != conversation.StopFiltered {
		c.StopDetail = "" // guardrails say that they did nothing, too
	}
	if c.StopSequence != "" && c.Stop == conversation.StopEnd {
		c.Stop = conversation.StopSequence
	}
	reported := usage.report()
	r.Usage, r.UsageKnown = reported.Usage, reported.UsageKnown
	return r, nil
}

func messageBlocks(in *jsonedit.Reader) (blocks []conversation.Block) {
	for ok := in.Object(); ok; ok = in.Next() {
		if in.Key() != "content" {
			continue
		}
		for ok := in.Array(); ok; ok = in.Next() {
			for ok := in.Object(); ok; ok = in.Next() {
				if b, ok := readBlock(in, in.Key()); ok {
					blocks = append(blocks, b)
				}
			}
		}
	}
	return blocks
}

// readBlock reads the content of a block of that name. It reports false for what no client could be given: what a tool
// of the model's own did, and cache points.
func readBlock(in *jsonedit.Reader, name string) (b conversation.Block, ok bool) {
	switch name {
	case "text":
		b.Text, _ = in.Text()
		return b, b.Text != ""
	case "toolUse":
		b.Kind = conversation.Call
		b.Call, ok = readCall(in)
		return b, ok
	case "reasoningContent":
		return readReasoning(in), true
	case "citationsContent":
		return readCited(in), true
	case "image":
		return readImage(in)
	}
	return b, false
}

// readCall reads a call. It reports false for one that the model's own tools answer.
func readCall(in *jsonedit.Reader) (c *conversation.ToolCall, ok bool) {
	c, kind := new(conversation.ToolCall), ""
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "toolUseId":
			c.ID, _ = in.Text()
		case "name":
			c.Name, _ = in.Text()
		case "input":
			c.Arguments = jsonedit.View(in.Raw())
		case "type":
			kind, _ = in.Text()
		}
	}
	return c, kind != serverTool
}

// serverTool is the type of calls that the model's own tools answer.
const serverTool = "server_tool_use"

func readReasoning(in *jsonedit.Reader) conversation.Block {
	b := conversation.Block{Kind: conversation.Thinking, Origin: origin}
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "reasoningText":
			for ok := in.Object(); ok; ok = in.Next() {
				switch in.Key() {
				case "text":
					b.Text, _ = in.Text()
				case "signature":
					b.Signature, _ = in.Text()
				}
			}
		case "redactedContent":
			b.Signature, _ = in.Text()
			b.Redacted = true
		}
	}
	return b
}

func readCited(in *jsonedit.Reader) (b conversation.Block) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "content":
			for ok := in.Array(); ok; ok = in.Next() {
				b.Text += textIn(in, "text")
			}
		case "citations":
			for ok := in.Array(); ok; ok = in.Next() {
				b.Citations = append(b.Citations, readCitation(in))
			}
		}
	}
	return b
}

// readCitation leaves Start and End at zero: the offsets are into the source, not into the answer.
func readCitation(in *jsonedit.Reader) conversation.Citation {
	c := conversation.Citation{Origin: origin}
	start := in.Mark()
	c.Raw = append(c.Raw, in.Raw()...)
	end := in.Mark()
	in.Seek(start)
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "title":
			c.Title, _ = in.Text()
		case "location":
			for ok := in.Object(); ok; ok = in.Next() {
				if in.Key() == "web" {
					c.URL = textIn(in, "url")
				}
			}
		case "sourceContent":
			for ok := in.Array(); ok; ok = in.Next() {
				c.Quote += textIn(in, "text")
			}
		}
	}
	in.Seek(end)
	return c
}

func readImage(in *jsonedit.Reader) (conversation.Block, bool) {
	m := new(conversation.Media)
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "format":
			if format, _ := in.Text(); format != "" {
				m.MIME = "image/" + format
			}
		case "source":
			m.Data = textIn(in, "bytes")
		}
	}
	return conversation.Block{Kind: conversation.Image, Media: m}, m.Data != ""
}

// guardrailReason is why a guardrail stepped in, if it says so.
func guardrailReason(in *jsonedit.Reader) (reason string) {
	for ok := in.Object(); ok; ok = in.Next() {
		if in.Key() == "guardrail" {
			reason = textIn(in, "actionReason")
		}
	}
	return reason
}

// textIn reads a text out of an object.
func textIn(in *jsonedit.Reader, key string) (s string) {
	for ok := in.Object(); ok; ok = in.Next() {
		if in.Key() == key {
			s, _ = in.Text()
		}
	}
	return s
}

// DecodeCount reads the answer to the question how many tokens a request has.
func (Codec) DecodeCount(body []byte) (tokens int64, ok bool) {
	jsonedit.EachMember(jsonedit.View(body), func(key, raw string) bool {
		if key == "inputTokens" {
			tokens, ok = jsonedit.Count(raw)
		}
		return true
	})
	return tokens, ok
}

// parseStop reads a stopReason. A reason from the future counts as an ordinary end, since the turn did end.
func parseStop(s string) conversation.StopReason {
	switch s {
	case "":
		return conversation.StopUnknown
	case "stop_sequence":
		return conversation.StopSequence
	case "max_tokens", "model_context_window_exceeded":
		return conversation.StopLength
	case "tool_use":
		return conversation.StopToolCalls
	case "guardrail_intervened", "content_filtered":
		return conversation.StopFiltered
	case "malformed_model_output", "malformed_tool_use":
		return conversation.StopError
	}
	return conversation.StopEnd
}

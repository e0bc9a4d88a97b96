package chatcompletions

import (
	"crypto/rand"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// EncodeResponse implements [dialects.Decoder]. SDKs demand an ID and a time of creation: where the provider's dialect
// has none, they are made up here.
func (Codec) EncodeResponse(dst []byte, r *conversation.Response, requestModel string) []byte {
	id, created := r.ID, r.Created
	if id == "" {
		id = rand.Text()
	}
	if created == 0 {
		created = time.Now().Unix()
	}
	if requestModel == "" {
		requestModel = r.Model
	}
	dst = append(dst, '{')
	dst = jsonedit.AppendStringMember(dst, "id", completionID(id))
	dst = append(dst, `,"object":"chat.completion"`...)
	dst = jsonedit.AppendIntMember(dst, "created", created)
	dst = jsonedit.AppendStringMember(dst, "model", requestModel)
	dst = append(jsonedit.AppendKey(dst, "choices"), '[')
	for i := range r.Choices {
		dst = appendChoice(jsonedit.AppendComma(dst), &r.Choices[i], i)
	}
	dst = append(dst, ']')
	if r.UsageKnown {
		dst = appendUsage(jsonedit.AppendKey(dst, "usage"), r.Usage)
	}
	dst = jsonedit.AppendTextMember(dst, "service_tier", r.ServiceTier)
	return append(dst, '}')
}

// completionID gives an ID the prefix that clients of this dialect know.
func completionID(id string) string {
	if strings.HasPrefix(id, "chatcmpl-") {
		return id
	}
	return "chatcmpl-" + id
}

func appendChoice(dst []byte, c *conversation.Choice, index int) []byte {
	dst = append(dst, '{')
	dst = jsonedit.AppendIntMember(dst, "index", int64(index))
	dst = append(jsonedit.AppendKey(dst, "message"), `{"role":"assistant"`...)
	dst = appendMessage(dst, c)
	dst = append(dst, '}')
	if c.Logprobs != nil {
		dst = jsonedit.AppendRawMember(dst, "logprobs", c.Logprobs)
	} else {
		dst = append(dst, `,"logprobs":null`...)
	}
	dst = jsonedit.AppendStringMember(dst, "finish_reason", finishReason(c.Stop))
	return append(dst, '}')
}

// appendMessage appends the members of a message after its role. All texts are one content: the wire has no blocks.
func appendMessage(dst []byte, c *conversation.Choice) []byte {
	content, hasContent := joinBlocks(c.Blocks, conversation.Text)
	refusal, hasRefusal := joinBlocks(c.Blocks, conversation.Refusal)
	thoughts, _ := joinBlocks(c.Blocks, conversation.Thinking)
	if c.Stop == conversation.StopRefusal && !hasRefusal {
		refusal, hasRefusal = refusalText(c.StopDetail), true
	}
	calls := hasKind(c.Blocks, conversation.Call)
	if hasContent || !calls && !hasRefusal {
		dst = jsonedit.AppendStringMember(dst, "content", content)
	} else {
		dst = append(dst, `,"content":null`...)
	}
	dst = appendNullable(dst, "refusal", refusal)
	dst = jsonedit.AppendTextMember(dst, "reasoning_content", thoughts)
	dst = appendAnnotations(dst, c.Blocks)
	dst = appendImages(dst, c.Blocks)
	dst = appendAudio(dst, c.Blocks)
	if !calls {
		return dst
	}
	dst = append(jsonedit.AppendKey(dst, "tool_calls"), '[')
	for i := range c.Blocks {
		if call := c.Blocks[i].Call; c.Blocks[i].Kind == conversation.Call && call != nil {
			dst = appendCall(jsonedit.AppendComma(dst), call)
		}
	}
	return append(dst, ']')
}

func joinBlocks(blocks []conversation.Block, kind conversation.Kind) (string, bool) {
	var (
		first string
		more  []string
		found bool
	)
	for i := range blocks {
		switch {
		case blocks[i].Kind != kind:
		case !found:
			first, found = blocks[i].Text, true
		default:
			more = append(more, blocks[i].Text)
		}
	}
	if more == nil {
		return first, found
	}
	return first + strings.Join(more, ""), true
}

func hasKind(blocks []conversation.Block, kind conversation.Kind) bool {
	for i := range blocks {
		if blocks[i].Kind == kind {
			return true
		}
	}
	return false
}

func appendCall(dst []byte, c *conversation.ToolCall) []byte {
	dst = append(dst, '{')
	dst = jsonedit.AppendStringMember(dst, "id", c.ID)
	dst = appendCallBody(dst, c)
	return append(dst, '}')
}

// appendCallBody appends what a call has besides its ID. A call without arguments is written as {}: clients parse it.
func appendCallBody(dst []byte, c *conversation.ToolCall) []byte {
	if c.Custom {
		dst = append(dst, `,"type":"custom","custom":{`...)
		dst = jsonedit.AppendStringMember(dst, "name", c.Name)
		return append(jsonedit.AppendStringMember(dst, "input", c.Arguments), '}')
	}
	arguments := c.Arguments
	if arguments == "" {
		arguments = "{}"
	}
	dst = append(dst, `,"type":"function","function":{`...)
	dst = jsonedit.AppendStringMember(dst, "name", c.Name)
	return append(jsonedit.AppendStringMember(dst, "arguments", arguments), '}')
}

// appendAnnotations appends the citations of all texts. Offsets count characters of the joined content.
func appendAnnotations(dst []byte, blocks []conversation.Block) []byte {
	open, offset := false, 0
	for i := range blocks {
		b := &blocks[i]
		if b.Kind != conversation.Text {
			continue
		}
		for j := range b.Citations {
			if b.Citations[j].URL == "" {
				continue // a place in a document: the wire has no word for it
			}
			if !open {
				dst, open = append(jsonedit.AppendKey(dst, "annotations"), '['), true
			}
			dst = appendAnnotation(jsonedit.AppendComma(dst), &b.Citations[j], offset)
		}
		offset += utf8.RuneCountInString(b.Text)
	}
	if open {
		dst = append(dst, ']')
	}
	return dst
}

func appendAnnotation(dst []byte, c *conversation.Citation, offset int) []byte {
	start, end := c.Start, c.End
	if end > 0 {
		start, end = start+offset, end+offset
	}
	dst = append(dst, `{"type":"url_citation","url_citation":{`...)
	dst = jsonedit.AppendIntMember(dst, "start_index", int64(start))
	dst = jsonedit.AppendIntMember(dst, "end_index", int64(end))
	dst = jsonedit.AppendStringMember(dst, "url", c.URL)
	dst = jsonedit.AppendStringMember(dst, "title", c.Title)
	return append(dst, '}', '}')
}

// appendImages appends generated images the way OpenRouter does; OpenAI's chat completions generate none.
func appendImages(dst []byte, blocks []conversation.Block) []byte {
	open := false
	for i := range blocks {
		b := &blocks[i]
		if b.Kind != conversation.Image || b.Media == nil || b.Media.Data == "" && b.Media.URL == "" {
			continue
		}
		if !open {
			dst, open = append(jsonedit.AppendKey(dst, "images"), '['), true
		}
		dst = append(jsonedit.AppendComma(dst), `{"type":"image_url","image_url":{"url":`...)
		dst = append(appendMediaURL(dst, b.Media), '}', '}')
	}
	if open {
		dst = append(dst, ']')
	}
	return dst
}

// appendAudio appends an answer in sound; a message holds at most one.
func appendAudio(dst []byte, blocks []conversation.Block) []byte {
	for i := range blocks {
		b := &blocks[i]
		if b.Kind != conversation.Audio || b.Media == nil || b.Media.Data == "" {
			continue
		}
		dst = append(jsonedit.AppendKey(dst, "audio"), `{"id":"audio_`...)
		dst = append(dst, hashID(b.Media.Data, 12)...)
		dst = append(dst, '"')
		dst = jsonedit.AppendIntMember(dst, "expires_at", 0)
		dst = jsonedit.AppendStringMember(dst, "data", b.Media.Data)
		return append(jsonedit.AppendStringMember(dst, "transcript", b.Text), '}')
	}
	return dst
}

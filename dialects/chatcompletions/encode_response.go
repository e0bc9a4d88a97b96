package chatcompletions

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddy-llm/llmgateway/dialects"
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
	return append(appendFinish(dst, c), '}')
}

// appendFinish appends why an answer ended: the stop sequence that was found goes where vLLM tells it.
func appendFinish(dst []byte, c *conversation.Choice) []byte {
	finish := choiceReason(c.Stop, hasKind(c.Blocks, conversation.Refusal))
	if c.Stop == conversation.StopToolCalls && isLegacy(c.Blocks) {
		finish = "function_call"
	}
	dst = jsonedit.AppendStringMember(dst, "finish_reason", finish)
	return jsonedit.AppendTextMember(dst, "stop_reason", c.StopSequence)
}

// isLegacy reports whether calls go to a client that knows none but function_call.
func isLegacy(blocks []conversation.Block) bool {
	for i := range blocks {
		if c := blocks[i].Call; blocks[i].Kind == conversation.Call && c != nil {
			return c.Legacy
		}
	}
	return false
}

// appendMessage appends the members of a message after its role. All texts are one content: the wire has no blocks.
func appendMessage(dst []byte, c *conversation.Choice) []byte {
	content, hasContent := joinBlocks(c.Blocks, conversation.Text)
	refusal, hasRefusal := joinBlocks(c.Blocks, conversation.Refusal)
	thoughts, _ := joinBlocks(c.Blocks, conversation.Thinking)
	if c.Stop == conversation.StopRefusal && !hasRefusal {
		refusal, hasRefusal = c.StopDetail, c.StopDetail != ""
	}
	calls := hasKind(c.Blocks, conversation.Call)
	if hasContent || !calls && !hasRefusal {
		dst = jsonedit.AppendStringMember(dst, "content", content)
	} else {
		dst = append(dst, `,"content":null`...)
	}
	dst = appendNullable(dst, "refusal", refusal)
	dst = jsonedit.AppendTextMember(dst, "reasoning_content", thoughts)
	dst = appendDetails(dst, c.Blocks)
	dst = appendAnnotations(dst, c.Blocks)
	dst = appendImages(dst, c.Blocks)
	dst = appendAudio(dst, c.Blocks)
	if !calls {
		return dst
	}
	return appendCalls(dst, c.Blocks)
}

// appendCalls appends the tool calls of an answer. A client that knows function_call only gets the first one: there is
// room for no other.
func appendCalls(dst []byte, blocks []conversation.Block) []byte {
	if isLegacy(blocks) {
		i := slices.IndexFunc(blocks, func(b conversation.Block) bool { return b.Kind == conversation.Call })
		dst = append(jsonedit.AppendKey(dst, "function_call"), '{')
		return append(appendFunction(dst, blocks[i].Call), '}')
	}
	dst = append(jsonedit.AppendKey(dst, "tool_calls"), '[')
	for i := range blocks {
		if b := &blocks[i]; b.Kind == conversation.Call && b.Call != nil {
			dst = appendCall(jsonedit.AppendComma(dst), b)
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

func appendCall(dst []byte, b *conversation.Block) []byte {
	c := b.Call
	dst = jsonedit.AppendStringMember(append(dst, '{'), "id", c.ID)
	if c.Custom {
		dst = append(dst, `,"type":"custom","custom":{`...)
		dst = jsonedit.AppendStringMember(dst, "name", c.Name)
		dst = jsonedit.AppendStringMember(dst, "input", c.Arguments)
	} else {
		dst = appendFunction(append(dst, `,"type":"function","function":{`...), c)
	}
	return append(appendCallSignature(append(dst, '}'), b), '}')
}

// appendFunction appends the name and the arguments of a call. One without arguments is given {}: clients parse them.
func appendFunction(dst []byte, c *conversation.ToolCall) []byte {
	arguments := c.Arguments
	if arguments == "" {
		arguments = "{}"
	}
	dst = jsonedit.AppendStringMember(dst, "name", c.Name)
	return jsonedit.AppendStringMember(dst, "arguments", arguments)
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
			if !isCited(&b.Citations[j]) {
				continue
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

// appendAnnotation appends the citation of a page.
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
	dst = jsonedit.AppendTextMember(dst, "content", c.Quote)
	return append(dst, '}', '}')
}

// isCited reports whether a citation can be told: chat completions cite pages only, and clients refuse a whole answer over an
// annotation of another kind.
func isCited(c *conversation.Citation) bool { return c.URL != "" }

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
		dst = append(dialects.AppendMediaURL(dst, b.Media), '}', '}')
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
		return append(appendSound(append(jsonedit.AppendKey(dst, "audio"), '{'), b), '}')
	}
	return dst
}

func appendSound(dst []byte, b *conversation.Block) []byte {
	dst = append(dst, `"id":"audio_`...)
	dst = append(append(dst, conversation.HashID(b.Media.Data, 12)...), '"')
	dst = jsonedit.AppendIntMember(dst, "expires_at", 0)
	dst = jsonedit.AppendStringMember(dst, "data", b.Media.Data)
	return jsonedit.AppendStringMember(dst, "transcript", b.Text)
}

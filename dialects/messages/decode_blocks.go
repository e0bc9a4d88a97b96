package messages

import (
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/providers"
)

// billingHeader starts the first system block of Claude Code. It is meant for Anthropic alone and changes with every
// build, so elsewhere it would only spoil prompt caches.
const billingHeader = "x-anthropic-billing-header:"

// members are the members of a block that the neutral form has a place for.
type members struct {
	kind                               string
	text, thinking, signature, data    gjson.Result
	id, name, input, callID            gjson.Result
	source, title, context             gjson.Result
	content, isError, cache, citations gjson.Result
	more                               bool // there are others that count
}

func readMembers(b gjson.Result) (m members) {
	b.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "type":
			m.kind = v.Str
		case "text":
			m.text = v
		case "thinking":
			m.thinking = v
		case "signature":
			m.signature = v
		case "data":
			m.data = v
		case "id":
			m.id = v
		case "name":
			m.name = v
		case "input":
			m.input = v
		case "tool_use_id":
			m.callID = v
		case "source":
			m.source = v
		case "title":
			m.title = v
		case "context":
			m.context = v
		case "content":
			m.content = v
		case "is_error":
			m.isError = v
		case "cache_control":
			m.cache = v
		case "citations":
			m.citations = v
		default:
			m.more = m.more || v.Type != gjson.Null
		}
		return true
	})
	return m
}

// decodeBlock reads a block of a request or a response. It fails on a block of a known type that lacks what its type
// demands; the name of that member is returned. Types it does not know become opaque.
//
// Blocks with members that only this dialect understands (who called a tool, whether to cite a document) keep those in
// Raw, beside the neutral fields.
func decodeBlock(b gjson.Result) (out conversation.Block, missing string) {
	m := readMembers(b)
	switch m.kind {
	case "text":
		out.Kind, out.Text = conversation.Text, m.text.Str
		out.Citations = decodeCitations(m.citations)
		if m.text.Type != gjson.String {
			missing = "text"
		}
	case "thinking":
		out = decodeThinking(m.thinking.Str, m.signature.Str)
		if m.thinking.Type != gjson.String {
			missing = "thinking"
		}
	case "redacted_thinking":
		out = decodeThinking("", m.data.Str)
		out.Redacted = true
		if m.data.Type != gjson.String {
			missing = "data"
		}
	case "tool_use":
		out, missing = decodeCall(&m)
	case "tool_result":
		out, missing = decodeResult(&m)
	case "image", "document":
		out, missing = decodeMedia(&m)
	case "":
		missing = "type"
	default:
		out.Kind, m.more = conversation.Opaque, true
	}
	out.Cache = decodeCache(m.cache)
	if keepsRaw(out.Kind) && m.more {
		out.Raw, out.Origin = json.RawMessage(b.Raw), origin
	}
	return out, missing
}

// keepsRaw tells the kinds of block that are worth keeping as they came.
func keepsRaw(k conversation.Kind) bool {
	return k == conversation.Opaque || k == conversation.Call || k == conversation.Document
}

func decodeCall(m *members) (b conversation.Block, missing string) {
	b.Kind = conversation.Call
	b.Call = &conversation.ToolCall{ID: m.id.Str, Name: m.name.Str, Arguments: m.input.Raw}
	switch {
	case m.id.Type != gjson.String:
		missing = "id"
	case m.name.Type != gjson.String:
		missing = "name"
	case m.input.Exists() && !m.input.IsObject():
		missing = "input"
	}
	return b, missing
}

func decodeResult(m *members) (b conversation.Block, missing string) {
	b.Kind = conversation.Result
	r := &conversation.ToolResult{CallID: m.callID.Str, IsError: m.isError.Type == gjson.True}
	b.Result = r
	if m.callID.Type != gjson.String {
		return b, "tool_use_id"
	}
	switch {
	case m.content.Type == gjson.String:
		r.Content = []conversation.Block{{Kind: conversation.Text, Text: m.content.Str}}
	case m.content.IsArray():
		m.content.ForEach(func(_, v gjson.Result) bool {
			inner, bad := decodeBlock(v)
			if bad != "" {
				missing = "content." + bad
			}
			r.Content = append(r.Content, inner)
			return missing == ""
		})
	case m.content.Type != gjson.Null:
		missing = "content"
	}
	return b, missing
}

func decodeMedia(m *members) (b conversation.Block, missing string) {
	b.Kind = conversation.Image
	if m.kind == "document" {
		b.Kind = conversation.Document
	}
	media := &conversation.Media{Title: m.title.Str, Context: m.context.Str, Origin: origin}
	b.Media = media
	media.MIME = m.source.Get("media_type").Str
	data := m.source.Get("data").Str
	switch m.source.Get("type").Str {
	case "base64":
		media.Data = data
	case "url":
		media.URL = m.source.Get("url").Str
	case "file":
		media.FileID = m.source.Get("file_id").Str
	case "text":
		media.Text = data
	case "content":
		media.Text, m.more = contentText(m.source.Get("content")), true
	default:
		missing = "source"
	}
	m.more = m.more || m.citations.Get("enabled").Type == gjson.True
	return b, missing
}

// contentText is the text of a string or a list of text blocks.
func contentText(c gjson.Result) string {
	if c.Type == gjson.String {
		return c.Str
	}
	var texts []string
	c.ForEach(func(_, v gjson.Result) bool {
		if t := v.Get("text"); t.Type == gjson.String {
			texts = append(texts, t.Str)
		}
		return true
	})
	return strings.Join(texts, "\n\n")
}

// decodeThinking finds out whose signature it is: a foreign one was labelled on its way to the client.
func decodeThinking(text, signature string) conversation.Block {
	b := conversation.Block{Kind: conversation.Thinking, Text: text, Signature: signature, Origin: origin}
	if maker, rest, ok := strings.Cut(signature, ":"); ok {
		switch providers.Dialect(maker) {
		case providers.Chat, providers.Responses, providers.Gemini, providers.Converse:
			b.Origin, b.Signature = maker, rest
		}
	}
	return b
}

func decodeCache(v gjson.Result) *conversation.CacheMark {
	if !v.IsObject() {
		return nil
	}
	return &conversation.CacheMark{TTL: v.Get("ttl").Str}
}

func decodeCitations(list gjson.Result) (out []conversation.Citation) {
	if !list.IsArray() {
		return nil
	}
	list.ForEach(func(_, v gjson.Result) bool {
		out = append(out, decodeCitation(v))
		return true
	})
	return out
}

// decodeCitation leaves Start and End at zero: Anthropic's offsets are into the source, not into the answer.
func decodeCitation(v gjson.Result) conversation.Citation {
	c := conversation.Citation{Raw: json.RawMessage(v.Raw), Origin: origin}
	v.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "url":
			c.URL = v.Str
		case "title", "document_title":
			c.Title = v.Str
		case "cited_text":
			c.Quote = v.Str
		case "source":
			if c.URL == "" && strings.HasPrefix(v.Str, "http") {
				c.URL = v.Str
			}
		}
		return true
	})
	return c
}

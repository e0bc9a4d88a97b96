package messages

import (
	"encoding/json"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// billingHeader starts the first system block of Claude Code. It is meant for Anthropic alone and changes with every
// build, so elsewhere it would only spoil prompt caches.
const billingHeader = "x-anthropic-billing-header:"

// required is a member that has to be a string.
type required struct {
	s  string
	ok bool // it is there, and a string
}

// members are the members of a block that the neutral form has a place for.
type members struct {
	kind                                    string
	text, thinking, data, id, name, callID  required
	signature, title, context, tool, source string
	media                                   *conversation.Media // of source
	input                                   []byte
	content                                 jsonedit.Mark
	isError                                 bool
	cache                                   *conversation.CacheMark
	citations                               []conversation.Citation
	cited                                   bool // citations of the document are wanted
	more                                    bool // there are others that count
}

func (t *required) read(in *jsonedit.Reader) { t.s, t.ok = in.Text() }

func (m *members) read(in *jsonedit.Reader) {
	for ok := in.Object(); ok; ok = in.Next() {
		switch key := in.Key(); key {
		case "type":
			m.kind, _ = in.Text()
		case "text":
			m.text.read(in)
		case "thinking":
			m.thinking.read(in)
		case "signature":
			m.signature, _ = in.Text()
		case "data":
			m.data.read(in)
		case "id":
			m.id.read(in)
		case "name":
			m.name.read(in)
		case "input":
			m.input = in.Raw()
		case "tool_use_id":
			m.callID.read(in)
		case "source":
			m.readSource(in)
		case "title":
			m.title, _ = in.Text()
		case "context":
			m.context, _ = in.Text()
		case "tool_name":
			m.tool, _ = in.Text()
			m.more = true
		case "content":
			m.content = in.Mark()
		case "is_error":
			m.isError = in.Peek() == 't'
		case "cache_control":
			m.cache = decodeCache(in)
		case "citations":
			m.readCitations(in)
		default:
			m.more = m.more || in.Peek() != 'n'
		}
	}
}

// decodeBlock reads a block of a request or a response. It fails on a block of a known type that lacks what its type
// demands; the name of that member is returned. Types it does not know become opaque.
//
// Blocks with members that only this dialect understands (who called a tool, whether to cite a document) keep those in
// Raw, beside the neutral fields.
func decodeBlock(in *jsonedit.Reader) (out conversation.Block, missing string) {
	var m members
	start := in.Mark()
	m.read(in)
	end := in.Mark()
	switch m.kind {
	case "text":
		out.Kind, out.Text, out.Citations = conversation.Text, m.text.s, m.citations
		if !m.text.ok {
			missing = "text"
		}
	case "thinking":
		out = decodeThinking(m.thinking.s, m.signature)
		if !m.thinking.ok {
			missing = "thinking"
		}
	case "redacted_thinking":
		out = decodeThinking("", m.data.s)
		out.Redacted = true
		if !m.data.ok {
			missing = "data"
		}
	case "tool_use":
		out, missing = m.call()
	case "tool_result":
		out, missing = m.result(in)
	case "image", "document":
		out, missing = m.mediaBlock()
	case "":
		missing = "type"
	default:
		out.Kind, m.more = conversation.Opaque, true
		out.Text = m.rendition(in)
	}
	out.Cache = m.cache
	if in.Seek(end); (m.more || m.cited) && keepsRaw(&out) {
		in.Seek(start)
		out.Raw, out.Origin = in.Raw(), origin
	}
	if out.Kind == conversation.Opaque && out.Text != "" {
		out.Kind = conversation.Text
	}
	return out, missing
}

// keepsRaw tells the blocks that are worth keeping as they came.
func keepsRaw(b *conversation.Block) bool {
	return b.Kind == conversation.Opaque || b.Kind == conversation.Call || b.Kind == conversation.Document
}

// rendition is what a block that only this dialect has says in plain text; "" when that is nothing for a model. With a
// text, such a block is a Text for other dialects and what it was for this one.
func (m *members) rendition(in *jsonedit.Reader) string {
	switch m.kind {
	case "tool_reference": // the answer of a tool that searches for tools
		return `{"type":"tool_reference","tool_name":` + string(jsonedit.AppendString(nil, m.tool)) + `}`
	case "search_result":
		in.Seek(m.content)
		return strings.TrimSpace(m.title + "\n" + m.source + "\n\n" + contentText(in))
	case "compaction": // what stands for the conversation so far
		in.Seek(m.content)
		s, _ := in.Text()
		return s
	}
	return ""
}

func (m *members) call() (b conversation.Block, missing string) {
	b.Kind = conversation.Call
	b.Call = &conversation.ToolCall{ID: m.id.s, Name: m.name.s, Arguments: jsonedit.View(m.input)}
	switch {
	case !m.id.ok:
		missing = "id"
	case !m.name.ok:
		missing = "name"
	case len(m.input) > 0 && m.input[0] != '{':
		missing = "input"
	}
	return b, missing
}

func (m *members) result(in *jsonedit.Reader) (b conversation.Block, missing string) {
	b.Kind = conversation.Result
	r := &conversation.ToolResult{CallID: m.callID.s, IsError: m.isError}
	b.Result = r
	if !m.callID.ok {
		return b, "tool_use_id"
	}
	in.Seek(m.content)
	switch in.Peek() {
	case '"':
		s, _ := in.Text()
		r.Content = []conversation.Block{{Kind: conversation.Text, Text: s}}
	case '[':
		for ok := in.Array(); ok; ok = in.Next() {
			inner, bad := decodeBlock(in)
			if bad != "" {
				return b, "content." + bad
			}
			r.Content = append(r.Content, inner)
		}
	case 0, 'n':
	default:
		missing = "content"
	}
	return b, missing
}

// readSource reads where the content of an image or document comes from. Of search results, source is a plain text.
func (m *members) readSource(in *jsonedit.Reader) {
	if in.Peek() != '{' {
		m.source, _ = in.Text()
		return
	}
	media := &conversation.Media{Origin: origin}
	var kind, data, url, file, content string
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "type":
			kind, _ = in.Text()
		case "media_type":
			media.MIME, _ = in.Text()
		case "data":
			data, _ = in.Text()
		case "url":
			url, _ = in.Text()
		case "file_id":
			file, _ = in.Text()
		case "content":
			content = contentText(in)
		}
	}
	switch kind {
	case "base64":
		media.Data = data
	case "url":
		media.URL = url
	case "file":
		media.FileID = file
	case "text":
		media.Text = data
	case "content":
		media.Text, m.more = content, true
	default:
		media = nil
	}
	m.media = media
}

func (m *members) mediaBlock() (b conversation.Block, missing string) {
	b.Kind = conversation.Image
	if m.kind == "document" {
		b.Kind = conversation.Document
	}
	if m.media == nil {
		b.Media = &conversation.Media{}
		return b, "source"
	}
	b.Media = m.media
	b.Media.Title, b.Media.Context = m.title, m.context
	return b, ""
}

// contentText is the text of a string or a list of text blocks.
func contentText(in *jsonedit.Reader) string {
	if s, ok := in.Text(); ok {
		return s
	}
	var texts []string
	for ok := in.Array(); ok; ok = in.Next() {
		for ok := in.Object(); ok; ok = in.Next() {
			if in.Key() == "text" && in.Peek() == '"' {
				s, _ := in.Text()
				texts = append(texts, s)
			}
		}
	}
	return strings.Join(texts, "\n\n")
}

func decodeCache(in *jsonedit.Reader) *conversation.CacheMark {
	if in.Peek() != '{' {
		return nil
	}
	return &conversation.CacheMark{TTL: textIn(in, "ttl")}
}

// readCitations reads the sources of a text. Of documents, citations is an object that says whether to cite them.
func (m *members) readCitations(in *jsonedit.Reader) {
	if in.Peek() == '{' {
		for ok := in.Object(); ok; ok = in.Next() {
			m.cited = in.Key() == "enabled" && in.Peek() == 't' || m.cited
		}
		return
	}
	for ok := in.Array(); ok; ok = in.Next() {
		m.citations = append(m.citations, decodeCitation(in))
	}
}

// decodeCitation leaves Start and End at zero: Anthropic's offsets are into the source, not into the answer.
func decodeCitation(in *jsonedit.Reader) conversation.Citation {
	var source string
	start := in.Mark()
	c := conversation.Citation{Raw: json.RawMessage(in.Raw()), Origin: origin}
	in.Seek(start)
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "url":
			c.URL, _ = in.Text()
		case "title", "document_title":
			if s, ok := in.Text(); ok {
				c.Title = s
			}
		case "cited_text":
			c.Quote, _ = in.Text()
		case "source":
			source, _ = in.Text()
		}
	}
	if c.URL == "" && strings.HasPrefix(source, "http") {
		c.URL = source
	}
	return c
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

// scalarIn reads a text or a number out of an object.
func scalarIn(in *jsonedit.Reader, key string) (s string) {
	for ok := in.Object(); ok; ok = in.Next() {
		if in.Key() == key {
			s = jsonedit.ScalarText(jsonedit.View(in.Raw()))
		}
	}
	return s
}

package messages

import (
	"encoding/base64"
	"slices"
	"strings"
	"unsafe"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// block writes a block that keep let through.
func (e *requestEncoder) block(b *conversation.Block) {
	if len(b.Raw) > 0 && b.Origin == origin && e.rawBlock(b) {
		return
	}
	switch b.Kind {
	case conversation.Text, conversation.Refusal:
		e.dst = append(e.dst, `{"type":"text","text":`...)
		e.string(b.Text)
		e.citations(b.Citations)
	case conversation.Image:
		e.dst = append(e.dst, `{"type":"image","source":`...)
		e.imageSource(b.Media)
	case conversation.Document:
		e.document(b.Media)
	case conversation.Call:
		e.dst = append(e.dst, `{"type":"tool_use","id":`...)
		e.string(toolID(b.Call.ID))
		e.dst = append(e.dst, `,"name":`...)
		e.toolName(b.Call.Name)
		e.dst = append(e.dst, `,"input":`...)
		e.dst = appendInput(e.dst, b.Call, &e.scratch)
	case conversation.Result:
		e.result(b.Result)
	case conversation.Thinking:
		if b.Redacted {
			e.dst = append(e.dst, `{"type":"redacted_thinking","data":`...)
		} else {
			e.dst = append(e.dst, `{"type":"thinking","thinking":`...)
			e.string(b.Text)
			e.dst = append(e.dst, `,"signature":`...)
		}
		e.string(b.Signature)
		e.dst = append(e.dst, '}')
		return
	}
	e.mark(b.Cache)
	e.dst = append(e.dst, '}')
}

// rawBlock writes a block as this dialect wrote it before. It reports false when the block has an id that cannot stay.
func (e *requestEncoder) rawBlock(b *conversation.Block) bool {
	if b.Kind == conversation.Call && (toolID(b.Call.ID) != b.Call.ID || toolName(b.Call.Name, e.version) != b.Call.Name) {
		return false
	}
	e.raw(b.Raw, b.Cache)
	return true
}

// raw writes a raw block or tool, without its cache mark when that is one too many.
func (e *requestEncoder) raw(doc []byte, mark *conversation.CacheMark) {
	if mark != nil && e.skipMarks > 0 {
		e.skipMarks--
		e.dst = appendWithout(e.dst, doc, "cache_control")
		return
	}
	e.dst = append(e.dst, doc...)
}

// appendWithout appends an object less one member.
func appendWithout(dst []byte, doc []byte, without string) []byte {
	in := jsonedit.NewReader(doc)
	dst = append(dst, '{')
	for ok := in.Object(); ok; ok = in.Next() {
		if key := in.Key(); key != without {
			dst = append(jsonedit.AppendString(jsonedit.AppendComma(dst), key), ':')
			dst = append(dst, in.Raw()...)
		}
	}
	return append(dst, '}')
}

func (e *requestEncoder) mark(m *conversation.CacheMark) {
	if m == nil {
		return
	}
	if e.skipMarks > 0 {
		e.skipMarks--
		return
	}
	e.dst = append(e.dst, `,"cache_control":{"type":"ephemeral"`...)
	if m.TTL == "5m" || m.TTL == "1h" { // other vendors have other lifetimes
		e.dst = append(e.dst, `,"ttl":`...)
		e.string(m.TTL)
	}
	e.dst = append(e.dst, '}')
}

// citations replays those of this dialect; others are of no use to the model.
func (e *requestEncoder) citations(list []conversation.Citation) {
	n := 0
	for i := range list {
		if list[i].Origin != origin || len(list[i].Raw) == 0 {
			e.note("citations")
			continue
		}
		if n++; n == 1 {
			e.dst = append(e.dst, `,"citations":[`...)
		} else {
			e.dst = append(e.dst, ',')
		}
		e.dst = append(e.dst, list[i].Raw...)
	}
	if n > 0 {
		e.dst = append(e.dst, ']')
	}
}

func (e *requestEncoder) result(r *conversation.ToolResult) {
	e.dst = append(e.dst, `{"type":"tool_result","tool_use_id":`...)
	e.string(toolID(r.CallID))
	if len(r.Content) == 1 && plain(&r.Content[0]) {
		e.dst = append(e.dst, `,"content":`...)
		e.string(r.Content[0].Text)
	} else if len(r.Content) > 0 {
		e.dst = append(e.dst, `,"content":[`...)
		n := 0
		for i := range r.Content {
			if b := &r.Content[i]; inResult(b) {
				e.comma(n)
				e.block(b)
				n++
			}
		}
		e.dst = append(e.dst, ']')
	}
	switch {
	case !r.IsError:
	case e.r.Origin != origin && slices.ContainsFunc(r.Content, func(b conversation.Block) bool { return b.Media != nil }):
		e.note("is_error") // the API takes an error for a text
	default:
		e.dst = append(e.dst, `,"is_error":true`...)
	}
}

// inResult tells the blocks that may stand in a tool result.
func inResult(b *conversation.Block) bool {
	switch b.Kind {
	case conversation.Text, conversation.Refusal:
		return !blank(b.Text)
	case conversation.Image, conversation.Document:
		return true
	}
	return b.Kind == conversation.Opaque && b.Origin == origin
}

// appendInput appends the arguments of a call as the object that this dialect wants. No arguments are {}. What is no
// JSON object, because the model's output was cut or the tool takes free text, is wrapped: {"_raw":"..."} for the
// former and {"input":"..."} for the latter.
func appendInput(dst []byte, c *conversation.ToolCall, scratch *jsonedit.Object) []byte {
	args := strings.TrimSpace(c.Arguments)
	switch {
	case c.Custom:
		dst = jsonedit.AppendString(append(dst, `{"input":`...), c.Arguments)
	case args == "":
		return append(dst, "{}"...)
	case jsonedit.Scan(unsafe.Slice(unsafe.StringData(args), len(args)), nil, jsonedit.Limits{}, scratch) == nil:
		return append(dst, args...)
	default:
		dst = jsonedit.AppendString(append(dst, `{"_raw":`...), c.Arguments)
	}
	return append(dst, '}')
}

// checkMedia refuses images and documents that cannot be sent.
func (e *requestEncoder) checkMedia(b *conversation.Block) {
	m := b.Media
	switch {
	case len(b.Raw) > 0 && b.Origin == origin:
	case m.FileID != "":
		if m.Origin != origin {
			e.refuse("messages", "the file id belongs to another vendor: send the file itself")
		}
	case m.URL != "":
		if !strings.HasPrefix(m.URL, "https://") && !strings.HasPrefix(m.URL, "http://") {
			e.refuse("messages", "only http and https URLs can be sent to this model")
		}
	case b.Kind == conversation.Document && m.Data != "" && !isPDF(m) && !isText(m.MIME):
		e.refuse("messages", "documents have to be PDF or text for this model")
	}
}

func (e *requestEncoder) imageSource(m *conversation.Media) {
	if m.Data == "" {
		e.remoteSource(m)
		return
	}
	e.dst = append(e.dst, `{"type":"base64","media_type":`...)
	e.string(imageType(m))
	e.dst = append(e.dst, `,"data":`...)
	e.string(m.Data)
	e.dst = append(e.dst, '}')
}

func (e *requestEncoder) remoteSource(m *conversation.Media) {
	if m.FileID != "" {
		e.dst = append(e.dst, `{"type":"file","file_id":`...)
		e.string(m.FileID)
	} else {
		e.dst = append(e.dst, `{"type":"url","url":`...)
		e.string(m.URL)
	}
	e.dst = append(e.dst, '}')
}

func (e *requestEncoder) document(m *conversation.Media) {
	e.dst = append(e.dst, `{"type":"document","source":`...)
	switch {
	case m.Data == "" && m.Text == "":
		e.remoteSource(m)
	case m.Data != "" && !isText(m.MIME):
		e.dst = append(e.dst, `{"type":"base64","media_type":"application/pdf","data":`...)
		e.string(m.Data)
		e.dst = append(e.dst, '}')
	default:
		text := m.Text
		if m.Data != "" {
			decoded, _ := base64.StdEncoding.DecodeString(m.Data) // of a broken document the readable part
			text = string(decoded)
		}
		e.dst = append(e.dst, `{"type":"text","media_type":"text/plain","data":`...)
		e.string(text)
		e.dst = append(e.dst, '}')
	}
	title := m.Title
	if title == "" {
		title = m.Filename
	}
	for _, f := range [...]struct{ name, value string }{{"title", title}, {"context", m.Context}} {
		if f.value != "" {
			e.key(f.name)
			e.string(f.value)
		}
	}
}

// imageType is the media type of an image, found by its first bytes when the client did not say or was vague.
func imageType(m *conversation.Media) string {
	switch m.MIME {
	case "image/jpg":
		return "image/jpeg"
	case "", "image/*", "application/octet-stream":
	default:
		return m.MIME
	}
	for _, magic := range [...]struct{ prefix, mime string }{
		{"/9j/", "image/jpeg"}, {"R0lGOD", "image/gif"}, {"UklGR", "image/webp"},
	} {
		if strings.HasPrefix(m.Data, magic.prefix) {
			return magic.mime
		}
	}
	return "image/png"
}

func isPDF(m *conversation.Media) bool {
	return m.MIME == "application/pdf" || m.MIME == "" && strings.HasPrefix(m.Data, "JVBERi")
}

// isText tells the media types that can be sent as plain text.
func isText(mime string) bool {
	mime, _, _ = strings.Cut(mime, ";")
	return strings.HasPrefix(mime, "text/") || mime == "application/json" || mime == "application/xml"
}

package converse

import (
	"encoding/base64"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// formats are the words of this dialect for media types.
var (
	imageFormats = map[string]string{
		"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp",
	}
	documentFormats = map[string]string{
		"application/pdf": "pdf", "text/csv": "csv", "application/csv": "csv", "application/msword": "doc",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
		"application/vnd.ms-excel": "xls",
		"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
		"text/html": "html", "text/plain": "txt", "text/markdown": "md", "text/x-markdown": "md",
	}
	videoFormats = map[string]string{
		"video/x-matroska": "mkv", "video/matroska": "mkv", "video/quicktime": "mov", "video/mp4": "mp4", "video/webm": "webm",
		"video/x-flv": "flv", "video/flv": "flv", "video/mpeg": "mpeg", "video/mpg": "mpg", "video/x-ms-wmv": "wmv",
		"video/wmv": "wmv", "video/3gpp": "three_gp",
	}
)

// magic tells the types of files by how their base64 starts.
var magic = []struct{ prefix, format string }{
	{"/9j/", "jpeg"}, {"R0lGOD", "gif"}, {"UklGR", "webp"}, {"iVBORw", "png"}, {"JVBERi", "pdf"},
}

// checkMedia refuses what cannot be sent.
func (e *requestEncoder) checkMedia(b *conversation.Block) {
	m := b.Media
	switch {
	case m.FileID != "":
		e.refuse("messages", "the file id belongs to another vendor: send the file itself")
	case m.URL != "" && !strings.HasPrefix(m.URL, "s3://"):
		e.refuse("messages", "this model cannot fetch URLs: send the data itself, or an s3:// address")
	case formatOf(b) == "":
		e.refuse("messages", "the media type "+quoteType(m.MIME)+" is not supported by this model")
	}
}

// quoteType keeps a client's text short in a message.
func quoteType(mime string) string {
	if mime == "" {
		return "of a file that names none"
	}
	return `"` + mime[:min(len(mime), 80)] + `"`
}

// formatOf is the format of an image, document or video; empty for one that cannot be sent. Where the client did not say
// or was vague it is told by the first bytes or by the file's name.
func formatOf(b *conversation.Block) string {
	m := b.Media
	mime, _, _ := strings.Cut(strings.ToLower(m.MIME), ";")
	mime = strings.TrimSpace(mime)
	table := map[conversation.Kind]map[string]string{
		conversation.Image: imageFormats, conversation.Document: documentFormats, conversation.Video: videoFormats,
	}[b.Kind]
	if f := table[mime]; f != "" {
		return f
	}
	if m.Text != "" && m.Data == "" {
		return "txt"
	}
	vague := mime == "" || strings.HasSuffix(mime, "/*") || mime == "application/octet-stream"
	if vague {
		for _, k := range magic {
			if strings.HasPrefix(m.Data, k.prefix) && isFormat(table, k.format) {
				return k.format
			}
		}
		if ext := extension(m); isFormat(table, ext) {
			return ext
		}
	}
	switch {
	case b.Kind == conversation.Document && (strings.HasPrefix(mime, "text/") || mime == "application/json" || mime == "application/xml"):
		return "txt"
	case b.Kind == conversation.Image && vague:
		return "png"
	}
	return ""
}

func isFormat(table map[string]string, format string) bool {
	for _, f := range table {
		if f == format {
			return true
		}
	}
	return false
}

// extension is the ending of a file's name or address, in the words of this dialect.
func extension(m *conversation.Media) string {
	name := m.Filename
	if name == "" {
		name = m.URL
	}
	ext := strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])
	switch ext {
	case "jpg":
		return "jpeg"
	case "htm":
		return "html"
	case "3gp":
		return "three_gp"
	}
	return ext
}

// media writes an image, a document or a video.
func (e *requestEncoder) media(b *conversation.Block) {
	m := b.Media
	switch b.Kind {
	case conversation.Image:
		e.raw(`{"image":{`)
	case conversation.Video:
		e.raw(`{"video":{`)
	default:
		e.raw(`{"document":{`)
	}
	e.text("format", formatOf(b))
	if b.Kind == conversation.Document {
		if e.documents == nil {
			e.documents = map[string]int{}
		}
		name := m.Title
		if name == "" {
			name = m.Filename
		}
		e.text("name", documentName(name, e.documents))
	}
	e.source(m)
	if b.Kind == conversation.Document {
		e.dst = jsonedit.AppendTextMember(e.dst, "context", m.Context)
		if b.Origin == anthropicOrigin && e.model.is(anthropic) && gjson.GetBytes(b.Raw, "citations.enabled").Bool() {
			e.raw(`,"citations":{"enabled":true}`)
		}
	}
	e.raw("}}")
}

func (e *requestEncoder) source(m *conversation.Media) {
	switch {
	case m.URL != "":
		e.raw(`,"source":{"s3Location":{`)
		e.text("uri", m.URL)
		e.raw("}}")
	case m.Data != "":
		e.raw(`,"source":{`)
		e.text("bytes", m.Data)
		e.raw("}")
	default:
		e.raw(`,"source":{"bytes":"`)
		e.dst = base64.StdEncoding.AppendEncode(e.dst, []byte(m.Text))
		e.raw(`"}`)
	}
}

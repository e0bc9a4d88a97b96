package dialects

import (
	"encoding/base64"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// AppendMediaURL appends the URL of a medium as a JSON string; inline data becomes a data: URL. The data, which may be
// megabytes, is not copied more than once.
func AppendMediaURL(dst []byte, m *conversation.Media) []byte {
	if m.Data == "" {
		return jsonedit.AppendString(dst, m.URL)
	}
	mime := m.MIME
	if mime == "" {
		mime = sniff(m.Data)
	}
	dst = jsonedit.AppendString(dst, "data:"+mime+";base64")
	comma := len(dst) - 1 // where the quote is now, and the next string's opening quote will be
	dst = jsonedit.AppendString(dst[:comma], m.Data)
	dst[comma] = ','
	return dst
}

// sniff tells the media type by how the file begins, in base64.
func sniff(data string) string {
	for _, f := range [...][2]string{
		{"iVBOR", "image/png"}, {"/9j/", "image/jpeg"}, {"R0lG", "image/gif"}, {"UklG", "image/webp"}, {"JVBER", "application/pdf"},
	} {
		if strings.HasPrefix(data, f[0]) {
			return f[1]
		}
	}
	return "application/octet-stream"
}

// Filename is a name for a document, also for one that came without: OpenAI's wires demand it.
func Filename(m *conversation.Media) string {
	switch {
	case m.Filename != "":
		return m.Filename
	case m.Title != "":
		return m.Title
	case m.MIME == "" || m.MIME == "application/pdf":
		return "document.pdf"
	}
	_, subtype, _ := strings.Cut(m.MIME, "/")
	return "document." + subtype
}

// PlainText is the text of a plain text document, or nothing when it is no such document.
func PlainText(m *conversation.Media) string {
	if m.Text != "" || m.Data == "" || !strings.HasPrefix(m.MIME, "text/") {
		return m.Text
	}
	raw, err := base64.StdEncoding.DecodeString(m.Data)
	if err != nil {
		return ""
	}
	return jsonedit.View(raw)
}

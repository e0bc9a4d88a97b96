package gemini

import (
	"encoding/base64"
	"path"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// filesAPI is where the IDs of Google's files API live.
const filesAPI = "https://generativelanguage.googleapis.com/v1beta/"

// media appends an image, document, audio or video.
//
// Data goes inline. URLs go to Google to fetch: gs:// on Vertex, YouTube and files of the files API everywhere, any
// other https:// with the newer models; the gateway fetches nothing. Documents of plain text are data, too, and text for
// models that are not known to take documents.
func (e *encoder) media(b *conversation.Block) error {
	m := b.Media
	if m == nil {
		return nil
	}
	e.noteMedia(m)
	switch {
	case m.Text != "" && !e.model.known:
		e.text(&conversation.Block{Text: m.Text})
		return nil
	case m.Text != "":
		mime := m.MIME
		if !strings.HasPrefix(mime, "text/") {
			mime = "text/plain"
		}
		e.dst = append(jsonedit.AppendComma(e.dst), `{"inlineData":{`...)
		e.dst = jsonedit.AppendStringMember(e.dst, "mimeType", mime)
		e.dst = append(jsonedit.AppendKey(e.dst, "data"), '"')
		e.dst = append(base64.StdEncoding.AppendEncode(e.dst, []byte(m.Text)), '"')
	case m.Data != "":
		mime := mimeType(m)
		if mime == "" {
			return dialects.BadRequest("messages", "the media type of inline data is missing")
		}
		e.dst = append(jsonedit.AppendComma(e.dst), `{"inlineData":{`...)
		e.dst = jsonedit.AppendStringMember(e.dst, "mimeType", mime)
		e.dst = jsonedit.AppendStringMember(e.dst, "data", m.Data)
	case m.URL != "" || m.FileID != "":
		uri, err := fileURI(m)
		if err != nil {
			return err
		}
		e.dst = append(jsonedit.AppendComma(e.dst), `{"fileData":{`...)
		mime := mimeType(m)
		if mime == "" && b.Kind == conversation.Image {
			mime = "image/jpeg" // Vertex demands a type, and looks at the file itself
		}
		e.dst = jsonedit.AppendTextMember(e.dst, "mimeType", mime)
		e.dst = jsonedit.AppendStringMember(e.dst, "fileUri", uri)
	default:
		return nil
	}
	e.dst = append(e.dst, '}')
	e.endPart(ownSignature(b))
	return nil
}

func (e *encoder) noteMedia(m *conversation.Media) {
	if m.Detail != "" && m.Detail != "auto" {
		e.note("detail")
	}
	if m.Title != "" {
		e.note("title")
	}
	if m.Context != "" {
		e.note("context")
	}
}

// fileURI is what a fileData part refers to.
func fileURI(m *conversation.Media) (string, error) {
	if m.FileID != "" {
		switch {
		case m.Origin != origin:
			return "", dialects.BadRequest("messages", "a file ID of another provider cannot be used with Gemini models: send the file itself")
		case strings.Contains(m.FileID, "://"):
			return m.FileID, nil
		}
		return filesAPI + "files/" + strings.TrimPrefix(m.FileID, "files/"), nil
	}
	if !strings.HasPrefix(m.URL, "https://") && !strings.HasPrefix(m.URL, "gs://") {
		return "", dialects.BadRequest("messages", "Gemini models take media from https:// and gs:// URLs only: send the file itself")
	}
	return m.URL, nil
}

// mimeType is the media type, as Google spells it. Where the client gave none it is told from the first bytes or from
// the URL's extension.
func mimeType(m *conversation.Media) string {
	switch {
	case m.MIME == "image/jpg":
		return "image/jpeg"
	case m.MIME != "":
		return m.MIME
	case m.Data != "":
		for _, magic := range magics {
			if strings.HasPrefix(m.Data, magic.prefix) {
				return magic.mime
			}
		}
		return ""
	}
	name, _, _ := strings.Cut(m.URL, "?")
	name, _, _ = strings.Cut(name, "#")
	return extensions[strings.ToLower(path.Ext(name))]
}

// magics are the first bytes of common formats, in base64.
var magics = []struct{ prefix, mime string }{
	{"iVBORw0KGgo", "image/png"},
	{"/9j/", "image/jpeg"},
	{"R0lGOD", "image/gif"},
	{"UklGR", "image/webp"},
	{"JVBERi0", "application/pdf"},
}

var extensions = map[string]string{
	".png":  "image/png",
	".jpg":  "image/jpeg",
	".jpeg": "image/jpeg",
	".gif":  "image/gif",
	".webp": "image/webp",
	".heic": "image/heic",
	".pdf":  "application/pdf",
	".txt":  "text/plain",
	".md":   "text/markdown",
	".html": "text/html",
	".csv":  "text/csv",
	".mp3":  "audio/mpeg",
	".wav":  "audio/wav",
	".flac": "audio/flac",
	".ogg":  "audio/ogg",
	".mp4":  "video/mp4",
	".mov":  "video/quicktime",
	".webm": "video/webm",
}

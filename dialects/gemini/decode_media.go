package gemini

import (
	"encoding/base64"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// blob is inlineData or fileData as it stands.
type blob struct{ mime, data, uri, name string }

func (d *requestDecoder) blob(p *dialects.Place) (b blob) {
	for ok := d.object(p); ok; ok = d.in.Next() {
		key := d.key()
		in := p.In(key)
		switch key {
		case "mimeType":
			b.mime = d.str(&in)
		case "data":
			b.data = d.str(&in)
		case "fileUri":
			b.uri = d.str(&in)
		case "displayName":
			b.name = d.str(&in)
		}
	}
	return b
}

// inlineData reads media that came with the request. Plain text becomes a text document, which every vendor takes.
func (d *requestDecoder) inlineData(p *dialects.Place) conversation.Block {
	b := d.blob(p)
	if b.data == "" {
		in := p.In("data")
		d.fail(&in, "inlineData must have data")
	}
	m := &conversation.Media{MIME: b.mime, Data: standardBase64(b.data), Filename: b.name}
	if kind, _, _ := strings.Cut(b.mime, "/"); kind == "text" {
		if text, err := base64.StdEncoding.DecodeString(m.Data); err == nil && len(text) > 0 && utf8.Valid(text) {
			m.Data, m.Text = "", jsonedit.View(text)
		}
	}
	return conversation.Block{Kind: mediaKind(b.mime), Media: m}
}

// fileData reads a reference to media. Files of Google's files API and of its cloud storage are at home there and
// nowhere else; any other URL can be fetched by whoever answers.
func (d *requestDecoder) fileData(p *dialects.Place) conversation.Block {
	b := d.blob(p)
	if b.uri == "" {
		in := p.In("fileUri")
		d.fail(&in, "fileData must have a fileUri")
	}
	m := &conversation.Media{MIME: b.mime, Filename: b.name}
	if isGoogleFile(b.uri) {
		m.FileID, m.Origin = b.uri, origin
	} else {
		m.URL = b.uri
	}
	mime := b.mime
	if mime == "" {
		mime = mimeOfURL(b.uri)
	}
	return conversation.Block{Kind: mediaKind(mime), Media: m}
}

func isGoogleFile(uri string) bool {
	return strings.HasPrefix(uri, "gs://") || strings.HasPrefix(uri, "files/") || strings.HasPrefix(uri, "https://generativelanguage.googleapis.com/")
}

// mimeOfURL tells the kind of media from a URL, as far as its looks say. YouTube's are films.
func mimeOfURL(uri string) string {
	for _, host := range [...]string{"https://www.youtube.com/", "https://youtube.com/", "https://youtu.be/"} {
		if strings.HasPrefix(uri, host) {
			return "video/mp4"
		}
	}
	name, _, _ := strings.Cut(uri, "?")
	name, _, _ = strings.Cut(name, "#")
	return extensions[strings.ToLower(path.Ext(name))]
}

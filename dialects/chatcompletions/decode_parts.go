package chatcompletions

import (
	"path"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

// part appends one content part. Its type decides what is read: some clients send all members of the union, most of
// them null.
func (d *requestDecoder) part(blocks []conversation.Block, param string, v gjson.Result) []conversation.Block {
	if v.Type == gjson.String {
		return append(blocks, conversation.Block{Kind: conversation.Text, Text: v.Str})
	}
	if !v.IsObject() {
		d.fail(param, "a content part must be an object")
		return blocks
	}
	var b conversation.Block
	switch kind := text(v.Get("type")); kind {
	case "text", "input_text", "output_text":
		b = conversation.Block{Kind: conversation.Text, Text: d.str(param+".text", v.Get("text"))}
	case "":
		if v.Get("text").Type != gjson.String {
			d.fail(param+".type", "a content part must have a type")
		}
		b = conversation.Block{Kind: conversation.Text, Text: text(v.Get("text"))}
	case "refusal":
		b = conversation.Block{Kind: conversation.Refusal, Text: d.str(param+".refusal", v.Get("refusal"))}
	case "thinking":
		b = conversation.Block{Kind: conversation.Thinking, Text: thinkingText(v.Get("thinking")), Origin: origin}
	case "image_url", "video_url", "document_url":
		b = d.linkedPart(param+"."+kind, kind, v.Get(kind))
	case "input_audio":
		b = d.audioPart(param+".input_audio", v.Get("input_audio"))
	case "file":
		b = d.filePart(param+".file", v.Get("file"))
	default:
		b = rawBlock(v)
	}
	b.Cache = cacheMark(v.Get("cache_control"))
	return append(blocks, b)
}

// thinkingText joins Mistral's thinking, which is a list of text chunks.
func thinkingText(v gjson.Result) string {
	if v.Type == gjson.String {
		return v.Str
	}
	var b strings.Builder
	v.ForEach(func(_, chunk gjson.Result) bool {
		b.WriteString(text(chunk.Get("text")))
		return true
	})
	return b.String()
}

// linkedPart reads the parts that are a link, which may be a data: URL. Mistral writes the link as a string, everybody
// else wraps it in an object.
func (d *requestDecoder) linkedPart(param, kind string, v gjson.Result) conversation.Block {
	link, detail := v.Str, ""
	if v.IsObject() {
		link, detail = text(v.Get("url")), text(v.Get("detail"))
	}
	m := mediaFromURL(link)
	if m == nil {
		d.fail(param, "%s must hold a URL", kind)
		return conversation.Block{}
	}
	m.Detail = detail
	b := conversation.Block{Kind: conversation.Image, Media: m}
	switch kind {
	case "video_url":
		b.Kind = conversation.Video
	case "document_url":
		b.Kind = conversation.Document
	}
	return b
}

func (d *requestDecoder) audioPart(param string, v gjson.Result) conversation.Block {
	data, format := text(v.Get("data")), text(v.Get("format"))
	if data == "" {
		d.fail(param+".data", "input_audio must hold base64 data")
	}
	m := &conversation.Media{Data: data, MIME: audioMIME(format)}
	if inline := mediaFromURL(data); inline != nil && inline.Data != "" {
		m = inline
	}
	return conversation.Block{Kind: conversation.Audio, Media: m}
}

func (d *requestDecoder) filePart(param string, v gjson.Result) conversation.Block {
	var m *conversation.Media
	data, id := text(v.Get("file_data")), text(v.Get("file_id"))
	name := text(v.Get("filename"))
	switch {
	case data != "":
		if m = mediaFromURL(data); m == nil {
			m = &conversation.Media{Data: data, MIME: documentMIME(name)} // bare base64
		}
	case id != "":
		m = &conversation.Media{FileID: id, Origin: origin}
	default:
		d.fail(param, "a file must have file_data or a file_id")
		return conversation.Block{}
	}
	m.Filename = name
	return conversation.Block{Kind: conversation.Document, Media: m}
}

// mediaFromURL reads a URL, data: URLs (RFC 2397) included. It returns nil for what is none.
func mediaFromURL(s string) *conversation.Media {
	rest, ok := strings.CutPrefix(s, "data:")
	if !ok {
		if scheme, _, found := strings.Cut(s, "://"); !found || scheme == "" {
			return nil
		}
		return &conversation.Media{URL: s}
	}
	header, data, ok := strings.Cut(rest, ",")
	mime, ok2 := strings.CutSuffix(header, ";base64")
	if !ok || !ok2 || data == "" {
		return nil
	}
	mime, _, _ = strings.Cut(mime, ";") // parameters such as a charset
	return &conversation.Media{MIME: mime, Data: data}
}

// audioMIME is the media type of an audio format as the wire names it.
func audioMIME(format string) string {
	switch format {
	case "":
		return ""
	case "mp3":
		return "audio/mpeg"
	}
	return "audio/" + format
}

// audioFormat is the inverse of audioMIME.
func audioFormat(mime string) string {
	switch mime {
	case "audio/mpeg", "audio/mp3":
		return "mp3"
	case "audio/x-wav", "audio/wave", "audio/vnd.wave":
		return "wav"
	}
	return strings.TrimPrefix(mime, "audio/")
}

// documentMIME guesses the media type of a document by its name. Most documents that clients send are PDFs.
func documentMIME(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".txt":
		return "text/plain"
	case ".md":
		return "text/markdown"
	case ".csv":
		return "text/csv"
	case ".html", ".htm":
		return "text/html"
	}
	return "application/pdf"
}

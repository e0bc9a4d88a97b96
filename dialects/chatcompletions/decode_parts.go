package chatcompletions

import (
	"path"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// content appends the blocks of a message's content: a string, an array of parts, a lone part, or null.
func (d *requestDecoder) content(blocks []conversation.Block, p *dialects.Place, m *wireMessage) []conversation.Block {
	in := p.In("content")
	d.in.Seek(m.content)
	switch m.kind {
	case 0, 'n':
	case '"':
		if m.text != "" {
			blocks = d.add(blocks, conversation.Block{Kind: conversation.Text, Text: m.text})
		}
	case '{':
		blocks = d.part(blocks, &in)
	case '[':
		e := in.At(0)
		for ok := d.array(&in); ok; ok = d.next(&e) {
			blocks = d.part(blocks, &e)
		}
	default:
		d.fail(&in, "content must be a string or an array of parts")
	}
	return blocks
}

// resultContent is content, but tools may also answer with bare JSON.
func (d *requestDecoder) resultContent(p *dialects.Place, m *wireMessage) []conversation.Block {
	bare := m.kind == '0' || m.kind == 't' || m.kind == 'f'
	if m.kind == '{' {
		d.in.Seek(m.content)
		d.in.Seek(d.in.Get("type"))
		bare = d.in.Peek() != '"'
	}
	if bare {
		d.in.Seek(m.content)
		return d.add(nil, conversation.Block{Kind: conversation.Text, Text: jsonedit.View(d.in.Raw())})
	}
	return d.content(nil, p, m)
}

// wirePart is a content part as it stands, its members found in one pass. Its type decides which of them are read: some
// clients send all members of the union, most of them null.
type wirePart struct {
	start         jsonedit.Mark
	kind, text    string
	hasText       bool
	cache         *conversation.CacheMark
	refusal       jsonedit.Mark
	thinking      jsonedit.Mark
	image, video  jsonedit.Mark
	document      jsonedit.Mark
	audio, upload jsonedit.Mark
}

func (d *requestDecoder) wirePart() wirePart {
	w := wirePart{start: d.in.Mark()}
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "type":
			w.kind = d.text()
		case "text":
			w.text, w.hasText = d.in.Text()
		case "cache_control", "prompt_cache_breakpoint":
			w.cache = d.cacheMark()
		case "refusal":
			w.refusal = d.in.Mark()
		case "thinking":
			w.thinking = d.in.Mark()
		case "image_url":
			w.image = d.in.Mark()
		case "video_url":
			w.video = d.in.Mark()
		case "document_url":
			w.document = d.in.Mark()
		case "input_audio":
			w.audio = d.in.Mark()
		case "file":
			w.upload = d.in.Mark()
		}
	}
	return w
}

// part appends one content part.
func (d *requestDecoder) part(blocks []conversation.Block, p *dialects.Place) []conversation.Block {
	if s, ok := d.in.Text(); ok {
		return d.add(blocks, conversation.Block{Kind: conversation.Text, Text: s})
	}
	if d.in.Peek() != '{' {
		d.fail(p, "a content part must be an object")
		return blocks
	}
	w := d.wirePart()
	end := d.in.Mark()
	var b conversation.Block
	switch w.kind {
	case "text", "input_text", "output_text", "":
		b = conversation.Block{Kind: conversation.Text, Text: w.text}
		if w.hasText {
			break
		}
		if in := p.In("type"); w.kind == "" {
			d.fail(&in, "a content part must have a type")
		}
		in := p.In("text")
		d.fail(&in, "%s must be a string", in.Path())
	case "refusal":
		d.in.Seek(w.refusal)
		in := p.In(w.kind)
		b = conversation.Block{Kind: conversation.Refusal, Text: d.str(&in)}
	case "thinking":
		d.in.Seek(w.thinking)
		b = conversation.Block{Kind: conversation.Thinking, Text: thinkingText(&d.in), Origin: origin}
	case "image_url":
		b = d.linkedPart(p, conversation.Image, w.kind, w.image)
	case "video_url":
		b = d.linkedPart(p, conversation.Video, w.kind, w.video)
	case "document_url":
		b = d.linkedPart(p, conversation.Document, w.kind, w.document)
	case "input_audio":
		d.in.Seek(w.audio)
		b = d.audioPart(p)
	case "file":
		d.in.Seek(w.upload)
		b = d.filePart(p)
	default: // only this dialect understands it
		d.in.Seek(w.start)
		b = conversation.Block{Kind: conversation.Opaque, Raw: d.in.Raw(), Origin: origin}
	}
	d.in.Seek(end)
	b.Cache = w.cache
	return d.add(blocks, b)
}

// linkedPart reads the parts that are a link, which may be a data: URL. Mistral writes the link as a string, everybody
// else wraps it in an object.
func (d *requestDecoder) linkedPart(p *dialects.Place, kind conversation.Kind, key string, link jsonedit.Mark) conversation.Block {
	d.in.Seek(link)
	url, detail := d.text(), ""
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "url":
			url = d.text()
		case "detail":
			detail = d.text()
		}
	}
	m := mediaFromURL(url)
	if m == nil {
		in := p.In(key)
		d.fail(&in, "%s must hold a URL", key)
		return conversation.Block{}
	}
	m.Detail = detail
	return conversation.Block{Kind: kind, Media: m}
}

func (d *requestDecoder) audioPart(p *dialects.Place) conversation.Block {
	var data, format string
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "data":
			data = d.text()
		case "format":
			format = d.text()
		}
	}
	if data == "" {
		audio := p.In("input_audio")
		in := audio.In("data")
		d.fail(&in, "input_audio must hold base64 data")
	}
	m := &conversation.Media{Data: data, MIME: audioMIME(format)}
	if inline := mediaFromURL(data); inline != nil && inline.Data != "" {
		m = inline
	}
	return conversation.Block{Kind: conversation.Audio, Media: m}
}

func (d *requestDecoder) filePart(p *dialects.Place) conversation.Block {
	var data, id, name string
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "file_data":
			data = d.text()
		case "file_id":
			id = d.text()
		case "filename":
			name = d.text()
		}
	}
	var m *conversation.Media
	switch {
	case data != "":
		if m = mediaFromURL(data); m == nil {
			m = &conversation.Media{Data: data, MIME: documentMIME(name)} // bare base64
		}
	case id != "":
		m = &conversation.Media{FileID: id, Origin: origin}
	default:
		in := p.In("file")
		d.fail(&in, "a file must have file_data or a file_id")
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

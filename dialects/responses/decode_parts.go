package responses

import (
	"path"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// content reads a string or an array of parts.
func (d *requestDecoder) content(p *dialects.Place) (blocks []conversation.Block) {
	if s, ok := d.in.Text(); ok {
		return textBlocks(s)
	}
	if d.in.Peek() != '[' {
		d.fail(p, "%s must be a string or an array of parts", p.Path())
		return nil
	}
	e := p.At(0)
	for ok := d.in.Array(); ok; ok = d.next(&e) {
		if d.in.Peek() != '{' {
			d.fail(&e, "a content part must be an object")
			return nil
		}
		blocks = append(blocks, d.part(&e))
	}
	return blocks
}

// wirePart is a content part as it stands, its members found in one pass.
type wirePart struct {
	start                           jsonedit.Mark
	kind, text, refusal             string
	hasText, marked                 bool
	image, detail                   string
	fileID, fileURL, fileData, name string
	audio, audioFormat              string
	annotations                     jsonedit.Mark
}

func (d *requestDecoder) wirePart() wirePart {
	w := wirePart{start: d.in.Mark()}
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "type":
			w.kind = d.text()
		case "text":
			w.text, w.hasText = d.in.Text()
		case "refusal":
			w.refusal = d.text()
		case "image_url":
			if w.image = d.text(); w.image == "" { // an object, as chat completions have it
				w.image = d.textIn("url")
			}
		case "detail":
			w.detail = d.text()
		case "file_id":
			w.fileID = d.text()
		case "file_url":
			w.fileURL = d.text()
		case "file_data":
			w.fileData = d.text()
		case "filename":
			w.name = d.text()
		case "input_audio":
			for ok := d.in.Object(); ok; ok = d.in.Next() {
				switch d.in.Key() {
				case "data":
					w.audio = d.text()
				case "format":
					w.audioFormat = d.text()
				}
			}
		case "annotations":
			w.annotations = d.in.Mark()
		case "prompt_cache_breakpoint":
			w.marked = d.in.Peek() == '{'
		}
	}
	return w
}

// textIn reads a text out of an object.
func (d *requestDecoder) textIn(key string) (s string) {
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		if d.in.Key() == key {
			s = d.text()
		}
	}
	return s
}

func (d *requestDecoder) part(p *dialects.Place) (b conversation.Block) {
	w := d.wirePart()
	end := d.in.Mark()
	switch w.kind {
	case "input_text", "output_text", "text", "summary_text", "reasoning_text":
		b.Text = w.text
		if !w.hasText {
			in := p.In("text")
			d.fail(&in, "%s must be a string", in.Path())
		}
		d.in.Seek(w.annotations)
		b.Citations = readCitations(&d.in)
	case "refusal":
		b.Kind, b.Text = conversation.Refusal, w.refusal
	case "input_image":
		b.Kind, b.Media = conversation.Image, d.image(p, &w)
	case "input_file":
		b.Kind, b.Media = conversation.Document, d.file(p, &w)
	case "input_audio":
		b.Kind, b.Media = conversation.Audio, d.audio(p, &w)
	case "":
		in := p.In("type")
		d.fail(&in, "a content part must have a type")
	default: // only this dialect understands it
		d.in.Seek(w.start)
		b = conversation.Block{Kind: conversation.Opaque, Raw: d.in.Raw(), Origin: origin}
	}
	if w.marked {
		b.Cache = &conversation.CacheMark{}
	}
	d.in.Seek(end)
	return b
}

func (d *requestDecoder) image(p *dialects.Place, w *wirePart) *conversation.Media {
	m := mediaFromURL(w.image)
	switch {
	case m != nil:
	case w.fileID != "":
		m = &conversation.Media{FileID: w.fileID, Origin: origin}
	default:
		in := p.In("image_url")
		d.fail(&in, "an image must have an image_url or a file_id")
		return nil
	}
	m.Detail = w.detail
	return m
}

func (d *requestDecoder) file(p *dialects.Place, w *wirePart) *conversation.Media {
	var m *conversation.Media
	switch {
	case w.fileData != "":
		if m = mediaFromURL(w.fileData); m == nil {
			m = &conversation.Media{Data: w.fileData, MIME: documentMIME(w.name)} // bare base64
		}
	case w.fileURL != "":
		if m = mediaFromURL(w.fileURL); m == nil {
			in := p.In("file_url")
			d.fail(&in, "%s must be a URL", in.Path())
			return nil
		}
	case w.fileID != "":
		m = &conversation.Media{FileID: w.fileID, Origin: origin}
	default:
		d.fail(p, "a file must have file_data, a file_url or a file_id")
		return nil
	}
	m.Filename = w.name
	return m
}

func (d *requestDecoder) audio(p *dialects.Place, w *wirePart) *conversation.Media {
	if w.audio == "" {
		in := p.In("input_audio")
		d.fail(&in, "%s must hold base64 data", in.Path())
		return nil
	}
	m := &conversation.Media{Data: w.audio, MIME: "audio/" + w.audioFormat}
	if w.audioFormat == "mp3" {
		m.MIME = "audio/mpeg"
	}
	return m
}

// readCitations reads the annotations of a text. Those that are no citation of a source on the web keep only their
// place in the file they cite.
func readCitations(in *jsonedit.Reader) (out []conversation.Citation) {
	for ok := in.Array(); ok; ok = in.Next() {
		if in.Peek() == '{' {
			out = append(out, readCitation(in))
		}
	}
	return out
}

func readCitation(in *jsonedit.Reader) conversation.Citation {
	c := conversation.Citation{Origin: origin}
	start := in.Mark()
	c.Raw = in.Raw()
	end := in.Mark()
	in.Seek(start)
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "url":
			c.URL, _ = in.Text()
		case "title":
			c.Title, _ = in.Text()
		case "filename":
			if s, _ := in.Text(); c.Title == "" {
				c.Title = s
			}
		case "start_index":
			c.Start = offset(in)
		case "end_index":
			c.End = offset(in)
		}
	}
	in.Seek(end)
	return c
}

// offset reads an offset in characters; what is none counts as unknown.
func offset(in *jsonedit.Reader) int {
	if in.Peek() != '0' {
		return 0
	}
	n, ok := jsonedit.Count(jsonedit.View(in.Raw()))
	if !ok {
		return 0
	}
	return int(n)
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

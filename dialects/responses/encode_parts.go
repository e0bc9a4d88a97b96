package responses

import (
	"encoding/base64"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

// part writes one content part of an input, or nothing when the wire has no way to say it.
func (e *requestEncoder) part(b *conversation.Block) {
	start := len(e.dst)
	switch b.Kind {
	case conversation.Text, conversation.Refusal:
		e.textPart(b.Text)
	case conversation.Image, conversation.Document, conversation.Audio, conversation.Video:
		if b.Media != nil {
			e.media(b)
		}
	case conversation.Thinking:
		e.note("thinking")
	case conversation.Opaque:
		if b.Origin != origin {
			e.note(rawType(b))
			return
		}
		e.dst = append(jsonedit.AppendComma(e.dst), b.Raw...)
		return // it holds its own cache mark
	}
	switch {
	case b.Cache == nil || len(e.dst) == start:
	case e.r.Origin == origin: // elsewhere caching is automatic, and not every model knows the mark
		e.dst = append(e.dst[:len(e.dst)-1], `,"prompt_cache_breakpoint":{"mode":"explicit"}}`...)
	default:
		e.note("cache_control")
	}
}

func (e *requestEncoder) media(b *conversation.Block) {
	switch b.Kind {
	case conversation.Image:
		e.image(b.Media)
	case conversation.Document:
		e.document(b.Media)
	case conversation.Audio:
		e.audio(b.Media)
	case conversation.Video:
		e.refuse("input", "the provider takes no video")
	}
}

func (e *requestEncoder) textPart(s string) {
	e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"input_text","text":`...)
	e.dst = append(jsonedit.AppendString(e.dst, s), '}')
}

func (e *requestEncoder) image(m *conversation.Media) {
	e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"input_image"`...)
	if m.FileID != "" {
		e.fileID(m)
	} else {
		e.dst = dialects.AppendMediaURL(jsonedit.AppendKey(e.dst, "image_url"), m)
	}
	e.dst = append(jsonedit.AppendTextMember(e.dst, "detail", m.Detail), '}')
}

// document writes a file part. Plain text needs none.
func (e *requestEncoder) document(m *conversation.Media) {
	e.noteIf("context", m.Context != "")
	switch {
	case m.Text != "":
		e.noteIf("title", m.Title != "")
		e.textPart(m.Text)
		return
	case m.Data != "" && strings.HasPrefix(m.MIME, "text/"):
		e.noteIf("title", m.Title != "")
		s, err := base64.StdEncoding.DecodeString(m.Data)
		if err != nil {
			e.refuse("input", "a text document is not valid base64")
			return
		}
		e.textPart(jsonedit.View(s))
		return
	}
	e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"input_file"`...)
	switch {
	case m.FileID != "":
		e.fileID(m)
	case m.URL != "":
		e.dst = jsonedit.AppendStringMember(e.dst, "file_url", m.URL)
	default:
		e.dst = jsonedit.AppendStringMember(e.dst, "filename", dialects.Filename(m))
		e.dst = dialects.AppendMediaURL(jsonedit.AppendKey(e.dst, "file_data"), m)
	}
	e.dst = append(e.dst, '}')
}

// fileID refers to an uploaded file, if the target is where it was uploaded: both of OpenAI's dialects share one Files
// API.
func (e *requestEncoder) fileID(m *conversation.Media) {
	if m.Origin != origin && !(m.Origin == string(providers.Chat) && e.rules.openai) {
		e.refuse("input", "the provider does not know the file that the request refers to: send the file itself")
	}
	e.dst = jsonedit.AppendStringMember(e.dst, "file_id", m.FileID)
}

func (e *requestEncoder) audio(m *conversation.Media) {
	var format string
	switch m.MIME {
	case "audio/mpeg", "audio/mp3":
		format = "mp3"
	case "audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave":
		format = "wav"
	}
	if m.Data == "" || format == "" {
		e.refuse("input", "the provider takes audio as base64 data in wav or mp3 only")
		return
	}
	e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"input_audio","input_audio":{`...)
	e.dst = jsonedit.AppendStringMember(e.dst, "data", m.Data)
	e.dst = append(jsonedit.AppendStringMember(e.dst, "format", format), '}', '}')
}

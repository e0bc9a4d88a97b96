package chatcompletions

import (
	"encoding/base64"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// part writes one content part, or nothing when the wire has no way to say it.
func (e *requestEncoder) part(b *conversation.Block) {
	start := len(e.dst)
	if b.Media == nil && isMedia(b.Kind) {
		return
	}
	switch b.Kind {
	case conversation.Text, conversation.Refusal:
		e.textPart(b.Text)
	case conversation.Image:
		e.image(b.Media)
	case conversation.Document:
		e.document(b.Media)
	case conversation.Audio:
		e.audio(b.Media)
	case conversation.Video:
		e.video(b.Media)
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
	if b.Cache == nil || len(e.dst) == start {
		return
	}
	if !e.rules.cacheMarks {
		e.note("cache_control")
		return
	}
	e.dst = e.dst[:len(e.dst)-1] // reopen the part
	e.cacheMark(b.Cache)
	e.dst = append(e.dst, '}')
}

func isMedia(k conversation.Kind) bool {
	switch k {
	case conversation.Image, conversation.Document, conversation.Audio, conversation.Video:
		return true
	}
	return false
}

func (e *requestEncoder) textPart(s string) {
	e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"text","text":`...)
	e.dst = append(jsonedit.AppendString(e.dst, s), '}')
}

func (e *requestEncoder) image(m *conversation.Media) {
	if m.Data == "" && m.URL == "" {
		e.refuse("messages", "the provider takes no images by file id")
		return
	}
	e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"image_url","image_url":{"url":`...)
	e.dst = dialects.AppendMediaURL(e.dst, m)
	e.dst = jsonedit.AppendTextMember(e.dst, "detail", m.Detail)
	e.dst = append(e.dst, '}', '}')
}

// document writes a file part. Plain text needs none; and Mistral has document links instead.
func (e *requestEncoder) document(m *conversation.Media) {
	e.noteIf("context", m.Context != "")
	switch {
	case m.Text != "":
		e.noteIf("title", m.Title != "")
		e.textPart(m.Text)
	case m.Data != "" && strings.HasPrefix(m.MIME, "text/"):
		e.noteIf("title", m.Title != "")
		if s, err := base64.StdEncoding.DecodeString(m.Data); err == nil {
			e.textPart(jsonedit.View(s))
			return
		}
		e.refuse("messages", "a text document is not valid base64")
	case m.FileID != "":
		e.fileID(m)
	case e.rules.vendor == "mistral":
		e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"document_url","document_url":`...)
		e.dst = append(dialects.AppendMediaURL(e.dst, m), '}')
	case m.URL != "" && e.rules.vendor != "openrouter":
		e.refuse("messages", "the provider takes no documents by URL")
	default:
		e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"file","file":{`...)
		e.dst = jsonedit.AppendStringMember(e.dst, "filename", dialects.Filename(m))
		e.dst = dialects.AppendMediaURL(jsonedit.AppendKey(e.dst, "file_data"), m)
		e.dst = append(e.dst, '}', '}')
	}
}

// fileID refers to an uploaded file, if the target is where it was uploaded: both of OpenAI's dialects share one Files
// API.
func (e *requestEncoder) fileID(m *conversation.Media) {
	if m.Origin != origin && !(m.Origin == "responses" && e.rules.openai) {
		e.refuse("messages", "the provider does not know the file that the request refers to")
		return
	}
	e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"file","file":{`...)
	e.dst = append(jsonedit.AppendStringMember(e.dst, "file_id", m.FileID), '}', '}')
}

func (e *requestEncoder) audio(m *conversation.Media) {
	format := audioFormat(m.MIME)
	switch {
	case m.Data == "":
		e.refuse("messages", "the provider takes audio as base64 data only")
		return
	case e.rules.openai && format != "wav" && format != "mp3":
		e.refuse("messages", "the provider takes audio in wav or mp3 only")
		return
	}
	e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"input_audio","input_audio":{`...)
	e.dst = jsonedit.AppendStringMember(e.dst, "data", m.Data)
	e.dst = append(jsonedit.AppendStringMember(e.dst, "format", format), '}', '}')
}

func (e *requestEncoder) video(m *conversation.Media) {
	if !e.rules.video || m.Data == "" && m.URL == "" {
		e.refuse("messages", "the provider takes no video")
		return
	}
	e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"video_url","video_url":{"url":`...)
	e.dst = append(dialects.AppendMediaURL(e.dst, m), '}', '}')
}

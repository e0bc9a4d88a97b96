package gemini

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// result appends a tool's answer. It has to be an object: text that is one is taken as it stands, other text becomes
// {"output": text}, or {"error": text} when the tool failed.
func (e *encoder) result(r *conversation.ToolResult) error {
	answered, ok := e.calls[r.CallID]
	name := answered.name
	if !ok {
		if r.Name == "" {
			return dialects.BadRequest("messages", "a tool result answers a call that is not in the conversation")
		}
		name = e.toolName(r.Name)
	}
	e.dst = append(jsonedit.AppendComma(e.dst), `{"functionResponse":{`...)
	e.dst = jsonedit.AppendStringMember(e.dst, "name", name)
	e.dst = jsonedit.AppendKey(e.dst, "response")
	wrapper, said := "output", resultText(r.Content, false)
	if r.IsError {
		wrapper = "error"
	}
	if !isObject(said) && e.r.Origin != origin {
		said = resultText(r.Content, true)
	}
	if isObject(said) && (!r.IsError || isSet(gjson.Get(said, "error").Raw)) {
		e.dst = append(e.dst, said...)
	} else {
		e.dst = append(jsonedit.AppendStringMember(append(e.dst, '{'), wrapper, said), '}')
	}
	if err := e.resultMedia(r); err != nil {
		return err
	}
	if r.CallID != "" {
		e.dst = jsonedit.AppendStringMember(e.dst, "id", r.CallID)
	}
	e.dst = append(e.dst, "}}"...)
	return nil
}

// resultMedia appends the media that can stand in a result.
func (e *encoder) resultMedia(r *conversation.ToolResult) error {
	media, _ := e.mediaOf(r)
	if len(media) == 0 {
		return nil
	}
	e.dst = append(jsonedit.AppendKey(e.dst, "parts"), '[')
	for i := range media {
		if err := e.media(&media[i]); err != nil {
			return err
		}
	}
	e.dst = append(e.dst, ']')
	return nil
}

// resultText joins what a result says with line feeds. A block that only another dialect understands goes as its JSON
// text, for it may be all that there is. With named, media are named where they stood: they are sent apart from the text.
func resultText(blocks []conversation.Block, named bool) string {
	if len(blocks) == 1 {
		return textOf(&blocks[0], named)
	}
	var b strings.Builder
	for i := range blocks {
		t := textOf(&blocks[i], named)
		if t != "" && b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(t)
	}
	return b.String()
}

func textOf(b *conversation.Block, named bool) string {
	switch {
	case b.Kind == conversation.Opaque:
		return jsonedit.Compact(b.Raw)
	case b.Media == nil:
		return b.Text
	case b.Media.Text != "" || !named:
		return b.Media.Text
	}
	return mediaNames[b.Kind]
}

// mediaNames stand in the text of a result where something else stood.
var mediaNames = map[conversation.Kind]string{
	conversation.Image:    "[image]",
	conversation.Document: "[document]",
	conversation.Audio:    "[audio]",
	conversation.Video:    "[video]",
}

// mediaOf finds the media of a result: those that can stand in it, and those that have to stand beside it.
func (e *encoder) mediaOf(r *conversation.ToolResult) (inside, beside []conversation.Block) {
	for i := range r.Content {
		switch b := &r.Content[i]; {
		case b.Media == nil || b.Media.Text != "":
		case e.standsInResult(b.Media):
			inside = append(inside, *b)
		default:
			beside = append(beside, *b)
		}
	}
	return inside, beside
}

// standsInResult reports whether a medium can be part of a functionResponse: with Gemini 3 those of some types, as data or as
// Google's own files; Vertex fetches any, too.
func (e *encoder) standsInResult(m *conversation.Media) bool {
	if !e.model.thinksByLevel() || m.Data == "" && m.Origin != origin && e.opts.Vendor != vertex {
		return false
	}
	switch mimeType(m) {
	case "image/png", "image/jpeg", "image/webp", "application/pdf":
		return true
	}
	return false
}

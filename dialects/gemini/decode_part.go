package gemini

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

// decodePart makes a block of one part. The block's strings point into part. A call's ID is the vendor's, which may
// be empty. It reports false for a part that says nothing.
//
// Code that Google ran, calls of its server-side tools and parts yet unknown become opaque blocks: they mean
// something to this dialect alone and go back as they came.
func decodePart(part gjson.Result) (b conversation.Block, ok bool) {
	var text, thought, payload gjson.Result
	var kind string
	part.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "text":
			text = v
		case "thought":
			thought = v
		case "thoughtSignature":
			b.Signature, b.Origin = v.String(), origin
		case "videoMetadata", "partMetadata", "mediaResolution":
		default:
			kind, payload = key.Str, v
		}
		return true
	})
	switch {
	case kind == "functionCall":
		b.Kind = conversation.Call
		b.Call = &conversation.ToolCall{
			ID:        payload.Get("id").String(),
			Name:      payload.Get("name").String(),
			Arguments: argumentsOf(payload.Get("args")),
		}
		return b, true
	case kind == "inlineData" && !thought.Bool():
		mime := payload.Get("mimeType").String()
		b.Kind = mediaKind(mime)
		b.Media = &conversation.Media{MIME: mime, Data: standardBase64(payload.Get("data").String())}
		return b, true
	case kind != "":
		return conversation.Block{Kind: conversation.Opaque, Raw: json.RawMessage(part.Raw), Origin: origin}, true
	case thought.Bool():
		b.Kind = conversation.Thinking
	}
	b.Text = text.String()
	if b.Kind == conversation.Thinking {
		b.Origin = origin
	}
	return b, b.Text != "" || b.Signature != ""
}

// argumentsOf is the JSON text of a call's arguments. An empty object may have been left out.
func argumentsOf(args gjson.Result) string {
	if !isSet(args.Raw) {
		return "{}"
	}
	return args.Raw
}

func mediaKind(mime string) conversation.Kind {
	switch kind, _, _ := strings.Cut(mime, "/"); kind {
	case "image":
		return conversation.Image
	case "audio":
		return conversation.Audio
	case "video":
		return conversation.Video
	}
	return conversation.Document
}

// standardBase64 turns URL-safe base64, which protobuf allows as well, into standard base64 with padding.
func standardBase64(s string) string {
	if strings.ContainsAny(s, "-_") {
		s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
	}
	if n := len(s) % 4; n > 1 {
		s += "=="[:4-n]
	}
	return s
}

// callIDs gives every call of a response an ID of its own. Gemini often sends none, and clients of other dialects
// cannot do without. An ID that is made up follows from the response, so that it is the same however the response was
// read, and differs from those of other turns.
type callIDs struct {
	response string // its ID
	seen     map[string]bool
	calls    map[int]int // so far, by choice
}

func (c *callIDs) assign(choice int, id, name string) string {
	if c.seen == nil {
		c.seen, c.calls = map[string]bool{}, map[int]int{}
	}
	if id == "" || c.seen[id] {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%d\x00%s", c.response, choice, c.calls[choice], name))
		id = "call_" + hex.EncodeToString(sum[:12])
	}
	c.seen[id] = true
	c.calls[choice]++
	return id
}

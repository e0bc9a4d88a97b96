package chatcompletions

import (
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// OpenRouter's reasoning_details are the one form in which chat completions carry the opaque state of reasoning. Its
// entries are of three types, each with the text or data in a member of its own:
//
//	{"type":"reasoning.text","text":…,"signature":…,"format":…,"index":…}
//	{"type":"reasoning.summary","summary":…,"format":…,"index":…}
//	{"type":"reasoning.encrypted","data":…,"format":…,"id":…,"index":…}
//
// Here they serve in both directions. What OpenRouter wrote goes through other dialects as the signature of a Thinking
// block: the entry as it stood, but for its text, so that it can be given back unchanged. What another vendor signed goes
// to clients as an entry whose signature or data is labelled with the dialect it came from: "messages:EpcC…".
const (
	textDetail      = "reasoning.text"
	summaryDetail   = "reasoning.summary"
	encryptedDetail = "reasoning.encrypted"
)

// thoughtDetail is one entry of reasoning_details, or a piece of one.
type thoughtDetail struct {
	kind, text        string
	signature, format string // data is a signature, too
	index             int64  // -1 when not given
	raw               string // the whole entry
}

func readDetail(in *jsonedit.Reader) (d thoughtDetail) {
	d.index = -1
	if in.Peek() != '{' {
		return d
	}
	start := in.Mark()
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "type":
			d.kind, _ = in.Text()
		case "text", "summary":
			d.text, _ = in.Text()
		case "signature", "data":
			if s, _ := in.Text(); s != "" {
				d.signature = s
			}
		case "format":
			d.format, _ = in.Text()
		case "index":
			if n, ok := wholeNumber(in); ok {
				d.index = n
			}
		}
	}
	end := in.Mark()
	in.Seek(start)
	d.raw = jsonedit.View(in.Raw())
	in.Seek(end)
	return d
}

// continues reports whether an entry is the next piece of one of that kind and index. Streams cut entries into pieces,
// and clients may replay the pieces as they came.
func (d *thoughtDetail) continues(kind string, index int64) bool {
	return d.kind == kind && d.kind != encryptedDetail && d.index == index
}

// maker is the dialect that a labelled signature came from, and the signature without its label. Signatures are base64,
// in which no colon occurs.
func maker(signature string) (dialect, rest string, ok bool) {
	dialect, rest, ok = strings.Cut(signature, ":")
	if !ok || dialect == "" || dialect == origin || len(dialect) > 16 {
		return "", signature, false
	}
	for i := range len(dialect) {
		if c := dialect[i]; c < 'a' || c > 'z' {
			return "", signature, false
		}
	}
	return dialect, rest, true
}

// block is the Thinking block that an entry stands for. Without a signature there is nothing in it but the text.
func (d *thoughtDetail) block() conversation.Block {
	b := conversation.Block{Kind: conversation.Thinking, Text: d.text, Redacted: d.kind == encryptedDetail}
	b.Origin, b.Signature = d.seal()
	return b
}

// seal is what has to go back with the text of an entry, and the dialect it belongs to.
func (d *thoughtDetail) seal() (from, signature string) {
	if d.signature == "" {
		return origin, ""
	}
	if from, rest, ok := maker(d.signature); ok {
		return from, rest
	}
	return origin, string(d.packed(nil))
}

// packed appends the entry without its text, which the block has.
func (d *thoughtDetail) packed(dst []byte) []byte {
	dst = append(dst, '{')
	jsonedit.EachMember(d.raw, func(key, raw string) bool {
		if key != "text" && key != "summary" && raw != "null" {
			dst = jsonedit.AppendRawMember(dst, key, raw)
		}
		return true
	})
	return append(dst, '}')
}

// appendDetail appends the entry for a Thinking block. An entry that was packed is given its text back.
func appendDetail(dst []byte, b *conversation.Block, index int) []byte {
	if b.Origin != origin || b.Signature == "" {
		return appendForeignDetail(dst, b, index)
	}
	dst = append(dst, b.Signature[:len(b.Signature)-1]...)
	if b.Text != "" {
		key := "text"
		if strings.Contains(b.Signature, `"`+summaryDetail+`"`) {
			key = "summary"
		}
		dst = jsonedit.AppendStringMember(dst, key, b.Text)
	}
	return append(dst, '}')
}

// isPacked reports whether a signature is an entry of reasoning_details, and well formed: clients had it in their hands.
func isPacked(b *conversation.Block) bool {
	return b.Origin == origin && len(b.Signature) > 2 && b.Signature[0] == '{' &&
		jsonedit.Validate([]byte(b.Signature), jsonedit.Limits{}) == nil
}

func appendForeignDetail(dst []byte, b *conversation.Block, index int) []byte {
	key := "signature"
	if b.Redacted {
		key = "data"
		dst = append(dst, `{"type":"`+encryptedDetail+`"`...)
	} else {
		dst = append(dst, `{"type":"`+textDetail+`"`...)
		dst = jsonedit.AppendTextMember(dst, "text", b.Text)
	}
	if b.Signature != "" {
		dst = appendLabelled(jsonedit.AppendKey(dst, key), b)
	}
	return append(appendDetailTail(dst, b.Origin, index), '}')
}

// appendLabelled appends a signature with the dialect it belongs to.
func appendLabelled(dst []byte, b *conversation.Block) []byte {
	return jsonedit.AppendString(dst, b.Origin+":"+b.Signature)
}

// appendDetailTail appends the members that follow the content of an entry. The formats are OpenRouter's names for the
// vendors' ways to sign.
func appendDetailTail(dst []byte, from string, index int) []byte {
	switch from {
	case "messages", "converse":
		dst = append(dst, `,"format":"anthropic-claude-v1"`...)
	case "gemini":
		dst = append(dst, `,"format":"google-gemini-v1"`...)
	case "responses":
		dst = append(dst, `,"format":"openai-responses-v1"`...)
	}
	return jsonedit.AppendIntMember(dst, "index", int64(index))
}

// signs reports whether the texts of a dialect's thoughts may be signed. Gemini signs calls, not thoughts.
func signs(from string) bool { return from != "" && from != origin && from != gemini }

// appendDetails appends the reasoning_details member of an answer, if any of its thoughts are signed.
func appendDetails(dst []byte, blocks []conversation.Block) []byte {
	index := 0
	for i := range blocks {
		b := &blocks[i]
		if b.Kind != conversation.Thinking || b.Signature == "" || b.Origin == "" || b.Origin == origin && !isPacked(b) {
			continue
		}
		if index == 0 {
			dst = append(jsonedit.AppendKey(dst, "reasoning_details"), '[')
		}
		dst = appendDetail(jsonedit.AppendComma(dst), b, index)
		index++
	}
	if index > 0 {
		dst = append(dst, ']')
	}
	return dst
}

// details reads the entries of reasoning_details into Thinking blocks, putting pieces together.
func details(in *jsonedit.Reader, f func(conversation.Block)) {
	var last thoughtDetail
	var text []byte // of an entry in pieces, as far as it has come
	flush := func() {
		if text != nil {
			last.text, text = jsonedit.View(text), nil
		}
		if last.raw != "" && (last.text != "" || last.signature != "") {
			f(last.block())
		}
	}
	for ok := in.Array(); ok; ok = in.Next() {
		d := readDetail(in)
		if last.raw != "" && last.signature == "" && d.continues(last.kind, last.index) {
			if text == nil {
				text = []byte(last.text)
			}
			text = append(text, d.text...)
		} else {
			flush()
		}
		last = d
	}
	flush()
}

// callSignature reads the signature in a call's extra_content, which is where Google's own chat completions have it.
func callSignature(in *jsonedit.Reader) (signature string) {
	for ok := in.Object(); ok; ok = in.Next() {
		if in.Key() != "google" {
			continue
		}
		signature = textIn(in, "thought_signature")
	}
	return signature
}

// gemini is the dialect whose calls are signed.
const gemini = "gemini"

// signedCall is the block of a call with the signature of its extra_content. Both Google's own and those that were
// labelled on their way to the client are Gemini's.
func signedCall(c *conversation.ToolCall, signature string) conversation.Block {
	b := conversation.Block{Kind: conversation.Call, Call: c}
	if signature != "" {
		_, b.Signature, _ = maker(signature)
		b.Origin = gemini
	}
	return b
}

// appendCallSignature appends the extra_content of a call to a client.
func appendCallSignature(dst []byte, b *conversation.Block) []byte {
	if b.Signature == "" || b.Origin != gemini {
		return dst
	}
	dst = append(jsonedit.AppendKey(dst, "extra_content"), `{"google":{"thought_signature":`...)
	return append(appendLabelled(dst, b), '}', '}')
}

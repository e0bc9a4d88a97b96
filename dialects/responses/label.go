package responses

import (
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// A client keeps what belongs to another dialect's vendor in encrypted_content, and sends it back there: a signature of
// thinking or of a call. It is labelled with the name of its dialect, "~llmgateway:messages:…", so that it goes to no
// vendor that has not made it.
const (
	// labelPrefix begins with a byte that texts seldom have, so that it is soon known that none holds it.
	labelPrefix = "~llmgateway:"
	// redactedLabel marks a signature that is all there is of the reasoning.
	redactedLabel = "redacted:"
)

// label is what a client is given as the signature of a Thinking block.
func label(b *conversation.Block) string {
	switch {
	case b.Signature == "" || b.Origin == "" || b.Origin == origin:
		return b.Signature
	case b.Redacted:
		return labelPrefix + b.Origin + ":" + redactedLabel + b.Signature
	}
	return labelPrefix + b.Origin + ":" + b.Signature
}

// unlabel finds out whose the signature of a Thinking block is. It is the inverse of label.
func unlabel(b *conversation.Block) {
	labelled, ok := strings.CutPrefix(b.Signature, labelPrefix)
	if !ok {
		return
	}
	if maker, signature, ok := strings.Cut(labelled, ":"); ok {
		b.Origin = maker
		b.Signature, b.Redacted = strings.CutPrefix(signature, redactedLabel)
	}
}

// removeForeign removes the reasoning items of an input whose content is labelled.
func removeForeign(doc []byte, input jsonedit.Member, edits []jsonedit.Edit) []jsonedit.Edit {
	in := jsonedit.NewReader(doc[input.Start:input.End])
	for ok := in.Array(); ok; ok = in.Next() {
		start := in.Offset()
		item := jsonedit.NewReader(in.Raw())
		var kind, content string
		for ok := item.Object(); ok; ok = item.Next() {
			switch item.Key() {
			case "type":
				kind, _ = item.Text()
			case "encrypted_content":
				content, _ = item.Text()
			}
		}
		if kind == "reasoning" && strings.HasPrefix(content, labelPrefix) {
			edits = append(edits, jsonedit.RemoveMember(nil, doc, jsonedit.Member{
				KeyStart: input.Start + start, End: input.Start + in.Offset(),
			}))
		}
	}
	return edits
}

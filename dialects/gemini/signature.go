package gemini

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// skipSignature is what Google documents for calls that have no signature because another model made them.
// wireSkipSignature is the same in standard base64, which clients that take the signature for bytes can read.
const (
	skipSignature     = "skip_thought_signature_validator"
	wireSkipSignature = "skip/thought/signature/validator"
)

// The proof of another vendor's thought goes to clients as the thoughtSignature of the thought, or of the text or call
// after it where the thought has been written already or has no words, labelled with the dialect that it is of, and in
// base64, for it is bytes to them. Google's client for Go forgets parts that hold nothing else, some with all of their
// turn. The length of label is a multiple of three, so that
// its base64 can be found without decoding; wireLabel holds no character in which the two alphabets differ.
const (
	label         = "llm-gateway/signature"
	wireLabel     = "bGxtLWdhdGV3YXkvc2lnbmF0dXJl"
	redactedLabel = "redacted:" // there is nothing to the thought but its proof
	wordedLabel   = "worded:"   // the proof is worth nothing without the thought's words, which stand before it
)

// ownSignature is the signature of a block that Gemini itself signed.
func ownSignature(b *conversation.Block) string {
	if b.Origin != origin {
		return ""
	}
	return b.Signature
}

// clientSignature is the signature of a block in an answer to a client. Those of other vendors are labelled, and are
// shown for thoughts only.
func clientSignature(b *conversation.Block) string {
	if b.Kind != conversation.Thinking || b.Signature == "" || b.Origin == "" || b.Origin == origin {
		return ownSignature(b)
	}
	if b.Redacted {
		return labelled(b, redactedLabel)
	}
	return labelled(b, "")
}

func labelled(b *conversation.Block, kind string) string {
	return base64.StdEncoding.EncodeToString([]byte(label + b.Origin + ":" + kind + b.Signature))
}

// isProof reports whether a block is a thought of another vendor without words.
func isProof(b *conversation.Block) bool {
	return b.Kind == conversation.Thinking && b.Text == "" && b.Signature != "" && b.Origin != "" && b.Origin != origin
}

// callSignature is the signature for a call in an answer to a client. Signatures of other vendors are never passed off
// as Gemini's. Instead the first call of an answer, the only one that needs any, gets the documented value for calls of
// other models: the client will send it back, maybe to a Gemini model, which would refuse the conversation otherwise.
func callSignature(b *conversation.Block, first bool) string {
	if s := ownSignature(b); s != "" || !first {
		return s
	}
	return wireSkipSignature
}

// replayed is a signature that a client sent, and whose it is: Gemini's own, that of another vendor with its kind, or none
// when it is the value that stands for none.
func replayed(signature string) (proof, from, kind string) {
	switch {
	case signature == skipSignature || signature == wireSkipSignature:
		return "", "", ""
	case !strings.HasPrefix(signature, wireLabel):
		return signature, origin, ""
	}
	plain, err := base64.StdEncoding.DecodeString(standardBase64(signature))
	if err != nil {
		return "", "", ""
	}
	from, proof, _ = strings.Cut(strings.TrimPrefix(jsonedit.View(plain), label), ":")
	for _, kind := range [...]string{redactedLabel, wordedLabel} {
		if rest, ok := strings.CutPrefix(proof, kind); ok {
			return rest, from, kind
		}
	}
	return proof, from, ""
}

// spliceSignatures appends the edits that take other vendors' thoughts out of a conversation: Google refuses a
// signature that it did not make.
func spliceSignatures(doc []byte, obj *jsonedit.Object, edits []jsonedit.Edit) []jsonedit.Edit {
	m, ok := obj.Get("contents")
	if !ok || doc[m.Start] != '[' || !bytes.Contains(doc[m.Start:m.End], []byte(wireLabel)) {
		return edits
	}
	contents := []byte{'['}
	gjson.Parse(jsonedit.View(doc[m.Start:m.End])).ForEach(func(_, content gjson.Result) bool {
		if !strings.Contains(content.Raw, wireLabel) {
			contents = append(jsonedit.AppendComma(contents), content.Raw...)
			return true
		}
		contents = appendOwnParts(contents, content)
		return true
	})
	return append(edits, jsonedit.ReplaceValue(m, append(contents, ']')))
}

// appendOwnParts appends a content without the thoughts of other vendors, or nothing when it holds nothing else.
func appendOwnParts(dst []byte, content gjson.Result) []byte {
	before, empty := len(dst), true
	dst = append(jsonedit.AppendComma(dst), '{')
	content.ForEach(func(key, v gjson.Result) bool {
		dst = append(append(jsonedit.AppendComma(dst), key.Raw...), ':')
		if key.Str != "parts" || !v.IsArray() {
			dst = append(dst, v.Raw...)
			return true
		}
		dst = append(dst, '[')
		v.ForEach(func(_, part gjson.Result) bool {
			n := len(dst)
			if dst = appendOwnPart(dst, part); len(dst) > n {
				empty = false
			}
			return true
		})
		dst = append(dst, ']')
		return true
	})
	if empty {
		return dst[:before]
	}
	return append(dst, '}')
}

// appendOwnPart appends a part, or nothing when it is a thought of another vendor. A text or a call that carries the
// signature of one is the client's own: it loses the signature, in whose place a call gets the value for none.
func appendOwnPart(dst []byte, part gjson.Result) []byte {
	if !isForeign(part) {
		return append(jsonedit.AppendComma(dst), part.Raw...)
	}
	before, thought, call, said := len(dst), false, false, false
	dst = append(jsonedit.AppendComma(dst), '{')
	part.ForEach(func(key, v gjson.Result) bool {
		switch canonical(key.Str) {
		case "thoughtSignature":
			return true
		case "thought":
			thought = v.Bool()
		case "functionCall":
			call = true
		case "text":
			said = v.Str != ""
		}
		dst = append(append(append(jsonedit.AppendComma(dst), key.Raw...), ':'), v.Raw...)
		return true
	})
	if thought || !call && !said {
		return dst[:before]
	}
	if call {
		dst = jsonedit.AppendStringMember(dst, "thoughtSignature", wireSkipSignature)
	}
	return append(dst, '}')
}

// isForeign reports whether a part has the signature of another vendor.
func isForeign(part gjson.Result) (foreign bool) {
	part.ForEach(func(key, v gjson.Result) bool {
		foreign = canonical(key.Str) == "thoughtSignature" && strings.HasPrefix(v.Str, wireLabel)
		return !foreign
	})
	return foreign
}

package gemini

import (
	"cmp"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// appendPart appends a block of an answer as a part, or nothing when the dialect has no place for it: empty texts, and
// blocks that only another dialect understands. first says that no call came before, carry is the signature of a
// thought before it, in the form that clients get, for a part that can carry it.
func appendPart(dst []byte, b *conversation.Block, first bool, carry string) []byte {
	signature := clientSignature(b)
	if carries(b) {
		signature = cmp.Or(signature, carry)
	}
	before := len(dst)
	dst = append(jsonedit.AppendComma(dst), '{')
	switch {
	case b.Kind == conversation.Text || b.Kind == conversation.Refusal:
		if b.Text == "" && signature == "" {
			return dst[:before]
		}
		dst = jsonedit.AppendStringMember(dst, "text", b.Text)
	case b.Kind == conversation.Thinking:
		if b.Text == "" && signature == "" {
			return dst[:before]
		}
		dst = append(jsonedit.AppendStringMember(dst, "text", b.Text), `,"thought":true`...)
	case b.Kind == conversation.Call && b.Call != nil:
		dst = appendCall(dst, b.Call)
		signature = cmp.Or(ownSignature(b), carry, callSignature(b, first))
	case b.Kind == conversation.Opaque && b.Origin == origin && isObject(string(b.Raw)):
		return append(dst[:len(dst)-1], b.Raw...)
	case b.Media != nil && b.Media.Data != "":
		dst = append(jsonedit.AppendKey(dst, "inlineData"), '{')
		if mime := mimeType(b.Media); mime != "" {
			dst = jsonedit.AppendStringMember(dst, "mimeType", mime)
		}
		dst = append(jsonedit.AppendStringMember(dst, "data", b.Media.Data), '}')
	case b.Media != nil && b.Media.URL != "":
		dst = append(jsonedit.AppendKey(dst, "fileData"), '{')
		if mime := mimeType(b.Media); mime != "" {
			dst = jsonedit.AppendStringMember(dst, "mimeType", mime)
		}
		dst = append(jsonedit.AppendStringMember(dst, "fileUri", b.Media.URL), '}')
	default:
		return dst[:before]
	}
	if signature != "" {
		dst = jsonedit.AppendStringMember(dst, "thoughtSignature", signature)
	}
	return append(dst, '}')
}

// carries reports whether the part of a block can carry the signature of a thought before it.
func carries(b *conversation.Block) bool {
	return (b.Kind == conversation.Text || b.Kind == conversation.Refusal) && b.Text != "" || b.Kind == conversation.Call && b.Call != nil
}

// appendProof appends the signature of a thought as a part of its own.
func appendProof(dst []byte, signature string) []byte {
	dst = append(jsonedit.AppendComma(dst), `{"text":"","thought":true`...)
	return append(jsonedit.AppendStringMember(dst, "thoughtSignature", signature), '}')
}

// appendCall appends a functionCall. Arguments that are no JSON object, as of a call that was cut off, are treated as in
// requests: {"input": text}.
func appendCall(dst []byte, c *conversation.ToolCall) []byte {
	dst = append(jsonedit.AppendKey(dst, "functionCall"), '{')
	if c.ID != "" {
		dst = jsonedit.AppendStringMember(dst, "id", c.ID)
	}
	dst = jsonedit.AppendStringMember(dst, "name", c.Name)
	dst = appendArguments(jsonedit.AppendKey(dst, "args"), c)
	return append(dst, '}')
}

package gemini

import "github.com/caddy-llm/llmgateway/dialects/conversation"

// skipSignature is what Google documents for calls that have no signature because another model made them.
// wireSkipSignature is the same in standard base64, which clients that take the signature for bytes can read.
const (
	skipSignature     = "skip_thought_signature_validator"
	wireSkipSignature = "skip/thought/signature/validator"
)

// ownSignature is the signature of a block that Gemini itself signed.
func ownSignature(b *conversation.Block) string {
	if b.Origin != origin {
		return ""
	}
	return b.Signature
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

// replayed is the signature that a client sent: Gemini's own, or none when it is the value that stands for none.
func replayed(signature string) string {
	if signature == skipSignature || signature == wireSkipSignature {
		return ""
	}
	return signature
}

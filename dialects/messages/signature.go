package messages

import (
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/providers"
)

// makers are the dialects whose signatures travel through clients of this one. A signature is a vendor's proof that
// its model thought what a block says: it is of use to its maker alone, and everyone else refuses it.
var makers = [...]providers.Dialect{
	providers.Chat, providers.Responses, providers.Gemini, providers.Converse, providers.Cohere, providers.Ollama,
}

// label marks the signature of another vendor, so that it is known again when the client replays the block. Thoughts
// that their maker did not sign are labelled too: clients drop blocks without a signature, but some makers want their
// thoughts back.
func label(signature, from string) string {
	if from == "" || from == origin {
		return signature
	}
	return from + ":" + signature
}

// unlabel is the inverse of label.
func unlabel(signature string) (rest, from string) {
	maker, rest, ok := strings.Cut(signature, ":")
	for _, m := range makers {
		if ok && maker == string(m) {
			return rest, maker
		}
	}
	return signature, origin
}

// decodeThinking reads a block that was signed, by whomever.
func decodeThinking(text, signature string) conversation.Block {
	b := conversation.Block{Kind: conversation.Thinking, Text: text}
	b.Signature, b.Origin = unlabel(signature)
	return b
}

package messages

import (
	"bytes"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/providers"
)

// makers are the dialects whose signatures travel through clients of this one. A signature is a vendor's proof that
// its model thought what a block says: it is of use to its maker alone, and everyone else refuses it.
var makers = [...]providers.Dialect{
	providers.Chat, providers.Responses, providers.Gemini, providers.Converse, providers.Cohere, providers.Ollama,
}

// mark begins every label. It is rare in JSON, so that a document without labels is soon known.
const mark = '~'

// label marks the signature of another vendor, as in "~gemini:c2ln", so that it is known again when the client replays
// the block. Thoughts that their maker did not sign are labelled too: clients drop blocks without a signature, but some
// makers want their thoughts back.
func label(signature, from string) string {
	if from == "" || from == origin {
		return signature
	}
	return string(mark) + from + ":" + signature
}

// carried is the thinking block that carries another vendor's signature of a call, for which the dialect has no place: it
// stands right before the call, without a text. There is none when nobody else signed.
func carried(call *conversation.Block) (b conversation.Block, ok bool) {
	if call.Kind != conversation.Call || call.Signature == "" || call.Origin == "" || call.Origin == origin {
		return b, false
	}
	return conversation.Block{Kind: conversation.Thinking, Signature: call.Signature, Origin: call.Origin}, true
}

// unlabel is the inverse of label.
func unlabel(signature string) (rest, from string) {
	if s, ok := strings.CutPrefix(signature, string(mark)); ok {
		for _, m := range makers {
			if rest, ok := strings.CutPrefix(s, string(m)); ok && strings.HasPrefix(rest, ":") {
				return rest[1:], string(m)
			}
		}
	}
	return signature, origin
}

// labelled reports whether a document may hold the signature of another vendor.
func labelled(doc []byte) bool {
	for {
		i := bytes.IndexByte(doc, mark)
		if i < 0 {
			return false
		}
		if i > 0 && doc[i-1] == '"' {
			for _, m := range makers {
				if rest := doc[i+1:]; len(rest) > len(m) && string(rest[:len(m)]) == string(m) && rest[len(m)] == ':' {
					return true
				}
			}
		}
		doc = doc[i+1:]
	}
}

// decodeThinking reads a block that was signed, by whomever.
func decodeThinking(text, signature string) conversation.Block {
	b := conversation.Block{Kind: conversation.Thinking, Text: text}
	b.Signature, b.Origin = unlabel(signature)
	return b
}

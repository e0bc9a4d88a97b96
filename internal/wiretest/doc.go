// Package wiretest is a second opinion on wire formats, for tests of the gateway as a whole. [ReadAsk] says what a
// request asks for and [ReadReply] what a response says, whatever dialect they are written in, and both list where a
// body breaks the rules of its dialect. [WriteAsk] writes a request as a client of a dialect would. [CompareAsks] and
// [CompareReplies] say what got lost between two of them.
//
// Nothing here is shared with the codecs: a reader made of the code that it judges would make the same mistakes. So it
// works on plain decoded JSON, splits streams itself, and cares for neither speed nor memory. It is for tests only.
package wiretest

// The endpoints that can be read. The first four are also the dialects of clients.
const (
	Chat      = "openai.chat"
	Responses = "openai.responses"
	Messages  = "anthropic.messages"
	Gemini    = "gemini.generate"
	Converse  = "bedrock.converse"
	Mistral   = "mistral.chat"
	Cohere    = "cohere.chat"
	Ollama    = "ollama.chat"
)

// Clients are the dialects that clients speak.
func Clients() []string { return []string{Chat, Responses, Messages, Gemini} }

// Endpoints are all endpoints that can be read.
func Endpoints() []string {
	return []string{Chat, Responses, Messages, Gemini, Converse, Mistral, Cohere, Ollama}
}

package sdk

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// secretPrompt is what clients ask. It must not stand in the gateway's log. It asks for the tool in the words
// that make the simulated provider call it.
const secretPrompt = "what do the heron's feathers stand? please call weather"

// turn is what a client is to ask.
type turn struct {
	model  string
	stream bool
	// onText gets every piece of text of a stream as it arrives; it may be nil.
	onText func(piece string)
	// run is the tool that is offered, named toolName. Its calls are answered until the model makes none any more. Nil
	// offers none.
	run    func(arguments string) string
	image  string // a PNG in base64 to go with the prompt
	schema object // of the answer
	think  bool   // and show it
}

// The tool that turns offer.
const (
	toolName  = "weather"
	toolAbout = "tells the weather"
)

var (
	toolProperties = object{"city": object{"type": "string"}}
	toolSchema     = object{"type": "object", "properties": toolProperties}
)

// What a turn that thinks allows for.
const (
	thinkingBudget = 1024
	outputLimit    = 4096
)

// answer is what a client made of the last response. The thoughts are those of all responses of the turn.
type answer struct {
	text, thoughts        string
	input, cached, output int64 // tokens; 0 when the client was told none
	stop                  stop
}

// failure is the error that a client returned.
type failure struct {
	status        int
	kind, code    string // of the error, as far as the client's dialect has them
	param         string
	message       string
	requestID     string
	retryAfter    string
	shouldRetry   string
	withoutHeader bool // the client keeps no headers of an error
}

// readHeader reads what clients look for in the headers of an error.
func (f *failure) readHeader(h http.Header, requestID string) {
	f.requestID, f.retryAfter, f.shouldRetry = h.Get(requestID), h.Get("Retry-After"), h.Get("X-Should-Retry")
}

// client is one of the vendors' clients.
type client interface {
	ask(ctx context.Context, t turn) (answer, error)
	// failure reads the client's own type of error. It reports false for any other.
	failure(err error) (failure, bool)
}

// clients connects each client to a gateway. None of them retries.
var clients = map[string]func(t *testing.T, base string) client{
	"openai":    newChatClient,
	"responses": newResponsesClient,
	"anthropic": newMessagesClient,
	"genai":     newGeminiClient,
}

func joined(pieces []string) string { return strings.Join(pieces, "") }

package sdk

import (
	"context"
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
	run func(arguments string) string
}

// The tool that turns offer.
const (
	toolName  = "weather"
	toolAbout = "tells the weather"
)

var toolProperties = object{"city": object{"type": "string"}}

// answer is what a client made of the last response.
type answer struct {
	text          string
	input, output int64 // tokens; 0 when the client was told none
	ended         bool  // by its own will, as opposed to a limit, a filter or a tool call
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

// lane is a client and the dialect of the provider behind the gateway.
type lane struct {
	client  string
	dialect *dialect
}

// lanes are the clients and the dialects they reach: their own, which is spliced, and others, which are translated.
var lanes = []lane{
	{"openai", chatDialect},
	{"openai", messagesDialect},
	{"openai", geminiDialect},
	{"anthropic", messagesDialect},
	{"anthropic", chatDialect},
	{"anthropic", geminiDialect},
	{"responses", responsesDialect},
	{"genai", geminiDialect},
}

// spliced reports whether the client speaks the provider's dialect.
func (l lane) spliced() bool {
	return l.dialect == map[string]*dialect{
		"openai": chatDialect, "responses": responsesDialect, "anthropic": messagesDialect, "genai": geminiDialect,
	}[l.client]
}

// onEveryLane runs a test for each lane.
func onEveryLane(t *testing.T, test func(t *testing.T, l lane)) {
	t.Helper()
	for _, l := range lanes {
		t.Run(l.client+" client to "+l.dialect.name, func(t *testing.T) {
			t.Parallel()
			test(t, l)
		})
	}
}

// connect starts an upstream with a script, a gateway that knows it by the model bird, and the lane's client.
func (l lane) connect(t *testing.T, script func(question) reply) (client, *upstream) {
	t.Helper()
	u := startUpstream(t, l.dialect, script)
	base := startGateway(t, u.provider()+"model bird up/heron-1\nmodels_only\nlb_retries 0")
	return clients[l.client](t, base), u
}

func joined(pieces []string) string { return strings.Join(pieces, "") }

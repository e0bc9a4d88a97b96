// Package providers is the contract between the gateway and the places a request can be sent to.
//
// A provider is where and as whom a request is sent; a dialect is in which language. A provider performs no I/O: it
// turns a [Call] into an *http.Request with URL, headers and credentials for exactly the bytes given.
//
// Providers are Caddy modules in the namespace http.llm_gateway.providers and implement [Provider]. What else one can
// do is found by assertion: [Defaulter], [Adjuster], [Classifier], [Offerer], [Transporter].
package providers

import (
	"context"
	"net/http"
	"net/url"
)

// Dialect is the wire format of a request and its response.
type Dialect string

// The dialects. Clients speak the first four; the others are spoken to providers only.
const (
	Chat      Dialect = "chat"      // OpenAI Chat Completions and everything compatible with it
	Responses Dialect = "responses" // OpenAI Responses
	Messages  Dialect = "messages"  // Anthropic Messages
	Gemini    Dialect = "gemini"    // Gemini generateContent
	Converse  Dialect = "converse"  // Amazon Bedrock Converse
	Cohere    Dialect = "cohere"    // Cohere Chat, version 2
	Ollama    Dialect = "ollama"    // Ollama's own /api/chat
)

// Operation is what a request asks to be done.
type Operation uint8

// The operations.
const (
	Generate    Operation = iota // a model's answer, in any of the dialects
	Embeddings                   // OpenAI's /embeddings, Gemini's embedContent
	BatchEmbed                   // Gemini's batchEmbedContents
	CountTokens                  // Anthropic's, Gemini's and OpenAI's token counting
	Completions                  // OpenAI's legacy /completions
	Images                       // OpenAI's /images/*
	Audio                        // OpenAI's /audio/*
	Moderations                  // OpenAI's /moderations
	Rerank                       // /rerank
	Compact                      // OpenAI's /responses/compact
)

// Call is one attempt to be sent: everything a provider needs to address and sign it.
type Call struct {
	Dialect   Dialect
	Operation Operation
	// Model is the provider's own name of the model, unescaped. It may hold any characters: a provider that puts it
	// in a path must escape it.
	Model  string
	Stream bool
	// Subpath is what followed the operation's path for operations with more than one endpoint
	// ("generations", "transcriptions").
	Subpath string
	// BaseURL is the endpoint chosen for this attempt. It is shared: do not modify it.
	BaseURL *url.URL
	// Credential is the API key chosen for this attempt; empty for providers that need none.
	Credential Secret
	// Header holds the client's headers that may be forwarded, already filtered. It belongs to the call: the
	// provider may use it as the header of its request.
	Header http.Header
	Body   Body
}

// Provider turns calls into requests.
type Provider interface {
	// Dialects lists the dialects that the provider speaks for a model and an operation is always Generate, best first.
	Dialects(model string) []Dialect
	// Prepare builds the request for a call. It performs no I/O beyond refreshing its own credentials. An error that
	// wraps a *Fault says so of what kind it is; other targets are tried then as after any other fault.
	Prepare(ctx context.Context, c *Call) (*http.Request, error)
}

// Defaults is what a provider knows about itself without configuration.
type Defaults struct {
	// BaseURL is the vendor's public endpoint; empty when it has to be configured.
	BaseURL string
	// BaseURLNeeds says what to do where BaseURL is empty and could be filled by an option of the kind, for the error.
	BaseURLNeeds string
	// KeyEnv are the environment variables that usually hold the API key, in order of preference.
	KeyEnv []string
	// KeyElse says what may be configured in place of an API key, for the error about a missing one; may be empty.
	KeyElse string
	// KeyOptional says that the provider works without any credential.
	KeyOptional bool
	// PriceBook is the vendor's name in the price book; empty for providers that cost nothing or are unknown.
	PriceBook string
	// Local says that the provider runs on the user's own machines: its tokens are free of charge.
	Local bool
}

// Defaulter is implemented by providers that have [Defaults].
type Defaulter interface{ Defaults() Defaults }

// Adjuster is implemented by providers whose vendor deviates from the dialect on bytes that are not translated,
// for example by refusing a parameter. It returns body itself when there is nothing to change.
type Adjuster interface {
	Adjust(c *Call, body []byte) ([]byte, []string, error) // new body, names of dropped members
}

// Classifier is implemented by providers that know more about their errors than [Classify].
type Classifier interface {
	Classify(status int, h http.Header, body []byte) Fault
}

// Offerer is implemented by providers that offer other operations than Generate in dialects that they do not speak, or not
// by preference, for Generate.
type Offerer interface {
	Offers(d Dialect, o Operation) bool
}

// Transporter is implemented by providers that bring their own round tripper instead of Caddy's HTTP transport.
type Transporter interface{ RoundTripper() http.RoundTripper }

// Secret is a credential. It prints as "***" everywhere, so that it cannot reach a log, an error or /config by accident.
type Secret struct{ value, bearer string }

// NewSecret wraps a credential.
func NewSecret(v string) Secret {
	if v == "" {
		return Secret{}
	}
	return Secret{value: v, bearer: "Bearer " + v} // as most requests need it
}

// Reveal returns the credential itself. Only code that writes it into an upstream request calls this.
func (s Secret) Reveal() string { return s.value }

// Empty reports whether there is no credential.
func (s Secret) Empty() bool { return s.value == "" }

// String hides the credential from fmt's %s and %v.
func (s Secret) String() string { return "***" }

// GoString hides it from %#v.
func (s Secret) GoString() string { return "***" }

// MarshalText hides it from JSON and other encodings.
func (s Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

package sdk

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

const flewAway = "the heron flew away"

// refusals are what upstreams say in their own words, by dialect.
type refusals map[string]refusal

var (
	badRequest = refusals{
		"chat":      {status: 400, kind: "invalid_request_error", message: flewAway},
		"responses": {status: 400, kind: "invalid_request_error", message: flewAway},
		"messages":  {status: 400, kind: "invalid_request_error", message: flewAway},
		"gemini":    {status: 400, kind: "INVALID_ARGUMENT", message: flewAway},
		"cohere":    {status: 400, message: flewAway},
		"ollama":    {status: 400, message: flewAway},
		"converse":  {status: 400, kind: "ValidationException", message: flewAway},
	}
	rateLimit = refusals{
		"chat":      {status: 429, kind: "requests", code: "rate_limit_exceeded", message: flewAway, retryAfter: "7"},
		"responses": {status: 429, kind: "requests", code: "rate_limit_exceeded", message: flewAway, retryAfter: "7"},
		"messages":  {status: 429, kind: "rate_limit_error", message: flewAway, retryAfter: "7"},
		"gemini":    {status: 429, kind: "RESOURCE_EXHAUSTED", message: flewAway, retryAfter: "7"},
		"cohere":    {status: 429, message: flewAway, retryAfter: "7"},
		"ollama":    {status: 429, message: flewAway, retryAfter: "7"},
		"converse":  {status: 429, kind: "ThrottlingException", message: flewAway, retryAfter: "7"},
	}
	overload = refusals{
		"chat":      {status: 503, kind: "server_error", code: "server_is_overloaded", message: flewAway},
		"responses": {status: 503, kind: "server_error", code: "server_is_overloaded", message: flewAway},
		"messages":  {status: 529, kind: "overloaded_error", message: flewAway},
		"gemini":    {status: 503, kind: "UNAVAILABLE", message: flewAway},
		"cohere":    {status: 503, message: flewAway},
		"ollama":    {status: 503, message: flewAway},
		"converse":  {status: 503, kind: "ServiceUnavailableException", message: flewAway},
	}
	fault = refusals{
		"chat":      {status: 500, kind: "server_error", message: flewAway},
		"responses": {status: 500, kind: "server_error", message: flewAway},
		"messages":  {status: 500, kind: "api_error", message: flewAway},
		"gemini":    {status: 500, kind: "INTERNAL", message: flewAway},
		"cohere":    {status: 500, message: flewAway},
		"ollama":    {status: 500, message: flewAway},
		"converse":  {status: 500, kind: "InternalServerException", message: flewAway},
	}
	wrongKey = refusals{
		"chat":      {status: 401, kind: "invalid_request_error", code: "invalid_api_key", message: "not a key: " + upstreamKey},
		"responses": {status: 401, kind: "invalid_request_error", code: "invalid_api_key", message: "not a key: " + upstreamKey},
		"messages":  {status: 401, kind: "authentication_error", message: "not a key: " + upstreamKey},
		"gemini":    {status: 401, kind: "UNAUTHENTICATED", message: "not a key: " + upstreamKey},
		"cohere":    {status: 401, message: "not a key: " + upstreamKey},
		"ollama":    {status: 401, message: "not a key: " + upstreamKey},
		"converse":  {status: 403, kind: "UnrecognizedClientException", message: "not a key: " + upstreamKey},
	}
)

// refusalCase is what clients are to make of a refusal. Kinds are by client, with "" for the others.
type refusalCase struct {
	name       string
	said       refusals
	status     map[string]int
	kind       map[string]string
	verbatim   bool // a client of the same dialect gets the upstream's own words
	kept       bool // OpenAI's clients get the upstream's own kind, if it could be one of theirs
	message    string
	retryAfter string
	final      bool // the client is told not to try again
}

var refusalCases = []refusalCase{
	{
		name: "bad request", said: badRequest, verbatim: true, message: flewAway, final: true,
		status: map[string]int{"": 400},
		kind:   map[string]string{"": "invalid_request_error", "genai": "INVALID_ARGUMENT"},
	},
	{
		name: "rate limit", said: rateLimit, verbatim: true, kept: true, message: flewAway, retryAfter: "7",
		status: map[string]int{"": 429},
		kind:   map[string]string{"": "rate_limit_error", "genai": "RESOURCE_EXHAUSTED"},
	},
	{
		name: "overload", said: overload, verbatim: true, message: flewAway, retryAfter: "1", final: true,
		status: map[string]int{"": 503, "anthropic": 529},
		kind:   map[string]string{"": "overloaded_error", "genai": "UNAVAILABLE"},
	},
	{
		name: "fault", said: fault, verbatim: true, kept: true, message: flewAway, final: true,
		status: map[string]int{"": 500},
		kind:   map[string]string{"": "server_error", "anthropic": "api_error", "genai": "INTERNAL"},
	},
	{
		// The client's own key is in order: a 401 would make it throw that away.
		name: "wrong key", said: wrongKey, message: "the gateway's credential", final: true,
		status: map[string]int{"": 502},
		kind:   map[string]string{"": "server_error", "anthropic": "api_error", "genai": "UNAVAILABLE"},
	},
}

func TestAnUpstreamsRefusalIsTheClientsTypedError(t *testing.T) {
	onEveryLane(t, func(t *testing.T, l lane) {
		for _, tc := range refusalCases {
			for _, stream := range []bool{false, true} {
				said := tc.said[l.dialect.name]
				c, u := l.connect(t, func(question) reply { return reply{refusal: &said} })
				_, err := c.ask(t.Context(), turn{model: u.model, stream: stream})
				f, ok := c.failure(err)
				if !ok {
					t.Fatalf("%s: the client failed with %v, which is not its own type of error", tc.name, err)
				}
				t.Run(fmt.Sprintf("%s, stream %t", tc.name, stream), func(t *testing.T) { tc.check(t, l, f) })
				if n := len(u.asked()); n != 1 {
					t.Errorf("%s: the upstream was asked %d times, want once", tc.name, n)
				}
			}
		}
	})
}

func (tc *refusalCase) check(t *testing.T, l lane, f failure) {
	t.Helper()
	if want := cmp.Or(tc.status[l.client], tc.status[""]); f.status != want {
		t.Errorf("status %d, want %d", f.status, want)
	}
	kind, verbatim := cmp.Or(tc.kind[l.client], tc.kind[""]), tc.verbatim && l.spliced()
	if own := tc.said[l.dialect.name].kind; verbatim || tc.kept && l.openAI() && own != "" && own == strings.ToLower(own) {
		kind = own
	}
	if f.kind != kind {
		t.Errorf("kind %q, want %q", f.kind, kind)
	}
	if said := tc.said[l.dialect.name]; verbatim && f.code != said.code {
		t.Errorf("code %q, want the upstream's own %q", f.code, said.code)
	} else if _, err := strconv.Atoi(f.code); err == nil {
		t.Errorf("the code is the number %s, which stands for nothing in the client's dialect", f.code)
	}
	if !strings.Contains(f.message, tc.message) || strings.Contains(f.message, upstreamKey) {
		t.Errorf("message %q, want one with %q and without the key", f.message, tc.message)
	}
	if !f.withoutHeader {
		checkErrorHeader(t, f, tc.retryAfter, tc.final)
	}
}

func checkErrorHeader(t *testing.T, f failure, retryAfter string, final bool) {
	t.Helper()
	if f.requestID == "" {
		t.Error("the client found no request id")
	}
	if f.retryAfter != retryAfter {
		t.Errorf("retry-after %q, want %q", f.retryAfter, retryAfter)
	}
	if final != (f.shouldRetry == "false") {
		t.Errorf("x-should-retry %q, want final: %t", f.shouldRetry, final)
	}
}

// overloaded and failed are what clients call what goes wrong in the middle of a stream. Some vendors cannot tell the
// one from the other there.
var (
	overloaded = map[string]string{"openai": "overloaded_error", "responses": "overloaded_error", "anthropic": "overloaded_error", "genai": "UNAVAILABLE"}
	failed     = map[string]string{"openai": "server_error", "responses": "server_error", "anthropic": "api_error", "genai": "INTERNAL"}
)

func TestAnErrorInTheMiddleOfAStreamIsTheClientsTypedError(t *testing.T) {
	onEveryLane(t, func(t *testing.T, l lane) {
		said := overload[l.dialect.name]
		c, u := l.connect(t, func(question) reply { return reply{text: pieces, refusal: &said} })
		f := breakOff(t, c, u.model)
		if f.message != flewAway {
			t.Errorf("message %q, want %q", f.message, flewAway)
		}
		want := overloaded[l.client]
		switch {
		case l.client == "responses" && l.spliced():
			want = "" // there is none in OpenAI's own event
		case l.client == "openai" && l.spliced():
			want = said.kind
		case l.dialect == cohereDialect || l.dialect == ollamaDialect:
			want = failed[l.client]
		}
		if f.kind != want {
			t.Errorf("kind %q, want %q", f.kind, want)
		}
		if l.spliced() && f.code != said.code {
			t.Errorf("code %q, want %q", f.code, said.code)
		}
	})
}

func TestAStreamThatBreaksOffIsTheClientsTypedError(t *testing.T) {
	// Without an error event the clients would take it for a network problem, or for an answer.
	for name, end := range map[string]ending{"without an end marker": stopped, "with the connection": cut} {
		t.Run(name, func(t *testing.T) {
			onEveryLane(t, func(t *testing.T, l lane) {
				c, u := l.connect(t, func(question) reply { return reply{text: pieces, end: end} })
				if f := breakOff(t, c, u.model); !strings.Contains(f.message, "the provider's stream") {
					t.Errorf("message %q says nothing of the provider's stream", f.message)
				}
			})
		})
	}
}

// breakOff asks for a stream that breaks off after its text, and returns the client's error.
func breakOff(t *testing.T, c client, model string) failure {
	t.Helper()
	var heard strings.Builder
	_, err := c.ask(t.Context(), turn{model: model, stream: true, onText: func(piece string) { heard.WriteString(piece) }})
	if heard.String() != joined(pieces) {
		t.Errorf("before the error the client heard %q, want %q", &heard, joined(pieces))
	}
	f, ok := c.failure(err)
	if !ok {
		t.Fatalf("the client failed with %v, which is not its own type of error", err)
	}
	if !f.withoutHeader && f.requestID == "" {
		t.Error("the client found no request id")
	}
	return f
}

func TestAModelThatThereIsNotIsTheClientsNotFound(t *testing.T) {
	base := startGateway(t, "provider sim simulated\nmodel bird sim/heron-1\nmodels_only")
	kinds := map[string]string{"openai": "invalid_request_error", "responses": "invalid_request_error", "anthropic": "not_found_error", "genai": "NOT_FOUND"}
	for name, connect := range clients {
		t.Run(name, func(t *testing.T) {
			c := connect(t, base)
			for _, stream := range []bool{false, true} {
				_, err := c.ask(t.Context(), turn{model: "brid", stream: stream})
				f, ok := c.failure(err)
				if !ok || f.status != 404 || f.kind != kinds[name] {
					t.Fatalf("the client failed with %v, understood as %+v; want 404 %s", err, f, kinds[name])
				}
				if !strings.Contains(f.message, "nearest names are bird") {
					t.Errorf("message %q does not name the nearest model", f.message)
				}
				if (lane{client: name}).openAI() && (f.code != "model_not_found" || f.param != "model") {
					t.Errorf("code %q and param %q, want model_not_found and model", f.code, f.param)
				}
				if !f.withoutHeader {
					checkErrorHeader(t, f, "", true)
				}
			}
		})
	}
}

func TestAnAnonymousClientIsTheClientsAuthenticationError(t *testing.T) {
	// The range holds no loopback address.
	base := startGateway(t, "provider sim simulated\nallow_anonymous 203.0.113.0/24")
	kinds := map[string]string{"openai": "authentication_error", "responses": "authentication_error", "anthropic": "authentication_error", "genai": "UNAUTHENTICATED"}
	for name, connect := range clients {
		t.Run(name, func(t *testing.T) {
			c := connect(t, base)
			_, err := c.ask(t.Context(), turn{model: "sim/heron-1"})
			f, ok := c.failure(err)
			if !ok || f.status != 401 || f.kind != kinds[name] {
				t.Fatalf("the client failed with %v, understood as %+v; want 401 %s", err, f, kinds[name])
			}
			if !f.withoutHeader {
				checkErrorHeader(t, f, "", true)
			}
		})
	}
}

package sdk

import (
	"cmp"
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
	}
	rateLimit = refusals{
		"chat":      {status: 429, kind: "requests", code: "rate_limit_exceeded", message: flewAway, retryAfter: "7"},
		"responses": {status: 429, kind: "requests", code: "rate_limit_exceeded", message: flewAway, retryAfter: "7"},
		"messages":  {status: 429, kind: "rate_limit_error", message: flewAway, retryAfter: "7"},
		"gemini":    {status: 429, kind: "RESOURCE_EXHAUSTED", message: flewAway, retryAfter: "7"},
	}
	overload = refusals{
		"chat":      {status: 503, kind: "server_error", code: "server_is_overloaded", message: flewAway},
		"responses": {status: 503, kind: "server_error", code: "server_is_overloaded", message: flewAway},
		"messages":  {status: 529, kind: "overloaded_error", message: flewAway},
		"gemini":    {status: 503, kind: "UNAVAILABLE", message: flewAway},
	}
	wrongKey = refusals{
		"chat":      {status: 401, kind: "invalid_request_error", code: "invalid_api_key", message: "not a key: " + upstreamKey},
		"responses": {status: 401, kind: "invalid_request_error", code: "invalid_api_key", message: "not a key: " + upstreamKey},
		"messages":  {status: 401, kind: "authentication_error", message: "not a key: " + upstreamKey},
		"gemini":    {status: 401, kind: "UNAUTHENTICATED", message: "not a key: " + upstreamKey},
	}
)

// refusalCase is what clients are to make of a refusal. Kinds are by client, with "" for the others.
type refusalCase struct {
	name       string
	said       refusals
	status     map[string]int
	kind       map[string]string
	verbatim   bool // a client of the same dialect gets the upstream's own words
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
		name: "rate limit", said: rateLimit, verbatim: true, message: flewAway, retryAfter: "7",
		status: map[string]int{"": 429},
		kind:   map[string]string{"": "rate_limit_error", "genai": "RESOURCE_EXHAUSTED"},
	},
	{
		name: "overload", said: overload, verbatim: true, message: flewAway, retryAfter: "1", final: true,
		status: map[string]int{"": 503, "anthropic": 529},
		kind:   map[string]string{"": "overloaded_error", "genai": "UNAVAILABLE"},
	},
	{
		// The client's own key is in order: a 401 would make it throw that away.
		name: "wrong key", said: wrongKey, message: "the gateway's credential", final: true,
		status: map[string]int{"": 502},
		kind:   map[string]string{"": "server_error", "anthropic": "api_error", "genai": "UNAVAILABLE"},
	},
}

func TestAnUpstreamsRefusalIsTheClientsTypedError(t *testing.T) {
	for _, tc := range refusalCases {
		t.Run(tc.name, func(t *testing.T) {
			onEveryLane(t, func(t *testing.T, l lane) {
				for _, stream := range []bool{false, true} {
					said := tc.said[l.dialect.name]
					c, u := l.connect(t, func(question) reply { return reply{refusal: &said} })
					_, err := c.ask(t.Context(), turn{model: "bird", stream: stream})
					f, ok := c.failure(err)
					if !ok {
						t.Fatalf("the client failed with %v, which is not its own type of error", err)
					}
					tc.check(t, l, f)
					if n := len(u.asked()); n != 1 {
						t.Errorf("the upstream was asked %d times, want once", n)
					}
				}
			})
		})
	}
}

func (tc *refusalCase) check(t *testing.T, l lane, f failure) {
	t.Helper()
	if want := cmp.Or(tc.status[l.client], tc.status[""]); f.status != want {
		t.Errorf("status %d, want %d", f.status, want)
	}
	kind, verbatim := cmp.Or(tc.kind[l.client], tc.kind[""]), tc.verbatim && l.spliced()
	if verbatim {
		kind = tc.said[l.dialect.name].kind
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

func TestAnErrorInTheMiddleOfAStreamIsTheClientsTypedError(t *testing.T) {
	onEveryLane(t, func(t *testing.T, l lane) {
		said := overload[l.dialect.name]
		c, _ := l.connect(t, func(question) reply { return reply{text: pieces, refusal: &said} })
		f := breakOff(t, c)
		if f.message != flewAway {
			t.Errorf("message %q, want %q", f.message, flewAway)
		}
		want := map[string]string{"openai": "overloaded_error", "anthropic": "overloaded_error", "genai": "UNAVAILABLE", "responses": ""}[l.client]
		if l.client == "openai" && l.spliced() {
			want = said.kind
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
				c, _ := l.connect(t, func(question) reply { return reply{text: pieces, end: end} })
				if f := breakOff(t, c); !strings.Contains(f.message, "the provider's stream") {
					t.Errorf("message %q says nothing of the provider's stream", f.message)
				}
			})
		})
	}
}

// breakOff asks for a stream that breaks off after its text, and returns the client's error.
func breakOff(t *testing.T, c client) failure {
	t.Helper()
	var heard strings.Builder
	_, err := c.ask(t.Context(), turn{model: "bird", stream: true, onText: func(piece string) { heard.WriteString(piece) }})
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
	onEveryLane(t, func(t *testing.T, l lane) {
		c, u := l.connect(t, says)
		for _, stream := range []bool{false, true} {
			_, err := c.ask(t.Context(), turn{model: "brid", stream: stream})
			f, ok := c.failure(err)
			if !ok {
				t.Fatalf("the client failed with %v, which is not its own type of error", err)
			}
			if f.status != 404 || !strings.Contains(f.message, "nearest names are bird") {
				t.Errorf("got %d %q, want a 404 that names the nearest model", f.status, f.message)
			}
			switch l.client {
			case "openai", "responses":
				if f.code != "model_not_found" || f.param != "model" {
					t.Errorf("code %q and param %q, want model_not_found and model", f.code, f.param)
				}
			case "anthropic":
				if f.kind != "not_found_error" {
					t.Errorf("kind %q, want not_found_error", f.kind)
				}
			case "genai":
				if f.kind != "NOT_FOUND" {
					t.Errorf("kind %q, want NOT_FOUND", f.kind)
				}
			}
			if !f.withoutHeader {
				checkErrorHeader(t, f, "", true)
			}
		}
		if n := len(u.asked()); n != 0 {
			t.Errorf("the upstream was asked %d times, want never", n)
		}
	})
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

package llmgateway

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/providers"
)

// forwardHeaders are the client's headers that a provider may see, by dialect. Everything else stays here: credentials
// above all, but also cookies, addresses and identities.
func (x *exchange) forwardHeaders(d providers.Dialect) http.Header {
	h := make(http.Header, 8)
	in := x.r.Header
	for _, name := range forwardedAlways {
		if v := in[name]; len(v) > 0 {
			h[name] = slices.Clone(v) // header_up changes values in place
		}
	}
	if d == x.dialect {
		for _, name := range forwardedByDialect[d] {
			if v := in[name]; len(v) > 0 {
				h[name] = slices.Clone(v) // header_up changes values in place
			}
		}
	}
	return h
}

var (
	// forwardedAlways: the trace context that Caddy's tracing put on the request.
	forwardedAlways = []string{"Traceparent", "Tracestate"}
	// forwardedByDialect: what a dialect's own clients say in headers and its own provider understands.
	forwardedByDialect = map[providers.Dialect][]string{
		providers.Chat:      {"Openai-Beta"},
		providers.Responses: {"Openai-Beta"},
		providers.Messages:  {"Anthropic-Version", "Anthropic-Beta"},
	}
)

// isStream reports whether a response is a stream of its dialect.
func isStream(d providers.Dialect, h http.Header) bool {
	ct := h["Content-Type"]
	if len(ct) == 0 {
		return false
	}
	of := "text/event-stream"
	if f, ok := dialects.Lookup(d).(dialects.Framer); ok {
		of = f.StreamType()
	}
	return len(ct[0]) >= len(of) && strings.EqualFold(ct[0][:len(of)], of)
}

// requestIDHeaders are where vendors put their name of a request.
var requestIDHeaders = []string{"X-Request-Id", "Request-Id", "Apim-Request-Id", "X-Amzn-Requestid", "Mistral-Correlation-Id"}

func providerRequestID(h http.Header) string {
	for _, name := range requestIDHeaders {
		if v := h[name]; len(v) > 0 && v[0] != "" {
			return cleanLabel(v[0], maxScopeValue)
		}
	}
	return ""
}

// changeHeaders makes the changes of header_up.
func (p *provider) changeHeaders(r *http.Request, repl *caddy.Replacer) {
	if p.headers == nil {
		return
	}
	p.headers.ApplyTo(r.Header, repl)
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
		r.Header.Del("Host")
	}
	if _, ok := r.Header["User-Agent"]; !ok {
		r.Header["User-Agent"] = []string{""} // or net/http would send one of its own
	}
}

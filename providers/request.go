package providers

import (
	"context"
	"net/http"
	"net/url"
)

// UserAgent is what providers see. The client's own is not passed on.
const UserAgent = "caddy-llm-gateway"

// Canonical names of headers that hold credentials. Assigning to the map with these skips canonicalization.
const (
	HeaderAuthorization = "Authorization"
	HeaderXAPIKey       = "X-Api-Key"
	HeaderXGoogAPIKey   = "X-Goog-Api-Key"
	HeaderAPIKey        = "Api-Key"
)

// clientCredentials must never travel from a client to a provider. The host filters headers already; a mistake
// there must not become a leak.
var clientCredentials = [...]string{
	HeaderAuthorization, HeaderXAPIKey, HeaderXGoogAPIKey, HeaderAPIKey, "Cookie", "Proxy-Authorization",
	"X-Amz-Security-Token", "Ocp-Apim-Subscription-Key",
}

// NewRequest builds the POST request of a call to u. The credential goes into the header of the given canonical name;
// with an empty one none is sent. It takes over c.Header.
//
// GetBody stays nil on purpose: with it the transport would repeat requests on its own, and every repetition of a
// generation costs money that nobody would count.
func NewRequest(ctx context.Context, c *Call, u *url.URL, header, credential string) *http.Request {
	h := c.Header
	if h == nil {
		h = make(http.Header, 8)
	}
	for _, name := range clientCredentials {
		delete(h, name)
	}
	// One array for all values: a header operation that changes values in place must not reach other requests.
	values := make([]string, 0, 5)
	set := func(name, value string) {
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	binary := c.Operation == Audio || c.Operation == Images // multipart uploads in, sound out
	if !binary || h["Content-Type"] == nil {
		set("Content-Type", "application/json")
	}
	switch {
	case c.Stream:
		set("Accept", "text/event-stream")
	case c.Operation == Audio:
		set("Accept", "*/*")
	default:
		set("Accept", "application/json")
	}
	set("Accept-Encoding", "identity")
	set("User-Agent", UserAgent)
	if credential != "" {
		set(header, credential)
	}
	r := http.Request{
		Method: http.MethodPost, URL: u, Host: u.Host, Header: h,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: c.Body.Reader(), ContentLength: c.Body.Len(),
	}
	return r.WithContext(ctx)
}

// Bearer is the value of an Authorization header; empty for no credential.
func Bearer(s Secret) string { return s.bearer }

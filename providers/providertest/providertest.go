// Package providertest checks what every provider has to promise, whatever its vendor: credentials go where they belong
// and nowhere else, bytes are sent as given, and a model name cannot change where a request goes.
package providertest

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-llm/llmgateway/providers"
)

// Subject is a provider under test and what is special about it.
type Subject struct {
	Provider providers.Provider
	// BaseURL is an endpoint that the provider accepts.
	BaseURL string
	// Model is an ordinary model name.
	Model string
	// CredentialHeader returns the canonical name of the header that holds the key of a dialect; empty for none.
	CredentialHeader func(providers.Dialect) string
	// StreamType is the media type that the provider's streams are asked for; empty for text/event-stream.
	StreamType string
}

const (
	vendorKey    = "vendor-key-Zx81"
	clientSecret = "client-secret-Qy27"
	body         = `{"model":"m","messages":[]}`
)

// hostileModels are names that would lead somewhere else if they were put into a URL as they are.
var hostileModels = []string{
	"..", ".", "../../admin", "..%2f..%2fadmin", "%2e%2e", "%2e%2e/%2e%2e", "a/b", "/a", "a/", "//evil.example/x",
	"a?key=1", "a#b", "a;b", "a:delete", "a@evil.example", "http://evil.example/", `a\b`, `..\..\admin`, "a\r\nHost: evil",
	"a\x00b", "a b", "ünïcödé", "日本", "%", "%zz", "\xff\xfe", "models/../x", "a&alt=json", strings.Repeat("x", 300),
}

// Run checks the provider of s in all of its dialects.
func Run(t *testing.T, s Subject) {
	t.Helper()
	dialects := s.Provider.Dialects(s.Model)
	if len(dialects) == 0 {
		t.Fatal("the provider speaks no dialect")
	}
	for _, d := range dialects {
		t.Run(string(d), func(t *testing.T) {
			for _, stream := range []bool{false, true} {
				t.Run("the request is complete and holds the credential once", func(t *testing.T) { checkRequest(t, s, d, stream) })
			}
			t.Run("without a credential none is sent", func(t *testing.T) { checkNoCredential(t, s, d) })
			t.Run("a model name cannot change where the request goes", func(t *testing.T) { checkModels(t, s, d) })
			t.Run("the query of the base URL is kept", func(t *testing.T) { checkQuery(t, s, d) })
			t.Run("it can be used concurrently", func(t *testing.T) { checkConcurrent(t, s, d) })
		})
	}
}

func (s Subject) call(tb testing.TB, d providers.Dialect) *providers.Call {
	tb.Helper()
	base, err := url.Parse(s.BaseURL)
	if err != nil {
		tb.Fatal(err)
	}
	return &providers.Call{
		Dialect: d, Operation: providers.Generate, Model: s.Model, BaseURL: base,
		Credential: providers.NewSecret(vendorKey),
		Header: http.Header{
			"Authorization":       {"Bearer " + clientSecret},
			"X-Api-Key":           {clientSecret},
			"X-Goog-Api-Key":      {clientSecret},
			"Api-Key":             {clientSecret},
			"Cookie":              {"session=" + clientSecret},
			"Proxy-Authorization": {clientSecret},
			"User-Agent":          {"client/1"},
		},
		Body: providers.NewBody(nil, []byte(body[:9]), []byte(body[9:])),
	}
}

type contextKey struct{}

func checkRequest(t *testing.T, s Subject, d providers.Dialect, stream bool) {
	c := s.call(t, d)
	c.Stream = stream
	base := *c.BaseURL
	r, err := s.Provider.Prepare(context.WithValue(t.Context(), contextKey{}, 1), c)
	if err != nil {
		t.Fatal(err)
	}
	if r.Context().Value(contextKey{}) != 1 {
		t.Error("the request does not carry the context")
	}
	if *c.BaseURL != base {
		t.Error("the shared base URL was modified")
	}
	if r.Method != http.MethodPost || r.GetBody != nil || r.ContentLength != int64(len(body)) {
		t.Errorf("method %s, GetBody %v, length %d", r.Method, r.GetBody != nil, r.ContentLength)
	}
	sent, err := io.ReadAll(r.Body)
	if err != nil || string(sent) != body {
		t.Errorf("sent %q, %v", sent, err)
	}
	if err := r.Body.Close(); err != nil {
		t.Error(err)
	}
	if r.Host != r.URL.Host || r.URL.Scheme != base.Scheme || r.URL.Host != base.Host {
		t.Errorf("addressed to %s (host %s), base %s", r.URL, r.Host, s.BaseURL)
	}
	accept := map[bool]string{false: "application/json", true: cmp.Or(s.StreamType, "text/event-stream")}[stream]
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Accept": accept, "Accept-Encoding": "identity", "User-Agent": providers.UserAgent,
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	checkCredential(t, r, s.CredentialHeader(d))
}

func checkCredential(t *testing.T, r *http.Request, header string) {
	t.Helper()
	if u := r.URL.String(); strings.Contains(u, vendorKey) || strings.Contains(u, clientSecret) {
		t.Errorf("a secret stands in the URL %s", u)
	}
	for name, values := range r.Header {
		if name != http.CanonicalHeaderKey(name) {
			t.Errorf("header %q is not in canonical form", name)
		}
		for _, v := range values {
			if strings.Contains(v, clientSecret) {
				t.Errorf("the client's secret is sent as %s", name)
			}
			if strings.Contains(v, vendorKey) && name != header {
				t.Errorf("the vendor's key is sent as %s", name)
			}
		}
	}
	if header != "" && !strings.HasSuffix(r.Header.Get(header), vendorKey) {
		t.Errorf("%s does not hold the key", header)
	}
}

func checkNoCredential(t *testing.T, s Subject, d providers.Dialect) {
	c := s.call(t, d)
	c.Credential = providers.Secret{}
	r, err := s.Provider.Prepare(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Authorization", "X-Api-Key", "X-Goog-Api-Key", "Api-Key", "Cookie"} {
		if r.Header[name] != nil {
			t.Errorf("%s is sent", name)
		}
	}
}

func checkModels(t *testing.T, s Subject, d providers.Dialect) {
	c := s.call(t, d)
	plain, err := s.Provider.Prepare(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, model := range hostileModels {
		c := s.call(t, d)
		c.Model = model
		r, err := s.Provider.Prepare(t.Context(), c)
		if err != nil {
			continue // refusing is as good
		}
		parsed, err := url.Parse(r.URL.String())
		if err != nil {
			t.Errorf("model %q makes the invalid URL %q: %v", model, r.URL, err)
			continue
		}
		want := plain.URL
		if parsed.Host != want.Host || parsed.Scheme != want.Scheme || parsed.RawQuery != want.RawQuery || parsed.Fragment != "" {
			t.Errorf("model %q leads to %q", model, r.URL)
		}
		got, ordinary := strings.Split(parsed.EscapedPath(), "/"), strings.Split(want.EscapedPath(), "/")
		if len(got) != len(ordinary) {
			t.Errorf("model %q makes the path %q", model, parsed.EscapedPath())
			continue
		}
		checkSegments(t, model, got, ordinary)
	}
}

// checkSegments demands that a hostile path differs from the ordinary one in one segment at most, and ends alike.
func checkSegments(t *testing.T, model string, got, ordinary []string) {
	t.Helper()
	differ := 0
	for i := range got {
		if got[i] == ordinary[i] {
			continue
		}
		differ++
		plain, err := url.PathUnescape(got[i])
		if err != nil || plain == "." || plain == ".." || strings.ContainsAny(got[i], "\\\r\n\x00 ") {
			t.Errorf("model %q makes the segment %q", model, got[i])
		}
		_, gotVerb, _ := strings.Cut(got[i], ":")
		_, wantVerb, _ := strings.Cut(ordinary[i], ":")
		if gotVerb != wantVerb {
			t.Errorf("model %q makes the verb %q of %q", model, gotVerb, wantVerb)
		}
	}
	if differ > 1 {
		t.Errorf("model %q changes %d segments: %q", model, differ, got)
	}
}

func checkQuery(t *testing.T, s Subject, d providers.Dialect) {
	for _, stream := range []bool{false, true} {
		c := s.call(t, d)
		c.Stream = stream
		c.BaseURL.RawQuery = "tenant=7"
		r, err := s.Provider.Prepare(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(strings.Split(r.URL.RawQuery, "&"), "tenant=7") {
			t.Errorf("the query is %q", r.URL.RawQuery)
		}
	}
}

func checkConcurrent(t *testing.T, s Subject, d providers.Dialect) {
	var wg sync.WaitGroup
	for range 8 {
		c := s.call(t, d)
		wg.Go(func() {
			r, err := s.Provider.Prepare(context.Background(), c)
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("User-Agent", "changed")
			r.Header["Accept"][0] = "changed" // by this request's owner, for this request only
			if sent, err := io.ReadAll(r.Body); err != nil || !bytes.Equal(sent, []byte(body)) {
				t.Errorf("sent %q, %v", sent, err)
			}
		})
	}
	wg.Wait()
}

// Bench measures Prepare in the first dialect of a provider.
func Bench(b *testing.B, s Subject) {
	b.Helper()
	c := s.call(b, s.Provider.Dialects(s.Model)[0])
	c.Header = make(http.Header, 16)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Provider.Prepare(ctx, c); err != nil {
			b.Fatal(err)
		}
	}
}

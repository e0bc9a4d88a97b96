package llmgateway

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

// hangs is a dialer into a black hole.
func hangs(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// silentServer takes requests and does not answer. It says when it has one.
func silentServer(t *testing.T, h2 bool) (s *httptest.Server, asked chan struct{}) {
	asked = make(chan struct{}, 1)
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server would not notice that the client leaves
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	if s.EnableHTTP2 = h2; h2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s, asked
}

// over adds a provider at a URL, with a transport of its own.
func over(name, url string, change func(*http.Transport)) option {
	return func(g *gateway) {
		g.Providers = append(g.Providers, &ProviderConfig{Name: name, ProviderRaw: []byte(`{"kind":"compatible"}`), BaseURLs: []string{url}})
		g.ready = append(g.ready, func() {
			tr := newTransport().Transport
			change(tr)
			g.t.Cleanup(tr.CloseIdleConnections)
			for _, p := range g.providers {
				if p.name == name {
					p.transport, p.fresh = tr, nil
				}
			}
		})
	}
}

func TestOnlyWhatReachedAProviderIsChargedWhenTheClientLeaves(t *testing.T) {
	insecure := func(tr *http.Transport) { tr.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} }
	one, askedOne := silentServer(t, false)
	two, askedTwo := silentServer(t, true)
	connecting := make(chan struct{}, 1)
	for name, c := range map[string]struct {
		url       string
		change    func(*http.Transport)
		when      chan struct{}
		certainty accounting.Certainty
	}{
		"while connecting": {"http://127.0.0.1:1/v1", func(tr *http.Transport) {
			tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				connecting <- struct{}{}
				return hangs(ctx, network, addr)
			}
		}, connecting, accounting.Void},
		"after an HTTP/1 request": {one.URL, func(*http.Transport) {}, askedOne, accounting.Estimated},
		"after an HTTP/2 request": {two.URL, insecure, askedTwo, accounting.Estimated},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, over("up", c.url, c.change), withPrice("*", "1", "1"))
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-c.when
				cancel()
			}()
			g.do(newRequest(http.MethodPost, chatPath, strings.NewReader(ask("up/m"))).WithContext(ctx))
			e := g.entries()
			if len(e) != 1 || e[0].Certainty != c.certainty || (e[0].Cost > 0) != (c.certainty == accounting.Estimated) {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestTheSlowerAttemptIsFreeWhenItNeverGotAConnection(t *testing.T) {
	g := newGateway(t, over("one", "http://127.0.0.1:1/v1", func(tr *http.Transport) { tr.DialContext = hangs }), withProvider("two", respond(200, chatAnswer)),
		withModel("m", "one/x", "two/x"), hedgedAfter("10ms", 100), withPrice("*", "1", "1"))
	start := time.Now()
	w := g.post(chatPath, ask("m"))
	if got := g.outcome(w.Code); got != "200 one:hedged two:ok" || time.Since(start) > 5*time.Second {
		t.Fatalf("%s after %s", got, time.Since(start))
	}
	if e := g.entries()[0]; e.Certainty != accounting.Void || e.Cost != 0 {
		t.Errorf("%+v", e)
	}
}

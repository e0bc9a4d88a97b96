package llmgateway

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-llm/llmgateway/providers"
)

// later gives an answer after a time, unless the request is canceled before.
func later(d time.Duration, a answer) answer {
	return func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return a(r)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

const keepAliveComment = ": keep-alive\n\n"

// wait sends a request for a stream and returns what the client got, and when.
func (g *gateway) waitFor(t *testing.T, path, body string) *timeline {
	t.Helper()
	w := newTimeline()
	if err := g.serve(w, newRequest(http.MethodPost, path, strings.NewReader(body))); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAClientThatWaitsForAStreamIsKeptAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("up", later(60*time.Second, stream(chatStream))))
		w := g.waitFor(t, chatPath, askStream("up/m"))
		if got, want := strings.Join(w.writes, " "), "25:14 40:14 55:14 60:"; !strings.HasPrefix(got, want) {
			t.Errorf("writes at %s, want %s", got, want)
		}
		if want := strings.Repeat(keepAliveComment, 3) + chatStreamFor(t); w.all.String() != want {
			t.Errorf("got %q", w.all.String())
		}
		if w.status != http.StatusOK || w.header.Get("Content-Type") != contentTypeSSE[0] || w.header.Get("X-Request-Id") == "" {
			t.Errorf("%d %v", w.status, w.header)
		}
		if got := g.outcome(w.status); got != "200 up:ok" {
			t.Error(got)
		}
	})
}

// chatStreamFor is chatStream as a client gets it that did not ask for the usage chunk.
func chatStreamFor(t *testing.T) string {
	t.Helper()
	g := newGateway(t, withProvider("plain", stream(chatStream)))
	return g.post(chatPath, askStream("plain/m")).Body.String()
}

func TestAfterAKeepAliveOtherTargetsAreTriedAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("one", later(30*time.Second, respond(503, `{"error":{"message":"busy"}}`))), withProvider("two", stream(chatStream)),
			withModel("m", "one/x", "two/x"))
		w := g.waitFor(t, chatPath, askStream("m"))
		if got, want := w.all.String(), keepAliveComment+chatStreamFor(t); got != want {
			t.Errorf("got %q", got)
		}
		if got := g.outcome(w.status); got != "200 one:overloaded two:ok" {
			t.Error(got)
		}
	})
}

func TestAfterAKeepAliveAnErrorIsAnEvent(t *testing.T) {
	for _, c := range []struct{ path, body, frame, want string }{
		{chatPath, askStream("up/m"), keepAliveComment, `data: {"error":`},
		{"/v1/messages", `{"model":"up/m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, "event: ping\n", "event: error\n"},
		{"/v1/responses", `{"model":"up/m","stream":true,"input":"hi"}`, keepAliveComment, "event: "},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGateway(t, withProvider("up", later(30*time.Second, respond(401, `{"error":{"message":"no such key"}}`))))
			w := g.waitFor(t, c.path, c.body)
			got := w.all.String()
			if !strings.HasPrefix(got, c.frame) || !strings.Contains(got, c.want) || !strings.Contains(got, "refused the gateway's credential") {
				t.Errorf("%s: got %q", c.path, got)
			}
			if strings.Contains(got, "[DONE]") || strings.Contains(got, "message_stop") || w.status != http.StatusOK {
				t.Errorf("%s: looks like a success: %d %q", c.path, w.status, got)
			}
			if e := g.entries(); len(e) != 1 || e[0].ErrorClass != string(providers.ClassAuth) {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestNoKeepAliveIsWrittenToWhomItWouldHurt(t *testing.T) {
	for name, c := range map[string]struct{ path, body string }{
		"a client of Google's SDK":      {"/v1beta/models/up/m:streamGenerateContent?alt=sse", `{"contents":[{"parts":[{"text":"hi"}]}]}`},
		"a client that wants no stream": {chatPath, ask("up/m")},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGateway(t, withProvider("up", later(60*time.Second, respond(503, `{"error":{"message":"busy"}}`))),
				with(func(h *Handler) { h.LoadBalancing = &LoadBalancing{Retries: new(0)} }))
			w := g.waitFor(t, c.path, c.body)
			if w.status != http.StatusServiceUnavailable || len(w.writes) != 1 || !strings.HasPrefix(w.writes[0], "60:") {
				t.Errorf("%s: %d, writes %v", name, w.status, w.writes)
			}
		})
	}
}

func TestAClientThatLeavesWhileItWaitsIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("up", silent), with(func(h *Handler) { h.LoadBalancing = &LoadBalancing{Retries: new(0)} }))
		w := newTimeline()
		w.onWrite = func(int) error { return http.ErrHandlerTimeout } // as a broken connection fails
		if err := g.serve(w, newRequest(http.MethodPost, chatPath, strings.NewReader(askStream("up/m")))); err != nil {
			t.Fatal(err)
		}
		if len(w.writes) != 0 || time.Since(w.start) != defaultFirstToken {
			t.Errorf("%v after %s", w.writes, time.Since(w.start))
		}
	})
}

func TestNoMoreTimeIsTakenThanTheClientHas(t *testing.T) {
	for name, c := range map[string]struct {
		body, header, value string
		after               time.Duration
	}{
		"an SDK's timeout":             {ask("up/m"), "X-Stainless-Timeout", "7", 7 * time.Second},
		"a fraction":                   {ask("up/m"), "X-Request-Timeout", "2.5", 2500 * time.Millisecond},
		"a stream":                     {askStream("up/m"), "X-Request-Timeout", "20", 20 * time.Second},
		"an SDK's timeout of a stream": {askStream("up/m"), "X-Stainless-Timeout", "7", defaultFirstToken},
		"more than the gateway allows": {ask("up/m"), "X-Stainless-Timeout", "86400", defaultRequest},
		"no number":                    {ask("up/m"), "X-Stainless-Timeout", "soon", defaultRequest},
		"not a number":                 {ask("up/m"), "X-Stainless-Timeout", "NaN", defaultRequest},
		"a negative one":               {ask("up/m"), "X-Stainless-Timeout", "-1", defaultRequest},
		"more than there is time for":  {ask("up/m"), "X-Stainless-Timeout", "1e300", defaultRequest},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGateway(t, withProvider("up", silent), with(func(h *Handler) { h.LoadBalancing = &LoadBalancing{Retries: new(0)} }))
			r := newRequest(http.MethodPost, chatPath, strings.NewReader(c.body))
			r.Header.Set(c.header, c.value)
			start := time.Now()
			g.do(r)
			if got := time.Since(start); got != c.after {
				t.Errorf("%s: %s, want %s", name, got, c.after)
			}
		})
	}
}

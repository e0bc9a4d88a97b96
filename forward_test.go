package llmgateway

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"

	"github.com/caddy-llm/llmgateway/providers"
)

func TestNothingPersonalGoesToAProvider(t *testing.T) {
	const canary = "canary-4711"
	leaky := []string{
		"Authorization", "Cookie", "X-Api-Key", "X-Goog-Api-Key", "Api-Key", "Proxy-Authorization", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded",
		"X-Real-Ip", "Cf-Connecting-Ip", "Referer", "Origin", "User-Agent", "Accept-Language", "X-User", "X-Session-Id", "X-Claude-Code-Session-Id",
		"Openai-Organization", "Openai-Project", "Idempotency-Key", "X-Portkey-Custom-Host", "X-Amz-Security-Token", "Te", "Trailer", "Connection", "Upgrade",
		"Anthropic-Dangerous-Direct-Browser-Access", "X-Stainless-Os", "Ocp-Apim-Subscription-Key", "Expect", "Range", "If-None-Match", "X_Api_Key",
	}
	for path, request := range map[string]string{
		chatPath:                              ask("up/m"),
		"/v1/messages":                        `{"model":"up/m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`,
		"/v1/responses":                       `{"model":"up/m","input":"hi"}`,
		"/v1beta/models/up/m:generateContent": geminiBody,
	} {
		for _, speaks := range []string{`["chat","messages","responses","gemini"]`, `["chat"]`, `["messages"]`, `["gemini"]`} {
			g := newGateway(t, withProviderConfig("up", `{"speaks":`+speaks+`}`, func(c *ProviderConfig) { c.APIKeys = []string{"ours"} }, respond(200, chatAnswer)))
			r := newRequest(http.MethodPost, path+"?key="+canary, strings.NewReader(request))
			for _, name := range leaky {
				r.Header.Set(name, canary)
			}
			r.Header["x-api-key"] = []string{canary} // not canonical
			r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
			g.do(r)
			if g.up["up"].count() == 0 {
				continue // there is no translation between these two
			}
			c := g.up["up"].last(t)
			for name, values := range c.header {
				if strings.Contains(strings.Join(values, " "), canary) {
					t.Errorf("%s as %s: %s went out", path, speaks, name)
				}
			}
			if strings.Contains(c.path+c.body, canary) {
				t.Errorf("%s as %s: %s %s", path, speaks, c.path, c.body)
			}
			if c.key != "Bearer ours" || c.header.Get("Traceparent") == "" || c.header.Get("User-Agent") != providers.UserAgent {
				t.Errorf("%s as %s: %v", path, speaks, c.header)
			}
		}
	}
}

func TestHeadersOfADialectGoOnlyToProvidersThatSpeakIt(t *testing.T) {
	for speaks, want := range map[string]bool{`["messages"]`: true, `["chat"]`: false} {
		g := newGateway(t, withProviderConfig("up", `{"speaks":`+speaks+`}`, nil, respond(200, chatAnswer)))
		r := newRequest(http.MethodPost, "/v1/messages", strings.NewReader(`{"model":"up/m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`))
		r.Header.Set("Anthropic-Beta", "context-1m")
		g.do(r)
		if got := g.up["up"].last(t).header.Get("Anthropic-Beta") != ""; got != want {
			t.Errorf("%s: forwarded %v", speaks, got)
		}
	}
}

func TestConfiguredHeadersAreSentAndDoNotChangeTheClients(t *testing.T) {
	g := newGateway(t, withProviderConfig("up", `{"speaks":["messages"]}`, func(c *ProviderConfig) {
		c.Headers = &headers.HeaderOps{
			Set:     http.Header{"X-Team": {"{http.request.header.X-Who}"}, "Host": {"other.example"}},
			Replace: map[string][]headers.Replacement{"Anthropic-Beta": {{Search: "a", Replace: "bb"}}},
		}
	}, respond(500, `{}`), respond(200, chatAnswer)))
	r := newRequest(http.MethodPost, "/v1/messages", strings.NewReader(`{"model":"up/m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`))
	r.Header.Set("Anthropic-Beta", "a")
	r.Header.Set("X-Who", "{env.PATH}")
	before := maps.Clone(r.Header)
	g.do(r)
	for i, c := range g.up["up"].calls {
		if got := c.header.Get("Anthropic-Beta"); got != "bb" || c.header.Get("X-Team") != "{env.PATH}" || c.header.Get("Host") != "" {
			t.Errorf("attempt %d: %v", i+1, c.header)
		}
	}
	for name, values := range r.Header {
		if !slices.Equal(values, before[name]) || name == "Anthropic-Beta" && values[0] != "a" {
			t.Errorf("the client's own %s became %q", name, values)
		}
	}
}

func TestAHeaderThatIsRemovedIsNotReplacedByTheLibrarys(t *testing.T) {
	got := make(chan http.Header, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("User-Agent", providers.UserAgent)
	p := &provider{headers: &headers.HeaderOps{Delete: []string{"User-Agent"}, Set: http.Header{"Host": {"other.example"}}}}
	p.changeHeaders(r, caddy.NewEmptyReplacer())
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if h := <-got; h.Get("User-Agent") != "" || r.Host != "other.example" {
		t.Errorf("%v at %s", h, r.Host)
	}
}

func TestThePathOfACallCannotBeChosenByItsModel(t *testing.T) {
	for _, name := range []string{"../../admin", "x?y=z", "x#y", "x%2F..%2Fy", "a/../b", "x:deleteModel?"} {
		g := newGateway(t, withProviderConfig("up", `{"speaks":["gemini"]}`, nil, respond(200, `{}`)))
		g.post(chatPath, ask("up/"+name))
		if g.up["up"].count() == 0 {
			continue
		}
		path := g.up["up"].last(t).path
		rest, ok := strings.CutPrefix(path, "/v1beta/models/")
		if rest, found := strings.CutSuffix(rest, ":generateContent"); !ok || !found || strings.ContainsAny(rest, "/?#:") {
			t.Errorf("%q leads to %s", name, path)
		}
	}
}

func TestTheProvidersNameOfARequestIsCleaned(t *testing.T) {
	h := http.Header{"Request-Id": {"abc\r\n\x1bdef" + strings.Repeat("x", 1000)}}
	if got := providerRequestID(h); strings.ContainsAny(got, "\r\n\x1b") || len(got) > maxScopeValue {
		t.Errorf("%q", got)
	}
	if got := providerRequestID(http.Header{}); got != "" {
		t.Errorf("%q", got)
	}
}

package llmgateway

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-llm/llmgateway/balancing"
)

func TestSettingsOfAModelReplaceThoseOfTheHandlerFieldByField(t *testing.T) {
	five := 5
	g := newGateway(t, withProvider("a", respond(200, chatAnswer)), with(func(h *Handler) {
		h.LoadBalancing = &LoadBalancing{Retries: &five, RetryOn: []string{"connect"}, PolicyRaw: []byte(`{"policy":"session","key":"{http.request.header.X-S}"}`)}
		h.Timeouts = &Timeouts{FirstToken: caddy.Duration(time.Second), Idle: caddy.Duration(2 * time.Second)}
		m := model("m", "a/x")
		m.LoadBalancing = &LoadBalancing{TryInterval: caddy.Duration(7 * time.Second), PolicyRaw: []byte(`{"policy":"random"}`)}
		m.Timeouts = &Timeouts{Idle: caddy.Duration(9 * time.Second), Stream: caddy.Duration(time.Hour)}
		h.Models = []*ModelConfig{m, model("plain", "a/x")}
	}))
	plain, m := g.currentTable().exact["plain"].settings, g.currentTable().exact["m"].settings
	if plain.firstToken != time.Second || plain.idle != 2*time.Second || plain.request != defaultRequest || plain.stream != defaultStream {
		t.Errorf("handler's timeouts: %+v", plain)
	}
	if m.firstToken != time.Second || m.idle != 9*time.Second || m.request != defaultRequest || m.stream != time.Hour {
		t.Errorf("model's timeouts: %+v", m)
	}
	if plain.retry.Retries != 5 || plain.retry.TargetTries != 6 || plain.retry.TryInterval != balancing.DefaultTryInterval || plain.affinity != "{http.request.header.X-S}" {
		t.Errorf("handler's balancing: %+v", plain)
	}
	if m.retry.Retries != 5 || m.retry.TryInterval != 7*time.Second || !m.retry.On.Has("connect") || m.retry.On.Has("timeout") || m.affinity != "" {
		t.Errorf("model's balancing: %+v", m)
	}
	if _, ok := m.policy.(*balancing.Random); !ok {
		t.Errorf("model's policy is %T", m.policy)
	}
}

func TestDefaultSettings(t *testing.T) {
	g := newGateway(t, withProvider("a", respond(200, chatAnswer)))
	s := g.defaults
	if _, ok := s.policy.(*balancing.Priority); !ok || s.retry != balancing.DefaultRetryRules() || s.firstToken != 120*time.Second ||
		s.idle != 120*time.Second || s.request != 10*time.Minute || s.stream != 30*time.Minute || g.MaxBody != 32<<20 {
		t.Errorf("%+v, max_body %d", s, g.MaxBody)
	}
}

func TestMistakesInSettingsAreFoundAtLoading(t *testing.T) {
	minus := -1
	for name, tc := range map[string]struct {
		change func(h *Handler)
		want   string
	}{
		"negative retries":           {func(h *Handler) { h.LoadBalancing = &LoadBalancing{Retries: &minus} }, "-1 retries"},
		"an unknown class":           {func(h *Handler) { h.LoadBalancing = &LoadBalancing{RetryOn: []string{"rain"}} }, "'rain'"},
		"an unknown policy":          {func(h *Handler) { h.LoadBalancing = &LoadBalancing{PolicyRaw: []byte(`{"policy":"astrology"}`)} }, "astrology"},
		"a range without sense":      {func(h *Handler) { h.AllowAnonymous = []string{"everybody"} }, `"everybody" is not an address range`},
		"a scope without a name":     {func(h *Handler) { h.Identify = []ScopeConfig{{Placeholders: []string{"{x}"}}} }, "not a scope name"},
		"a scope without a source":   {func(h *Handler) { h.Identify = []ScopeConfig{{Scope: "s"}} }, "no placeholder"},
		"a scope that is no word":    {func(h *Handler) { h.Identify = []ScopeConfig{{Scope: "a b", Placeholders: []string{"{x}"}}} }, "not a scope name"},
		"a negative max_body":        {func(h *Handler) { h.MaxBody = -1 }, "is negative"},
		"errors for nobody":          {func(h *Handler) { h.Errors = "nobody" }, "neither dialect nor caddy"},
		"a price file that is not":   {func(h *Handler) { h.PriceFiles = []string{"/nonexistent/prices.json"} }, "prices:"},
		"a ledger that is not":       {func(h *Handler) { h.LedgerRaw = []byte(`{"ledger":"papyrus"}`) }, "papyrus"},
		"a provider without a name":  {func(h *Handler) { h.Providers = []*ProviderConfig{{}} }, "has no name"},
		"a provider with a slash":    {func(h *Handler) { h.Providers = []*ProviderConfig{{Name: "a/b"}} }, "may hold letters"},
		"a provider with two dashes": {func(h *Handler) { h.Providers = []*ProviderConfig{{Name: "a--b"}} }, "two dashes"},
		"a provider of no kind":      {func(h *Handler) { h.Providers = []*ProviderConfig{{Name: "opnai"}} }, `did you mean "openai"?`},
		"a provider given twice": {func(h *Handler) {
			h.Providers = append(h.Providers, h.Providers[0])
		}, "declared twice"},
		"a dialect that is not":         {func(h *Handler) { h.Providers[0].Dialects = []string{"esperanto"} }, `"esperanto"`},
		"a base URL of another scheme":  {func(h *Handler) { h.Providers[0].BaseURLs = []string{"ftp://x"} }, "not an http://"},
		"a base URL with a password":    {func(h *Handler) { h.Providers[0].BaseURLs = []string{"http://u:hunter2@x"} }, "cannot hold a user name"},
		"a base URL with a fragment":    {func(h *Handler) { h.Providers[0].BaseURLs = []string{"http://x/#y"} }, "fragment"},
		"a key that cannot be resolved": {func(h *Handler) { h.Providers[0].APIKeys = []string{"{env.LLMGATEWAY_TEST_UNSET}"} }, "{env.LLMGATEWAY_TEST_UNSET} is empty"},
		"a key that is empty":           {func(h *Handler) { h.Providers[0].APIKeys = []string{" "} }, "API key is empty"},
		"a transport for in-process":    {func(h *Handler) { h.Providers[0].TransportRaw = []byte(`{"protocol":"http"}`) }, "no transport to configure"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &Handler{MetricsOff: true, Providers: []*ProviderConfig{{Name: "a", ProviderRaw: []byte(`{"kind":"scripted"}`)}}}
			tc.change(h)
			err := provision(t, h)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want something about %q", err, tc.want)
			}
		})
	}
}

func TestTheValueOfAScope(t *testing.T) {
	long := strings.Repeat("ü", maxScopeValue)
	for _, tc := range []struct {
		name         string
		placeholders []string
		headers      map[string]string
		want         string
	}{
		{"is that of its placeholder", []string{"{http.request.header.X-A}"}, map[string]string{"X-A": "v"}, "v"},
		{"is the first that is not empty", []string{"{http.request.header.X-A}", "{http.request.header.X-B}"}, map[string]string{"X-B": "v"}, "v"},
		{"may be a template", []string{"team-{http.request.header.X-A}"}, map[string]string{"X-A": "v"}, "team-v"},
		{"is empty without any", []string{"{http.request.header.X-A}"}, nil, ""},
		{"holds no control characters", []string{"{http.request.header.X-A}"}, map[string]string{"X-A": "a\x00\r\n\x1b[31mb\x7f"}, "a[31mb"},
		{"is cut to 128 bytes between characters", []string{"{http.request.header.X-A}"}, map[string]string{"X-A": "x" + long}, "x" + long[:126]},
		{"is not expanded a second time", []string{"{http.request.header.X-A}"}, map[string]string{"X-A": "{env.PATH}"}, "{env.PATH}"},
		{"is text", []string{"{http.request.header.X-A}"}, map[string]string{"X-A": "a\xffb"}, "ab"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := &Handler{Identify: []ScopeConfig{{Scope: "feature", Placeholders: tc.placeholders}}}
			if err := h.provisionScopes(); err != nil {
				t.Fatal(err)
			}
			r := newRequest(http.MethodPost, chatPath, nil)
			for k, v := range tc.headers {
				r.Header[k] = []string{v}
			}
			repl := caddy.NewReplacer()
			caddyhttp.PrepareRequest(r, repl, nil, &caddyhttp.Server{})
			i := slices.IndexFunc(h.scopes, func(s scope) bool { return s.name == "feature" })
			if got := h.scopes[i].value(repl); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestScopesAreFilledFromCaddysAuthentication(t *testing.T) {
	g := newGateway(t, withProvider("up", respond(200, chatAnswer)), with(func(h *Handler) {
		h.Identify = []ScopeConfig{{Scope: "project", Placeholders: []string{"{http.request.header.X-P}"}}}
	}))
	r := newRequest(http.MethodPost, chatPath, strings.NewReader(ask("up/m")))
	r.Header.Set("X-P", "apollo")
	repl := caddy.NewReplacer()
	repl.Set("http.auth.user.id", "ada")
	repl.Set("http.auth.user.team", "analysis")
	repl.Set("http.auth.user.key", "key-1")
	w := newTimeline()
	if err := g.ServeHTTP(w, caddyhttp.PrepareRequest(r, repl, w, &caddyhttp.Server{}), nil); err != nil {
		t.Fatal(err)
	}
	if e := g.entries()[0]; e.User != "ada" || e.Team != "analysis" || e.Key != "key-1" || len(e.Tags) != 1 || e.Tags["project"] != "apollo" {
		t.Errorf("%+v", e)
	}
}

func TestWhoMayUseTheGateway(t *testing.T) {
	for _, tc := range []struct {
		name, remote string
		allow        []string
		want         bool
	}{
		{"loopback", "127.0.0.1:1", nil, true},
		{"loopback of IPv6", "[::1]:1", nil, true},
		{"a private address", "10.1.2.3:1", nil, true},
		{"a private address mapped into IPv6", "[::ffff:192.168.1.1]:1", nil, true},
		{"a public address mapped into IPv6", "[::ffff:8.8.8.8]:1", nil, false},
		{"a link-local address with a zone", "[fe80::1%eth0]:1", nil, true},
		{"a unique local address", "[fd00::1]:1", nil, true},
		{"a public address", "8.8.8.8:1", nil, false},
		{"a public address of IPv6", "[2001:4860::1]:1", nil, false},
		{"no address", "@", nil, false},
		{"a name", "localhost:1", nil, false},
		{"an allowed range", "203.0.113.9:1", []string{"203.0.113.0/24"}, true},
		{"an allowed range written with host bits", "203.0.113.9:1", []string{"203.0.113.77/24"}, true},
		{"an allowed address", "203.0.113.9:1", []string{"203.0.113.9"}, true},
		{"an allowed address mapped into IPv6", "203.0.113.9:1", []string{"::ffff:203.0.113.9"}, true},
		{"loopback when only others are allowed", "127.0.0.1:1", []string{"203.0.113.0/24"}, false},
		{"loopback when private ranges are named, too", "127.0.0.1:1", []string{"203.0.113.0/24", "private_ranges"}, true},
		{"nobody when the list is empty", "127.0.0.1:1", []string{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newGateway(t, withProvider("up", respond(200, chatAnswer)), with(func(h *Handler) { h.AllowAnonymous = tc.allow }))
			r := newRequest(http.MethodPost, chatPath, strings.NewReader(ask("up/m")))
			r.RemoteAddr = tc.remote
			w := g.do(r)
			if (w.Code == 200) != tc.want || !tc.want && (w.Code != 401 || g.up["up"].count() != 0) {
				t.Errorf("%s: %d", tc.remote, w.Code)
			}
			list := newRequest(http.MethodGet, "/v1/models", nil)
			list.RemoteAddr = tc.remote
			if w := g.do(list); (w.Code == 200) != tc.want {
				t.Errorf("%s lists models: %d", tc.remote, w.Code)
			}
		})
	}
}

func TestAHeaderThatNamesAUserIsNoAuthentication(t *testing.T) {
	g := newGateway(t, withProvider("up", respond(200, chatAnswer)), with(func(h *Handler) {
		h.Identify = []ScopeConfig{{Scope: "user", Placeholders: []string{"{http.request.header.X-User}"}}}
	}))
	r := newRequest(http.MethodPost, chatPath, strings.NewReader(ask("up/m")))
	r.RemoteAddr = "8.8.8.8:1"
	r.Header.Set("X-User", "anybody")
	if w := g.do(r); w.Code != http.StatusUnauthorized || g.up["up"].count() != 0 {
		t.Errorf("a client from the Internet got %d", w.Code)
	}
}

func TestAUserOfCaddyMayComeFromAnywhere(t *testing.T) {
	g := newGateway(t, withProvider("up", respond(200, chatAnswer)))
	r := newRequest(http.MethodPost, chatPath, strings.NewReader(ask("up/m")))
	r.RemoteAddr = "8.8.8.8:1"
	repl := caddy.NewReplacer()
	w := newTimeline()
	r = caddyhttp.PrepareRequest(r, repl, w, &caddyhttp.Server{})
	repl.Set("http.auth.user.id", "ada")
	if err := g.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, repl)), nil); err != nil || w.status != 200 {
		t.Errorf("%d %v", w.status, err)
	}
}

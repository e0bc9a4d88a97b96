package llmgateway

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// checked answers GET requests with the status in code, and all others as an answer to a chat.
func checked(code *atomic.Int64, seen *atomic.Pointer[http.Request]) answer {
	return func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodGet {
			return respond(200, chatAnswer)(r)
		}
		seen.Store(r)
		return respond(int(code.Load()), `{}`)(r)
	}
}

func TestHealthChecksTakeAnEndpointOutAndBringItBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var code atomic.Int64
		var seen atomic.Pointer[http.Request]
		code.Store(200)
		g := newGateway(t,
			withProviderConfig("one", `{}`, func(c *ProviderConfig) {
				c.APIKeys = []string{"secret-key"}
				c.ActiveHealth = &ActiveHealth{URI: "/health?deep=1", Interval: caddy.Duration(10 * time.Second)}
			}, checked(&code, &seen)),
			withProvider("two", respond(200, chatAnswer)), withModel("m", "one/x", "two/x"))
		target := func() string {
			return g.post(chatPath, ask("m")).Header().Get("X-Llm-Gateway-Target")
		}
		expect := func(after time.Duration, want string) {
			t.Helper()
			time.Sleep(after) // virtual
			synctest.Wait()
			if got := target(); got != want {
				t.Errorf("%s is asked, want %s", got, want)
			}
		}
		expect(0, "one/x")
		if seen.Load() != nil {
			t.Error("checked while the configuration was loaded")
		}
		expect(11*time.Second, "one/x")
		if r := seen.Load(); r == nil || r.URL.Path != "/health" || r.URL.RawQuery != "deep=1" || r.Header.Get("Authorization") != "Bearer secret-key" || r.Header.Get("Content-Type") != "" {
			t.Fatalf("checked with %+v", r)
		}
		code.Store(503)
		expect(20*time.Second, "one/x") // two failed checks are none
		expect(10*time.Second, "two/x")
		code.Store(401) // it answers
		expect(10*time.Second, "two/x")
		expect(10*time.Second, "one/x")
	})
}

func TestHealthChecksEndWithTheirConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var code atomic.Int64
		var seen atomic.Pointer[http.Request]
		code.Store(503)
		check := withProviderConfig("one", `{}`, func(c *ProviderConfig) { c.ActiveHealth = &ActiveHealth{URI: "/health"} }, checked(&code, &seen))
		keep := newGateway(t, check)
		time.Sleep(4 * defaultCheckInterval) // virtual
		synctest.Wait()
		if n := keep.up["one"].count(); n != 4 {
			t.Errorf("%d checks in four intervals", n)
		}
		g := newGateway(t, withProvider("one", respond(200, chatAnswer))) // the same endpoint without checks
		if w := g.post(chatPath, ask("one/x")); w.Code != 200 {
			t.Errorf("still out: %d %s", w.Code, w.Body)
		}
	})
}

func TestWhatIsWrongWithHealthChecks(t *testing.T) {
	for _, c := range []*ActiveHealth{{Interval: 1}, {URI: "health"}, {URI: "/a#b"}, {URI: "/a", Timeout: -1}} {
		h := &Handler{Providers: []*ProviderConfig{{Name: "up", ProviderRaw: []byte(`{"kind":"scripted","script":"none"}`), ActiveHealth: c}}}
		if err := provision(t, h); err == nil || !strings.Contains(err.Error(), "active_health: ") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestHealthChecksGoOverATransportWithPlaceholders(t *testing.T) {
	t.Setenv("UPSTREAM_NAME", "example.com")
	asked := make(chan string, 1)
	up := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.TLS.ServerName }))
	defer up.Close()
	h := &Handler{MetricsOff: true, Providers: []*ProviderConfig{{
		Name: "a", ProviderRaw: []byte(`{"kind":"compatible"}`), BaseURLs: []string{up.URL},
		TransportRaw: []byte(`{"protocol":"http","tls":{"server_name":"{env.UPSTREAM_NAME}","insecure_skip_verify":true}}`),
	}}}
	if err := provision(t, h); err != nil {
		t.Fatal(err)
	}
	check := healthCheck{logger: h.logger, p: h.providers[0], path: "/health", timeout: 10 * time.Second}
	if !check.ask(t.Context(), h.providers[0].upstreams[0]) {
		t.Error("the endpoint answers, but the check failed")
	}
	if name := <-asked; name != "example.com" {
		t.Errorf("asked for %q", name)
	}
}

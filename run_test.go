package llmgateway

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/balancing"
	"github.com/caddy-llm/llmgateway/providers"
)

var refused = &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}

// outcome is what a request came to, in one line: status, attempts and what was charged to whom.
func (g *gateway) outcome(status int) string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(status))
	for _, e := range g.entries() {
		b.WriteString(" " + e.Provider + ":" + orElse(e.ErrorClass, "ok"))
	}
	return b.String()
}

func retries(n int) option {
	return with(func(h *Handler) { h.LoadBalancing = &LoadBalancing{Retries: &n} })
}

func TestWhatFollowsAFailedAttempt(t *testing.T) {
	ok := respond(200, chatAnswer)
	fails := func(status int, body string) answer { return respond(status, body) }
	two := func(a, b answer) []option {
		return []option{withProvider("a", a), withProvider("b", b), withModel("m", "a/x", "b/y")}
	}
	for _, tc := range []struct {
		name    string
		options []option
		want    string
	}{
		{"the first target answers", two(ok, ok), "200 a:ok"},
		{"a server error goes to the next target", two(fails(500, serverError), ok), "200 a:server_error b:ok"},
		{"an overload goes to the next target", two(fails(529, `{}`), ok), "200 a:overloaded b:ok"},
		{"a rate limit goes to the next target", two(fails(429, rateLimited), ok), "200 a:rate_limit b:ok"},
		{"a redirect is not followed", two(respond(302, "", "Location", "http://169.254.169.254/"), ok), "200 a:server_error b:ok"},
		{"an error inside a success goes to the next target", two(respond(200, serverError), ok), "200 a:server_error b:ok"},
		{"a refused connection goes to the next target", two(refuse(refused), ok), "200 a:connect b:ok"},
		{"a certificate that is not to be trusted goes to the next target", two(refuse(&tls.CertificateVerificationError{}), ok), "200 a:tls b:ok"},
		{"a reset connection goes to the next target", two(refuse(syscall.ECONNRESET), ok), "200 a:server_error b:ok"},
		{"a mistake of the client is not repeated", two(fails(400, `{"error":{"message":"no","type":"invalid_request_error"}}`), ok), "400 a:invalid"},
		{"a model that is not there is not looked for elsewhere", two(fails(404, `{}`), ok), "404 a:not_found"},
		{"content that is refused is not tried elsewhere", two(fails(400, `{"error":{"code":"content_filter"}}`), ok), "400 a:content_filter"},
		{"three attempts are the most", []option{
			withProvider("a", fails(500, serverError)), withProvider("b", fails(500, serverError)), withProvider("c", fails(500, serverError)),
			withProvider("d", ok), withModel("m", "a/x", "b/x", "c/x", "d/x"),
		}, "500 a:server_error b:server_error c:server_error"},
		{"no retries means one attempt", append(two(fails(500, serverError), ok), retries(0)), "500 a:server_error"},
		{"a single target is asked twice", []option{withProvider("a", fails(500, serverError)), withModel("m", "a/x")}, "500 a:server_error a:server_error"},
		{"a single target may have recovered", []option{withProvider("a", fails(500, serverError), ok), withModel("m", "a/x")}, "200 a:server_error a:ok"},
		{"a single target is not pestered after a rate limit without a measure", []option{withProvider("a", fails(429, rateLimited)), withModel("m", "a/x")}, "429 a:rate_limit"},
		{"a request that cannot be prepared is our mistake", []option{withProviderConfig("a", `{"fails":true}`, nil, ok), withModel("m", "a/x")}, "500 a:internal"},
		{"a target that cannot take the request is passed over", []option{withProviderConfig("a", `{"speaks":["unheard_of"]}`, nil, ok), withProvider("b", ok), withModel("m", "a/x", "b/x")}, "200 b:ok"},
		{"a request that no target can take is the client's to mend", []option{withProviderConfig("a", `{"speaks":["unheard_of"]}`, nil, ok), withModel("m", "a/x")}, "400"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGateway(t, tc.options...)
				w := g.post(chatPath, ask("m"))
				if got := g.outcome(w.Code); got != tc.want {
					t.Errorf("got %q, want %q: %s", got, tc.want, w.Body)
				}
				if n := w.Header().Get("X-Llm-Gateway-Attempts"); len(g.entries()) > 0 && n != strconv.Itoa(len(g.entries())) {
					t.Errorf("the header says %s attempts", n)
				}
			})
		})
	}
}

func TestAnotherKeyIsTriedBeforeAnythingElse(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer answer
	}{
		{"when the first is rate limited", respond(429, rateLimited, "Retry-After", "2")},
		{"when the first is refused", respond(401, `{"error":{"code":"invalid_api_key"}}`)},
		{"when the first is out of money", respond(429, `{"error":{"code":"insufficient_quota"}}`)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGateway(t, withProviderConfig("a", `{}`, func(c *ProviderConfig) { c.APIKeys = []string{"k1", "k2"} },
					tc.answer, respond(200, chatAnswer)), withModel("m", "a/x"))
				start := time.Now()
				if w := g.post(chatPath, ask("m")); w.Code != 200 || time.Since(start) != 0 {
					t.Fatalf("%s after %s", g.outcome(w.Code), time.Since(start))
				}
				calls := g.up["a"].calls
				if len(calls) != 2 || calls[0].key == calls[1].key {
					t.Fatalf("the keys used were %v", []string{calls[0].key, calls[len(calls)-1].key})
				}
				for range 4 { // the first key rests
					g.post(chatPath, ask("m"))
				}
				for _, c := range g.up["a"].calls[1:] {
					if c.key == calls[0].key {
						t.Error("the resting key was used")
					}
				}
			})
		})
	}
}

func TestAProvidersOwnPolicyKeepsSessionsByItsOwnPlaceholder(t *testing.T) {
	g := newGateway(t, withProviderConfig("a", `{}`, func(c *ProviderConfig) {
		c.APIKeys = []string{"k1", "k2", "k3", "k4"}
		c.LoadBalancing = &LoadBalancing{PolicyRaw: []byte(`{"policy":"session","key":"{http.request.header.X-Conversation}"}`)}
	}, respond(200, chatAnswer)))
	used := map[string]bool{}
	for session := range 20 {
		keys := map[string]bool{}
		for range 5 {
			r := newRequest(http.MethodPost, chatPath, strings.NewReader(ask("a/x")))
			r.Header.Set("X-Conversation", strconv.Itoa(session))
			g.do(r)
			keys[g.up["a"].last(t).key] = true
		}
		if len(keys) != 1 {
			t.Errorf("session %d went to %d keys", session, len(keys))
		}
		maps.Copy(used, keys)
	}
	if len(used) != 4 {
		t.Errorf("only %d keys were used", len(used))
	}
}

func TestFallbacksAreTriedWhenEveryTargetIsExhausted(t *testing.T) {
	g := newGateway(t, withProvider("a", respond(500, serverError)), withProvider("b", respond(500, serverError)), withProvider("c", respond(200, chatAnswer)),
		with(func(h *Handler) {
			h.Models = []*ModelConfig{
				{Name: "m", To: []TargetConfig{{Target: "a/x"}, {Target: "b/x"}}, Fallbacks: []string{"other"}},
				{Name: "other", To: []TargetConfig{{Target: "c/z"}}},
			}
		}))
	w := g.post(chatPath, ask("m"))
	if got := g.outcome(w.Code); got != "200 a:server_error b:server_error c:ok" {
		t.Error(got)
	}
	if got := w.Header().Get("X-Llm-Gateway-Target"); got != "c/z" {
		t.Errorf("the target was %s", got)
	}
	if got := gjson.Get(g.up["c"].last(t).body, "model").Str; got != "z" {
		t.Errorf("the fallback was asked for %q", got)
	}
}

func TestTheSameTargetIsAskedAgainOnlyAfterARest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("a", respond(429, rateLimited, "Retry-After", "3"), respond(200, chatAnswer)), withModel("m", "a/x"))
		start := time.Now()
		w := g.post(chatPath, ask("m"))
		if waited := time.Since(start); w.Code != 200 || waited < 3*time.Second || waited > 4*time.Second {
			t.Errorf("%d after %s", w.Code, waited)
		}
	})
}

func TestARestThatIsTooLongIsTheClientsToWaitFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("a", respond(429, rateLimited, "Retry-After", "60")), withModel("m", "a/x"))
		start := time.Now()
		for i, want := range []string{"60", "60", "60"} {
			w := g.post(chatPath, ask("m"))
			if w.Code != 429 || w.Header().Get("Retry-After") != want || w.Header().Get("X-Should-Retry") != "" {
				t.Errorf("request %d: %d %v", i, w.Code, w.Header())
			}
		}
		if n := g.up["a"].count(); n != 1 || time.Since(start) != 0 {
			t.Errorf("%d calls in %s; a target that asked for a rest is left alone", n, time.Since(start))
		}
	})
}

func TestAStormOfRateLimitsIsNotAmplified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("a", respond(429, rateLimited, "Retry-After", "1")), withProvider("b", respond(429, rateLimited, "Retry-After", "1")),
			withModel("m", "a/x", "b/x"), retries(0))
		const seconds, perSecond = 10, 100
		for range seconds * perSecond {
			if w := g.post(chatPath, ask("m")); w.Code != 429 || w.Header().Get("Retry-After") == "" {
				t.Fatalf("%d %v", w.Code, w.Header())
			}
			time.Sleep(time.Second / perSecond)
		}
		if n := g.up["a"].count() + g.up["b"].count(); n > 2*(seconds+1) {
			t.Errorf("%d calls in %d seconds", n, seconds)
		}
	})
}

func TestATargetThatKeepsFailingIsLeftAloneAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("a", respond(500, serverError)), withProvider("b", respond(200, chatAnswer)), withModel("m", "a/x", "b/x"))
		for range 20 {
			if w := g.post(chatPath, ask("m")); w.Code != 200 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		if n := g.up["a"].count(); n != 5 {
			t.Errorf("the failing target was called %d times", n)
		}
		g.up["a"].answers[0] = respond(200, chatAnswer)
		time.Sleep(15 * time.Second)
		g.post(chatPath, ask("m"))
		time.Sleep(4 * time.Second) // the slow start
		if w := g.post(chatPath, ask("m")); w.Header().Get("X-Llm-Gateway-Target") != "a/x" {
			t.Error("the target that came back is not used")
		}
	})
}

func TestAnOnlyTargetThatRestsIsAskedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("a", respond(500, serverError)), withModel("m", "a/x"), retries(0))
		for range 5 {
			g.post(chatPath, ask("m"))
		}
		before := g.up["a"].count()
		for range 30 {
			w := g.post(chatPath, ask("m"))
			if w.Code < 500 || w.Header().Get("X-Should-Retry") == "" && w.Header().Get("Retry-After") == "" {
				t.Fatalf("%d %v", w.Code, w.Header())
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := g.up["a"].count() - before; n < 3 || n > 4 {
			t.Errorf("%d calls in three seconds", n)
		}
		g.up["a"].answers[0] = respond(200, chatAnswer)
		time.Sleep(time.Second)
		if w := g.post(chatPath, ask("m")); w.Code != 200 {
			t.Errorf("%d after the target came back", w.Code)
		}
	})
}

func TestARefusedKeyIsQuarantinedAndTheClientNeverSeesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const body = `{"error":{"message":"Incorrect API key provided: sk-secret-1234","code":"invalid_api_key"}}`
		g := newGateway(t, withProviderConfig("a", `{}`, func(c *ProviderConfig) { c.APIKeys = []string{"sk-secret-1234"} }, respond(401, body)),
			withProvider("b", respond(200, chatAnswer)), withModel("m", "a/x", "b/x"))
		first := g.post(chatPath, ask("m"))
		if first.Code == 401 || strings.Contains(first.Body.String(), "sk-secret") {
			t.Errorf("the client got %d %s", first.Code, first.Body)
		}
		for range 10 {
			if w := g.post(chatPath, ask("m")); w.Code != 200 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		}
		if n := g.up["a"].count(); n != 1 {
			t.Errorf("the refused key was used %d times", n)
		}
	})
}

func TestAnEmptyAccountIsTheOperatorsAndNotTheClientsMatter(t *testing.T) {
	for _, status := range []int{402, 429, 400} {
		g := newGateway(t, withProvider("a", respond(status, `{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}`)), withModel("m", "a/x"))
		w := g.post(chatPath, ask("m"))
		if w.Code != http.StatusBadGateway || gjson.Get(w.Body.String(), "error.code").Str != "upstream_credential" {
			t.Errorf("status %d: the client got %d %s", status, w.Code, w.Body)
		}
	}
}

func TestNoFirstTokenInTimeGoesToTheNextTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("a", silent), withProvider("b", stream(chatStream)), withModel("m", "a/x", "b/x"),
			with(func(h *Handler) { h.Timeouts = &Timeouts{FirstToken: caddy.Duration(5 * time.Second)} }))
		start := time.Now()
		w := g.post(chatPath, askStream("m"))
		if got := g.outcome(w.Code); got != "200 a:timeout b:ok" || time.Since(start) != 5*time.Second {
			t.Errorf("%s after %s", got, time.Since(start))
		}
	})
}

func TestTheRequestTimeoutEndsAllTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("a", silent), withProvider("b", silent), withModel("m", "a/x", "b/x"),
			with(func(h *Handler) { h.Timeouts = &Timeouts{Request: caddy.Duration(7 * time.Second)} }))
		start := time.Now()
		w := g.post(chatPath, ask("m"))
		if w.Code != http.StatusGatewayTimeout || time.Since(start) != 7*time.Second || len(g.entries()) != 1 {
			t.Errorf("%s after %s", g.outcome(w.Code), time.Since(start))
		}
	})
}

func TestTryDurationEndsTheStartingOfTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(r *http.Request) (*http.Response, error) {
			time.Sleep(3 * time.Second)
			return respond(500, serverError)(r)
		}
		g := newGateway(t, withProvider("a", slow), withProvider("b", respond(200, chatAnswer)), withModel("m", "a/x", "b/x"),
			with(func(h *Handler) { h.LoadBalancing = &LoadBalancing{TryDuration: caddy.Duration(2 * time.Second)} }))
		if got := g.outcome(g.post(chatPath, ask("m")).Code); got != "500 a:server_error" {
			t.Error(got)
		}
	})
}

func TestAClientThatLeavesDuringTheBackoffEndsTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		g := newGateway(t, withProvider("a", respond(429, rateLimited, "Retry-After", "5")), withModel("m", "a/x"))
		start := time.Now()
		r := newRequest(http.MethodPost, chatPath, strings.NewReader(ask("m"))).WithContext(ctx)
		if w := g.do(r); w.Body.Len() != 0 || time.Since(start) != time.Second || g.up["a"].count() != 1 {
			t.Errorf("%d calls, %q after %s", g.up["a"].count(), w.Body, time.Since(start))
		}
	})
}

func TestATransportsOwnCancellationIsNotTakenForAClientThatLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		canceled := errors.Join(errors.New("shared dial"), context.Canceled)
		g := newGateway(t, withProvider("a", refuse(canceled)), withProvider("b", respond(200, chatAnswer)), withModel("m", "a/x", "b/x"))
		if w := g.post(chatPath, ask("m")); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "hello") {
			t.Errorf("the client got %d %q", w.Code, w.Body)
		}
	})
}

func TestExhaustionListsEveryAttempt(t *testing.T) {
	g := newGateway(t, withProvider("a", respond(500, serverError)), withProvider("b", respond(529, `{}`)), withModel("m", "a/x", "b/y"))
	w := g.post(chatPath, ask("m"))
	msg := gjson.Get(w.Body.String(), "error.message").Str
	if !strings.Contains(msg, "a/x (500 server_error), b/y (529 overloaded)") || w.Header().Get("X-Should-Retry") != "false" {
		t.Errorf("%d %q %v", w.Code, msg, w.Header())
	}
}

func TestTheClassesOfBalancingAreThoseOfTheProviders(t *testing.T) {
	for _, c := range []struct {
		balancing string
		provider  providers.Class
	}{
		{balancing.ClassConnect, providers.ClassConnect},
		{balancing.ClassTLS, providers.ClassTLS},
		{balancing.ClassTimeout, providers.ClassTimeout},
		{balancing.ClassRateLimit, providers.ClassRateLimit},
		{balancing.ClassOverloaded, providers.ClassOverloaded},
		{balancing.ClassServerError, providers.ClassServerError},
		{balancing.ClassAuth, providers.ClassAuth},
		{balancing.ClassBilling, providers.ClassBilling},
		{balancing.ClassContextLength, providers.ClassContextLength},
		{balancing.ClassContentFilter, providers.ClassContentFilter},
		{balancing.ClassInvalid, providers.ClassInvalid},
		{balancing.ClassNotFound, providers.ClassNotFound},
		{balancing.ClassCanceled, providers.ClassCanceled},
		{balancing.ClassInternal, providers.ClassInternal},
	} {
		if c.balancing != string(c.provider) {
			t.Errorf("balancing calls %q what the providers call %q", c.balancing, c.provider)
		}
	}
}

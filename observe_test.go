package llmgateway

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-llm/llmgateway/providers"
)

// gathered are the series of a registry as "name{label=value,...}" with their values.
func gathered(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			out[strings.TrimPrefix(f.GetName(), "caddy_llm_gateway_")+"{"+strings.Join(labels, ",")+"}"] = value
		}
	}
	return out
}

func withMetrics(h *Handler) { h.MetricsOff = false }

func (g *gateway) registry() *prometheus.Registry { return g.ctx.GetMetricsRegistry() }

func TestCountersGoOnAfterAReloadAndAreSharedByHandlers(t *testing.T) {
	const series = "requests_total{dialect=chat,model=shared-name,provider=shared,status=2xx}"
	load := func() *gateway {
		return newGateway(t, withProvider("shared", respond(200, chatAnswer)), withModel("shared-name", "shared/x"), with(withMetrics))
	}
	first, second := load(), load()
	before := gathered(t, first.registry())[series]
	first.post(chatPath, ask("shared-name"))
	second.post(chatPath, ask("shared-name"))
	if got := gathered(t, first.registry())[series] - before; got != 2 {
		t.Errorf("two handlers of two requests count %v", got)
	}
	reloaded := load()
	reloaded.post(chatPath, ask("shared-name"))
	if got := gathered(t, reloaded.registry())[series] - before; got != 3 {
		t.Errorf("after a reload there are %v", got)
	}
	again, err := newMetrics(reloaded.registry())
	if err != nil || again == nil {
		t.Errorf("a second handler of the same configuration: %v", err)
	}
}

func TestWhatIsCountedOfARequestThatWasRepaired(t *testing.T) {
	g := newGateway(t, withProvider("m1", respond(500, serverError)), withProvider("m2", respond(200, chatAnswer)), withModel("counted", "m1/x", "m2/y"),
		withPrice("m2/y", "1", "2"), with(withMetrics))
	before := gathered(t, g.registry())
	g.post(chatPath, ask("counted"))
	got := gathered(t, g.registry())
	for series, want := range map[string]float64{
		"requests_total{dialect=chat,model=counted,provider=m2,status=2xx}": 1,
		"attempts_total{model=counted,outcome=server_error,provider=m1}":    1,
		"attempts_total{model=counted,outcome=ok,provider=m2}":              1,
		"fallbacks_total{model=counted,provider=m2}":                        1,
		"tokens_total{model=counted,provider=m2,type=input}":                10,
		"tokens_total{model=counted,provider=m2,type=output}":               5,
		"cost_usd_total{model=counted,provider=m2}":                         20e-6,
		"request_duration_seconds{model=counted,provider=m2}":               1,
		"errors_total{class=server_error,model=counted,provider=m1}":        0,
		"streams_interrupted_total{by=upstream,model=counted,provider=m2}":  0,
		"requests_in_flight{}":                                              0,
		"targets_healthy{model=x,provider=m1}":                              1,
		"requests_total{dialect=chat,model=counted,provider=m1,status=5xx}": 0,
	} {
		if strings.HasPrefix(series, "targets_healthy") {
			before[series] = 0 // the others only grow
		}
		if v := got[series] - before[series]; v < want-1e-12 || v > want+1e-12 {
			t.Errorf("%s is %v, want %v", series, v, want)
		}
	}
}

func TestStreamsThatBreakAreCountedByWhoBrokeThem(t *testing.T) {
	g := newGateway(t, withProvider("sb", stream(chatRole+chatDelta)), withModel("breaks", "sb/x"), with(withMetrics))
	const series = "streams_interrupted_total{by=upstream,model=breaks,provider=sb}"
	before := gathered(t, g.registry())[series]
	g.post(chatPath, askStream("breaks"))
	if got := gathered(t, g.registry())[series] - before; got != 1 {
		t.Errorf("counted %v", got)
	}
}

func TestNoLabelHoldsTextOfTheClient(t *testing.T) {
	g := newGateway(t, withProvider("labels", respond(200, chatAnswer)), withModel("p-*", "labels/*"), with(withMetrics))
	const canary = "canary"
	for _, name := range []string{"labels/canary-1", "canary-2", "p-canary-3", "labels--canary-4"} {
		if w := g.post(chatPath, ask(name)); w.Code != 200 {
			t.Fatalf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	g.post(chatPath, `{"model":"labels/canary-5","user":"canary-6"`)
	for series := range gathered(t, g.registry()) {
		if strings.Contains(series, canary) {
			t.Errorf("a client made the series %s", series)
		}
	}
}

func TestAScrapeSurvivesNamesThatAreNotText(t *testing.T) {
	g := newGateway(t, withProvider("bytes", respond(200, chatAnswer)), with(withMetrics))
	g.do(newRequest(http.MethodPost, "/v1beta/models/bytes%2F%FF:generateContent", strings.NewReader(geminiBody)))
	for _, s := range targetStates(time.Now(), false) {
		if !utf8.ValidString(s.Model) {
			// No series can have such a label: the collector would panic, and the whole scrape fail.
			t.Fatalf("a state has the name %q", s.Model)
		}
	}
	gathered(t, g.registry())
}

func TestTwoProvidersOfOneNameDoNotBreakTheScrape(t *testing.T) {
	site := func(key string) *gateway {
		return newGateway(t, withProviderConfig("twice", `{}`, func(c *ProviderConfig) { c.APIKeys = []string{key} }, respond(200, chatAnswer)),
			withModel("m", "twice/x"), with(withMetrics))
	}
	site("key-of-one-site")
	gathered(t, site("key-of-another").registry())
}

func TestTheUsageLineHoldsWhatTheDocumentationSays(t *testing.T) {
	core, logs := observer.New(zapcore.InfoLevel)
	g := newGateway(t, withProvider("up", respond(200, chatAnswer)), withModel("m", "up/x"), withPrice("up/x", "1", "2"),
		with(func(h *Handler) {
			h.UsageLogOff = false
			h.Identify = []ScopeConfig{{Scope: "feature", Placeholders: []string{"{http.request.header.X-Feature}"}}}
		}))
	g.logger = zap.New(core)
	r := newRequest(http.MethodPost, chatPath, strings.NewReader(ask("m")))
	r.Header.Set("X-Feature", "batch")
	w := g.do(r)
	lines := logs.FilterMessage("usage").All()
	if len(lines) != 1 {
		t.Fatalf("%d lines", len(lines))
	}
	got := lines[0].ContextMap()
	for key, want := range map[string]any{
		"request_id": w.Header().Get("X-Request-Id"), "feature": "batch", "model": "m", "provider": "up", "upstream_model": "x", "target": "up/x", "dialect": "chat",
		"stream": false, "attempts": int64(1), "status": int64(200), "input_tokens": int64(10), "output_tokens": int64(5), "usage": "reported", "cost_usd": 20e-6,
	} {
		if fmt.Sprint(got[key]) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
	if _, ok := got["error"]; ok || got["user"] != nil {
		t.Errorf("unexpected fields in %v", got)
	}
}

func TestPlaceholdersTellAboutTheRequest(t *testing.T) {
	g := newGateway(t, withProvider("a", respond(500, serverError)), withProvider("b", stream(chatStream)), withModel("m", "a/x", "b/y"), withPrice("*/*", "1", "2"),
		with(func(h *Handler) {
			h.Identify = []ScopeConfig{{Scope: "feature", Placeholders: []string{"{http.request.header.X-Feature}"}}}
		}))
	r := newRequest(http.MethodPost, chatPath, strings.NewReader(askStream("m")))
	r.Header.Set("X-Feature", "batch")
	repl := caddy.NewReplacer()
	w := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, repl, w, &caddyhttp.Server{})
	if err := g.ServeHTTP(w, r, nil); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"model": "m", "provider": "b", "upstream_model": "y", "target": "b/y", "attempts": "2", "status": "200", "error": "", "input_tokens": "10",
		"output_tokens": "5", "cost_usd": "0.00002", "stream": "true", "feature": "batch", "user": "", "team": "", "key": "",
	} {
		if got, ok := repl.GetString("http.llm_gateway." + name); !ok || got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"http.llm_gateway.nonsense", "http.llm_gateway.", "http.llm_gatewax.model"} {
		if got, ok := repl.GetString(name); ok {
			t.Errorf("%s is %q", name, got)
		}
	}
}

func TestARequestThatFailsLeavesItsTraces(t *testing.T) {
	core, logs := observer.New(zapcore.InfoLevel)
	g := newGateway(t, withProviderConfig("up", `{}`, func(c *ProviderConfig) { c.APIKeys = []string{"sk-very-secret"} },
		respond(500, `{"error":{"message":"prompt was: tell me a secret, key sk-very-secret"}}`)), retries(0), with(func(h *Handler) { h.UsageLogOff = false }))
	g.logger = zap.New(core)
	g.post(chatPath, ask("up/m"))
	failed, usage := logs.FilterMessage("attempt failed").All(), logs.FilterMessage("usage").All()
	if len(failed) != 1 || len(usage) != 1 || usage[0].ContextMap()["error"] != string(providers.ClassServerError) || fmt.Sprint(failed[0].ContextMap()["status"]) != "500" {
		t.Fatalf("%v %v", failed, usage)
	}
	for _, l := range logs.All() {
		line, err := zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "m"}).EncodeEntry(l.Entry, l.Context)
		if err != nil || strings.Contains(line.String(), "secret") {
			t.Errorf("%v %s", err, line)
		}
	}
}

func TestTheStatusClassOfAnyNumberIsKnown(t *testing.T) {
	for status, want := range map[int]string{-1: "none", 0: "none", 99: "none", 100: "1xx", 200: "2xx", 499: "4xx", 599: "5xx", 600: "none"} {
		if got := statusClass(status); got != want {
			t.Errorf("%d is %s, want %s", status, got, want)
		}
	}
}

func TestAnAccessLogIsAssumedUnlessTheServerHasNone(t *testing.T) {
	if !accessLogged(context.Background()) {
		t.Error("a request without a server is not logged")
	}
	with := context.WithValue(context.Background(), caddyhttp.ServerCtxKey, &caddyhttp.Server{Logs: new(caddyhttp.ServerLogConfig)})
	without := context.WithValue(context.Background(), caddyhttp.ServerCtxKey, &caddyhttp.Server{})
	if !accessLogged(with) || accessLogged(without) {
		t.Error("the server's configuration is not heeded")
	}
}

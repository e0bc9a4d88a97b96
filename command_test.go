package llmgateway

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestTheQuickStartsConfiguration(t *testing.T) {
	h := &Handler{Providers: []*ProviderConfig{{Name: "simulated"}}}
	cfg, err := quickConfig(h, "127.0.0.1:8080", true, true)
	if err != nil {
		t.Fatal(err)
	}
	app := string(cfg.AppsRaw["http"])
	for path, want := range map[string]string{
		"servers.llm.listen.0":                           "127.0.0.1:8080",
		"servers.llm.routes.0.handle.0.handler":          "llm_gateway",
		"servers.llm.routes.0.handle.0.providers.0.name": "simulated",
		"servers.llm.automatic_https.disable":            "true",
	} {
		if got := gjson.Get(app, path).String(); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if !gjson.Get(app, "servers.llm.logs").Exists() || cfg.Logging.Logs["default"].Level != "DEBUG" || !cfg.Admin.Disabled || *cfg.Admin.Config.Persist {
		t.Errorf("%s %+v", app, cfg.Admin)
	}
	if plain, err := quickConfig(h, ":0", false, false); err != nil || gjson.GetBytes(plain.AppsRaw["http"], "servers.llm.logs").Exists() || plain.Logging.Logs["default"].Level != "INFO" {
		t.Errorf("%v", err)
	}
	for _, listen := range []string{"", "8080", "localhost"} {
		if _, err := quickConfig(h, listen, false, false); err == nil || !strings.Contains(err.Error(), "--listen") {
			t.Errorf("%q: %v", listen, err)
		}
	}
}

func TestAKindOfProviderIsNoArgumentOfTheQuickStart(t *testing.T) {
	cmd := new(cobra.Command)
	setUpQuickStart(cmd)
	if err := cmd.Args(cmd, []string{"openai"}); err == nil || !strings.Contains(err.Error(), "--provider openai") {
		t.Error(err)
	}
	if err := cmd.Args(cmd, nil); err != nil {
		t.Error(err)
	}
}

func TestWhatTheQuickStartPrints(t *testing.T) {
	for _, tc := range []struct {
		name   string
		found  findings
		kinds  []string
		listen string
		want   []string
	}{
		{
			"with a key in the environment",
			findings{vendors: []string{"openai"}},
			[]string{"openai"},
			":8080",
			[]string{"openai (its API key is in the environment)", "OPENAI_BASE_URL=http://localhost:8080/v1", "ANTHROPIC_BASE_URL=http://localhost:8080\n", "openai/gpt-5-mini"},
		},
		{
			"with a model server on this machine",
			findings{local: []string{"ollama"}},
			[]string{"ollama"},
			"0.0.0.0:80",
			[]string{"ollama (it answers on this machine)", "http://localhost:80", "ollama/llama3.2"},
		},
		{"with nothing", findings{}, []string{"simulated"}, "[::]:9", []string{"answers are simulated", "http://localhost:9", "simulated/demo"}},
		{"with the simulated provider, asked for", findings{asked: true}, []string{"simulated"}, ":9", []string{"simulated (asked for with --provider)"}},
		{"with a provider that was asked for", findings{asked: true}, []string{"vllm"}, "10.0.0.1:80", []string{"vllm (asked for with --provider)", "http://10.0.0.1:80", "vllm/<model>"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b strings.Builder
			tc.found.print(&b, tc.listen, tc.kinds)
			for _, want := range append(tc.want, "curl -N http://", "/v1/chat/completions") {
				if !strings.Contains(b.String(), want) {
					t.Errorf("%q is not in\n%s", want, &b)
				}
			}
			_, body, _ := strings.Cut(b.String(), "-d '")
			if body, _, _ = strings.Cut(body, "'"); !json.Valid([]byte(body)) {
				t.Errorf("the request to try is %s", body)
			}
		})
	}
}

// noVendors empties every environment variable that holds a vendor's key.
func noVendors(t *testing.T) {
	t.Helper()
	for _, kind := range kindNames() {
		if def, ok := kindDefaults(kind); ok {
			for _, env := range def.KeyEnv {
				t.Setenv(env, "")
			}
		}
	}
}

func TestVendorsAreDiscoveredByTheirKeys(t *testing.T) {
	for name, tc := range map[string]struct {
		env  []string
		want string
	}{
		"none":                         {nil, ""},
		"one":                          {[]string{"ANTHROPIC_API_KEY"}, "anthropic"},
		"two, in a fixed order":        {[]string{"ANTHROPIC_API_KEY", "OPENAI_API_KEY"}, "openai anthropic"},
		"one with two variables":       {[]string{"GEMINI_API_KEY", "GOOGLE_API_KEY"}, "gemini"},
		"a token that means otherwise": {[]string{"GITHUB_TOKEN"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			noVendors(t)
			for _, env := range tc.env {
				t.Setenv(env, "k")
			}
			d := newDiscovery()
			if got := strings.Join(d.vendors, " "); got != tc.want {
				t.Errorf("found %q, want %q", got, tc.want)
			}
			if slices.Contains(d.local, "simulated") || !slices.Contains(d.local, "ollama") {
				t.Errorf("local servers are %v", d.local)
			}
		})
	}
}

func TestWithoutAnythingTheSimulatedProviderAnswers(t *testing.T) {
	noVendors(t)
	h := &Handler{MetricsOff: true, UsageLogOff: true}
	if err := provision(t, h); err != nil {
		t.Fatal(err)
	}
	if h.table.Load() != nil {
		t.Error("loading looked for providers")
	}
	h.discover.local = nil // what listens on this machine is none of this test's business
	core, logs := observer.New(zapcore.InfoLevel)
	h.logger = zap.New(core)
	for range 2 {
		if got := h.currentTable().providerNames(); len(got) != 1 || got[0] != simulatedKind {
			t.Errorf("found %v", got)
		}
	}
	if all := logs.All(); len(all) != 1 || all[0].Level != zapcore.WarnLevel || !strings.Contains(all[0].Message, "answers are simulated") {
		t.Errorf("logged %v", all)
	}
}

func TestWithAKeyTheSimulatedProviderIsNotUsed(t *testing.T) {
	noVendors(t)
	t.Setenv("OPENAI_API_KEY", "sk-x")
	h := &Handler{MetricsOff: true, UsageLogOff: true}
	if err := provision(t, h); err != nil {
		t.Fatal(err)
	}
	h.discover.local = nil
	if got := h.currentTable().providerNames(); len(got) != 1 || got[0] != "openai" {
		t.Errorf("found %v", got)
	}
}

func TestOnlyAModelServerIsTakenForOne(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		header string
		want   bool
	}{
		"a model server":            {200, `{"object":"list","data":[{"id":"m"}]}`, "", true},
		"one without a model":       {200, `{"object":"list","data":[]}`, "", true},
		"a gateway like this one":   {200, `{"object":"list","data":[]}`, gatewayHeader, false},
		"something that wants auth": {401, `{}`, "", false},
		"a web page":                {200, `<html>`, "", false},
		"some other JSON":           {200, `{"status":"ok"}`, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v1/models" {
					w.WriteHeader(http.StatusNotFound)
					return
				}
				if tc.header != "" {
					w.Header().Set(tc.header, "1")
				}
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}))
			defer s.Close()
			for _, base := range []string{s.URL, s.URL + "/v1"} {
				if got := answersModels(t.Context(), base); got != tc.want {
					t.Errorf("%s: got %v", base, got)
				}
			}
		})
	}
}

func TestNobodyOnAPortIsNoModelServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if answersModels(t.Context(), closed) || answersModels(ended, closed) || answersModels(t.Context(), "http://%") {
		t.Error("found somebody")
	}
}

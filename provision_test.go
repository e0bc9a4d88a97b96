package llmgateway

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/balancing"
)

// held counts what the pools hold: states of upstreams, and references to the default transport.
func held() string {
	states := 0
	upstreamStates.Range(func(any, any) bool { states++; return true })
	refs, _ := transports.References(defaultTransport)
	return fmt.Sprint(states, " states, ", refs, " transports")
}

func TestEveryReferenceToThePoolsIsGivenBack(t *testing.T) {
	openai := func(name string, keys ...string) *ProviderConfig {
		return &ProviderConfig{Name: name, ProviderRaw: []byte(`{"kind":"openai"}`), APIKeys: keys}
	}
	for name, tc := range map[string]struct {
		providers []*ProviderConfig
		ok        bool
	}{
		"after a configuration that was used":       {[]*ProviderConfig{openai("a", "k1", "k2"), openai("b", "k1")}, true},
		"when the second key of a provider is bad":  {[]*ProviderConfig{openai("a", "k1"), openai("b", "k2", "")}, false},
		"when a provider has no key":                {[]*ProviderConfig{openai("a", "k1"), openai("b", "{env.LLMGATEWAY_TEST_UNSET}")}, false},
		"when the second endpoint of one is bad":    {[]*ProviderConfig{{Name: "a", ProviderRaw: []byte(`{"kind":"openai"}`), BaseURLs: []string{"http://x", "nonsense"}}}, false},
		"when a provider is of an unknown kind":     {[]*ProviderConfig{openai("a", "k1"), {Name: "b", ProviderRaw: []byte(`{"kind":"nonsense"}`)}}, false},
		"when a provider is declared twice":         {[]*ProviderConfig{openai("a", "k1"), openai("a", "k2")}, false},
		"when the models are wrong, after all that": {[]*ProviderConfig{openai("a", "k1"), openai("b", "k2"), openai("models", "k3")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			before := held()
			h := &Handler{Providers: tc.providers, MetricsOff: true}
			if strings.HasPrefix(name, "when the models") {
				h.Models = []*ModelConfig{model("m", "nobody/x")}
			}
			err := provision(t, h)
			if (err == nil) != tc.ok {
				t.Fatal(err)
			}
			for range 2 { // Caddy cleans up once; a second time must not take what others hold
				if err := h.Cleanup(); err != nil {
					t.Fatal(err)
				}
			}
			if after := held(); after != before {
				t.Errorf("%s are held, and %s before", after, before)
			}
		})
	}
}

func TestCleaningUpAHandlerThatWasNeverProvisioned(t *testing.T) {
	if err := new(Handler).Cleanup(); err != nil {
		t.Error(err)
	}
}

func TestHealthSurvivesAReload(t *testing.T) {
	load := func() *gateway {
		return newGateway(t, withProvider("reloaded", respond(429, rateLimited, "Retry-After", "60")), withModel("m", "reloaded/x"), retries(0))
	}
	old := load()
	old.post(chatPath, ask("m"))
	fresh := load()
	if err := old.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if w := fresh.post(chatPath, ask("m")); w.Code != 429 || fresh.up["reloaded"].count() != 0 {
		t.Errorf("%d after %d calls: the cooldown was forgotten", w.Code, fresh.up["reloaded"].count())
	}
}

func TestARequestOfAnOldConfigurationGoesOnAfterItWasCleanedUp(t *testing.T) {
	release := make(chan struct{})
	started := make(chan struct{})
	slow := func(r *http.Request) (*http.Response, error) {
		close(started)
		<-release
		return stream(chatStream)(r)
	}
	g := newGateway(t, withProvider("old", slow), withModel("m", "old/x"))
	var wg sync.WaitGroup
	wg.Go(func() {
		if w := g.post(chatPath, askStream("m")); w.Code != 200 || !strings.Contains(w.Body.String(), "[DONE]") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
	<-started
	if err := g.Cleanup(); err != nil {
		t.Fatal(err)
	}
	close(release)
	wg.Wait()
	if len(g.entries()) != 1 {
		t.Errorf("%d entries", len(g.entries()))
	}
}

func TestTheSameEndpointAndKeyShareTheirHealthWhateverTheyAreCalled(t *testing.T) {
	h := &Handler{MetricsOff: true, Providers: []*ProviderConfig{
		{Name: "one", ProviderRaw: []byte(`{"kind":"openai"}`), APIKeys: []string{"k"}},
		{Name: "two", ProviderRaw: []byte(`{"kind":"openai"}`), APIKeys: []string{"k"}},
		{Name: "three", ProviderRaw: []byte(`{"kind":"openai"}`), APIKeys: []string{"other"}},
	}}
	if err := provision(t, h); err != nil {
		t.Fatal(err)
	}
	state := func(i int) *upstreamState { return h.providers[i].upstreams[0].state }
	if state(0) != state(1) || state(0) == state(2) {
		t.Error("health is shared by the wrong ones")
	}
	upstreamStates.Range(func(key, _ any) bool {
		if strings.Contains(key.(string), "other") {
			t.Errorf("the pool's key %q holds a credential", key)
		}
		return true
	})
}

func TestAKeyFromTheEnvironmentGoesToTheVendorOnly(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "sk-from-the-environment")
	for base, want := range map[string]bool{"": false, "http://127.0.0.1:1/v1": true} {
		c := &ProviderConfig{Name: "openai"}
		if base != "" {
			c.BaseURLs = []string{base}
		}
		h := &Handler{MetricsOff: true, Providers: []*ProviderConfig{c}}
		if err := provision(t, h); err != nil {
			t.Fatal(err)
		}
		if got := h.providers[0].upstreams[0].key.Empty(); got != want {
			t.Errorf("base %q: without a key: %v", base, got)
		}
	}
}

func TestSeveralEndpointsAndKeysAreAllCombined(t *testing.T) {
	g := newGateway(t, withProviderConfig("a", `{}`, func(c *ProviderConfig) {
		c.BaseURLs, c.APIKeys = []string{"http://one.invalid", "http://two.invalid"}, []string{"k1", "k2"}
	}, respond(200, chatAnswer)), withModel("m", "a/x"))
	seen := map[string]int{}
	for range 8 {
		g.post(chatPath, ask("m"))
		c := g.up["a"].last(t)
		seen[c.host+" "+c.key]++
	}
	if len(seen) != 4 {
		t.Errorf("%v", seen)
	}
	for who, n := range seen {
		if n != 2 {
			t.Errorf("%s got %d of 8 requests", who, n)
		}
	}
}

func TestPassiveHealthOfAProviderReplacesThatOfTheHandler(t *testing.T) {
	g := newGateway(t, withProviderConfig("a", `{}`, func(c *ProviderConfig) { c.PassiveHealth = &PassiveHealth{UnhealthyStatus: []int{418}, MaxFails: 1} },
		respond(418, `{}`)), withProvider("b", respond(200, chatAnswer)), withModel("m", "a/x", "b/x"), retries(0),
		with(func(h *Handler) { h.PassiveHealth = &PassiveHealth{MaxFails: 100} }))
	if first := g.post(chatPath, ask("m")); first.Code != 418 {
		t.Errorf("%d", first.Code)
	}
	if second := g.post(chatPath, ask("m")); second.Code != 200 {
		t.Errorf("%d %s", second.Code, second.Body)
	}
}

func TestEncodersAreToldTheVendor(t *testing.T) {
	for name, tc := range map[string]struct {
		config *ProviderConfig
		vendor string
	}{
		"the preset":        {&ProviderConfig{Name: "fast", ProviderRaw: []byte(`{"kind":"compatible","preset":"mistral"}`), APIKeys: []string{"k"}}, "mistral"},
		"else the kind":     {&ProviderConfig{Name: "mine", ProviderRaw: []byte(`{"kind":"openai"}`), APIKeys: []string{"k"}}, "openai"},
		"and else the name": {&ProviderConfig{Name: "groq", APIKeys: []string{"k"}}, "groq"},
		"which is nobody's": {&ProviderConfig{Name: "x", ProviderRaw: []byte(`{"kind":"compatible"}`), BaseURLs: []string{"http://x/v1"}}, "compatible"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &Handler{Providers: []*ProviderConfig{tc.config}, MetricsOff: true}
			if err := provision(t, h); err != nil {
				t.Fatal(err)
			}
			if got := h.providers[0].vendor; got != tc.vendor {
				t.Errorf("%q, want %q", got, tc.vendor)
			}
		})
	}
}

func TestWeightsThatAPolicyDoesNotHeedAreToldOf(t *testing.T) {
	to := []TargetConfig{{Target: "a/x", Weight: 3}, {Target: "b/y"}}
	for _, tc := range []struct {
		to     []TargetConfig
		policy balancing.Policy
		want   bool
	}{
		{to, new(balancing.Priority), true},
		{to, new(balancing.RoundRobin), true},
		{to, new(balancing.Cheapest), true},
		{to, new(balancing.WeightedRoundRobin), false},
		{to, new(balancing.Random), false},
		{to, new(balancing.Session), false},
		{[]TargetConfig{{Target: "a/x"}, {Target: "b/y", Weight: 1}}, new(balancing.Priority), false},
		{nil, new(balancing.Priority), false},
	} {
		if got := idleWeights(tc.to, tc.policy); got != tc.want {
			t.Errorf("%v under %T: %v", tc.to, tc.policy, got)
		}
	}
}

func TestPriceLinesOfNobodyAreToldOf(t *testing.T) {
	h := &Handler{Providers: []*ProviderConfig{{Name: "GPU", ProviderRaw: []byte(`{"kind":"simulated"}`)}}, MetricsOff: true}
	for _, match := range []string{"gpu/*", "openai/gpt-5", "*/x", "x", "azure/x", "gpuu/*", "meta-llama/llama-3"} {
		h.Prices = append(h.Prices, accounting.Override{Match: match, FileRates: accounting.FileRates{Input: "1"}})
	}
	if err := provision(t, h); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(h.strayPrices(), " "); got != "gpuu/* meta-llama/llama-3" {
		t.Error(got)
	}
}

func TestOneBlockDoesNotUndoTheLimitOfAnother(t *testing.T) {
	limited := func(limit *Limit) option {
		return withProviderConfig("shared", `{}`, func(c *ProviderConfig) { c.APIKeys, c.Limit = []string{"k"}, limit }, respond(200, chatAnswer))
	}
	one := newGateway(t, limited(&Limit{Requests: "2/hour"}))
	two := newGateway(t, limited(nil))
	for i, want := range []int{200, 200, 429} {
		if w := [...]*gateway{one, two, one}[i].post(chatPath, ask("shared/x")); w.Code != want {
			t.Errorf("request %d: %d %s", i+1, w.Code, w.Body)
		}
	}
	if err := one.Cleanup(); err != nil { // as a reload without the limit does
		t.Fatal(err)
	}
	if w := two.post(chatPath, ask("shared/x")); w.Code != 200 {
		t.Errorf("the limit outlives the block that set it: %d", w.Code)
	}
}

func TestAConfigurationThatIsRefusedLeavesLimitsAndRulesAsTheyWere(t *testing.T) {
	base := withProviderConfig("shared", `{}`, func(c *ProviderConfig) { c.APIKeys, c.Limit = []string{"k"}, &Limit{Requests: "100/hour"} }, respond(500, serverError))
	g := newGateway(t, base, retries(0))
	wrong := &gateway{Handler: &Handler{MetricsOff: true, LedgerRaw: []byte(`{"ledger":"off"}`)}, t: t, up: map[string]*script{}}
	withProviderConfig("shared", `{}`, func(c *ProviderConfig) {
		c.APIKeys, c.Limit, c.PassiveHealth = []string{"k"}, &Limit{Requests: "1/hour"}, &PassiveHealth{FailDuration: caddy.Duration(time.Hour)}
	}, respond(200, chatAnswer))(wrong)
	withModel("m", "nowhere/x")(wrong)
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	if err := wrong.Provision(ctx); err == nil {
		t.Fatal("a target without a provider is taken")
	}
	if err := wrong.Cleanup(); err != nil {
		t.Fatal(err)
	}
	for i := range 4 { // of which the first would be one too many
		if w := g.post(chatPath, ask("shared/x")); w.Code != 500 {
			t.Errorf("request %d: %d %s", i+1, w.Code, w.Body)
		}
	}
}

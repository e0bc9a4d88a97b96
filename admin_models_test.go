package llmgateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/accounting"
)

// modelOf is what the admin endpoint says of a model.
func modelOf(t *testing.T, name string) gjson.Result {
	t.Helper()
	w := askServer("/llm_gateway/models")
	if w.Code != http.StatusOK || !json.Valid(w.Body.Bytes()) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	var found gjson.Result
	gjson.Get(w.Body.String(), "models").ForEach(func(_, m gjson.Result) bool {
		if m.Get("model").String() == name {
			if found.Exists() {
				t.Errorf("%s is listed twice", name)
			}
			found = m
		}
		return true
	})
	return found
}

func TestTheAdminEndpointShowsWhatModelsResolveTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t,
			withProviderConfig("shown", `{}`, func(c *ProviderConfig) { c.APIKeys = []string{"sk-canary"} }, respond(http.StatusTooManyRequests, rateLimited, "Retry-After", "30")),
			withProvider("spare", respond(http.StatusOK, chatAnswer)),
			withPrice("shown/big", "2.5", "10"),
			with(func(h *Handler) {
				h.Models = append(h.Models,
					&ModelConfig{Name: "shown-model", To: []TargetConfig{{Target: "shown/big", Weight: 3}, {Target: "spare/x"}}, Fallbacks: []string{"spare/y"}},
					&ModelConfig{Name: "shown-*", To: []TargetConfig{{Target: "shown/*"}}, Fallbacks: []string{"shown-model"}})
			}))
		if w := g.post(chatPath, ask("shown-model")); w.Code != http.StatusOK {
			t.Fatal(w.Body)
		}
		m := modelOf(t, "shown-model").Raw
		for path, want := range map[string]string{
			"targets.#":        "3",
			"targets.0.target": "shown/big", "targets.0.group": "1", "targets.0.weight": "3", "targets.0.unpriced": "false", "targets.0.status": "cooldown",
			"targets.0.price_usd.input": "2.5", "targets.0.price_usd.output": "10", "targets.0.price_usd.cache_read": "2.5",
			"targets.1.target": "spare/x", "targets.1.group": "1", "targets.1.weight": "1", "targets.1.unpriced": "true", "targets.1.price_usd": "", "targets.1.status": "healthy",
			"targets.2.target": "spare/y", "targets.2.group": "2",
		} {
			if got := gjson.Get(m, path).String(); got != want {
				t.Errorf("%s is %q, want %q in %s", path, got, want, m)
			}
		}
		if got, want := modelOf(t, "shown-*").Raw, `{"model":"shown-*","pattern":true,"targets":[{"target":"shown/*","group":1,"weight":1},{"target":"shown-model","group":2,"weight":1}]}`; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if strings.Contains(askServer("/llm_gateway/models").Body.String(), "canary") {
			t.Error("a key is shown")
		}
	})
}

func TestShowingModelsOfAProviderMakesNoState(t *testing.T) {
	g := newGateway(t, withProviderConfig("book", `{}`, func(c *ProviderConfig) { c.Models = []string{"one", "two", "many-*"} }), withPrice("book/one", "1", "2"))
	one, two := modelOf(t, "book/one"), modelOf(t, "book/two")
	if one.Get("targets.0.unpriced").Raw != "false" || one.Get("targets.0.status").String() != "healthy" || two.Get("targets.0.unpriced").Raw != "true" {
		t.Errorf("%s %s", one, two)
	}
	if modelOf(t, "book/many-*").Exists() {
		t.Error("a pattern is shown as a model")
	}
	p := g.currentTable().byName["book"]
	if n := len(p.upstreams[0].state.models) + len(p.slots); n != 0 {
		t.Errorf("there are %d states", n)
	}
}

func TestGatewaysThatEndedAreNotShown(t *testing.T) {
	t.Run("while it runs", func(t *testing.T) {
		newGateway(t, withProvider("ended"), withModel("ended-model", "ended/x"))
		newGateway(t, withProvider("ended"), withModel("ended-model", "ended/x"))
		if !modelOf(t, "ended-model").Exists() {
			t.Error("it is not shown")
		}
	})
	if modelOf(t, "ended-model").Exists() {
		t.Error("it is shown")
	}
}

func TestLongContextPricesAndLimitsAreShown(t *testing.T) {
	book, err := accounting.ParseBook([]byte(`{"format":1,"date":"2026-01-31","vendors":[{"id":"v","models":[{"id":"m","context":1000000,"max_output":64000,"deprecated":true,"retires":"2027-01-31",
		"prices":[{"input":1.25,"output":10,"web_search":0.01,"tiers":[{"above":200000,"input":2.5}]}]}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	m, ok := book.Find("", "v", "m")
	if !ok {
		t.Fatal("there is no model")
	}
	got, err := json.Marshal(describeTarget("v/m", m, false, m.Retires))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"price_usd.input": "1.25", "price_usd.web_search": "0.01", "price_tiers.0.above": "200000", "price_tiers.0.price_usd.input": "2.5", "price_tiers.0.price_usd.output": "10",
		"context_window": "1000000", "max_output": "64000", "deprecated": "true", "retires": "2027-01-31", "unpriced": "false",
	} {
		if value := gjson.GetBytes(got, path).String(); value != want {
			t.Errorf("%s is %q, want %q in %s", path, value, want, got)
		}
	}
}

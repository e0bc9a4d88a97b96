package llmgateway

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/balancing"
)

// publicModel is a model that clients can ask for, as the admin API shows it.
type publicModel struct {
	// The name that clients ask for, or a pattern of names.
	Model string `json:"model"`
	// Whether the name is a pattern. What its targets cost and how they are depends on the name asked for.
	Pattern bool `json:"pattern,omitempty"`
	// What requests are sent to, in the order in which groups are tried.
	Targets []modelTarget `json:"targets"`
}

// modelTarget is a target of a model, as the admin API shows it.
type modelTarget struct {
	// The target as provider/model.
	Target string `json:"target"`
	// 1 for what is used first, 2 for the first fallback, and so on.
	Group int `json:"group"`
	// The share under the weighted policies.
	Weight int `json:"weight"`
	// Whether no price is known at the moment. Left out for patterns.
	Unpriced *bool `json:"unpriced,omitempty"`
	// What a million tokens of each class, or one search or request, costs now in dollars.
	Price map[string]string `json:"price_usd,omitempty"`
	// The prices of requests with more input tokens than a threshold.
	Tiers []modelTier `json:"price_tiers,omitempty"`
	// In tokens; left out when not known.
	ContextWindow int64 `json:"context_window,omitempty"`
	MaxOutput     int64 `json:"max_output,omitempty"`
	// Whether the vendor advises against the model, and when it switches it off.
	Deprecated bool   `json:"deprecated,omitempty"`
	Retires    string `json:"retires,omitempty"`
	// The best state of its endpoints and keys: healthy, full, half_open, cooldown, open, quarantined or down.
	Status balancing.Status `json:"status,omitempty"`
}

// modelTier is a long-context price.
type modelTier struct {
	Above int64             `json:"above"`
	Price map[string]string `json:"price_usd"`
}

// models serves what clients can ask for and what that resolves to.
func (adminAPI) models(w http.ResponseWriter, r *http.Request) error {
	if err := onlyGET(w, r); err != nil {
		return err
	}
	answer := struct {
		Models []publicModel `json:"models"`
	}{[]publicModel{}}
	now := time.Now()
	known := map[string][]publicModel{}
	for _, h := range liveHandlers() {
		for _, m := range h.currentTable().describe(now) {
			// Several gateways may well offer the same.
			if !slices.ContainsFunc(known[m.Model], func(o publicModel) bool { return reflect.DeepEqual(o, m) }) {
				known[m.Model] = append(known[m.Model], m)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		answer.Models = append(answer.Models, known[name]...)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // a client that has left is told nothing
	return nil
}

// describe lists the public names and then the patterns. It changes nothing, not even the state of models that nobody asked for.
func (t *table) describe(now time.Time) []publicModel {
	var out []publicModel
	for _, name := range t.publicNames() {
		m := publicModel{Model: name, Targets: []modelTarget{}}
		if r := t.exact[name]; r != nil {
			for i, tier := range r.tiers {
				for _, tg := range tier {
					d := describeTarget(tg.label, tg.price, tg.provider.defaults.Local, now)
					d.Group, d.Weight, d.Status = i+1, tg.weight, slotStatus(tg.provider.upstreams, tg.model, now)
					m.Targets = append(m.Targets, d)
				}
			}
		} else if p, model := t.direct(name); p != nil {
			d := describeTarget(name, t.price(p, model), p.defaults.Local, now)
			d.Group, d.Weight, d.Status = 1, 1, slotStatus(p.upstreams, model, now)
			m.Targets = append(m.Targets, d)
		}
		out = append(out, m)
	}
	for _, p := range t.patterns {
		out = append(out, describePattern(p.config))
	}
	return out
}

func describePattern(c *ModelConfig) publicModel {
	m := publicModel{Model: c.Name, Pattern: true, Targets: []modelTarget{}}
	group := 0
	for _, to := range c.To {
		group = 1
		m.Targets = append(m.Targets, modelTarget{Target: to.Target, Group: group, Weight: max(to.Weight, 1)})
	}
	for _, f := range c.Fallbacks {
		group++
		m.Targets = append(m.Targets, modelTarget{Target: f, Group: group, Weight: 1})
	}
	return m
}

// describeTarget says what the price book knows of a target. On the user's own machines nothing needs a price.
func describeTarget(label string, m *accounting.Model, local bool, now time.Time) modelTarget {
	unpriced := !local
	d := modelTarget{Target: label, Unpriced: &unpriced}
	if m == nil {
		return d
	}
	d.ContextWindow, d.MaxOutput, d.Deprecated = m.ContextWindow, m.MaxOutput, m.Deprecated
	if !m.Retires.IsZero() {
		d.Retires = m.Retires.Format(time.DateOnly)
	}
	if p, ok := m.Price(now); ok {
		unpriced = false
		d.Price = describeRates(&p.Rates)
		for _, tier := range p.Tiers() {
			d.Tiers = append(d.Tiers, modelTier{tier.Above, describeRates(&tier.Rates)})
		}
	}
	return d
}

// describeRates writes down every price that is known, by class.
func describeRates(r *accounting.Rates) map[string]string {
	out := map[string]string{}
	for c := accounting.Class(0); r.Known>>c != 0; c++ {
		if nano, ok := r.Get(c); ok {
			out[c.String()] = accounting.Money(nano).String()
		}
	}
	return out
}

// statuses are those of targets, from best to worst.
var statuses = []balancing.Status{
	balancing.StatusHealthy, balancing.StatusFull, balancing.StatusHalfOpen, balancing.StatusCooldown, balancing.StatusOpen,
	balancing.StatusQuarantined, balancing.StatusDown,
}

// slotStatus is the best status that any of the upstreams has for a model. A model that nobody asked for has none of its own.
func slotStatus(ups []*upstream, model string, now time.Time) balancing.Status {
	best := balancing.StatusDown
	for _, up := range ups {
		s := up.state.health.Snapshot(now).Status
		if m := up.state.known(model); m != nil {
			s = slices.MaxFunc([]balancing.Status{s, m.health.Snapshot(now).Status}, compareStatus)
		}
		best = slices.MinFunc([]balancing.Status{best, s}, compareStatus)
	}
	return best
}

func compareStatus(a, b balancing.Status) int {
	return cmp.Or(cmp.Compare(slices.Index(statuses, a), slices.Index(statuses, b)), strings.Compare(string(a), string(b)))
}

// known returns the state of a model, or nil when nobody asked for it.
func (s *upstreamState) known(name string) *modelState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.models[name]
}
